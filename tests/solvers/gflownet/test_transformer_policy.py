"""The transformer policy: one pass, one state and one letter at a time say the same, and the slow twin too."""

import pytest
import torch
from torch.utils._python_dispatch import TorchDispatchMode

import paretokit as pk
from paretokit.core import InputError, Rng
from paretokit.problems.design._hypergrid import GridEnvironment
from paretokit.problems.design._sequences import AppendEnvironment
from paretokit.solvers.gflownet._policies import policy_of
from paretokit.solvers.gflownet._policy import FlowModel
from paretokit.solvers.gflownet._sampler import retrace, sample
from paretokit.solvers.gflownet._scores import balance, scores
from paretokit.solvers.gflownet._transformer_policy import TransformerPolicy
from tests.solvers.gflownet.prefix_transformer import PrefixTransformer

WORDS = AppendEnvironment(n_letters=3, min_length=2, max_length=5)
RULED = AppendEnvironment(
    n_letters=3,
    min_length=2,
    max_length=5,
    allowed=((False, True, True), (True, False, True), (False, False, False)),
    first=(True, True, False),
)
N = 24


def small(conditioning="head"):
    return TransformerPolicy(layers=2, heads=2, width=8, feedforward=12, hidden=(16, 10), conditioning=conditioning)


def bound(environment=WORDS, conditioning="head", dim=4):
    """A flow far from its initialization, its row and n conditions."""
    flow = small(conditioning).bind(environment, condition_dim=dim, backward=False)
    row = flow.initial(Rng.from_seed(0), dtype=torch.float64)
    row = row + 0.4 * Rng.from_seed(1).normal(flow.n_parameters)
    return flow, row, Rng.from_seed(2).uniform(N, dim) if dim else None


class Plain(FlowModel):
    """The same model, one state at a time."""

    def __init__(self, flow):
        self.flow, self.environment, self.condition_dim, self.backward = (
            flow,
            flow.environment,
            flow.condition_dim,
            False,
        )

    @property
    def n_parameters(self):
        return self.flow.n_parameters

    def initial(self, rng, *, dtype=torch.float32):
        return self.flow.initial(rng, dtype=dtype)

    def outputs(self, row, states, condition):
        return self.flow.outputs(row, states, condition)


CASES = [(WORDS, "head", 0), (WORDS, "head", 4), (WORDS, "start", 4), (WORDS, "both", 4), (RULED, "head", 4)]


@pytest.mark.parametrize(("environment", "conditioning", "dim"), CASES)
def test_whole_words_single_states_and_letters_on_the_way_agree(environment, conditioning, dim):
    flow, row, condition = bound(environment, conditioning, dim)
    paths = sample(flow, row, condition, n=N, rng=Rng.from_seed(3), epsilon=0.5)
    lengths = environment.lengths(paths.last)
    assert len(lengths.unique()) > 1
    along = flow.along(row, paths.states, condition)
    walker = flow.walker(row, condition)
    for step, states in enumerate(paths.states):
        one = flow.outputs(row, states, condition)
        assert one.backward is None
        assert torch.allclose(along.forward[step], one.forward, rtol=0, atol=1e-10)
        assert torch.allclose(along.log_flow[step], one.log_flow, rtol=0, atol=1e-10)
        if step < len(paths.actions):
            moved = paths.moved[step]
            logits = walker.logits(states, step)
            assert torch.allclose(logits[moved], one.forward[moved], rtol=0, atol=1e-10)


@pytest.mark.parametrize(("environment", "conditioning", "dim"), CASES)
def test_scores_and_samples_do_not_depend_on_the_way(environment, conditioning, dim):
    flow, row, condition = bound(environment, conditioning, dim)
    row.requires_grad_()
    plain = Plain(flow)
    paths = sample(flow, row, condition, n=N, rng=Rng.from_seed(3), epsilon=0.1)
    assert torch.equal(paths.states, sample(plain, row, condition, n=N, rng=Rng.from_seed(3), epsilon=0.1).states)
    fast, slow = scores(flow, row, paths), scores(plain, row, paths)
    for name in ("forward", "backward", "log_flow"):
        assert torch.allclose(getattr(fast, name), getattr(slow, name), rtol=0, atol=1e-10)
    for model in (flow, plain):
        assert torch.allclose(balance(model, row, paths), slow.balance, rtol=0, atol=1e-10)
    assert (fast.backward == 0).all()  # a word has one parent
    gradients = [torch.autograd.grad(s.balance.square().sum() + s.log_flow.sin().sum(), row)[0] for s in (fast, slow)]
    assert torch.allclose(*gradients, rtol=1e-9, atol=1e-9)
    assert (gradients[0] != 0).double().mean() > 0.75  # every map is trained, the condition's included


def test_words_that_are_given_are_scored_as_their_own_trajectories():
    flow, row, condition = bound()
    paths = sample(flow, row, condition, n=N, rng=Rng.from_seed(3))
    again = retrace(flow, row, condition, finished=paths.last, rng=Rng.from_seed(4))
    assert torch.equal(again.states, paths.states)
    assert torch.equal(again.actions, paths.actions)


def test_words_that_are_begun_go_on_as_their_states_say():
    flow, row, condition = bound()
    begun = sample(flow, row, condition, n=N, rng=Rng.from_seed(3)).states[2]
    on = sample(flow, row, condition, n=N, rng=Rng.from_seed(4), start=begun)
    plain = sample(Plain(flow), row, condition, n=N, rng=Rng.from_seed(4), start=begun)
    assert torch.equal(on.states, plain.states)
    assert torch.equal(on.last[:, :2], begun[:, :2])
    fast, slow = scores(flow, row, on), scores(Plain(flow), row, on)
    assert torch.allclose(fast.forward, slow.forward, rtol=0, atol=1e-10)


def test_conditions_change_the_policy_and_each_trajectory_has_its_own():
    for conditioning in ("head", "start", "both"):
        flow, row, condition = bound(conditioning=conditioning)
        states = WORDS.start(N)
        out = flow.outputs(row, states, condition).forward
        assert len(out.unique(dim=0)) == N
        assert torch.allclose(out[3:4], flow.outputs(row, states[:1], condition[3:4]).forward, rtol=0, atol=1e-12)


def test_the_first_policy_is_about_uniform():
    flow = TransformerPolicy().bind(
        AppendEnvironment(n_letters=20, min_length=32, max_length=36), condition_dim=7, backward=False
    )
    row = flow.initial(Rng.from_seed(0))
    assert row.shape == (flow.n_parameters,)
    assert row.dtype == torch.float32
    assert torch.equal(row, flow.initial(Rng.from_seed(0)))
    out = flow.outputs(row, flow.environment.start(3), torch.rand(3, 7, generator=torch.Generator().manual_seed(0)))
    assert out.forward.abs().max() < 0.1
    assert out.forward.shape == (3, 21)


def test_it_is_the_twin_that_reads_the_prefix_again_at_every_token():
    flow, row, condition = bound()
    row.requires_grad_()
    twin = PrefixTransformer(small(), WORDS, 4).load(row)
    assert sum(p.numel() for p in twin.parameters()) == flow.n_parameters
    rng = Rng.from_seed(5)
    paths = sample(flow, row, condition, n=N, rng=rng, epsilon=0.1)
    actions, total = twin.rollout(condition, rng.uniform(WORDS.max_steps, N), epsilon=0.1)
    assert torch.equal(actions, paths.actions)
    target = Rng.from_seed(6).normal(N)
    loss = (scores(flow, row, paths).balance - target).square().mean()
    expected = (total - target).square().mean()
    assert torch.allclose(loss, expected, rtol=0, atol=1e-10)
    (gradient,) = torch.autograd.grad(loss, row)
    parts = torch.autograd.grad(expected, list(twin.parameters()))
    assert torch.allclose(gradient, torch.cat([p.flatten() for p in parts]), rtol=0, atol=1e-9)


@pytest.mark.parametrize("criterion", ["TB", "DB", "SubTB", "FM"])
@pytest.mark.parametrize("solver", [pk.solvers.MOGFN, pk.solvers.OPGFN])
def test_samplers_train_with_it_under_every_criterion(solver, criterion):
    problem = pk.problems.NGrams(min_length=6, max_length=8, divisor=4)
    method = solver(policy=small(), criterion=criterion, batch_size=16, n_samples=4, iterations=2, evaluate_every=2)
    result = pk.solve(problem, method, seed=0)
    assert len(result.front) >= 1
    assert torch.equal(result.front.values, pk.solve(problem, method, seed=0).front.values)


class Reads(TorchDispatchMode):
    """Counts operators, and notes those that read a value back to the host."""

    def __init__(self):
        super().__init__()
        self.found, self.count = [], 0

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        self.count += 1
        if any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "masked_select")):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def test_sampling_and_scoring_read_nothing_back_and_take_equally_many_operators_for_any_number():
    flow, row, condition = bound(conditioning="both")
    row.requires_grad_()
    counts = []
    for n in (3, N):
        with Reads() as reads:
            paths = sample(flow, row, condition[:n], n=n, rng=Rng.from_seed(n), epsilon=0.1)
            scores(flow, row, paths).balance.square().mean().backward()
        assert reads.found == []
        counts.append(reads.count)
    assert counts[0] == counts[1]


def test_options_are_described_and_taken_back():
    policy = small("both")
    assert policy.describe()["kind"] == "transformer"
    assert policy_of(policy.describe()) == policy
    assert policy_of("transformer") == TransformerPolicy()


def test_a_learned_backward_policy_has_nothing_to_learn():
    assert not small().bind(WORDS, condition_dim=0, backward=True).backward


def test_environments_without_words_are_refused():
    with pytest.raises(InputError) as error:
        TransformerPolicy().bind(GridEnvironment(2, 8), condition_dim=0, backward=False)
    assert str(error.value) == (
        "`TransformerPolicy` must meet words that grow letter by letter (AppendEnvironment); got GridEnvironment"
        " (use MLPPolicy)"
    )


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"hidden": ()}, "`hidden` must be at least 1; got 0"),
        ({"hidden": (0,)}, "`smallest_hidden` must be at least 1; got 0"),
        ({"width": 12}, "`width` must be a multiple of heads = 8; got 12"),
        ({"layers": 0}, "`layers` must be at least 1; got 0"),
        (
            {"conditioning": "stat"},
            "`conditioning` must be one of ['head', 'start', 'both']; got 'stat' (did you mean 'start'?)",
        ),
    ],
)
def test_options_that_make_no_sense_are_refused(options, message):
    with pytest.raises(InputError) as error:
        TransformerPolicy(**options)
    assert str(error.value) == message
