# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled first layer of a perceptron that reads a few ones: `_perceptron.py`'s plain twins, bit for bit."""

from paretokit.core._kernel import jit

KINDS = ("float32", "float64")


@jit(*[f"void({kind}[:, ::1], int64[:, ::1], {kind}[:, ::1], int64[::1], {kind}[:, ::1])" for kind in KINDS])
def gather(weights, columns, base, who, out):
    """Fill `out [M, H]` with ``base[who] + sum_k weights[columns[:, k]]``, added in this order; no `who`: base[0]."""
    count, width = out.shape
    several = who.shape[0] > 0
    for m in range(count):
        line, first = out[m], base[who[m]] if several else base[0]
        line[:] = first
        for k in range(columns.shape[1]):
            add = weights[columns[m, k]]
            for h in range(width):
                line[h] += add[h]


@jit(*[f"void({kind}[:, ::1], int64[:, ::1], int64[::1], {kind}[:, ::1], {kind}[:, ::1])" for kind in KINDS])
def scatter(slopes, columns, who, weights, base):
    """Add slopes `[M, H]` to the rows of `weights` that each read, one column after the other, and to its base."""
    count, width = slopes.shape
    for k in range(columns.shape[1]):
        for m in range(count):
            line, add = weights[columns[m, k]], slopes[m]
            for h in range(width):
                line[h] += add[h]
    for m in range(who.shape[0]):
        line, add = base[who[m]], slopes[m]
        for h in range(width):
            line[h] += add[h]
