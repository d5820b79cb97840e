"""IBCL's rivals: their defining inequalities, twins written out, and what they remember."""

import pytest
import torch

import paretokit as pk
from paretokit.core import EvaluationError, InputError, Rng, UnsupportedProblemError
from paretokit.solvers import AGEM, EWC, GEM, VCL, ExperienceReplay, PreferenceRehearsal
from paretokit.solvers.continual import without_conflict
from paretokit.solvers.continual._asked import over_seen, rows_of
from paretokit.solvers.continual._ewc import empirical_fisher
from paretokit.solvers.continual._memory import Memory
from paretokit.solvers.continual._point import gradient_of_parts, gradient_on
from tests.solvers.continual.streams import stream

QUICK = {"epochs": 4, "batch_size": 8, "learning_rate": 0.05}


def conflict(**options):
    return stream(0.0, 2.2, 4.4, n=32, **options)


@pytest.fixture(scope="module", params=["domain", "task"])
def problem(request):
    return conflict(scenario=request.param)


def after(problem, solver, n_tasks, more=0, seed=0):
    """The state some updates after a number of tasks."""
    state = solver.init(problem, Rng.from_seed(seed))
    while state.task < n_tasks:
        state = solver.step(problem, state)
    for _ in range(more):
        state = solver.step(problem, state)
    return state


@pytest.mark.parametrize(
    "solver",
    [AGEM(**QUICK), EWC(**QUICK), GEM(**QUICK), VCL(**QUICK), ExperienceReplay(**QUICK), PreferenceRehearsal(**QUICK)],
    ids=lambda s: s.name,
)
def test_the_first_task_is_learned_and_stages_are_kept(problem, solver):
    result = pk.solve(problem, solver, seed=0, progress=False)
    stages = result.state.stages
    assert stages.shape[0] == 3
    assert float(problem.assess(stages[0])[0][:, 0].max()) > 0.85
    assert torch.equal(stages[2], result.state.x)
    steps = 3 * 4 * 4
    assert result.cost.gradient_steps == steps
    assert result.status == "finished"


def test_gems_step_is_the_nearest_that_raises_no_remembered_loss(problem):
    solver = GEM(**QUICK, memory=6)
    state = after(problem, solver, 2, more=1)
    inputs, labels = state.data
    batch = inputs[:8], labels[:8]
    _, found = solver.gradient(problem, state, batch, Rng.from_seed(1))
    own = gradient_on(problem, state.rows, batch, state.task)[1][0].double()
    held = [
        gradient_on(problem, state.rows, (x, y), k)[1][0].double()
        for k, (x, y) in enumerate(zip(state.memory.inputs, state.memory.labels, strict=True))
    ]
    rows = torch.stack(held)
    step = found[0].double()
    scale = float(own.norm() * rows.norm(dim=1).max())
    assert float((rows @ step).min()) >= -1e-6 * scale
    generator = torch.Generator().manual_seed(0)
    for _ in range(2000):  # no feasible step is nearer
        other = step + 0.3 * own.norm() * torch.randn(len(own), generator=generator).double()
        if float((rows @ other).min()) >= 0:
            assert float((other - own).norm()) >= float((step - own).norm()) - 1e-6
    change = step - own  # complementary: a change along remembered gradients that are just not raised
    multipliers = torch.linalg.lstsq(rows.T, change.unsqueeze(1)).solution[:, 0]
    torch.testing.assert_close(rows.T @ multipliers, change, atol=1e-5 * float(own.norm()), rtol=0)
    assert float(multipliers.min()) >= -1e-5
    assert float((multipliers * (rows @ step)).abs().max()) <= 1e-5 * scale


def test_gem_without_conflict_leaves_the_gradient_alone_and_its_strength_adds():
    same = stream(0.0, 0.0, n=32)
    plain, strong = GEM(**QUICK, memory=6), GEM(**QUICK, memory=6, strength=0.5)
    state = after(same, plain, 1)
    batch = tuple(part[:8] for part in same.tasks[1].train)
    own = gradient_on(same, state.rows, batch, 1)[1]
    assert torch.equal(plain.gradient(same, state, batch, Rng(0))[1], own)
    kept = (state.memory.inputs[0], state.memory.labels[0])
    due = own + 0.5 * gradient_on(same, state.rows, kept, 0)[1]
    torch.testing.assert_close(strong.gradient(same, state, batch, Rng(0))[1], due, rtol=1e-4, atol=1e-6)


def test_a_gradient_without_conflict_stays_and_one_with_it_is_projected():
    g, r = torch.tensor([[1.0, 2.0], [-1.0, 2.0], [1.0, 1.0]]), torch.tensor([[1.0, 0.0], [2.0, 0.0], [0.0, 0.0]])
    assert without_conflict(g, r).tolist() == [[1, 2], [0, 2], [1, 1]]


def test_agems_step_raises_no_mean_remembered_loss(problem):
    solver = AGEM(**QUICK, memory=6)
    state = after(problem, solver, 1, more=2)
    batch = tuple(part[:8] for part in state.data)
    rng = Rng.from_seed(1)
    _, found = solver.gradient(problem, state, batch, rng)
    parts = state.memory.mixed(8, rng)
    reference = gradient_of_parts(problem, state.rows, parts, torch.ones(len(parts)))[1]
    assert float((found * reference).sum()) >= -1e-6


def test_ewc_descends_the_loss_and_the_sum_of_the_quadratics(problem):
    solver = EWC(**QUICK, strength=3.0)
    state = solver.init(problem, Rng.from_seed(0))
    fishers, points = [], []
    while state.task < 2:
        state = solver.step(problem, state)
        if state.update == 0:
            k = state.task - 1
            points.append(state.rows[0].clone())
            fishers.append(empirical_fisher(problem, points[-1], problem.tasks[k].train, k))
    state = solver.step(problem, state)
    batch = tuple(part[:8] for part in state.data)
    own = gradient_on(problem, state.rows, batch, 2)[1][0]
    due = own + 3 * sum(f * (state.rows[0] - p) for f, p in zip(fishers, points, strict=True))
    torch.testing.assert_close(solver.gradient(problem, state, batch, Rng(0))[1][0], due, rtol=1e-4, atol=1e-5)


def test_fisher_information_is_the_mean_square_of_single_gradients(problem):
    row = problem.space.sample(1, Rng.from_seed(0))[0].float()
    inputs, labels = (part[:5] for part in problem.tasks[1].train)
    each = [gradient_on(problem, row.unsqueeze(0), (inputs[b : b + 1], labels[b : b + 1]), 1)[1][0] for b in range(5)]
    torch.testing.assert_close(empirical_fisher(problem, row, (inputs, labels), 1), torch.stack(each).square().mean(0))


def test_rehearsal_descends_each_preferences_sum_of_losses(problem):
    w = [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]
    solver = PreferenceRehearsal(**QUICK, memory=6, preferences=w)
    state = after(problem, solver, 2, more=1)
    batch = tuple(part[:8] for part in state.data)
    _, found = solver.gradient(problem, state, batch, Rng(0))
    parts = [*zip(state.memory.inputs, state.memory.labels, strict=True), batch]
    for p in range(2):
        each = [gradient_on(problem, state.rows[p : p + 1], part, k)[1][0] for k, part in enumerate(parts)]
        due = sum(share * slope for share, slope in zip(w[p], each, strict=True))
        torch.testing.assert_close(found[p], due, rtol=1e-4, atol=1e-6)


def test_stacked_preferences_are_those_trained_alone():
    problem = conflict().to(dtype=torch.float64)
    rows = [[0.2, 0.3, 0.5], [0.6, 0.2, 0.2]]
    both = pk.solve(problem, PreferenceRehearsal(**QUICK, preferences=rows), seed=0, progress=False).state.x
    for p, row in enumerate(rows):
        alone = pk.solve(problem, PreferenceRehearsal(**QUICK, preferences=[row]), seed=0, progress=False).state.x
        torch.testing.assert_close(both[p : p + 1], alone, rtol=1e-9, atol=1e-9)


def test_cold_rehearsal_starts_anew_and_warm_goes_on():
    problem = conflict()
    states = {}
    for warm in (True, False):
        solver = PreferenceRehearsal(**QUICK, preferences=3, warm=warm)
        state = after(problem, solver, 1)
        before = state.rows.clone()
        state = solver.step(problem, state)
        states[warm] = float((state.rows - before).abs().max())
    assert states[True] <= 0.06 < states[False]  # one step of Adam moves by its rate at most


def test_preferences_that_heed_tasks_to_come_go_to_the_seen():
    w = torch.tensor([[0.2, 0.3, 0.5], [0.0, 0.0, 1.0]], dtype=torch.float64)
    assert over_seen(w, 2).tolist() == [pytest.approx([0.4, 0.6, 0]), pytest.approx([0.5, 0.5, 0])]
    assert torch.equal(over_seen(w, 3), w)
    for n in (1, 3, 10, None):
        rows = rows_of(n, 3)
        torch.testing.assert_close(rows.sum(1), torch.ones(len(rows), dtype=torch.float64))
        assert n is None or len(rows) == n


def test_memories_keep_so_many_of_each_task():
    memory = Memory.empty()
    for k in range(3):
        memory.keep((torch.full((9, 2), float(k)), torch.arange(9) % 2), 4, Rng.from_seed(k))
    assert [len(labels) for labels in memory.labels] == [4, 4, 4]
    assert len(memory.some(1, 2, Rng(0))[1]) == 2
    assert torch.equal(memory.some(1, 9, Rng(0))[0], memory.inputs[1])
    drawn = memory.mixed(600, Rng(1))
    assert sum(len(labels) for _, _, labels in drawn) == 600
    for k, inputs, labels in drawn:
        assert bool((inputs == k).all())
        assert abs(len(labels) - 200) < 60


def test_replay_is_the_mean_over_minibatch_and_memory(problem):
    solver = ExperienceReplay(**QUICK, memory=6)
    state = after(problem, solver, 1, more=1)
    batch, rng = tuple(part[:8] for part in state.data), Rng.from_seed(2)
    _, found = solver.gradient(problem, state, batch, rng)
    (_, x, y), *others = state.memory.mixed(8, rng)
    assert not others
    one = gradient_on(problem, state.rows, batch, 1)[1] + gradient_on(problem, state.rows, (x, y), 0)[1]
    torch.testing.assert_close(found, one / 2, rtol=1e-4, atol=1e-6)


def test_remembering_beats_forgetting_where_tasks_conflict():
    """Four clouds around a circle: a hidden layer tells them apart, as long as the first two are remembered."""
    problem, options = stream(0.0, 2.2, n=32, hidden=(16,)), {**QUICK, "epochs": 30}
    replay = pk.solve(problem, ExperienceReplay(**options, memory=32), seed=0, progress=False).held_out[0]
    plain = pk.solve(problem, EWC(**options, strength=0.0), seed=0, progress=False).held_out[0]
    assert float(replay.min()) > 0.65
    assert float(plain[1]) > 0.9
    assert float(plain[0]) < 0.5


def test_losses_that_are_not_finite_end_the_run_with_the_tasks_name():
    problem = conflict()
    with pytest.raises(
        (InputError, EvaluationError),
        match=r"`losses` must be finite; got .*task 'task 2', update 1; a smaller learning_rate",
    ):
        pk.solve(problem, ExperienceReplay(epochs=60, learning_rate=1e37), seed=0, progress=False)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (lambda: GEM(memory=0), "`memory` must be at least 1; got 0"),
        (lambda: GEM(strength=-0.1), "`strength` must be at least 0; got -0.1"),
        (lambda: EWC(strength=-1.0), "`strength` must be at least 0; got -1.0"),
        (lambda: VCL(prior=0.0), "`prior` must be positive; got 0.0"),
        (lambda: PreferenceRehearsal(preferences=[[2.0, -1.0]]), "`preferences` must be rows on the simplex"),
        (lambda: AGEM(batch_size=0), "`batch_size` must be at least 1; got 0"),
    ],
)
def test_options_out_of_range_are_refused(make, line):
    with pytest.raises(InputError, match=line):
        make()


def test_other_problems_are_refused():
    with pytest.raises(UnsupportedProblemError, match="GEM solves ContinualLearning problems; got ZDT1"):
        pk.solve(pk.problems.ZDT1(), GEM(), progress=False)
