# mypy: ignore-errors
"""Compiled canonical forms of free trees: the twin of `_tree_forms.canonical`, equal to it in every entry."""

import numpy as np

from paretokit.core._kernel import jit

NONE = -1
LAST = np.int64(0x7FFFFFFFFFFFFFFF)
ODD_0 = np.int64(0x9E3779B97F4A7C15 - (1 << 64))
ODD_1 = np.int64(0xC2B2AE3D27D4EB4F - (1 << 64))
ODD_2 = np.int64(0xD6E8FEB86659FD93 - (1 << 64))


@jit("int64(int64)")
def _mixed(z):
    """Return a hash of a whole number."""
    z = z * ODD_1
    z = (z ^ (z >> 32)) * ODD_2
    return z ^ (z >> 29)


@jit("void(int64[::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[::1], int64)")
def _marks(fragment, bonds, message, arriving, marks, size):
    """Write each node's hash of its view of the tree."""
    for i in range(size):
        for j in range(size):
            message[i, j] = 0
    for _ in range(size):
        for i in range(size):
            total = _mixed(fragment[i] + 2)
            for j in range(size):
                if bonds[i, j] > 0:
                    arriving[i, j] = _mixed(message[j, i] + bonds[i, j] * ODD_0)
                    total += arriving[i, j]
            marks[i] = total
        for i in range(size):
            for j in range(size):
                if bonds[i, j] > 0:
                    message[i, j] = _mixed(marks[i] - arriving[i, j] + bonds[i, j] * ODD_0)
    for i in range(size):
        marks[i] = _mixed(marks[i]) & LAST if fragment[i] != NONE else LAST


@jit("void(int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, ::1], int64[:, :, ::1])")
def canonical(fragment, parent, outer, inner, out):
    """Write the canonical trees (fragment, parent, outer, inner), the old slots and the twins into `out [6, n, N]`."""
    n, size = fragment.shape
    bonds = np.empty((size, size), np.int64)
    message = np.empty((size, size), np.int64)
    arriving = np.zeros((size, size), np.int64)
    marks = np.empty(size, np.int64)
    rank = np.empty(size, np.int64)
    seen = np.empty(size, np.bool_)
    for row in range(n):
        for i in range(size):
            for j in range(size):
                bonds[i, j] = 0
            seen[i] = False
        for i in range(size):
            up = parent[row, i]
            if up != NONE and fragment[row, i] != NONE and fragment[row, up] != NONE:
                bonds[i, up] += inner[row, i] + 1
                bonds[up, i] += outer[row, i] + 1
        _marks(fragment[row], bonds, message, arriving, marks, size)
        for i in range(size):
            below = 0
            for j in range(size):
                below += marks[j] < marks[i] or (marks[j] == marks[i] and j < i)
            rank[i] = below
        made = 0
        for i in range(size):
            if rank[i] == 0 and fragment[row, i] != NONE:
                made = 1
                seen[i] = True
                out[0, row, 0], out[1, row, 0], out[2, row, 0], out[3, row, 0] = fragment[row, i], NONE, NONE, NONE
                out[4, row, 0] = i
        slot = 0
        while slot < made:
            node = out[4, row, slot]
            while True:  # the next child: the least class, then the least rank
                best = -1
                for i in range(size):
                    if bonds[node, i] > 0 and not seen[i]:
                        ahead = best < 0 or bonds[node, i] < bonds[node, best]
                        if ahead or (bonds[node, i] == bonds[node, best] and rank[i] < rank[best]):
                            best = i
                if best < 0:
                    break
                seen[best] = True
                out[0, row, made] = fragment[row, best]
                out[1, row, made] = slot
                out[2, row, made] = bonds[node, best] - 1
                out[3, row, made] = bonds[best, node] - 1
                out[4, row, made] = best
                made += 1
            slot += 1
        for slot in range(made):
            twin = 0
            while marks[out[4, row, twin]] != marks[out[4, row, slot]]:
                twin += 1
            out[5, row, slot] = twin
        for i in range(size):
            if not seen[i]:
                for part in range(6):
                    out[part, row, made] = NONE
                out[4, row, made] = i
                made += 1
