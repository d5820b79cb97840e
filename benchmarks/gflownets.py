"""GFlowNets against torchgfn: trajectory balance on grids, with and without conditions, one training step each.

``python -m benchmarks.gflownets`` (with the peers' interpreter, see `make peers`). Both sides train the same number of
iterations in turns: the same network, batch, reward and rates, one thread. Printed are milliseconds of processor time
an iteration (median over turns, the first half left out, for trajectories grow while a sampler learns), their ratio,
and the summed L1 distance of each side's exact terminal distribution from the target at the end. The peer runs in the
faster of the ways that its examples show. ``--quick`` trains a tenth; names choose rows.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, final

import torch
from torch import Tensor

from benchmarks._common import calibration, table
from benchmarks._torchgfn import Trainer, Ways
from paretokit.core import Objective, Rng
from paretokit.problems.design import CompositionalDesign, GridEnvironment, HyperGrid
from paretokit.problems.design._hypergrid import GridCells
from paretokit.solvers.gflownet._conditions import Preferences
from paretokit.solvers.gflownet._criterion import Criterion, Flows
from paretokit.solvers.gflownet._gflownet import GFlowNet, GFlowNetState, Request
from paretokit.solvers.gflownet._mlp_policy import MLPPolicy
from paretokit.solvers.gflownet._mogfn import MOGFN
from paretokit.solvers.gflownet._policy import masked_log_softmax

TURN = 10  # iterations of one side before the other one's turn
RATES = (1e-3, 1e-1)  # of the policy and of log Z, as in the peer's examples


@final
class OriginalGrid(CompositionalDesign):
    """The grid of the first GFlowNet paper: high near the corners, higher in a thin ring there; cells everywhere stop.

    Bengio, Jain, Korablyov, Precup and Bengio (2021), NeurIPS.
    """

    objectives = (Objective("reward", "max"),)
    light = True

    def __init__(self, dim: int, side: int) -> None:
        self.environment = self.grid = GridEnvironment(dim, side, edge_stops=False)
        self.space = GridCells(self.grid)
        off = (torch.arange(side, dtype=torch.float64) / (side - 1) - 0.5).abs()
        inside = [off > 0.25 + 1e-6, (off > 0.3 + 1e-6) & (off < 0.4 - 1e-6)]
        self.inside = torch.stack(inside, 1).double()  # of each coordinate: the outer part, the ring
        self.worth = torch.tensor([[0.5], [2.0]], dtype=torch.float64)

    def _score(self, x: Tensor) -> Tensor:
        return self.inside[x.long()].prod(1) @ self.worth + 0.1


@final
@dataclass(frozen=True, kw_only=True)
class Balanced(GFlowNet):
    """The solvers' shared body with one objective as the reward: a plain GFlowNet."""

    def condition_dim(self, problem: CompositionalDesign) -> int:
        """Nothing is asked for."""
        return 0

    def requests(self, problem: CompositionalDesign, state: GFlowNetState, n: int) -> Request:
        """Return n of the same."""
        return Request(torch.ones(n, 1, dtype=torch.float64), torch.ones(n, dtype=torch.float64))

    def measured(self, problem: CompositionalDesign) -> Request:
        """Return one."""
        return Request(torch.ones(1, 1, dtype=torch.float64), torch.ones(1, dtype=torch.float64))

    def loss(self, flows: Flows, request: Request, gains: Tensor) -> Tensor:
        """Return the criterion's loss."""
        assert isinstance(self.criterion, Criterion)
        return self.criterion.loss(flows, gains[:, 0].log().to(flows.row.dtype))


@dataclass(frozen=True)
class Row:
    """One line of the table.

    Attributes:
        dim, side, batch, width: Of the grid and of what is trained; two hidden layers.
        backward: Uniform or learned.
        conditional: One preference a trajectory, over two objectives.
        iterations: Trained.
        goal: The ratio that is asked for; 0 for none.
    """

    dim: int
    side: int
    batch: int
    width: int = 64
    backward: str = "uniform"
    conditional: bool = False
    iterations: int = 1000
    goal: float = 0.0

    def __str__(self) -> str:
        parts = [f"{self.dim}-D side {self.side} batch {self.batch} width {self.width}"]
        parts += ["learned backward"] * (self.backward == "learned") + ["one preference each"] * self.conditional
        return ", ".join(parts)


ROWS = {
    "side8": [Row(2, 8, batch, goal=10, iterations=2000) for batch in (16, 128, 1024)],
    "side32": [
        Row(2, 32, 16, goal=6, iterations=2000),
        Row(2, 32, 128, iterations=1000),
        Row(2, 32, 1024, goal=30, iterations=500),
    ],
    "wide": [
        *(Row(2, 8, batch, width=256, iterations=500) for batch in (16, 128, 1024)),
        *(Row(2, 32, batch, width=256, iterations=500) for batch in (16, 128, 1024)),
    ],
    "learned": [
        Row(2, 8, 16, backward="learned", iterations=1000),
        Row(2, 32, 128, backward="learned", iterations=500),
    ],
    "four": [
        Row(4, 32, 128, goal=1.5, iterations=300),
        Row(4, 32, 512, goal=1.5, iterations=200),
        Row(4, 32, 128, width=256, iterations=200),
    ],
    "conditional": [Row(2, 32, 128, conditional=True, goal=3, iterations=1000)],
}


class Ours:
    """Our side: a solver, its problem and its state."""

    def __init__(self, row: Row) -> None:
        options: dict[str, Any] = {
            "policy": MLPPolicy(hidden=(row.width, row.width)),
            "backward": row.backward,
            "batch_size": row.batch,
            "learning_rate": RATES[0],
            "log_z_rate": RATES[1],
            "clip": 1e9,
            "epsilon": 0.0,
            "evaluate_every": 1 << 40,
            "n_samples": 1,
        }
        self.problem: CompositionalDesign
        if row.conditional:
            self.problem = HyperGrid(objectives=("branin", "currin"), side=row.side, edge_stops=False)
            self.solver: GFlowNet = MOGFN(preferences=Preferences(encoding="raw"), **options)
        else:
            self.problem, self.solver = OriginalGrid(row.dim, row.side), Balanced(**options)
        self.state = self.solver.init(self.problem, Rng.from_seed(0))

    def step(self) -> None:
        """Roll out a batch, score it, update."""
        self.state = self.solver.step(self.problem, self.state)

    @torch.no_grad()
    def logits(self, cells: Tensor, condition: Tensor | None = None) -> Tensor:
        """Return the logits `[n, d + 1]` of open cells."""
        model = self.solver.engine(self.problem).model
        states = torch.cat([cells, torch.zeros_like(cells[:, :1])], 1)
        return model.outputs(self.state.row[0], states, condition).forward


def peer(row: Row, problem: CompositionalDesign, ways: Ways) -> Trainer:
    """Return the peer's side for a row, with rewards of our problem where they depend on conditions."""
    conditions: Callable[[int], Any] | None = None
    if row.conditional:
        cells = torch.cartesian_prod(*[torch.arange(row.side, dtype=torch.float64)] * row.dim)
        values = problem.evaluate(cells).values
        drawn, rng = Preferences(encoding="raw"), Rng.from_seed(1)

        def conditions(step: int) -> Any:
            weights = drawn.sample(2, row.batch, rng.child(step))

            def reward(final: Tensor) -> Tensor:
                gains = values[final[:, 0] * row.side + final[:, 1]]
                return (weights * gains).sum(-1).clamp_min(1e-30).log().float()

            return weights.float(), reward

    return Trainer(
        dim=row.dim,
        side=row.side,
        hidden=(row.width, row.width),
        batch=row.batch,
        backward=row.backward,
        conditions=conditions,
        condition_dim=2 if row.conditional else 0,
        rates=RATES,
        ways=ways,
    )


def distance(row: Row, problem: CompositionalDesign, logits: Callable[..., Tensor]) -> float | None:
    """Return the summed L1 distance of the exact terminal distribution from the target, the mean over preferences."""
    states = problem.states(1 << 13)
    if states is None:
        return None
    cells = states.rows[:, :-1]
    gains = problem.gains(problem.evaluate(problem.environment.decisions(states.rows[states.terminal])).values)
    weights = torch.tensor([[w / 16, 1 - w / 16] for w in range(17)], dtype=torch.float64)
    found = []
    for w in weights if row.conditional else [None]:
        reward = gains[:, 0] if w is None else gains @ w
        condition = None if w is None else w.float().expand(len(cells), 2)
        policy = masked_log_softmax(logits(cells, condition).double(), states.children >= 0)
        reached = states.terminal_distribution(policy)[states.terminal]
        found.append(float((reached - reward / reward.sum()).abs().sum()))
    return statistics.mean(found)


def chosen_ways(row: Row, problem: CompositionalDesign, trial: int = 15) -> Ways:
    """Return the faster of the peer's ways after a little training."""
    times = {}
    for ways in (Ways(saved=True), Ways(saved=False)):
        side = peer(row, problem, ways)
        for _ in range(trial // 3):
            side.step()
        begin = time.process_time()
        for _ in range(trial):
            side.step()
        times[ways] = time.process_time() - begin
    return min(times, key=lambda ways: times[ways])


def compare(row: Row, *, share: float = 1.0) -> list[str]:
    """Train both sides in turns and return a line of the table."""
    ours = Ours(row)
    theirs = peer(row, ours.problem, chosen_ways(row, ours.problem))
    if not row.conditional:
        check_reward(ours.problem, theirs)
    sides: dict[str, Any] = {"ours": ours, "theirs": theirs}
    times: dict[str, list[float]] = {"ours": [], "theirs": []}
    for _ in range(max(2, round(share * row.iterations / TURN))):
        for name, side in sides.items():
            begin = time.process_time()
            for _ in range(TURN):
                side.step()
            times[name].append((time.process_time() - begin) / TURN)
    own, other = (statistics.median(t[len(t) // 2 :]) for t in times.values())
    l1 = [distance(row, ours.problem, side.logits) for side in sides.values()]
    shown = ["–" if value is None else f"{value:.3f}" for value in l1]
    goal = f"{row.goal:g}×" if row.goal else "–"
    iterations = TURN * len(times["ours"])
    cells = [f"{own * 1e3:.2f}", f"{other * 1e3:.1f}", f"{other / own:.1f}×", goal, str(iterations), *shown]
    return [str(row), *cells, str(theirs.ways)]


def check_reward(problem: CompositionalDesign, theirs: Trainer) -> None:
    """Assert that both sides reward the same cells alike."""
    cells = problem.space.sample(200, Rng.from_seed(2))
    found = theirs.env.reward_fn(cells.long())
    torch.testing.assert_close(found.double(), problem.evaluate(cells).values[:, 0].double(), rtol=1e-6, atol=1e-6)


def main(arguments: list[str]) -> int:
    """Print the rows that the arguments name; all of them unless they name any."""
    torch.set_num_threads(1)
    share = 0.1 if "--quick" in arguments else 1.0
    names = [a for a in arguments if not a.startswith("--")] or list(ROWS)
    print(calibration(("torch", "torchgfn", "tensordict", "numba")), flush=True)
    head = ["row", "ours ms", "torchgfn ms", "ratio", "goal", "iterations", "L1 ours", "L1 torchgfn", "torchgfn's way"]
    for name in names:
        lines = [compare(row, share=share) for row in ROWS[name]]
        print(table([head, *lines]), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
