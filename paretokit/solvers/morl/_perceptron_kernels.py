# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""Compiled perceptrons of `nn.MLP`, forward and backward, on columns: features `[width, n]` with the batch innermost.

Every hot loop runs over the batch with four outputs and four inputs at once, so that sixteen products share eight
loads; the compiler turns it into vector instructions. That reaches half and more of a core's arithmetic at widths
around 64, without a linear-algebra library's threads and locks.
"""

import numpy as np

from paretokit.core._kernel import jit

MATH = {"contract", "reassoc", "nsz"}  # not-a-number and infinity keep their meaning
ZERO = np.float32(0.0)
ONE = np.float32(1.0)

# tanh x = x p(x^2) / q(x^2) on [-EDGE, EDGE]: the rational fit of the Eigen library, error below 3e-7.
EDGE = np.float32(7.90531110763549805)
P13, P11, P9, P7, P5, P3, P1 = (
    np.float32(c)
    for c in (
        -2.76076847742355e-16,
        2.00018790482477e-13,
        -8.60467152213735e-11,
        5.12229709037114e-08,
        1.48572235717979e-05,
        6.37261928875436e-04,
        4.89352455891786e-03,
    )
)
Q6, Q4, Q2, Q0 = (
    np.float32(c) for c in (1.19825839466702e-06, 1.18534705686654e-04, 2.26843463243900e-03, 4.89352518554385e-03)
)


@jit("void(float32[::1])", fastmath=MATH)
def tanh(values):
    """Replace values by their hyperbolic tangents."""
    for i in range(values.shape[0]):
        x = values[i]
        x = -EDGE if x < -EDGE else x
        x = EDGE if x > EDGE else x
        s = x * x
        p = ((((((P13 * s + P11) * s + P9) * s + P7) * s + P5) * s + P3) * s + P1) * x
        q = ((Q6 * s + Q4) * s + Q2) * s + Q0
        values[i] = p / q


@jit("void(float32[::1])", fastmath=MATH)
def rectify(values):
    """Replace negative values by zero."""
    for i in range(values.shape[0]):
        values[i] = ZERO if values[i] < ZERO else values[i]


@jit("void(float32[:, :], float32[:, ::1], float32[:, ::1])", fastmath=MATH)
def add_product(w, x, out):
    """Add `w [r, c] @ x [c, n]` to `out [r, n]`."""
    rows, inner = w.shape
    n = x.shape[1]
    low, left = rows - rows % 4, inner - inner % 4
    for j in range(0, low, 4):
        o0, o1, o2, o3 = out[j], out[j + 1], out[j + 2], out[j + 3]
        for i in range(0, left, 4):
            x0, x1, x2, x3 = x[i], x[i + 1], x[i + 2], x[i + 3]
            w00, w01, w02, w03 = w[j, i], w[j, i + 1], w[j, i + 2], w[j, i + 3]
            w10, w11, w12, w13 = w[j + 1, i], w[j + 1, i + 1], w[j + 1, i + 2], w[j + 1, i + 3]
            w20, w21, w22, w23 = w[j + 2, i], w[j + 2, i + 1], w[j + 2, i + 2], w[j + 2, i + 3]
            w30, w31, w32, w33 = w[j + 3, i], w[j + 3, i + 1], w[j + 3, i + 2], w[j + 3, i + 3]
            for b in range(n):
                y0, y1, y2, y3 = x0[b], x1[b], x2[b], x3[b]
                o0[b] += w00 * y0 + w01 * y1 + w02 * y2 + w03 * y3
                o1[b] += w10 * y0 + w11 * y1 + w12 * y2 + w13 * y3
                o2[b] += w20 * y0 + w21 * y1 + w22 * y2 + w23 * y3
                o3[b] += w30 * y0 + w31 * y1 + w32 * y2 + w33 * y3
    for j in range(rows):
        o0 = out[j]
        for i in range(left if j < low else 0, inner):
            x0, w00 = x[i], w[j, i]
            for b in range(n):
                o0[b] += w00 * x0[b]


@jit("void(float32[:, ::1], float32[:, ::1], float32[:, ::1])", fastmath=MATH)
def outer_product(z, x, out):
    """Fill `out [r, c]` with `z [r, n] @ x [c, n]^T`; the last rows and columns are computed four at a time as well."""
    rows, columns, n = z.shape[0], x.shape[0], x.shape[1]
    bottom, right = rows - 1, columns - 1
    for j in range(0, rows, 4):
        j1, j2, j3 = min(j + 1, bottom), min(j + 2, bottom), min(j + 3, bottom)
        z0, z1, z2, z3 = z[j], z[j1], z[j2], z[j3]
        for i in range(0, columns, 4):
            i1, i2, i3 = min(i + 1, right), min(i + 2, right), min(i + 3, right)
            x0, x1, x2, x3 = x[i], x[i1], x[i2], x[i3]
            s00 = s01 = s02 = s03 = s10 = s11 = s12 = s13 = ZERO
            s20 = s21 = s22 = s23 = s30 = s31 = s32 = s33 = ZERO
            for b in range(n):
                u0, u1, u2, u3 = z0[b], z1[b], z2[b], z3[b]
                y0, y1, y2, y3 = x0[b], x1[b], x2[b], x3[b]
                s00 += u0 * y0
                s01 += u0 * y1
                s02 += u0 * y2
                s03 += u0 * y3
                s10 += u1 * y0
                s11 += u1 * y1
                s12 += u1 * y2
                s13 += u1 * y3
                s20 += u2 * y0
                s21 += u2 * y1
                s22 += u2 * y2
                s23 += u2 * y3
                s30 += u3 * y0
                s31 += u3 * y1
                s32 += u3 * y2
                s33 += u3 * y3
            # Where the block hangs over an edge, equal numbers are written to the edge more than once.
            out[j, i], out[j, i1], out[j, i2], out[j, i3] = s00, s01, s02, s03
            out[j1, i], out[j1, i1], out[j1, i2], out[j1, i3] = s10, s11, s12, s13
            out[j2, i], out[j2, i1], out[j2, i2], out[j2, i3] = s20, s21, s22, s23
            out[j3, i], out[j3, i1], out[j3, i2], out[j3, i3] = s30, s31, s32, s33


@jit("void(float32[::1], int64[::1], boolean, float32[:, ::1])", fastmath=MATH)
def forward(row, sizes, is_tanh, features):
    """Fill `features [sum of sizes, n]`, whose first rows are the inputs, layer after layer."""
    layers, n = sizes.shape[0] - 1, features.shape[1]
    at = begin = 0
    for layer in range(layers):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        bias = at + fan_in * fan_out
        weight = row[at:bias].reshape(fan_out, fan_in)
        middle, end = begin + fan_in, begin + fan_in + fan_out
        out = features[middle:end]
        for j in range(fan_out):
            shift, line = row[bias + j], out[j]
            for b in range(n):
                line[b] = shift
        add_product(weight, features[begin:middle], out)
        if layer < layers - 1:
            flat = out.reshape(fan_out * n)
            if is_tanh:
                tanh(flat)
            else:
                rectify(flat)
        at, begin = bias + fan_out, middle


@jit("void(float32[::1], int64[::1], boolean, float32[:, ::1], float32[:, ::1], float32[::1])", fastmath=MATH)
def backward(row, sizes, is_tanh, features, slopes, gradient):
    """Fill `gradient` like `row`, for derivatives by the outputs in the last rows of `slopes [sum of sizes, n]`.

    The other rows of `slopes` are overwritten.
    """
    layers, n = sizes.shape[0] - 1, features.shape[1]
    at, end = 0, 0
    for layer in range(layers):
        at += (sizes[layer] + 1) * sizes[layer + 1]
        end += sizes[layer]
    end += sizes[layers]
    for layer in range(layers - 1, -1, -1):
        fan_in, fan_out = sizes[layer], sizes[layer + 1]
        bias = at - fan_out
        at = bias - fan_in * fan_out
        middle = end - fan_out
        begin = middle - fan_in
        z, x = slopes[middle:end], features[begin:middle]
        outer_product(z, x, gradient[at:bias].reshape(fan_out, fan_in))
        for j in range(fan_out):
            line, total = z[j], ZERO
            for b in range(n):
                total += line[b]
            gradient[bias + j] = total
        if layer > 0:
            below = slopes[begin:middle].reshape(fan_in * n)
            for i in range(below.shape[0]):
                below[i] = ZERO
            add_product(row[at:bias].reshape(fan_out, fan_in).T, z, slopes[begin:middle])
            value = x.reshape(fan_in * n)
            if is_tanh:
                for i in range(below.shape[0]):
                    below[i] *= ONE - value[i] * value[i]
            else:
                for i in range(below.shape[0]):
                    below[i] = below[i] if value[i] > ZERO else ZERO
        end = middle
