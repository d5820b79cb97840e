"""An evaluation under way: objects are scored beside whatever the caller does next."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pending(Generic[T]):
    """What `submit` returns: `result` waits for the answer, and gives the same one however often it is asked.

    Args:
        finish: Waits for the answer and returns it; called once, unless it raises.
    """

    def __init__(self, finish: Callable[[], T]) -> None:
        self._finish = finish
        self._answer: list[T] = []

    def result(self) -> T:
        """Return the answer, waiting for it where it is not there yet.

        Raises:
            Exception: Whatever the evaluation raised.
        """
        if not self._answer:
            self._answer.append(self._finish())
        return self._answer[0]
