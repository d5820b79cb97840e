"""How much a word is expected to add to the dominated hypervolume, by a surrogate."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.solvers.gflownet._surrogate import Surrogate, bo, foreign

CHUNK = 256  # most words that are scored at once
JITTER = 1e-6  # added to the variances of standardized values


@final
class JointWords:
    """A surrogate as botorch asks models: joint posteriors of sets of words, each different word computed once."""

    batch_shape = torch.Size()
    _is_ensemble = False

    def __init__(self, surrogate: Surrogate) -> None:
        self._surrogate = surrogate
        self.num_outputs = len(surrogate.center)

    def posterior(
        self,
        X: Tensor,
        output_indices: list[int] | None = None,
        observation_noise: bool = False,
        posterior_transform: Any = None,
    ) -> Any:
        """Return the joint posterior of the standardized values `[..., q, m]` of sets of words `[..., q, L]`."""
        posteriors = bo("botorch.posteriors")
        distributions = bo("gpytorch.distributions")
        operators = bo("linear_operator.operators")
        words, number = torch.unique(X.reshape(-1, X.shape[-1]), dim=0, return_inverse=True)
        at = number.view(X.shape[:-1])
        mean, covariance = self._surrogate.moments(words)
        means = mean[:, at].movedim(0, -2)
        covariances = covariance[:, at.unsqueeze(-1), at.unsqueeze(-2)].movedim(0, -3)
        covariances.diagonal(dim1=-2, dim2=-1).add_(JITTER)  # a set may hold a word twice
        normal = distributions.MultivariateNormal(means, operators.DenseLinearOperator(covariances))
        joint = distributions.MultitaskMultivariateNormal.from_batch_mvn(normal, task_dim=-1)
        return posteriors.GPyTorchPosterior(joint)


@final
@dataclass(frozen=True)
class Acquisition:
    r"""The logarithm of the noisy expected hypervolume improvement of single words, by botorch's `qLogNEHVI`.

    .. math:: \log a(x) = \log \mathbb{E}_{f}\big[ HV(f(X_b) \cup f(x)) - HV(f(X_b)) \big]

    over the posterior of the baseline X_b and x together, by quasi-random (scrambled Sobol) draws.

    Attributes:
        function: botorch's acquisition function.
        rng: For draws that botorch makes.

    Cost of a call: about 1 ms a word at 128 draws and a baseline of 20, two or three objectives.

    Source: Daulton, Balandat and Bakshy (2021), NeurIPS; its logarithm Ament et al. (2023), NeurIPS. Jain et al. (2023)
    take two independent draws and no logarithm, whose estimate is 0 for most words.
    """

    function: Any
    rng: Rng

    @staticmethod
    def of(surrogate: Surrogate, baseline: Tensor, reference: Tensor, *, samples: int, rng: Rng) -> Acquisition:
        """Return the acquisition over a baseline.

        Args:
            surrogate: Of the objectives, to be maximized.
            baseline: The best words so far `[b, L]`; those that are hardly ever non-dominated are pruned.
            reference: Point of the hypervolume `[m]`, in the surrogate's units, to be exceeded.
            samples: Number of draws; a power of 2 balances them.
            rng: Of the draws.

        Raises:
            MissingPackageError: Without botorch, with the install command.
        """
        logei = bo("botorch.acquisition.multi_objective.logei")
        sampling = bo("botorch.sampling")
        with foreign(rng), torch.no_grad():
            function = logei.qLogNoisyExpectedHypervolumeImprovement(
                model=JointWords(surrogate),
                ref_point=surrogate.standardized(reference).tolist(),
                X_baseline=baseline,
                sampler=sampling.SobolQMCNormalSampler(torch.Size([samples]), seed=rng.child("sobol").seed32),
                prune_baseline=True,
            )
        return Acquisition(function, rng)

    def __call__(self, x: Tensor) -> Tensor:
        """Return log a of words `[n, L]`, float64 `[n]`; equal words are computed once."""
        words, number = torch.unique(x, dim=0, return_inverse=True)
        with foreign(self.rng), torch.no_grad():
            parts = [self.function(part.unsqueeze(1)) for part in words.split(CHUNK)]
        scores: Tensor = torch.cat(parts)[number]
        return scores
