# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled variation: `_variation.py` number for number, drawing counters only where a decision needs them."""

import numpy as np

from paretokit.core._kernel import jit
from paretokit.solvers.evolutionary._draw_kernels import GOLDEN, ONE, _bits, limit, mix, power, unit, word, words

TOO_CLOSE = 1e-14
INTEGER, CATEGORY = 1, 2


@jit("int64(int64, int64, uint64[::1])")
def shuffled(position, n, constants):
    """Return where a random bijection of 0 … n - 1 sends a position."""
    bits = np.int64(1)
    while (np.int64(1) << bits) < n:
        bits += 1
    mask = (ONE << np.uint64(bits)) - ONE
    shift = np.uint64((bits + 1) >> 1)
    y = np.uint64(position)
    while True:
        for j in range(4):
            y = (y * (constants[2 * j] | ONE) + constants[2 * j + 1]) & mask
            y ^= y >> shift
        if np.int64(y) < n:
            return np.int64(y)


@jit("void(uint64, int64, uint64[::1])")
def _constants(key, number, out):
    for j in range(8):
        out[j] = word(key, number * 8 + j)


@jit("int64(float64[:, ::1], float64[::1], float64[::1], boolean, int64, int64, uint64)")
def _winner(f, v, score, by_dominance, a, b, w):
    if v[a] > 0.0 or v[b] > 0.0:
        if v[a] != v[b]:
            return a if v[a] < v[b] else b
    else:
        if by_dominance:
            better = False
            worse = False
            for j in range(f.shape[1]):
                better |= f[a, j] < f[b, j]
                worse |= f[a, j] > f[b, j]
            if better != worse:
                return a if better else b
        if score[a] != score[b]:
            return a if score[a] > score[b] else b
    return a if w & ONE else b


@jit("void(uint64, float64[:, ::1], float64[::1], float64[::1], boolean, int64[::1], int64[:, ::1])")
def tournaments(key, f, v, score, by_dominance, matings, parents):
    """Fill both parents of the given matings by binary tournaments along random permutations."""
    n = f.shape[0]
    order_key = word(key, 0)
    coin_key = word(key, 1)
    constants = np.empty(8, np.uint64)
    held = np.int64(-1)
    pair = np.empty(2, np.int64)
    for q in range(matings.shape[0]):
        for side in range(2):
            t = 2 * matings[q] + side
            for k in range(2):
                position = 2 * t + k
                number = position // n
                if number != held:
                    _constants(order_key, number, constants)
                    held = number
                pair[k] = shuffled(position - number * n, n, constants)
            parents[q, side] = _winner(f, v, score, by_dominance, pair[0], pair[1], word(coin_key, t))


@jit(
    "void(uint64, float64[:, ::1], int64[:, ::1], int64[::1], float64[::1], float64[::1], int64[::1], float64[::1],"
    " float64[:, ::1])"
)
def crossed(key, x, parents, matings, lower, upper, kinds, params, pair):
    """Fill rows 2q and 2q + 1 of `pair` with the children of mating q."""
    d = x.shape[1]
    each_key = word(key, 2)
    cell_key = word(key, 3)
    prob, prob_var, eta = params[0], params[1], params[2]
    capacity = matings.shape[0] * d
    cell = np.empty(capacity, np.int64)
    y1 = np.empty(capacity)
    y2 = np.empty(capacity)
    low = np.empty(capacity)
    high = np.empty(capacity)
    u = np.empty(capacity)
    flip = np.empty(capacity, np.bool_)
    drawn = np.empty(d, np.uint64)
    bound = limit(prob_var)
    count = 0
    for q in range(matings.shape[0]):
        a, b = parents[q, 0], parents[q, 1]
        first, second = pair[2 * q], pair[2 * q + 1]
        first[:] = x[a]
        second[:] = x[b]
        i = matings[q]
        if a == b or not unit(word(each_key, i)) < prob:
            continue
        words(cell_key, i * d, drawn)
        for j in range(d):
            if drawn[j] >> np.uint64(11) >= bound:
                continue
            share = unit(drawn[j])
            one, two = first[j], second[j]
            swap = (drawn[j] & ONE) == ONE
            if kinds[j] == CATEGORY:
                if swap:
                    first[j], second[j] = two, one
                continue
            if not abs(one - two) > TOO_CLOSE or not lower[j] < upper[j]:
                continue
            wide = 0.5 if kinds[j] == INTEGER else 0.0
            cell[count] = 2 * q * d + j
            y1[count] = min(one, two)
            y2[count] = max(one, two)
            low[count] = lower[j] - wide
            high[count] = upper[j] + wide
            u[count] = share / prob_var
            flip[count] = swap
            count += 1
    inverse = 1.0 / (eta + 1.0)
    exponent = -(eta + 1.0)
    for c in range(count):
        delta = y2[c] - y1[c]
        total = y1[c] + y2[c]
        t = u[c] * (2.0 - power(1.0 + 2.0 * (y1[c] - low[c]) / delta, exponent))
        left = power(t if t <= 1.0 else 1.0 / (2.0 - t), inverse)
        t = u[c] * (2.0 - power(1.0 + 2.0 * (high[c] - y2[c]) / delta, exponent))
        right = power(t if t <= 1.0 else 1.0 / (2.0 - t), inverse)
        one = 0.5 * (total - left * delta)
        two = 0.5 * (total + right * delta)
        one = one if one > low[c] else low[c]
        two = two if two > low[c] else low[c]
        y1[c] = one if one < high[c] else high[c]
        y2[c] = two if two < high[c] else high[c]
    flat = pair.reshape(-1)
    for c in range(count):
        one, two = y1[c], y2[c]
        if flip[c]:
            one, two = two, one
        j = cell[c] % d
        if kinds[j] == INTEGER:
            one = min(max(np.rint(one), lower[j]), upper[j])
            two = min(max(np.rint(two), lower[j]), upper[j])
        flat[cell[c]] = one + 0.0
        flat[cell[c] + d] = two + 0.0


@jit("float64(float64, float64, float64, int64, float64, float64)")
def _mutant(x, low, high, kind, w, eta):
    if kind == CATEGORY:
        size = high - low
        drawn = low + min(np.floor(w * size), size - 1.0)
        return drawn + 1.0 if drawn >= x else drawn
    wide = 0.5 if kind == INTEGER else 0.0
    lo = low - wide
    hi = high + wide
    span = hi - lo
    inverse = 1.0 / (eta + 1.0)
    if w <= 0.5:
        val = 2.0 * w + (1.0 - 2.0 * w) * power(1.0 - (x - lo) / span, eta + 1.0)
        shift = power(val, inverse) - 1.0
    else:
        val = 2.0 * (1.0 - w) + 2.0 * (w - 0.5) * power(1.0 - (hi - x) / span, eta + 1.0)
        shift = 1.0 - power(val, inverse)
    y = min(max(x + shift * span, lo), hi)
    if kind == INTEGER:
        y = min(max(np.rint(y), low), high)
        if y == x:
            y = x - 1.0 if w <= 0.5 else x + 1.0
            if y < low:
                y = x + 1.0
            if y > high:
                y = x - 1.0
    return y


@jit("void(uint64, int64[::1], float64[:, ::1], float64[::1], float64[::1], int64[::1], float64[::1])")
def mutated_rows(key, slots, out, lower, upper, kinds, params):
    """Mutate the children of the given slots in place, the powers of all of them in one loop."""
    d = out.shape[1]
    prob, prob_var, eta = params[3], params[4], params[5]
    each_key = word(key, 4)
    cell_key = word(key, 5)
    bound = limit(prob_var)
    drawn = np.empty(d, np.uint64)
    capacity = slots.shape[0] * d
    cell = np.empty(capacity, np.int64)
    x = np.empty(capacity)
    low = np.empty(capacity)
    high = np.empty(capacity)
    u = np.empty(capacity)
    count = 0
    for slot in slots:
        if not unit(word(each_key, slot)) < prob:
            continue
        words(cell_key, slot * d, drawn)
        for j in range(d):
            if drawn[j] >> np.uint64(11) >= bound or not lower[j] < upper[j]:
                continue
            share = unit(drawn[j]) / prob_var
            if kinds[j] == CATEGORY:
                out[slot, j] = _mutant(out[slot, j], lower[j], upper[j], CATEGORY, share, eta) + 0.0
                continue
            wide = 0.5 if kinds[j] == INTEGER else 0.0
            cell[count] = slot * d + j
            x[count] = out[slot, j]
            low[count] = lower[j] - wide
            high[count] = upper[j] + wide
            u[count] = share
            count += 1
    inverse = 1.0 / (eta + 1.0)
    for c in range(count):
        w = u[c]
        span = high[c] - low[c]
        left = w <= 0.5
        base = 1.0 - (x[c] - low[c] if left else high[c] - x[c]) / span
        first = 2.0 * w if left else 2.0 * (1.0 - w)
        second = 1.0 - 2.0 * w if left else 2.0 * (w - 0.5)
        val = power(first + second * power(base, eta + 1.0), inverse)
        shift = val - 1.0 if left else 1.0 - val
        y = x[c] + shift * span
        y = y if y > low[c] else low[c]
        u[c] = y if y < high[c] else high[c]
        low[c] = 1.0 if left else 0.0
    flat = out.reshape(-1)
    for c in range(count):
        j = cell[c] % d
        y = u[c]
        if kinds[j] == INTEGER:
            y = min(max(np.rint(y), lower[j]), upper[j])
            if y == x[c]:
                y = x[c] - 1.0 if low[c] == 1.0 else x[c] + 1.0
                if y < lower[j]:
                    y = x[c] + 1.0
                if y > upper[j]:
                    y = x[c] - 1.0
        flat[cell[c]] = y + 0.0


@jit("uint64(float64[::1])")
def digest(row):
    """Return a 64-bit hash of a row; zeros of either sign are equal."""
    total = np.uint64(0)
    for j in range(row.shape[0]):
        total += mix(np.uint64(_bits(row[j] + 0.0)) ^ (np.uint64(j + 1) * GOLDEN))
    return total


@jit("boolean(uint64[::1], boolean[::1], uint64)")
def _seen(table, used, value):
    mask = np.uint64(table.shape[0] - 1)
    at = (value >> np.uint64(17)) & mask
    while used[at]:
        if table[at] == value:
            return True
        at = (at + ONE) & mask
    table[at] = value
    used[at] = True
    return False


@jit(
    "void(uint64, float64[:, ::1], float64[:, ::1], float64[::1], float64[::1], boolean, float64[::1], float64[::1],"
    " int64[::1], float64[::1], int64, float64[:, ::1])"
)
def offspring(key, x, f, v, score, by_dominance, lower, upper, kinds, params, rounds, out):
    """Fill `out` with one member's children; duplicates are bred anew."""
    n = x.shape[0]
    redo = np.arange(out.shape[0])
    size = 4
    while size < 2 * (n + out.shape[0]):
        size *= 2
    table = np.empty(size if rounds > 1 else 1, np.uint64)
    used = np.zeros(size if rounds > 1 else 1, np.bool_)
    if rounds > 1:
        for i in range(n):
            _seen(table, used, digest(x[i]))
    for r in range(rounds):
        round_key = word(key, r)
        matings = np.empty(redo.shape[0], np.int64)
        count = 0
        for slot in redo:
            if count == 0 or matings[count - 1] != slot // 2:
                matings[count] = slot // 2
                count += 1
        matings = matings[:count].copy()
        parents = np.empty((count, 2), np.int64)
        tournaments(round_key, f, v, score, by_dominance, matings, parents)
        pair = np.empty((2 * count, x.shape[1]))
        crossed(round_key, x, parents, matings, lower, upper, kinds, params, pair)
        at = 0
        again = 0
        for k in range(redo.shape[0]):
            slot = redo[k]
            while matings[at] != slot // 2:
                at += 1
            out[slot] = pair[2 * at + (slot & 1)]
        mutated_rows(round_key, redo, out, lower, upper, kinds, params)
        for k in range(redo.shape[0]):
            slot = redo[k]
            if rounds > 1 and _seen(table, used, digest(out[slot])):
                redo[again] = slot
                again += 1
        if again == 0:
            break
        redo = redo[:again].copy()


@jit(
    "void(uint64[::1], float64[:, :, ::1], float64[:, :, ::1], float64[:, ::1], float64[:, ::1], boolean,"
    " float64[::1], float64[::1], int64[::1], float64[::1], int64, float64[:, :, ::1])"
)
def offspring_stack(keys, x, f, v, score, by_dominance, lower, upper, kinds, params, rounds, out):
    """Fill `out` with every member's children."""
    for p in range(x.shape[0]):
        offspring(keys[p], x[p], f[p], v[p], score[p], by_dominance, lower, upper, kinds, params, rounds, out[p])


@jit(
    "void(uint64[::1], float64[:, :, ::1], int64[:, :, ::1], float64[::1], float64[::1], int64[::1], float64[::1],"
    " float64[:, :, ::1])"
)
def bred_stack(keys, x, parents, lower, upper, kinds, params, out):
    """Fill `out` with the first child of each given pair of parents."""
    matings = np.arange(parents.shape[1])
    for p in range(x.shape[0]):
        round_key = word(keys[p], 0)
        pair = np.empty((2 * matings.shape[0], x.shape[2]))
        crossed(round_key, x[p], parents[p], matings, lower, upper, kinds, params, pair)
        for q in range(matings.shape[0]):
            out[p, q] = pair[2 * q]
        mutated_rows(round_key, matings, out[p], lower, upper, kinds, params)
