# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled whole episodes of environments known as tables: `Play.plain` and `Episodes.gradient` in one call."""

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


@jit("UniTuple(float64, 2)(float64[::1], float64[::1])")
def softmax(logits, p):
    """Fill probabilities; return the largest logit and the sum of exponentials below it."""
    most, total = logits[0], 0.0
    for i in range(1, logits.shape[0]):
        most = max(most, logits[i])
    for i in range(logits.shape[0]):
        p[i] = np.exp(logits[i] - most)
        total += p[i]
    for i in range(logits.shape[0]):
        p[i] /= total
    return most, total


@jit("int64(float64[::1], float64)")
def choose(p, u):
    """Return the action of a uniform number by inverse transform."""
    whole, share = 0.0, 0.0
    for i in range(p.shape[0]):
        whole += p[i]
    for i in range(p.shape[0] - 1):
        share += p[i]
        if share >= u * whole:
            return i
    return p.shape[0] - 1


@jit(
    "void(float64[:, ::1], int64[::1], boolean, float32[:, :, ::1], float64[:, :, ::1], float64[:, ::1], int64[:, ::1])"
)
def act(rows, sizes, relu, observation, accrued, chance, action):
    """Fill sampled actions `[P, N]` for observations `[P, N, o]` and accrued rewards `[P, N, m]`."""
    last, o, m = sizes.shape[0] - 1, observation.shape[2], accrued.shape[2]
    h, p_action = np.empty((last + 1, sizes.max())), np.empty(sizes[-1])
    for p in range(action.shape[0]):
        for e in range(action.shape[1]):
            for j in range(o):
                h[0, j] = observation[p, e, j]
            for j in range(m):
                h[0, o + j] = accrued[p, e, j]
            forward(rows[p], sizes, relu, h)
            softmax(h[last, : sizes[-1]], p_action)
            action[p, e] = choose(p_action, chance[p, e])


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
                most, total = softmax(h[last, :n_actions], p_action)
                action = choose(p_action, uniform(keys[1][p], t * n + e))
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
