"""torchgfn's side of the GFlowNet benchmark: its grid, its networks, its trajectory balance, as its examples use them.

Installed by `make peers`.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True)
class Ways:
    """Of several ways to run the peer that its examples show, one.

    Attributes:
        saved: Whether log-probabilities are kept while sampling (its simple example), or computed again from the
            trajectories (its own benchmark).
        compiled: Whether its helper compiles the networks.
    """

    saved: bool
    compiled: bool = False

    def __str__(self) -> str:
        return ("log-probabilities saved" if self.saved else "recalculated") + (", compiled" if self.compiled else "")


class Trainer:
    """Trajectory balance on torchgfn's HyperGrid.

    Args:
        dim: Axes.
        side: Positions on an axis.
        hidden: Widths of the hidden layers, all equal.
        batch: Trajectories an iteration.
        backward: "uniform", or "learned" with the trunk shared as in its examples.
        conditions: Gives the conditions `[n, c]` of a batch and log-rewards `[n]` of final cells `[n, d]` under them;
            None trains for the grid's original reward.
        condition_dim: c.
        rates: Learning rates of the policy and of log Z.
        ways: How it is run.
    """

    def __init__(
        self,
        *,
        dim: int,
        side: int,
        hidden: tuple[int, ...],
        batch: int,
        backward: str = "uniform",
        conditions: Callable[[int], tuple[Tensor, Callable[[Tensor], Tensor]]] | None = None,
        condition_dim: int = 0,
        rates: tuple[float, float] = (1e-3, 1e-1),
        ways: Ways,
        seed: int = 0,
    ) -> None:
        from gfn.estimators import ConditionalLogZEstimator, DiscretePolicyEstimator
        from gfn.gflownet import TBGFlowNet
        from gfn.gym import HyperGrid
        from gfn.preprocessors import KHotPreprocessor
        from gfn.samplers import Sampler
        from gfn.utils.common import set_seed
        from gfn.utils.compile import try_compile_gflownet
        from gfn.utils.modules import MLP, DiscreteUniform

        set_seed(seed)
        self.batch, self.ways, self.conditions = batch, ways, conditions
        self.env = HyperGrid(ndim=dim, height=side, validate_modes=False)
        look = KHotPreprocessor(height=side, ndim=dim)
        shape: dict[str, Any] = {"hidden_dim": hidden[0], "n_hidden_layers": len(hidden)}
        n_actions = self.env.n_actions
        forward = MLP(input_dim=look.output_dim + condition_dim, output_dim=n_actions, **shape)
        if backward == "learned":
            behind = MLP(
                input_dim=look.output_dim + condition_dim, output_dim=n_actions - 1, trunk=forward.trunk, **shape
            )
        else:
            behind = DiscreteUniform(output_dim=n_actions - 1)
        log_z = None
        if condition_dim:
            sizes = (look.output_dim, condition_dim)
            pf = _concatenated(forward, n_actions, look, sizes=sizes, is_backward=False)
            pb = _concatenated(behind, n_actions, look, sizes=sizes, is_backward=True)
            log_z = ConditionalLogZEstimator(MLP(input_dim=condition_dim, output_dim=1, hidden_dim=64))
        else:
            pf = DiscretePolicyEstimator(forward, n_actions, preprocessor=look)
            pb = DiscretePolicyEstimator(behind, n_actions, preprocessor=look, is_backward=True)
        self.look, self.forward = look, forward
        self.gflownet = TBGFlowNet(pf=pf, pb=pb, logZ=log_z, init_logZ=0.0)
        if ways.compiled:
            try_compile_gflownet(self.gflownet)
        self.sampler = Sampler(estimator=self.gflownet.pf)
        self.adam = torch.optim.Adam(self.gflownet.pf_pb_parameters(), lr=rates[0])
        self.adam.add_param_group({"params": self.gflownet.logz_parameters(), "lr": rates[1]})
        self.steps = 0

    def step(self) -> None:
        """Roll out a batch and update."""
        condition, reward = (None, None) if self.conditions is None else self.conditions(self.steps)
        saved = self.ways.saved
        paths = self.sampler.sample_trajectories(self.env, n=self.batch, conditions=condition, save_logprobs=saved)
        rewards = None if reward is None else reward(paths.terminating_states.tensor)
        self.adam.zero_grad()
        loss = self.gflownet.loss(self.env, paths, recalculate_all_logprobs=not saved, log_rewards=rewards)
        loss.backward()
        self.adam.step()
        self.steps += 1

    def rates(self, scale: float, policy: float, log_z: float) -> None:
        """Set both learning rates, times a scale."""
        for group, rate in zip(self.adam.param_groups, (policy, log_z), strict=True):
            group["lr"] = scale * rate

    @torch.no_grad()
    def logits(self, cells: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the logits `[n, d + 1]` of cells `[n, d]`, the stop last."""
        seen = torch.nn.functional.one_hot(cells, self.env.height).flatten(1).float()
        return self.forward(seen if condition is None else torch.cat([seen, condition], 1))


def _concatenated(
    module: torch.nn.Module, n_actions: int, look: Any, *, sizes: tuple[int, int], is_backward: bool
) -> Any:
    """Return its conditional policy with the plainest parts: features and condition side by side into one network."""
    from gfn.estimators import ConditionalDiscretePolicyEstimator

    class Straight(torch.nn.Identity):
        def __init__(self, size: int) -> None:
            super().__init__()
            self.input_dim = self.output_dim = size

        def forward(self, x: Tensor) -> Tensor:
            return x.float()

    parts = (Straight(sizes[0]), Straight(sizes[1]), module)
    return ConditionalDiscretePolicyEstimator(*parts, n_actions, preprocessor=look, is_backward=is_backward)
