"""The knowledge base: posteriors of all tasks and priors, as few as a distance allows."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from paretokit.core import _check as check
from paretokit.solvers.continual._gaussian import wasserstein


@dataclass
class KnowledgeBase:
    """A finitely generated credal set: the kept posteriors are its extreme points.

    Attributes:
        means, stds: Of the kept posteriors `[k, D]`.
        index: Which one stands for each task and prior, int64 `[tasks, priors]`.
        nearest: How far each new posterior was from what was kept before it `[tasks, priors]`; infinite for the first.
    """

    means: Tensor
    stds: Tensor
    index: Tensor
    nearest: Tensor

    @classmethod
    def empty(cls, n_priors: int, n_parameters: int, *, like: Tensor) -> KnowledgeBase:
        """Return the base before the first task."""
        none = like.new_zeros(0, n_parameters)
        index = torch.zeros(0, n_priors, dtype=torch.int64, device=like.device)
        return cls(none, none.clone(), index, index.to(torch.float64))

    @property
    def n_tasks(self) -> int:
        """Number of tasks learned."""
        return len(self.index)

    @property
    def n_kept(self) -> int:
        """Number of posteriors in memory."""
        return len(self.means)

    def learn(self, means: Tensor, stds: Tensor, *, threshold: float) -> tuple[Tensor, Tensor]:
        """Take a task's posteriors `[priors, D]`, and return what stands for them, itself or a kept one.

        A posterior within `threshold` of a kept one (2-Wasserstein) is dropped, and that one stands for it.
        """
        rows, distances = [], []
        for mean, std in zip(means, stds, strict=True):
            place, least = self.n_kept, torch.inf
            if self.n_kept:
                each = wasserstein(mean, std, others=(self.means, self.stds))
                least = float(each.min())
                place = int(each.argmin()) if least <= threshold else self.n_kept
            if place == self.n_kept:
                self.means = torch.cat([self.means, mean.unsqueeze(0)])
                self.stds = torch.cat([self.stds, std.unsqueeze(0)])
            rows.append(place)
            distances.append(least)
        chosen = torch.tensor(rows, dtype=torch.int64, device=self.index.device)
        self.index = torch.cat([self.index, chosen.unsqueeze(0)])
        own = torch.tensor(distances, dtype=torch.float64, device=self.index.device)
        self.nearest = torch.cat([self.nearest, own.unsqueeze(0)])
        return self.means[chosen].clone(), self.stds[chosen].clone()

    def weights(self, preferences: Tensor, *, n_tasks: int | None = None) -> Tensor:
        r"""Return weights of the kept posteriors `[n, k]` for preferences over tasks `[n, m]`.

        .. math:: \beta_{ij} = w_i / (\text{number of priors})

        Args:
            preferences: Rows on the simplex.
            n_tasks: How many tasks count as seen: all learned unless given.

        Raises:
            InputError: If a row leaves the simplex, or a task that was not seen has a share.
        """
        seen = self.n_tasks if n_tasks is None else n_tasks
        w = preferences.to(self.index.device, torch.float64)
        whole = bool((w >= 0).all()) and bool(((w.sum(-1) - 1).abs() < 1e-6).all())
        check.that(whole, "preference", "lie on the simplex", [round(v, 4) for v in w[0].tolist()][:8])
        unseen = w[:, seen:]
        if bool((unseen > 0).any()):
            k = seen + int((unseen > 0).any(0).nonzero()[0])
            share = float(w[:, k].max())
            check.fail("preference", "be zero on tasks not yet seen", f"{share:g} on task {k}", f"{seen} were seen")
        found = w.new_zeros(len(w), self.n_kept)
        index = self.index[:seen]
        each = (w[:, :seen] / max(index.shape[1], 1)).unsqueeze(-1).expand(-1, -1, index.shape[1])
        return found.index_add(1, index.reshape(-1), each.reshape(len(w), -1))
