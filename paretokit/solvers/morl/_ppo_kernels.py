# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled update of one member: `_ppo_plain.py` in float32, with gradients written out by hand.

The batch is innermost everywhere. `numbers` holds clip, value clip, value coefficient, entropy coefficient, largest
norm, the two decay rates and eps of Adam, the barrier's gain, and the two learning rates; a row of `data` holds, one
after the other, observation, old log-probability, advantage, targets, old values, then the objectives' advantages
where there is a barrier, then the Gaussian action.
"""

import math

import numpy as np

from paretokit.core._kernel import jit
from paretokit.solvers.morl._perceptron_kernels import MATH, ONE, ZERO, backward, forward

HALF = np.float32(0.5)
SMALL = np.float32(1e-6)  # added to norms, as torch does
HALF_LOG_2PI = np.float32(0.5 * math.log(2 * math.pi))


@jit("float32(float32[:, ::1], float32[:, ::1], int64[::1], float32[::1])", fastmath=MATH)
def categorical(logits, logs, chosen, log_prob):
    """Fill `logs [k, n]` with log-probabilities of all actions, `log_prob [n]` with the chosen ones'; mean entropy."""
    k, n = logits.shape
    entropy = ZERO
    for b in range(n):
        top = logits[0, b]
        for a in range(1, k):
            top = max(top, logits[a, b])
        total = ZERO
        for a in range(k):
            total += math.exp(logits[a, b] - top)
        norm = top + math.log(total)
        for a in range(k):
            logs[a, b] = logits[a, b] - norm
            entropy -= math.exp(logs[a, b]) * logs[a, b]
        log_prob[b] = logs[chosen[b], b]
    return entropy / np.float32(n)


@jit("void(float32[:, ::1], int64[::1], float32[::1], float32)", fastmath=MATH)
def categorical_slopes(logs, chosen, weight, entropy_weight):
    """Turn log-probabilities in `logs [k, n]` into derivatives by the logits.

    `weight [n]` is the derivative by each row's log-probability, `entropy_weight` minus the one by its entropy.
    """
    k, n = logs.shape
    for b in range(n):
        entropy = ZERO
        if entropy_weight > ZERO:
            for a in range(k):
                entropy -= math.exp(logs[a, b]) * logs[a, b]
        for a in range(k):
            share = math.exp(logs[a, b])
            logs[a, b] = share * (entropy_weight * (logs[a, b] + entropy) - weight[b])
        logs[chosen[b], b] += weight[b]


@jit("float32(float32[:, ::1], float32[::1], float32[:, ::1], float32[::1])", fastmath=MATH)
def gaussian(mean, log_std, taken, log_prob):
    """Fill `log_prob [n]` with log-densities of actions `taken [k, n]`; return the entropy."""
    k, n = mean.shape
    entropy = ZERO
    for b in range(n):
        log_prob[b] = ZERO
    for a in range(k):
        scale = math.exp(-log_std[a])
        shift = log_std[a] + HALF_LOG_2PI
        entropy += shift + HALF
        for b in range(n):
            deviate = (taken[a, b] - mean[a, b]) * scale
            log_prob[b] -= HALF * deviate * deviate + shift
    return entropy


@jit(
    "void(float32[:, ::1], float32[::1], float32[:, ::1], float32[::1], float32, float32[:, ::1], float32[::1])",
    fastmath=MATH,
)
def gaussian_slopes(mean, log_std, taken, weight, entropy_weight, slopes, log_std_slopes):
    """Fill derivatives by means `[k, n]` and log standard deviations `[k]`; the weights as in `categorical_slopes`."""
    k, n = mean.shape
    for a in range(k):
        scale = math.exp(-log_std[a])
        total = ZERO
        for b in range(n):
            deviate = (taken[a, b] - mean[a, b]) * scale
            slopes[a, b] = weight[b] * deviate * scale
            total += weight[b] * (deviate * deviate - ONE)
        log_std_slopes[a] = total - entropy_weight * np.float32(n)


@jit(
    "void(float32[::1], float32[::1], float32[::1], float32[:, ::1], float32[:, ::1], float64[::1], float64[::1])",
    fastmath=MATH,
)
def policy(log_prob, old, advantage, advantages, floors, numbers, report):
    """Turn log-probabilities `[n]` into derivatives of the loss by them, and add to the report.

    `advantages [m, n]` and `floors [3, m]` (weight, slack, margin) are empty without a barrier.
    """
    n = log_prob.shape[0]
    clip, gain, share = np.float32(numbers[0]), np.float32(numbers[8]), ONE / np.float32(n)
    low, high = ONE - clip, ONE + clip
    loss = kl = outside = ZERO
    ratio, pull = np.empty(n, np.float32), np.zeros(n, np.float32)
    for b in range(n):
        shift = log_prob[b] - old[b]
        rho = math.exp(shift)
        ratio[b] = rho
        kl += rho - ONE - shift
        outside += ONE if abs(rho - ONE) > clip else ZERO
    barrier = 0.0
    for j in range(advantages.shape[0]):
        weight, margin = floors[0, j], floors[2, j]
        if weight == ZERO:
            continue
        line, moved = advantages[j], ZERO
        for b in range(n):
            moved += (ratio[b] - ONE) * line[b]
        slack = floors[1, j] + gain * moved * share
        inside = max(slack, margin)
        barrier += weight * (math.log(inside) + min(slack - margin, ZERO) / margin)
        slope = weight * gain * share / inside
        for b in range(n):
            pull[b] += slope * line[b]
    for b in range(n):
        rho, a = ratio[b], advantage[b]
        near = max(low, min(high, rho)) * a
        far = rho * a
        loss -= min(far, near)
        log_prob[b] = -rho * ((a * share if far <= near else ZERO) + pull[b])
    report[0] += loss * share
    report[3] += kl * share
    report[4] += outside * share
    report[6] += barrier


@jit("float32(float32[:, ::1], float32[:, ::1], float32[:, ::1], float32[:, ::1], float32, float32)", fastmath=MATH)
def value(values, targets, old, slopes, clip, coefficient):
    """Fill `slopes [m, n]` with derivatives of the weighted loss by `values [m, n]`; return half the mean square."""
    m, n = values.shape
    total, scale = ZERO, coefficient / np.float32(m * n)
    for j in range(m):
        for b in range(n):
            move = values[j, b] - old[j, b]
            far = values[j, b] - targets[j, b]
            near = old[j, b] + max(-clip, min(clip, move)) - targets[j, b]
            held = far * far < near * near
            total += near * near if held else far * far
            slopes[j, b] = scale * (ZERO if held and abs(move) > clip else far)
    return HALF * total / np.float32(m * n)


@jit("float32(float32[::1])", fastmath=MATH)
def squares(values):
    """Return the sum of squares."""
    total = ZERO
    for i in range(values.shape[0]):
        total += values[i] * values[i]
    return total


@jit(
    "void(float32[::1], float32[::1], float32[::1], float32[::1], float32, int64, float64[::1], float64)", fastmath=MATH
)
def adam(row, gradient, mean, square, scale, step, numbers, rate):
    """Make step number `step` of Adam along `scale * gradient`."""
    keep, decay = 1.0 - numbers[5], np.float32(numbers[6])
    fresh, take = np.float32(1.0 - numbers[6]), np.float32(keep)
    first = np.float32(rate / (1.0 - numbers[5] ** step))
    second, eps = np.float32(1.0 / math.sqrt(1.0 - numbers[6] ** step)), np.float32(numbers[7])
    for i in range(row.shape[0]):
        g = gradient[i] * scale
        average = mean[i] + take * (g - mean[i])
        power = decay * square[i] + fresh * (g * g)
        mean[i] = average
        square[i] = power
        row[i] -= first * average / (math.sqrt(power) * second + eps)


@jit(
    "void(float32[:, ::1], int64[::1], int64[::1], int64, "
    "float32[:, ::1], float32[:, ::1], float32[:, ::1], int64[::1])"
)
def gather(data, chosen, part, o, actor, critic, columns, picked):
    """Transpose rows `part [n]` of `data`: the first o columns to both networks' inputs, the others to `columns`.

    `picked` receives the rows' actions.
    """
    width, n, discrete = data.shape[1], part.shape[0], chosen.shape[0] > 0
    for b in range(n):
        p = part[b]
        for i in range(o):
            actor[i, b] = critic[i, b] = data[p, i]
        for i in range(o, width):
            columns[i - o, b] = data[p, i]
        if discrete:
            picked[b] = chosen[p]


MEMBER = (
    "void(UniTuple(float32[::1], 3), UniTuple(float32[::1], 3), int64[::1], int64[::1], int64[::1], "
    "float32[:, ::1], int64[::1], float32[:, ::1], int64[:, ::1], int64, float64[::1], float64[::1])"
)


@jit(MEMBER, fastmath=MATH)
def member(
    actor_parts,
    critic_parts,
    actor_sizes,
    critic_sizes,
    state,
    data,
    chosen,
    floors,
    permutations,
    minibatches,
    numbers,
    report,
):
    """Train one member through all epochs, in place.

    Parts are row, running mean and running square. `state` holds the steps made by actor and critic and whether their
    activations are tanh; `chosen [B]` is empty for Gaussian heads; `report [7]` receives means.
    """
    actor, actor_mean, actor_square = actor_parts
    critic, critic_mean, critic_square = critic_parts
    o, k, m = actor_sizes[0], actor_sizes[-1], critic_sizes[-1]
    is_gaussian = chosen.shape[0] == 0
    n, barriers = permutations.shape[1] // minibatches, floors.shape[1]
    actor_tanh, critic_tanh = state[2] != 0, state[3] != 0
    actor_width = critic_width = 0
    for size in actor_sizes:
        actor_width += size
    for size in critic_sizes:
        critic_width += size
    columns, picked = np.empty((data.shape[1] - o, n), np.float32), np.empty(n, np.int64)
    actor_features, critic_features = np.empty((actor_width, n), np.float32), np.empty((critic_width, n), np.float32)
    actor_slopes, critic_slopes = np.empty((actor_width, n), np.float32), np.empty((critic_width, n), np.float32)
    actor_gradient = np.empty(actor.shape[0], np.float32)
    critic_gradient = np.empty(critic.shape[0], np.float32)
    log_prob = np.empty(n, np.float32)
    end = 2 + 2 * m + barriers
    old, advantage, taken = columns[0], columns[1], columns[end:]
    targets, values, advantages = columns[2 : 2 + m], columns[2 + m : 2 + 2 * m], columns[2 + 2 * m : end]
    outputs, output_slopes = actor_features[actor_width - k :], actor_slopes[actor_width - k :]
    estimates, estimate_slopes = critic_features[critic_width - m :], critic_slopes[critic_width - m :]
    cut = actor.shape[0] - (k if is_gaussian else 0)
    body, log_std = actor[:cut], actor[cut:]
    body_gradient, log_std_gradient = actor_gradient[:cut], actor_gradient[cut:]
    value_clip, value_coef, most = np.float32(numbers[1]), np.float32(numbers[2]), np.float32(numbers[4])
    entropy_weight = np.float32(numbers[3]) / np.float32(n)
    for epoch in range(permutations.shape[0]):
        for i in range(minibatches):
            part = permutations[epoch, i * n : (i + 1) * n]
            gather(data, chosen, part, o, actor_features, critic_features, columns, picked)
            forward(body, actor_sizes, actor_tanh, actor_features)
            if is_gaussian:
                report[2] += gaussian(outputs, log_std, taken, log_prob)
            else:
                report[2] += categorical(outputs, output_slopes, picked, log_prob)
            policy(log_prob, old, advantage, advantages, floors, numbers, report)
            if is_gaussian:
                gaussian_slopes(outputs, log_std, taken, log_prob, entropy_weight, output_slopes, log_std_gradient)
            else:
                categorical_slopes(output_slopes, picked, log_prob, entropy_weight)
            backward(body, actor_sizes, actor_tanh, actor_features, actor_slopes, body_gradient)

            forward(critic, critic_sizes, critic_tanh, critic_features)
            report[1] += value(estimates, targets, values, estimate_slopes, value_clip, value_coef)
            backward(critic, critic_sizes, critic_tanh, critic_features, critic_slopes, critic_gradient)

            norm = math.sqrt(squares(actor_gradient) + squares(critic_gradient))
            scale = norm if norm != norm else min(most / (norm + SMALL), ONE)
            state[0] += 1
            state[1] += 1
            adam(actor, actor_gradient, actor_mean, actor_square, scale, state[0], numbers, numbers[9])
            adam(critic, critic_gradient, critic_mean, critic_square, scale, state[1], numbers, numbers[10])
            report[5] += norm
    for i in range(report.shape[0]):
        report[i] /= permutations.shape[0] * minibatches
