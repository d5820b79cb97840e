"""Baselines: a policy gradient with the sign right, and chains that balance, both proved by enumeration."""

import itertools
import math

import pytest
import torch

import paretokit as pk
from paretokit.core import Evaluation, InputError, Objective, Rng, UnknownNameError
from paretokit.problems.design import CompositionalDesign, GridEnvironment, HyperGrid, SequenceProblem
from paretokit.solvers import MetropolisHastings, MOReinforce
from paretokit.solvers.gflownet._metropolis_hastings import drawn_turn, log_turn, propose
from paretokit.solvers.gflownet._mo_reinforce import policy_gradient_loss
from paretokit.solvers.gflownet._policy import masked_log_softmax

CPU = torch.device("cpu")


class Letters(SequenceProblem):
    """Shares of two letters in short words."""

    objectives = (Objective("a", "max"), Objective("b", "max"))

    def __init__(self, min_length=1, max_length=3):
        super().__init__(alphabet="ABC", min_length=min_length, max_length=max_length)

    def _score(self, x):
        return torch.stack([(x == k).sum(1) / self.environment.max_length for k in (0, 1)], 1).to(x.dtype) + 0.1


class TestPolicyGradient:
    @pytest.mark.parametrize("group", [2, 3])
    @pytest.mark.parametrize("entropy", [0.0, 0.3])
    def test_its_expectation_is_the_gradient_of_reward_and_entropy(self, group, entropy):
        theta = Rng.from_seed(0).normal(4).requires_grad_()
        reward = Rng.from_seed(1).normal(4)
        log_p = torch.log_softmax(theta, 0)
        aim = (log_p.exp() * (reward - entropy * log_p)).sum()
        (wanted,) = torch.autograd.grad(-aim, theta)
        total = torch.zeros(4, dtype=torch.float64)
        for batch in itertools.product(range(4), repeat=group):
            rows = torch.tensor(batch)
            log_p = torch.log_softmax(theta, 0)
            loss = policy_gradient_loss(log_p[rows], reward[rows], group=group, entropy=entropy)
            (gradient,) = torch.autograd.grad(loss, theta)
            total += float(log_p.detach()[rows].sum().exp()) * gradient
        assert torch.allclose(total, wanted, atol=1e-12)

    def test_groups_do_not_mix(self):
        log_p = Rng.from_seed(0).normal(8).requires_grad_()
        reward = torch.tensor([1.0, 1.0, 1.0, 1.0, 5.0, 5.0, 5.0, 5.0], dtype=torch.float64)
        (gradient,) = torch.autograd.grad(policy_gradient_loss(log_p, reward, group=4), log_p)
        assert torch.allclose(gradient, torch.zeros(8, dtype=torch.float64))

    def test_training_raises_the_exact_expected_reward_of_every_preference(self):
        grid = HyperGrid(objectives=("branin", "currin"), side=6)
        solver = MOReinforce(
            policy={"hidden": (32,)}, iterations=120, learning_rate=1e-2, evaluate_every=120, n_samples=8
        )
        first = solver.init(grid, Rng.from_seed(0))
        result = pk.solve(grid, solver, seed=0, progress=False)
        assert result.status == "finished"
        assert result.history["reward"].iloc[-10:].mean() > result.history["reward"].iloc[:10].mean() + 0.1
        states = grid.states()
        ends, model = states.terminal, solver.engine(grid).model
        gains = grid.gains(grid._score(grid.environment.decisions(states.rows[ends])))
        mask = grid.environment.mask(states.rows)
        for w in torch.tensor([[0.9, 0.1], [0.5, 0.5], [0.1, 0.9]], dtype=torch.float64):
            condition = solver._condition(w.unsqueeze(0)).expand(len(states), -1)
            means = []
            for row in (first.row[0], result.state.row[0]):
                with torch.no_grad():
                    logits = model.outputs(row, states.rows, condition).forward
                p = states.terminal_distribution(masked_log_softmax(logits, mask).double())[ends]
                means.append(float(p @ (gains @ w)))
            assert means[1] > means[0] + 0.5 * (float((gains @ w).max()) - means[0])

    def test_entropy_keeps_more_different_objects(self):
        grid = HyperGrid(side=6)
        found = []
        for entropy in (0.0, 0.5):
            solver = MOReinforce(
                policy={"hidden": (16,)},
                iterations=60,
                learning_rate=1e-2,
                evaluate_every=60,
                n_samples=16,
                entropy=entropy,
            )
            found.append(len(pk.solve(grid, solver, seed=0, progress=False).state.x.unique(dim=0)))
        assert found[1] > found[0]


class TestTurns:
    @pytest.mark.parametrize("locality", [0.0, 1.0, 2.5])
    def test_they_sum_to_one_and_are_drawn_as_they_say(self, locality):
        for depth in (1, 2, 7):
            steps = torch.arange(1, depth + 1)
            p = log_turn(steps, torch.full((depth,), depth), locality, 7).exp()
            assert float(p.sum()) == pytest.approx(1)
            wanted = steps.double() ** -locality
            assert torch.allclose(p, wanted / wanted.sum())
            u = (torch.arange(100_000, dtype=torch.float64) + 0.5) / 100_000
            drawn = drawn_turn(torch.full((100_000,), depth), u, locality, 7)
            shares = torch.bincount(drawn, minlength=depth + 1)[1:].double() / 100_000
            assert torch.allclose(shares, p, atol=2e-5)


def proposals(env, state, depth, locality):
    """All that can be proposed from one finished state: probability, where it leads, its depth and log ratio.

    Walks the tree of choices by uniforms in the middle of each choice's share, so that it runs the code itself.
    """
    t = env.max_steps
    for k in range(1, depth + 1):
        p_turn = math.exp(float(log_turn(torch.tensor([k]), torch.tensor([depth]), locality, t)))
        pending = [(state, 0, p_turn, [])]
        while pending:  # back, then on
            now, moves, p, u = pending.pop()
            back = moves < k
            mask = env.backward_mask(now) if back else env.mask(now)
            legal = int(mask.sum())
            if not back and legal == 0:
                numbers = torch.full((2, t, 1), 0.5, dtype=torch.float64)
                numbers[0, :k, 0] = torch.tensor(u[:k], dtype=torch.float64)
                numbers[1, : len(u) - k, 0] = torch.tensor(u[k:], dtype=torch.float64)
                at, k_ = torch.tensor([depth]), torch.tensor([k])
                yield p, propose(env, state, at, steps=k_, u=numbers, locality=locality)
                continue
            for j, action in enumerate(mask[0].nonzero().flatten()):
                following = env.back(now, action.view(1)) if back else env.step(now, action.view(1))
                pending.append((following, moves + 1, p / legal, [*u, (j + 0.5) / legal]))


def depths(env, ends):
    """Actions that build each finished state."""
    out = []
    for row in ends:
        now, n = row.unsqueeze(0), 0
        while env.backward_mask(now).any():
            now, n = env.back(now, env.backward_mask(now).to(torch.int8).argmax(1)), n + 1
        out.append(n)
    return out


class TestChains:
    @pytest.mark.parametrize("locality", [0.0, 1.0])
    @pytest.mark.parametrize(
        "problem",
        [HyperGrid(side=3), HyperGrid(side=3, edge_stops=False), Letters(max_length=2)],
        ids=["edge", "open", "words"],
    )
    def test_the_kernel_is_in_detailed_balance_with_the_target(self, problem, locality):
        env = problem.environment
        states = problem.states()
        ends = states.rows[states.terminal]
        number = {tuple(row): i for i, row in enumerate(ends.tolist())}
        log_pi = Rng.from_seed(0).normal(len(ends))
        kernel = torch.zeros(len(ends), len(ends), dtype=torch.float64)
        for i, depth in enumerate(depths(env, ends)):
            total = 0.0
            for p, offer in proposals(env, ends[i : i + 1], depth, locality):
                j = number[tuple(offer.states[0].tolist())]
                ratio = float(offer.log_ratio) + float(log_pi[j] - log_pi[i])
                kernel[i, j] += p * min(1.0, math.exp(ratio))
                total += p
            assert total == pytest.approx(1)
        flow = log_pi.exp().unsqueeze(1) * kernel
        assert torch.allclose(flow, flow.T, rtol=1e-10, atol=1e-14)
        assert (torch.linalg.matrix_power(kernel + torch.eye(len(ends)) / len(ends), 8) > 0).all()  # reaches all

    def test_the_ratio_is_that_of_the_paths_by_hand(self):
        env = Letters().environment  # one parent each: the way from word to word is one
        word = env.finished(torch.tensor([[0.0, 3.0, 3.0]]))  # A: the letter and the stop
        u = torch.full((2, env.max_steps, 1), 0.01, dtype=torch.float64)  # the first legal action: A, of ABC and stop
        offer = propose(env, word, torch.tensor([2]), steps=torch.tensor([1]), u=u, locality=1.0)
        assert env.decisions(offer.states).tolist() == [[0.0, 0.0, 0.0]]
        assert offer.depth.tolist() == [3]  # the longest words need no stop
        there = (1 / (1 + 1 / 2)) * (1 / 4) * (1 / 4)  # one step back of two; A and A again
        again = ((1 / 2) / (1 + 1 / 2 + 1 / 3)) * (1 / 4)  # two steps back of three; the stop
        assert float(offer.log_ratio) == pytest.approx(math.log(again / there))

    def test_chains_end_up_distributed_as_the_reward(self):
        grid = HyperGrid(objectives=("currin", "shubert"), side=5)
        n = 1000
        solver = MetropolisHastings(n_chains=n, partitions=2, temperature=2.0)
        state = solver.init(grid, Rng.from_seed(0))
        for _ in range(25):
            state = solver.step(grid, state)
        states = grid.states()
        ends = states.rows[states.terminal]
        gains = grid.gains(grid._score(grid.environment.decisions(ends)))
        for k in range(3):
            mine = state.states[n * k : n * (k + 1)]
            reward = (gains @ state.weights[n * k]) ** 2
            p = reward / reward.sum()
            counts = (mine.unsqueeze(1) == ends).all(-1).sum(0)
            chi_square = float(((counts - n * p) ** 2 / (n * p)).sum())
            freedom = len(p) - 1
            assert chi_square < freedom + 4 * math.sqrt(2 * freedom)  # 4 standard deviations
            uniform = float(((counts - n / len(p)) ** 2 / (n / len(p))).sum())
            assert uniform > 10 * freedom
        moved = solver.report(grid, state)["accepted"]
        assert 0.2 < moved < 0.95
        assert torch.equal(state.depth, torch.tensor(depths(grid.environment, state.states)))

    def test_failed_objects_are_never_accepted_and_chains_leave_them(self):
        class Holes(CompositionalDesign):
            objectives = (Objective("a", "max"), Objective("b", "max"))
            environment = GridEnvironment(2, 5)
            space = HyperGrid(side=5).space

            def _score(self, x):
                bad = (x.sum(1) % 2 == 0).unsqueeze(1)
                return torch.where(bad, torch.nan, 0.1 + x / 4)

        result = pk.solve(Holes(), MetropolisHastings(n_chains=8), budget=pk.Budget(iterations=40), progress=False)
        assert torch.isfinite(result.state.values).all()
        assert torch.isfinite(result.front.values).all()

    def test_a_higher_temperature_exponent_stays_at_better_objects(self):
        grid, found = HyperGrid(side=6), []
        for beta in (1.0, 16.0):
            state = MetropolisHastings(n_chains=200, temperature=beta).init(grid, Rng.from_seed(0))
            for _ in range(25):
                MetropolisHastings(n_chains=200, temperature=beta).step(grid, state)
            found.append(float((state.values * state.weights).sum(1).mean()))
        assert found[1] > found[0] + 0.1


DESIGNS = sorted(pk.problems.design.DESIGN)


@pytest.mark.parametrize("name", DESIGNS)
@pytest.mark.parametrize(
    "solver",
    [
        MOReinforce(policy={"hidden": (16,)}, batch_size=16, n_samples=2, partitions=2),
        MetropolisHastings(n_chains=4, partitions=2),
        pk.solvers.NSGA2(pop_size=16),
        pk.solvers.RandomSearch(pop_size=16),
    ],
    ids=lambda s: s.name,
)
def test_baselines_run_on_every_design(solver, name):
    problem = pk.problems.make(name)
    result = pk.solve(problem, solver, budget=pk.Budget(iterations=3), progress=False)
    assert result.status == "budget"
    assert len(result.front)
    assert problem.space.contains(result.front.x).all()


class Stuck(GridEnvironment):
    """Allows nothing."""

    def mask(self, states):
        return torch.zeros_like(super().mask(states))


def stuck():
    problem = HyperGrid(side=4)
    problem.environment = Stuck(2, 4)
    return problem


@pytest.mark.parametrize("solver", [MOReinforce(), MetropolisHastings(), pk.solvers.MOGFN()], ids=lambda s: s.name)
def test_a_design_whose_every_action_is_masked_is_refused(solver):
    with pytest.raises(InputError, match=r"`environment` must allow an action at the start; got a mask without any"):
        pk.solve(stuck(), solver, budget=pk.Budget(iterations=1), progress=False)


@pytest.mark.parametrize(
    ("call", "error", "line"),
    [
        (lambda: MOReinforce(group=1), InputError, "`group` must be at least 2; got 1"),
        (lambda: MOReinforce(batch_size=20), InputError, "`batch_size` must be a multiple of 8; got 20"),
        (lambda: MOReinforce(entropy=-0.1), InputError, "`entropy` must be at least 0; got -0.1"),
        (lambda: MOReinforce(scalarization="sum"), InputError, "`scalarization` must be one of"),
        (lambda: MOReinforce(preferences={"bin": 4}), UnknownNameError, "Preferences has no option 'bin'"),
        (lambda: MOReinforce(policy="mpl"), UnknownNameError, "did you mean 'mlp'"),
        (lambda: MOReinforce(iterations=0), InputError, "`iterations` must be at least 1; got 0"),
        (lambda: MetropolisHastings(n_chains=0), InputError, "`n_chains` must be at least 1; got 0"),
        (lambda: MetropolisHastings(locality=-1.0), InputError, "`locality` must be at least 0; got -1.0"),
        (lambda: MetropolisHastings(temperature=0.0), InputError, "`temperature` must be positive; got 0.0"),
        (lambda: MetropolisHastings(scalarization="sum"), InputError, "`scalarization` must be one of"),
        (lambda: MetropolisHastings(partitions=0), InputError, "`partitions` must be at least 1; got 0"),
    ],
)
def test_bad_options_are_refused(call, error, line):
    with pytest.raises(error, match=line):
        call()


@pytest.mark.parametrize("solver", [MOReinforce(), MetropolisHastings()], ids=lambda s: s.name)
def test_neither_starts_from_given_objects(solver):
    with pytest.raises(InputError, match="`initial` must be left out; got rows"):
        solver.init(HyperGrid(side=4), Rng.from_seed(0), initial=torch.zeros(1, 2))


def test_worthless_batches_teach_nothing_and_break_nothing():
    class Nothing(CompositionalDesign):
        objectives = (Objective("a", "max"), Objective("b", "max"))
        environment = GridEnvironment(2, 4)
        space = HyperGrid(side=4).space

        def _evaluate(self, x, rng):
            return Evaluation(torch.zeros(len(x), 2, dtype=x.dtype))

        def _score(self, x):
            return torch.zeros(len(x), 2, dtype=x.dtype)

    for solver in (MOReinforce(batch_size=16, n_samples=2), MetropolisHastings(n_chains=2)):
        result = pk.solve(Nothing(), solver, budget=pk.Budget(iterations=4), progress=False)
        assert len(result.front) == 1
