"""Gaussian processes on words: what active learning believes of objectives between oracle calls."""

from __future__ import annotations

import contextlib
import math
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from paretokit.core import Rng
from paretokit.core import _check as check


def bo(name: str) -> Any:
    """Import a module of botorch or of what it stands on; warnings that importing raises are its own affair.

    Raises:
        MissingPackageError: Where it is not installed, with the install command.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return check.package(name, extra="bo")


@contextlib.contextmanager
def foreign(rng: Rng) -> Iterator[None]:
    """Run botorch's code: its warnings go nowhere, and torch's global generator is seeded inside and put back after.

    A kernel that botorch may compile on first use (for minutes, if there is a compiler at all) is left alone, so that
    equal runs give equal bits whether it is there or not.
    """
    logei = bo("botorch.acquisition.multi_objective.logei")
    switches = {"_load_attempted": True, "_C": None}
    kept = {name: getattr(logei, name) for name in switches if hasattr(logei, name)}
    with torch.random.fork_rng(devices=[]), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        torch.default_generator.set_state(rng.generator().get_state())
        for name in kept:
            setattr(logei, name, switches[name])
        try:
            yield
        finally:
            for name, value in kept.items():
                setattr(logei, name, value)


@final
@dataclass(frozen=True)
class WordFeatures:
    r"""What the surrogate reads of a word: which letter stands where, and which short pieces occur how often.

    .. math:: p(x) = \tfrac{1}{\sqrt{2L}}\,\big([x_i = a]\big)_{i,a}, \qquad
              c(x) = \tfrac{1}{\sqrt{L}}\,\big(\#_x(g)\big)_{|g| \le k}

    The squared distance of places p is the share of places at which two words differ; the inner product of counts c is
    the spectrum kernel (Leslie, Eskin and Noble 2002, PSB).

    Attributes:
        n_letters: Number v of letters.
        max_length: Letters L of the longest word.
        pieces: Letters k of the longest pieces that are counted.
    """

    n_letters: int
    max_length: int
    pieces: int = 2

    def places(self, x: Tensor) -> Tensor:
        """Return p of padded tokens `[n, L]`, float64 `[n, L v]`."""
        letters = torch.arange(self.n_letters, device=x.device)
        here = (x.unsqueeze(-1) == letters).flatten(1).to(torch.float64)
        return here / math.sqrt(2 * self.max_length)

    def counts(self, x: Tensor) -> Tensor:
        """Return c of padded tokens `[n, L]`, float64 `[n, v + v^2 + ... + v^k]`."""
        v, tokens = self.n_letters, x.to(torch.int64)
        piece, inside, parts = tokens, tokens < v, []
        for k in range(1, self.pieces + 1):
            if k > 1:
                piece = piece[:, :-1] * v + tokens[:, k - 1 :]
                inside = inside[:, :-1] & (tokens[:, k - 1 :] < v)
            counts = torch.zeros(len(x), v**k, dtype=torch.float64, device=x.device)
            weight = inside.to(torch.float64) / math.sqrt(self.max_length)
            parts.append(counts.scatter_add_(1, torch.where(inside, piece, 0), weight))
        return torch.cat(parts, 1)

    def __call__(self, x: Tensor) -> Tensor:
        """Return places, then counts of padded tokens `[n, L]`."""
        return torch.cat([self.places(x), self.counts(x)], 1)


@final
@dataclass(frozen=True)
class Surrogate:
    r"""Independent Gaussian processes, one an objective, on standardized values.

    .. math:: k(x, x') = \sigma_1^2\, c(x)^\top c(x') + \sigma_2^2\, M_{5/2}\big(\lVert p(x) - p(x') \rVert / \ell\big)

    with the counts c and the places p of `WordFeatures`: the linear part goes beyond what was seen, the Matérn part
    holds what depends on places. Scales, length, noise and the constant mean maximize the marginal likelihood
    (botorch's L-BFGS-B from fixed starts, so equal data give equal surrogates). Predictions are computed here, for all
    words of a batch at once; they equal those of `model`, which repeats the data for each of them.

    Source: a deep kernel on a convolutional network stands here in Stanton et al. (2022), ICML, and Jain et al. (2023),
    ICML. On pools of 96 to 288 mutated words, this kernel explained 0.8 to 1 of the held-out variance of n-grams, and
    0.1 of an Ehrlich function, whose spaced motifs no short piece shows.

    Attributes:
        features: Of words.
        model: botorch's `SingleTaskGP`, fitted.
        x: The features of the words that it was fitted to.
        center, scale: Of the values before standardizing `[m]`.
        root: Cholesky factors of the data's covariances `[m, n, n]`.
        weights: The covariances' solutions of the centered values `[m, n, 1]`.

    Cost: O(n^3) a step of the fit for n words, O(n^2) a word predicted.
    """

    features: WordFeatures
    model: Any
    x: Tensor
    center: Tensor
    scale: Tensor
    root: Tensor
    weights: Tensor

    @staticmethod
    def fit(features: WordFeatures, x: Tensor, values: Tensor, *, rng: Rng, iterations: int = 100) -> Surrogate:
        """Return the surrogate of values `[n, m]`, to be maximized, of words `[n, L]`.

        Args:
            features: Of words.
            x: Padded tokens.
            values: Finite.
            rng: For draws that botorch makes (none at present).
            iterations: Most of L-BFGS-B.

        Raises:
            MissingPackageError: Without botorch, with the install command.
        """
        models, fits = (bo(f"botorch.{part}") for part in ("models", "optim.fit"))
        kernels, likelihoods = (bo(f"gpytorch.{part}") for part in ("kernels", "mlls"))
        center, spread = values.mean(0), values.std(0, unbiased=False)
        scale = torch.where(spread > 1e-9, spread, torch.ones_like(spread))
        rows, standard = features(x), (values - center) / scale
        shape, places = torch.Size([values.shape[1]]), features.max_length * features.n_letters
        counted = kernels.LinearKernel(active_dims=tuple(range(places, rows.shape[1])), batch_shape=shape)
        placed = kernels.MaternKernel(nu=2.5, active_dims=tuple(range(places)), batch_shape=shape)
        kernel = counted + kernels.ScaleKernel(placed, batch_shape=shape)
        with foreign(rng):
            model = models.SingleTaskGP(rows, standard, covar_module=kernel.to(rows), outcome_transform=None)
            likelihood = likelihoods.ExactMarginalLogLikelihood(model.likelihood, model)
            fits.fit_gpytorch_mll_scipy(likelihood, options={"maxiter": iterations})
            model.eval()
        noise = model.likelihood.noise.detach().reshape(-1, 1)
        within = _kernel(model, features, x, x) + torch.diag_embed(noise.expand(-1, len(x)))
        root = torch.linalg.cholesky(within)
        centered = standard.T.unsqueeze(-1) - model.mean_module.constant.detach().view(-1, 1, 1)
        return Surrogate(features, model, x, center, scale, root, torch.cholesky_solve(centered, root))

    def standardized(self, values: Tensor) -> Tensor:
        """Return values `[..., m]` as the model sees them."""
        return (values - self.center) / self.scale

    def moments(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means `[m, n]` and covariances `[m, n, n]` of the standardized values of words `[n, L]`."""
        across = _kernel(self.model, self.features, x, self.x)
        mean = self.model.mean_module.constant.detach().view(-1, 1) + (across @ self.weights).squeeze(-1)
        known = torch.linalg.solve_triangular(self.root, across.transpose(1, 2), upper=False)
        return mean, _kernel(self.model, self.features, x, x) - known.transpose(1, 2) @ known

    def predict(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Return means and standard deviations `[n, m]` of the values of words `[n, L]`."""
        mean, covariance = self.moments(x)
        deviation = covariance.diagonal(dim1=-2, dim2=-1).clamp_min(0).sqrt()
        return mean.T * self.scale + self.center, deviation.T * self.scale


def _kernel(model: Any, features: WordFeatures, x: Tensor, y: Tensor) -> Tensor:
    """Return the prior covariances `[m, n, k]` of words `x [n, L]` and `y [k, L]`."""
    counted, placed = model.covar_module.kernels
    variance, length = counted.variance.detach().view(-1, 1, 1), placed.base_kernel.lengthscale.detach().view(-1, 1, 1)
    same = features.places(x) @ features.places(y).T
    sizes = [(w < features.n_letters).to(torch.float64).sum(1) / (2 * features.max_length) for w in (x, y)]
    square = sizes[0].unsqueeze(1) + sizes[1] - 2 * same
    r = (5 * square.clamp_min(0)).sqrt() / length
    matern = placed.outputscale.detach().view(-1, 1, 1) * (1 + r + r.square() / 3) * torch.exp(-r)
    prior: Tensor = variance * (features.counts(x) @ features.counts(y).T) + matern
    return prior
