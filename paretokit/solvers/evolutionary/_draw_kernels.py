# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc,import-untyped"
"""Compiled draws and powers: `_draws.py` and `_power.py` number for number."""

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from paretokit.core._kernel import jit

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
FIRST = np.uint64(0xBF58476D1CE4E5B9)
SECOND = np.uint64(0x94D049BB133111EB)
ONE = np.uint64(1)
UNIT = 2.0**-53
LN2 = 0.6931471805599453
TWO_OVER_LN2 = 2.8853900817779268
SQRT2 = 1.4142135623730951
MANTISSA = np.int64((1 << 52) - 1)
BIAS = np.int64(1023 << 52)
TOO_CLOSE = 1e-14
INTEGER, CATEGORY = 1, 2


@intrinsic
def _bits(_context, _value):
    def emit(_ctx, builder, _signature, args):
        return builder.bitcast(args[0], ir.IntType(64))

    return types.int64(types.float64), emit


@intrinsic
def _float(_context, _value):
    def emit(_ctx, builder, _signature, args):
        return builder.bitcast(args[0], ir.DoubleType())

    return types.float64(types.int64), emit


@jit("uint64(uint64)")
def mix(z):
    """Return SplitMix64's output function."""
    z = (z ^ (z >> np.uint64(30))) * FIRST
    z = (z ^ (z >> np.uint64(27))) * SECOND
    return z ^ (z >> np.uint64(31))


@jit("uint64(uint64, int64)")
def word(key, counter):
    """Return the word at a counter of a key's block."""
    return mix(key + np.uint64(counter + 1) * GOLDEN)


@jit("void(uint64, int64, uint64[::1])")
def words(key, begin, out):
    """Fill `out` with the words from a counter on: a loop without branches, which the compiler vectorizes."""
    start = key + np.uint64(begin + 1) * GOLDEN
    for j in range(out.shape[0]):
        out[j] = mix(start + np.uint64(j) * GOLDEN)


@jit("float64(uint64)")
def unit(w):
    """Return the uniform in [0, 1) of a word's upper 53 bits."""
    return np.float64(w >> np.uint64(11)) * UNIT


@jit("uint64(float64)")
def limit(prob):
    """Return the least upper 53 bits of a word whose uniform is not below `prob`."""
    return np.uint64(np.ceil(prob * 9007199254740992.0))


@jit("float64(float64, float64)")
def power(x, y):
    """Return x**y for x >= 0 (zero counts as 2**-1023), in the same operations as the torch twin."""
    bits = _bits(x)
    e = np.float64((bits >> np.int64(52)) - np.int64(1023))
    m = _float((bits & MANTISSA) | BIAS)
    if m > SQRT2:
        m = m * 0.5
        e = e + 1.0
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    q = 1.0 / 19.0
    q = q * z + 1.0 / 17.0
    q = q * z + 1.0 / 15.0
    q = q * z + 1.0 / 13.0
    q = q * z + 1.0 / 11.0
    q = q * z + 1.0 / 9.0
    q = q * z + 1.0 / 7.0
    q = q * z + 1.0 / 5.0
    q = q * z + 1.0 / 3.0
    q = q * z + 1.0
    t = y * (e + TWO_OVER_LN2 * s * q)
    t = min(max(t, -1000.0), 1000.0)
    k = np.floor(t + 0.5)
    z = (t - k) * LN2
    q = 1.0 / 479001600.0
    q = q * z + 1.0 / 39916800.0
    q = q * z + 1.0 / 3628800.0
    q = q * z + 1.0 / 362880.0
    q = q * z + 1.0 / 40320.0
    q = q * z + 1.0 / 5040.0
    q = q * z + 1.0 / 720.0
    q = q * z + 1.0 / 120.0
    q = q * z + 1.0 / 24.0
    q = q * z + 1.0 / 6.0
    q = q * z + 0.5
    q = q * z + 1.0
    q = q * z + 1.0
    return q * _float((np.int64(k) + np.int64(1023)) << np.int64(52))


@jit("void(float64[::1], float64[::1], int64)")
def power_stack(x, out, exponent):
    """Fill `out` with powers (for tests)."""
    for i in range(x.shape[0]):
        out[i] = power(x[i], 1.0 / exponent if exponent < 0 else exponent * 1.0)
