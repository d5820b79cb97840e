"""A stream of texts from a seeded grammar: the same question of documents on other topics."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check
from paretokit.problems.continual._continual import Metric, Scenario
from paretokit.problems.continual._stream import ReadyStream, Sizes
from paretokit.problems.continual._task import StreamTask

ONSETS = ("b", "d", "f", "g", "k", "l", "m", "n", "p", "r", "s", "t", "v", "z", "ch", "st", "tr")
VOWELS = ("a", "e", "i", "o", "u", "ai", "ou")
NGRAM = 3
WORDS = 30  # of a document
SHARED = 0.15  # share of a document's words that tell its class whatever the topic


@final
class TextStream(ReadyStream):
    """Which of two kinds of text? Documents of a made-up language; every task brings two topics of its own.

    As in the newsgroups of IBCL's paper (computers or something else), both kinds have words in common with their kind
    in other tasks, and most words of their topic alone. Documents are 30 words; a network sees counts of hashed
    character trigrams.

    Args:
        n_tasks: Pairs of topics.
        train, validation, test: Documents of each class of a task.
        n_features: Buckets of the hashed trigrams.
        hidden: Widths of the network's hidden layers; none is logistic regression.
        scenario: "domain": one head. "task": a head a pair of topics.
        metric: "accuracy" or "loss".
        seed: Of language and documents.
    """

    id = "continual-text-v1"

    def __init__(
        self,
        *,
        n_tasks: int = 5,
        train: int = 150,
        validation: int = 50,
        test: int = 150,
        n_features: int = 256,
        hidden: Sequence[int] = (),
        scenario: Scenario = "domain",
        metric: Metric = "accuracy",
        seed: int = 0,
    ) -> None:
        rng = self._store(locals())
        check.at_least(2, n_tasks=n_tasks)
        check.at_least(1, train=train, validation=validation, test=test, n_features=n_features)
        sizes = Sizes(train, validation, test)
        counted = Hashed(n_features)
        common = words(200, rng.child("common"))
        kinds = [words(12, rng.child("kind", c)) for c in (0, 1)]
        tasks = []
        for k in range(n_tasks):
            own = rng.child("task", k)
            labels = (torch.arange(2 * sizes.total) % 2)[own.child("order").permutation(2 * sizes.total)]
            topics = [words(40, own.child("topic", c)) for c in (0, 1)]
            draws = own.child("documents").uniform(len(labels), WORDS, 2)
            texts = [_document(d, kinds[c], topics[c], common) for d, c in zip(draws, labels.tolist(), strict=True)]
            counts = torch.stack([counted(text) for text in texts])
            tasks.append(StreamTask(f"topics {k + 1}", *sizes.parts((counts, labels))))
        self._build(tasks, n_classes=2, backbone=None, width=n_features)


def words(n: int, rng: Rng) -> list[str]:
    """Return n words of one to three syllables."""
    draws = rng.uniform(n, 7).tolist()
    found = []
    for lengths, *parts in draws:
        syllables = 1 + int(3 * lengths)
        pairs = zip(parts[0 : 2 * syllables : 2], parts[1 : 2 * syllables : 2], strict=True)
        found.append("".join(ONSETS[int(a * len(ONSETS))] + VOWELS[int(b * len(VOWELS))] for a, b in pairs))
    return found


def _document(draws: Tensor, kind: list[str], topic: list[str], common: list[str]) -> str:
    """Return a text: words of its kind, of its topic (a quarter), and common ones."""
    text = []
    for which, place in draws.tolist():
        pool = kind if which < SHARED else topic if which < SHARED + 0.25 else common
        text.append(pool[int(place * len(pool))])
    return " ".join(text)


class Hashed:
    """Counts character trigrams in buckets.

    Args:
        n_features: Number of buckets.
    """

    def __init__(self, n_features: int) -> None:
        self.n_features = n_features
        self._known: dict[str, int] = {}

    def _bucket(self, gram: str) -> int:
        if gram not in self._known:
            digest = hashlib.blake2b(gram.encode(), digest_size=4).digest()
            self._known[gram] = int.from_bytes(digest, "little") % self.n_features
        return self._known[gram]

    def __call__(self, text: str) -> Tensor:
        """Return the roots of the counts of a text's trigrams `[n_features]`."""
        buckets = [self._bucket(text[begin : begin + NGRAM]) for begin in range(len(text) - NGRAM + 1)]
        return torch.bincount(torch.tensor(buckets, dtype=torch.int64), minlength=self.n_features).float().sqrt()
