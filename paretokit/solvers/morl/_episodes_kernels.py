# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled whole episodes of environments that are one table: `Play.plain` and `Episodes.gradient` in one call."""

import numpy as np

from paretokit.core._kernel import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)


@jit("float64(uint64, int64)")
def uniform(key, counter):
    """Return the uniform number at a counter of a key's block, as `Rng.uniform` draws it."""
    z = key + np.uint64(counter + 1) * GOLDEN
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    z = z ^ (z >> np.uint64(31))
    return np.float64(z >> np.uint64(11)) * 2.0**-53


@jit("void(float64[::1], int64[::1], boolean, float64[:, ::1])")
def forward(row, sizes, relu, h):
    """Fill `h[1:]` with the layers' outputs for the input `h[0]`; a row is laid out as in `MLP`."""
    at, layers = 0, sizes.shape[0] - 1
    for layer in range(layers):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        bias = at + fan_in * fan_out
        for b in range(fan_out):
            total = row[bias + b]
            for a in range(fan_in):
                total += row[at + a] * h[layer, a]
            at += fan_in
            if layer < layers - 1:
                total = max(total, 0.0) if relu else np.tanh(total)
            h[layer + 1, b] = total
        at = bias + fan_out


@jit("void(float64[::1], int64[::1], boolean, float64[:, ::1], float64[:, ::1], float64[::1])")
def backward(row, sizes, relu, h, delta, out):
    """Add to `out [D]` the gradient for the outputs' gradient `delta[-1]`; the other rows of `delta` are room."""
    layers = sizes.shape[0] - 1
    at = row.shape[0]
    for layer in range(layers - 1, -1, -1):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        bias = at - fan_out
        at = bias - fan_in * fan_out
        for a in range(fan_in):
            delta[layer, a] = 0.0
        for b in range(fan_out):
            d = delta[layer + 1, b]
            out[bias + b] += d
            for a in range(fan_in):
                out[at + b * fan_in + a] += d * h[layer, a]
                delta[layer, a] += d * row[at + b * fan_in + a]
        for a in range(fan_in):
            if relu:
                delta[layer, a] = delta[layer, a] if h[layer, a] > 0.0 else 0.0
            else:
                delta[layer, a] *= 1.0 - h[layer, a] * h[layer, a]


@jit(
    "void(float64[:, ::1], int64[::1], boolean, float64[:, ::1],"
    " Tuple((int64[::1], float64[:, ::1], boolean[::1], float64[:, ::1], int64, int64)),"
    " UniTuple(uint64[::1], 2), Tuple((int64, int64, boolean)), float64,"
    " Tuple((int64[:, ::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1])))"
)
def episodes(rows, sizes, relu, observations, world, keys, settings, discount, out):
    """Play and differentiate whole episodes of `rows [P, D]`; observations are `[S, o]`."""
    next_state, reward, terminal, below, n_actions, start = world
    lengths, returns, score, spread = out
    per_step, horizon, curious = settings
    members, n = lengths.shape
    m, outcomes, last = reward.shape[1], below.shape[1] + 1, sizes.shape[0] - 1
    o = sizes[0] - m
    h, delta = np.empty((last + 1, sizes.max())), np.empty((last + 1, sizes.max()))
    p_action = np.empty(n_actions)
    for p in range(members):
        for e in range(n):
            s, gain, gains = start, 1.0, returns[p, e]
            for t in range(horizon):
                h[0, :o] = observations[s]
                h[0, o : o + m] = gains
                forward(rows[p], sizes, relu, h)
                most, total = h[last, :n_actions].max(), 0.0
                for i in range(n_actions):
                    p_action[i] = np.exp(h[last, i] - most)
                    total += p_action[i]
                whole = 0.0
                for i in range(n_actions):
                    p_action[i] /= total
                    whole += p_action[i]
                u, share, action = uniform(keys[1][p], t * n + e), 0.0, n_actions - 1
                for i in range(n_actions - 1):
                    share += p_action[i]
                    if share >= u * whole:
                        action = i
                        break
                for i in range(n_actions):
                    delta[last, i] = (1.0 if i == action else 0.0) - p_action[i]
                backward(rows[p], sizes, relu, h, delta, score[p, e])
                if curious:
                    entropy, base = 0.0, most + np.log(total)
                    for i in range(n_actions):
                        entropy -= p_action[i] * (h[last, i] - base)
                    for i in range(n_actions):
                        delta[last, i] = -p_action[i] * (h[last, i] - base + entropy)
                    backward(rows[p], sizes, relu, h, delta, spread[p])
                entry = s * n_actions + action
                if outcomes > 1:
                    u, passed = uniform(keys[0][p], (t * n + e) * per_step), 0
                    for j in range(outcomes - 1):
                        passed += u >= below[entry, j]
                    entry = entry * outcomes + passed
                for j in range(m):
                    gains[j] += gain * reward[entry, j]
                gain *= discount
                lengths[p, e] = t + 1
                s = next_state[entry]
                if terminal[entry]:
                    break
