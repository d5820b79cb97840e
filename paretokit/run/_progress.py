"""What the user sees while a run goes on: one bar, silent when nobody looks."""

from __future__ import annotations

from types import TracebackType
from typing import Any, Self


class Progress:
    """A progress bar of the share of the budget that is spent; shows nothing where stderr is no terminal.

    Args:
        title: Text in front of the bar.
        shown: True or False force it; None asks whether stderr is a terminal.
    """

    def __init__(self, title: str, *, shown: bool | None) -> None:
        self._bar: Any = None
        if shown is False:
            return
        from tqdm.auto import tqdm

        form = "{desc} {percentage:3.0f}%|{bar}| {elapsed}<{remaining}{postfix}"
        disable = None if shown is None else not shown
        self._bar = tqdm(total=1.0, desc=title, disable=disable, leave=False, bar_format=form, mininterval=0.1)

    def show(self, share: float, note: str) -> None:
        """Move the bar to a share of the budget."""
        if self._bar is not None and not self._bar.disable:
            self._bar.n = min(share, 1.0)
            self._bar.set_postfix_str(note, refresh=False)
            self._bar.update(0)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.close()
