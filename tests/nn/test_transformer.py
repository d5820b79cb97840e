"""Causal transformers against torch's own encoder, and the decoder against the full pass."""

import pytest
import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from paretokit.core import InputError, Lanes, Rng
from paretokit.nn import Transformer

SMALL = Transformer(5, 9, layers=2, heads=2, width=8, feedforward=12)


def lanes(n):
    return Lanes(tuple(Rng.from_seed(i) for i in range(n)))


def rows_of(transformer, members):
    """Rows far from the initialization, so that biases, scales and shifts count."""
    rng = Rng.from_seed(7)
    return transformer.init(lanes(members), dtype=torch.float64) + 0.3 * rng.normal(members, transformer.n_parameters)


def words(transformer, *shape):
    return Rng.from_seed(3).integers(transformer.tokens, *shape)


def reference(transformer, row):
    """torch's embedding and encoder with the parameters of a row."""
    layer = nn.TransformerEncoderLayer(
        transformer.width, transformer.heads, transformer.feedforward, 0.0, batch_first=True, norm_first=True
    )
    encoder = nn.TransformerEncoder(
        layer, transformer.layers, norm=nn.LayerNorm(transformer.width), enable_nested_tensor=False
    )
    embedding = nn.Embedding(transformer.tokens, transformer.width)
    both = nn.ModuleList([embedding, encoder]).to(row.dtype)
    nn.utils.vector_to_parameters(row, both.parameters())
    return embedding, encoder


@pytest.mark.parametrize("transformer", [SMALL, Transformer(21, 37), Transformer(4, 80, layers=1, heads=2, width=8)])
def test_it_is_torchs_encoder_and_so_is_its_gradient(transformer):
    row = rows_of(transformer, 1)[0].requires_grad_()
    tokens = words(transformer, 4, transformer.positions)
    embedding, encoder = reference(transformer, row.detach())
    t, j = torch.meshgrid(torch.arange(tokens.shape[1]), torch.arange(transformer.width // 2), indexing="ij")
    angle = t / 10000 ** (2 * j / transformer.width).double()
    x = embedding(tokens) + torch.stack([angle.sin(), angle.cos()], -1).flatten(1)
    mask = nn.Transformer.generate_square_subsequent_mask(tokens.shape[1], dtype=torch.float64)
    expected = encoder(x, mask=mask, is_causal=True)
    found = transformer(row, tokens)
    assert torch.allclose(found, expected, rtol=0, atol=1e-10)
    probe = Rng.from_seed(1).normal(*found.shape)
    (gradient,) = torch.autograd.grad((found * probe).sum(), row)
    parts = torch.autograd.grad((expected * probe).sum(), [*embedding.parameters(), *encoder.parameters()])
    assert torch.allclose(gradient, torch.cat([p.flatten() for p in parts]), rtol=0, atol=1e-9)


def test_members_of_a_stack_are_each_on_their_own():
    rows, tokens = rows_of(SMALL, 3), words(SMALL, 3, 4, 6)
    first = Rng.from_seed(9).normal(3, 4, 8)
    out = SMALL(rows, tokens, first=first)
    assert out.shape == (3, 4, 6, 8)
    for p in range(3):
        assert torch.allclose(out[p], SMALL(rows[p], tokens[p], first=first[p]), rtol=0, atol=1e-12)


def test_a_place_does_not_see_what_follows():
    row, tokens = rows_of(SMALL, 1)[0], words(SMALL, 4, 9)
    other = tokens.clone()
    other[:, 5:] = (tokens[:, 5:] + 1) % SMALL.tokens
    a, b = SMALL(row, tokens), SMALL(row, other)
    assert torch.equal(a[:, :5], b[:, :5])
    assert (a[:, 5:] != b[:, 5:]).any(-1).all()


@pytest.mark.parametrize("members", [0, 3])
@pytest.mark.parametrize("extra", [False, True])
def test_token_by_token_equals_the_full_pass(members, extra):
    lead = (members,) if members else ()
    rows = rows_of(SMALL, members) if members else rows_of(SMALL, 1)[0]
    tokens = words(SMALL, *lead, 4, 9)
    first = Rng.from_seed(9).normal(*lead, 4, 8) if extra else None
    full = SMALL(rows, tokens, first=first)
    decoder = SMALL.decoder(SMALL.weights(rows), 4)
    memory = decoder.memory.data_ptr()
    for t in range(9):
        place = decoder.step(tokens[..., t], first=first if t == 0 else None)
        assert torch.allclose(place, full[..., t, :], rtol=0, atol=1e-10)
    assert decoder.length == 9
    assert decoder.memory.data_ptr() == memory
    assert decoder.memory.shape == (2, 2, 9, 4, 4 * max(members, 1) * 2)


def test_rows_begin_as_documented_and_each_member_has_its_own():
    rows = SMALL.init(lanes(2), dtype=torch.float64)
    weights = SMALL.weights(rows)
    layer = weights.layers[1]
    assert torch.equal(rows[1:], SMALL.init(Lanes((Rng.from_seed(1),)), dtype=torch.float64))
    assert not torch.equal(rows[0], rows[1])
    assert (layer.attention_scale == 1).all()
    assert (layer.into_bias == 0).all()
    assert (weights.shift == 0).all()
    bound = (6 / (24 + 8)) ** 0.5
    assert 0.9 * bound < layer.into_weight.abs().max() <= bound
    assert SMALL.init(lanes(1)).dtype == torch.float32
    assert sum(p.numel() for p in nn.ModuleList(reference(SMALL, rows[0])).parameters()) == SMALL.n_parameters


class Reads(TorchDispatchMode):
    """Notes operators that read a value back to the host or whose shapes depend on values."""

    def __init__(self):
        super().__init__()
        self.found = []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if any(name in str(func) for name in ("_local_scalar_dense", "nonzero", "is_nonzero", "masked_select")):
            self.found.append(str(func))
        return func(*args, **(kwargs or {}))


def test_nothing_is_read_back_to_the_host():
    row, tokens = rows_of(SMALL, 1)[0], words(SMALL, 4, 9)
    with Reads() as reads:
        SMALL(row, tokens)
        decoder = SMALL.decoder(SMALL.weights(row), 4)
        for t in range(9):
            decoder.step(tokens[:, t])
    assert reads.found == []


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"layers": 0}, "`layers` must be at least 1; got 0"),
        ({"tokens": 0}, "`tokens` must be at least 1; got 0"),
        ({"width": 7, "heads": 7}, "`width` must be even; got 7 (positions are pairs of a sine and a cosine)"),
        ({"width": 20}, "`width` must be a multiple of heads = 8; got 20"),
        ({"feedforward": 0}, "`feedforward` must be at least 1; got 0"),
    ],
)
def test_sizes_that_make_no_sense_are_refused(sizes, message):
    with pytest.raises(InputError) as error:
        Transformer(**{"tokens": 4, "positions": 5, **sizes})
    assert str(error.value) == message
