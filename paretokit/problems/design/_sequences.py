"""Words over an alphabet, written from left to right, and the problems that score them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import final

import torch
from torch import Tensor

from paretokit.core import Sequences
from paretokit.core import _check as check
from paretokit.problems.design._design import CompositionalDesign
from paretokit.problems.design._environment import NOTHING, DesignEnvironment


@final
@dataclass(frozen=True, kw_only=True)
class AppendEnvironment(DesignEnvironment):
    r"""Words that grow at their end: action a < v appends letter a, action v stops.

    A state is the tokens (`max_length` columns, the pad v after the end), the length, and whether the word is finished.
    The stop is illegal below `min_length`; a word of `max_length` letters is finished without it, so it takes as many
    actions as it has letters, and every shorter one takes one more. Each state has one parent: there is one backward
    action, which takes the last action back.

    Attributes:
        n_letters: Number v of letters.
        min_length: Letters of the shortest word, at least 1.
        max_length: Letters of the longest word.
        allowed: Which letter (column) may follow which (row), bool `[v, v]`; all where None.
        first: Which letters may begin a word, bool `[v]`; all where None.

    Raises:
        InputError: If a rule is broken, or a word shorter than `min_length` can be left without any legal action.
    """

    n_letters: int
    min_length: int
    max_length: int
    allowed: tuple[tuple[bool, ...], ...] | None = None
    first: tuple[bool, ...] | None = None
    _tables: dict[str, Tensor] = field(default_factory=dict, init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        check.fields(self)
        v = self.n_letters
        check.at_least(1, n_letters=v, min_length=self.min_length)
        hint = "are the lengths the wrong way round?"
        rule = f"be at least min_length = {self.min_length}"
        check.that(self.max_length >= self.min_length, "max_length", rule, self.max_length, hint)
        if self.allowed is not None:
            rows = tuple(tuple(bool(a) for a in row) for row in self.allowed)
            fine = len(rows) == v and all(len(row) == v for row in rows)
            shape = (len(rows), *sorted({len(row) for row in rows}))
            check.shape(fine, "allowed", f"have shape ({v}, {v}), letter before by letter after", shape)
            object.__setattr__(self, "allowed", rows)
        if self.first is not None:
            begin = tuple(bool(a) for a in self.first)
            check.shape(len(begin) == v, "first", f"have {v} entries, one a letter", len(begin))
            object.__setattr__(self, "first", begin)
        self._check_open()

    def _check_open(self) -> None:
        """Raise where a word below `min_length` has no legal action."""
        if not self._reached:
            check.fail("first", "allow at least one letter", list(self.first or ()), "every action would be masked")
        allowed = self.allowed
        for length, letters in enumerate(self._reached[: self.min_length - 1], 1):
            stuck = [a for a in letters if allowed is not None and not any(allowed[a])]
            if stuck:
                rule = f"leave a next letter to every word shorter than min_length = {self.min_length}"
                check.fail("allowed", rule, f"none after letter {stuck[0]} at length {length}", "its row is all False")

    @cached_property
    def _reached(self) -> list[list[int]]:
        """The letters with which words of 1, 2, … letters can end, up to the longest."""
        v = self.n_letters
        out: list[list[int]] = []
        now = [a for a in range(v) if self.first is None or self.first[a]]
        while now and len(out) < self.max_length:
            out.append(now)
            if self.allowed is not None:
                now = [b for b in range(v) if any(self.allowed[a][b] for a in now)]
            else:
                now = list(range(v))
        return out

    @property
    def pad(self) -> int:
        """The token after the end of a word, v."""
        return self.n_letters

    @property
    def n_actions(self) -> int:
        """One a letter, and the stop."""
        return self.n_letters + 1

    @property
    def n_backward(self) -> int:
        """One: a word has one parent."""
        return 1

    @property
    def max_steps(self) -> int:
        """Letters of the longest word; one more for a stop where transitions end words early."""
        return min(len(self._reached) + 1, self.max_length)

    @property
    def n_features(self) -> int:
        """One a column and letter, and the length."""
        return self.max_length * self.n_letters + 1

    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n empty words."""
        states = torch.zeros(n, self.max_length + 2, dtype=torch.int64, device=device)
        states[:, : self.max_length] = self.pad
        if self.allowed is not None or self.first is not None:
            self._following(states.device)  # the one copy to the device
        return states

    def tokens(self, states: Tensor) -> Tensor:
        """Return the letters of states `[..., max_length]`, the pad v after the end."""
        return states[..., : self.max_length]

    def lengths(self, states: Tensor) -> Tensor:
        """Return the number of letters of states `[...]`."""
        return states[..., self.max_length]

    def mask(self, states: Tensor) -> Tensor:
        """Return the letters that may follow, and the stop from `min_length` on; nothing where finished."""
        length, open_ = self.lengths(states).unsqueeze(1), states[:, -1:] == 0
        if self.allowed is None and self.first is None:
            letters = open_.expand(-1, self.n_letters)
        else:
            last = self.tokens(states).gather(1, (length - 1).clamp_min(0)).squeeze(1)  # the pad of empty words
            letters = self._following(states.device)[last] & open_
        return torch.cat([letters, open_ & (length >= self.min_length)], 1)

    def _following(self, device: torch.device) -> Tensor:
        """Return which letters may follow each token, bool `[v + 1, v]`; the pad's row is a word's begin."""
        name = str(device)
        if name not in self._tables:
            v = self.n_letters
            rows = torch.ones(v + 1, v, dtype=torch.bool)
            if self.allowed is not None:
                rows[:v] = torch.tensor(self.allowed)
            if self.first is not None:
                rows[v] = torch.tensor(self.first)
            self._tables[name] = rows.to(device)
        return self._tables[name]

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the words with a letter more, or stopped."""
        tokens, length, finished = self.tokens(states), states[:, -2:-1], states[:, -1:]
        action = actions.unsqueeze(1)
        writes = (action != NOTHING) & (action != self.pad)
        columns = torch.arange(self.max_length, device=states.device)
        tokens = torch.where(writes & (columns == length), action, tokens)
        length = length + writes
        full = writes & (length == self.max_length)
        return torch.cat([tokens, length, finished | (action == self.pad) | full], 1)

    def backward_mask(self, states: Tensor) -> Tensor:
        """Return whether there is anything to take back."""
        return states[:, -2:-1] > 0

    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the words before the last letter, or before the stop."""
        moved, stopped = (backward != NOTHING).unsqueeze(1), self._stopped(states).unsqueeze(1)
        length = states[:, -2:-1] - (moved & ~stopped).to(torch.int64)
        columns = torch.arange(self.max_length, device=states.device)
        tokens = torch.where(columns >= length, self.pad, self.tokens(states))
        return torch.cat([tokens, length, torch.where(moved, 0, states[:, -1:])], 1)

    def _stopped(self, states: Tensor) -> Tensor:
        """Tell which words were ended by the stop action, bool `[n]`."""
        return (states[:, -1] == 1) & (self.lengths(states) < self.max_length)

    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the one backward action."""
        return torch.where(actions == NOTHING, NOTHING, 0)

    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the last letter, or the stop."""
        at = (self.lengths(states) - 1).clamp_min(0).unsqueeze(1)
        last = self.tokens(states).gather(1, at).squeeze(1)
        return torch.where(backward == NOTHING, NOTHING, torch.where(self._stopped(states), self.pad, last))

    def observe(self, states: Tensor) -> Tensor:
        """Return the letters one-hot (none after the end) and the length over the longest, `[n, max_length v + 1]`."""
        letters = torch.arange(self.n_letters, device=states.device)
        seen = (self.tokens(states).unsqueeze(-1) == letters).flatten(1).to(torch.float32)
        return torch.cat([seen, states[:, -2:-1].to(torch.float32) / self.max_length], 1)

    def decisions(self, states: Tensor) -> Tensor:
        """Return the padded tokens, rows of `Sequences`."""
        return self.tokens(states).to(torch.float64)

    def finished(self, x: Tensor) -> Tensor:
        """Return the words, finished."""
        tokens = x.to(torch.int64)
        length = (tokens != self.pad).sum(1, keepdim=True)
        return torch.cat([tokens, length, torch.ones_like(length)], 1)

    def done(self, states: Tensor) -> Tensor:
        """Tell which words are finished."""
        return states[:, -1] == 1


class SequenceProblem(CompositionalDesign):
    """A design problem whose objects are words; subclasses give `objectives` and write `_score` on padded tokens.

    Decision rows are those of ``Sequences(alphabet, min_length, max_length)``; `decode` gives the string.

    Args:
        alphabet: Different, non-empty strings, one a letter: "ACGT".
        min_length: Letters of the shortest word, included.
        max_length: Letters of the longest word, included.
        allowed: See `AppendEnvironment`.
        first: Likewise.

    Raises:
        InputError: If the alphabet is empty or holds a letter twice, or a length breaks its rule.
    """

    space: Sequences
    environment: AppendEnvironment

    def __init__(
        self,
        *,
        alphabet: Sequence[str],
        min_length: int,
        max_length: int,
        allowed: Tensor | Sequence[Sequence[bool]] | None = None,
        first: Tensor | Sequence[bool] | None = None,
    ) -> None:
        letters = checked_alphabet(alphabet)
        self.environment = AppendEnvironment(
            n_letters=len(letters),
            min_length=min_length,
            max_length=max_length,
            allowed=None if allowed is None else tuple(tuple(bool(b) for b in row) for row in allowed),
            first=None if first is None else tuple(bool(a) for a in first),
        )
        self.space = Sequences(letters, min_length, max_length)

    @property
    def alphabet(self) -> tuple[str, ...]:
        """The letters."""
        return self.space.alphabet

    def decode(self, x: Tensor) -> str:
        """Return the word of one decision row `x [d]`."""
        return self.space.words(x.reshape(1, -1))[0]

    def encode(self, words: Sequence[str | Sequence[str]]) -> Tensor:
        """Return the decision rows `[n, d]` of words: strings of one-character letters, or lists of any letters.

        A string is one word.

        Raises:
            InputError: If a word has a letter outside the alphabet, or too many or too few.
        """
        long = any(len(a) > 1 for a in self.alphabet)
        rows, index = [], {a: float(i) for i, a in enumerate(self.alphabet)}
        low, high = self.space.min_length, self.space.max_length
        for word in [words] if isinstance(words, str) else words:
            hint = f"a letter is longer than one character: {list(self.alphabet)[:2]}, say"
            check.that(not (long and isinstance(word, str)), "words", "be lists of letters", repr(word), hint)
            check.that(low <= len(word) <= high, "words", f"have {low} to {high} letters", repr(word))
            strange = [c for c in word if c not in index]
            rule = f"use letters of the alphabet {''.join(self.alphabet)!r} only"
            check.that(not strange, "words", rule, f"{word!r} with {''.join(strange)!r}")
            rows.append([index[c] for c in word] + [float(self.space.pad)] * (high - len(word)))
        return torch.tensor(rows, dtype=torch.float64).reshape(len(rows), high)


def checked_alphabet(alphabet: Sequence[str]) -> tuple[str, ...]:
    """Return the letters, or raise one line where there is none, an empty one, or one twice."""
    hint = "a string, or a list of strings: the order of the letters counts"
    kind = alphabet if isinstance(alphabet, int | float) else type(alphabet).__name__
    check.that(isinstance(alphabet, Sequence), "alphabet", "be a sequence of letters", kind, hint)
    letters = tuple(alphabet)
    check.that(len(letters) >= 1, "alphabet", "have at least one letter", repr(alphabet))
    fine = all(isinstance(a, str) and a for a in letters)
    check.that(fine, "alphabet", "hold non-empty strings", repr(alphabet))
    twice = [a for i, a in enumerate(letters) if a in letters[:i]]
    check.that(not twice, "alphabet", "hold different letters", f"{alphabet!r} with {''.join(twice[:1])!r} twice")
    return letters
