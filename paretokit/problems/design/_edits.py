"""Words that are changed letter by letter, from a given word on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import final

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.problems.design._environment import NOTHING, DesignEnvironment


@final
@dataclass(frozen=True, kw_only=True)
class EditEnvironment(DesignEnvironment):
    r"""Given words with up to `max_edits` letters replaced: action p v + a puts letter a at place p, action L v stops.

    A state is the tokens (L = `max_length` columns, the pad v after the end), the tokens of the word that it began
    with, and whether the word is finished. A place is edited where the two differ; it is edited once at most, and never
    with the letter that stands there. Words keep their length. The stop is illegal below `min_edits`, unless every
    place is edited already; a word of `max_edits` edits is finished without it, so it takes as many actions as it has
    edits, and every other one takes one more.

    Backward action p puts the first word's letter back at place p, backward action L takes the stop back. A state of k
    edits therefore has k parents, each by one action, and the uniform backward policy is 1 / k. (The code of Jain et
    al. counts k - 1, and a further factor for the letter, though the letter that returns is known.)

    Each word to begin with is the root of a graph of its own. `start` begins with `word`, `beginning` with any words.

    Attributes:
        n_letters: Number v of letters, at least 2.
        max_length: Letters L of the longest word.
        min_edits: Fewest letters replaced, from 0.
        max_edits: Most letters replaced, at least 1.
        word: Letters of the word of `start`, as indices; `max_length` times the first letter where empty.

    Source: the mutations of Jain et al. (2023), ICML, in their active learning.
    """

    n_letters: int
    max_length: int
    min_edits: int = 1
    max_edits: int = 6
    word: tuple[int, ...] = ()

    def __post_init__(self) -> None:
        check.fields(self)
        check.at_least(2, n_letters=self.n_letters)
        check.at_least(1, max_length=self.max_length, max_edits=self.max_edits)
        rule, hint = f"lie in 0 … max_edits = {self.max_edits}", "are the numbers the wrong way round?"
        check.that(0 <= self.min_edits <= self.max_edits, "min_edits", rule, self.min_edits, hint)
        word = tuple(int(a) for a in self.word) or (0,) * self.max_length
        rule = f"have at most max_length = {self.max_length} letters"
        check.that(len(word) <= self.max_length, "word", rule, len(word))
        rule = f"hold letters 0 … {self.n_letters - 1}"
        check.that(all(0 <= a < self.n_letters for a in word), "word", rule, list(word))
        object.__setattr__(self, "word", word)

    @property
    def pad(self) -> int:
        """The token after the end of a word, v."""
        return self.n_letters

    @property
    def stop(self) -> int:
        """The action that finishes a word, L v."""
        return self.max_length * self.n_letters

    @property
    def n_actions(self) -> int:
        """One a place and letter, and the stop."""
        return self.stop + 1

    @property
    def n_backward(self) -> int:
        """One a place, and one that takes the stop back."""
        return self.max_length + 1

    @property
    def max_steps(self) -> int:
        """Most edits; one more for the stop where no word has so many letters."""
        return min(self.max_edits, self.max_length + 1)

    @property
    def n_features(self) -> int:
        """One a place and letter, one a place, and the share of the edits made."""
        return self.stop + self.max_length + 1

    def start(self, n: int, device: torch.device | str = "cpu") -> Tensor:
        """Return n times `word`, unedited."""
        row = torch.full((1, self.max_length), self.pad, dtype=torch.int64, device=device)
        row[0, : len(self.word)] = torch.tensor(self.word, device=device)
        return self.beginning(row.expand(n, -1))

    def beginning(self, x: Tensor) -> Tensor:
        """Return words `[n, max_length]`, rows of `Sequences`, as states to begin with `[n, k]`."""
        tokens = x.to(torch.int64)
        return torch.cat([tokens, tokens, torch.zeros_like(tokens[:, :1])], 1)

    def tokens(self, states: Tensor) -> Tensor:
        """Return the letters of states `[..., max_length]`, the pad v after the end."""
        return states[..., : self.max_length]

    def original(self, states: Tensor) -> Tensor:
        """Return the letters of the words that states began with `[..., max_length]`."""
        return states[..., self.max_length : 2 * self.max_length]

    def edited(self, states: Tensor) -> Tensor:
        """Tell which places are edited, bool `[..., max_length]`."""
        return self.tokens(states) != self.original(states)

    def mask(self, states: Tensor) -> Tensor:
        """Return other letters for unedited places, and the stop from `min_edits` on; nothing where finished."""
        tokens, edited, open_ = self.tokens(states), self.edited(states), states[:, -1:] == 0
        free = ~edited & (tokens != self.pad) & open_
        letters = torch.arange(self.n_letters, device=states.device)
        edits = free.unsqueeze(-1) & (tokens.unsqueeze(-1) != letters)
        enough = (edited.sum(1, keepdim=True) >= self.min_edits) | ~free.any(1, keepdim=True)
        return torch.cat([edits.flatten(1), open_ & enough], 1)

    def step(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the words with a letter replaced, or stopped."""
        action = actions.unsqueeze(1)
        writes = (action != NOTHING) & (action != self.stop)
        columns = torch.arange(self.max_length, device=states.device)
        here = writes & (columns == action // self.n_letters)
        tokens = torch.where(here, action % self.n_letters, self.tokens(states))
        original = self.original(states)
        full = writes & ((tokens != original).sum(1, keepdim=True) >= self.max_edits)
        return torch.cat([tokens, original, states[:, -1:] | (action == self.stop) | full], 1)

    def backward_mask(self, states: Tensor) -> Tensor:
        """Return the edited places; of stopped words the stop alone."""
        stopped = self._stopped(states).unsqueeze(1)
        return torch.cat([self.edited(states) & ~stopped, stopped], 1)

    def back(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the words with a place as it was, or before the stop."""
        move, original = backward.unsqueeze(1), self.original(states)
        columns = torch.arange(self.max_length, device=states.device)
        tokens = torch.where(columns == move, original, self.tokens(states))
        return torch.cat([tokens, original, torch.where(move == NOTHING, states[:, -1:], 0)], 1)

    def _stopped(self, states: Tensor) -> Tensor:
        """Tell which words were ended by the stop action, bool `[n]`."""
        return (states[:, -1] == 1) & (self.edited(states).sum(1) < self.max_edits)

    def undoing(self, states: Tensor, actions: Tensor) -> Tensor:
        """Return the place that an edit changed, or L for the stop."""
        return torch.where(actions == NOTHING, NOTHING, actions // self.n_letters)

    def redoing(self, states: Tensor, backward: Tensor) -> Tensor:
        """Return the edit that put a place's letter there, or the stop."""
        place = backward.clamp(0, self.max_length - 1)
        letter = self.tokens(states).gather(1, place.unsqueeze(1)).squeeze(1)
        edit = torch.where(backward == self.max_length, self.stop, place * self.n_letters + letter)
        return torch.where(backward == NOTHING, NOTHING, edit)

    def observe(self, states: Tensor) -> Tensor:
        """Return the letters one-hot, the edited places, and the share of `max_edits` made, `[n, L v + L + 1]`."""
        letters = torch.arange(self.n_letters, device=states.device)
        seen = (self.tokens(states).unsqueeze(-1) == letters).flatten(1)
        edited = self.edited(states).to(torch.float32)
        return torch.cat([seen.to(torch.float32), edited, edited.sum(1, keepdim=True) / self.max_edits], 1)

    def decisions(self, states: Tensor) -> Tensor:
        """Return the padded tokens, rows of `Sequences`."""
        return self.tokens(states).to(torch.float64)

    def finished(self, x: Tensor) -> Tensor:
        """Return words `[n, max_length]` as edits of `word`, finished; those that it can become are reachable."""
        begin = self.start(len(x), x.device)
        return torch.cat([x.to(torch.int64), self.original(begin), torch.ones_like(begin[:, -1:])], 1)

    def done(self, states: Tensor) -> Tensor:
        """Tell which words are finished."""
        return states[:, -1] == 1
