"""What tabular learners compute from what they have seen: counts, exploration values, best policies, Pareto sets.

Plain loops over arrays; `_tabular_learning_kernels.py` compiles these very functions, so both give the same bits. A
known state has a number u below n in order of discovery; outcome slot k of (u, a) holds the successor's number, or
`END` where the episode ended. Sweeps run over states from the last discovered to the first and use new values at once.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]

END = -2
SAME = 1e-10  # scores that agree to this, relative, are ties; the larger plain sum wins them
STILL = 1e-12  # sweeps end when no value moves by more, relative


def observe(
    before: Array,
    action: Array,
    reward: Array,
    after: Array,
    ended: Array,
    first: Array,
    slot: Array,
    states: Array,
    visits: Array,
    total: Array,
    successor: Array,
    counts: Array,
    started: Array,
    mark: Array,
) -> int:
    """Count transitions in order from `mark[1]` on; return 1 where an outcome finds no slot, else 0.

    `before`, `action`, `reward [B, m]`, `after`, `ended` and `first` (where the episode began) are B transitions
    between the environment's states. `slot [S]` holds the number of each of them, -1 where it was not seen; `states
    [U]` the reverse; `visits [U, A]`, `total [U, A, m]` (summed rewards), `successor` and `counts` (outcomes seen and
    how often, `[U, A, K]`) and `started [U]` (episodes begun) are what is counted; `mark` holds the known states n, the
    transitions done, and whether an action had two outcomes or rewards.
    """
    outcomes = counts.shape[2]
    for i in range(mark[1], before.shape[0]):
        u = slot[before[i]]
        if u < 0:
            u = mark[0]
            slot[before[i]] = u
            states[u] = before[i]
            mark[0] += 1
        v = -2
        if not ended[i]:
            v = slot[after[i]]
            if v < 0:
                v = mark[0]
                slot[after[i]] = v
                states[v] = after[i]
                mark[0] += 1
        a = action[i]
        k = 0
        while k < outcomes and counts[u, a, k] > 0 and successor[u, a, k] != v:
            k += 1
        if k == outcomes:
            return 1
        if k > 0:
            mark[2] = 1
        seen = visits[u, a]
        for j in range(reward.shape[1]):
            r = reward[i, j]
            if seen > 0 and abs(total[u, a, j] / seen - r) > 1e-9 * (1.0 + abs(r)):
                mark[2] = 1
            total[u, a, j] += r
        successor[u, a, k] = v
        counts[u, a, k] += 1
        visits[u, a] += 1
        if first[i]:
            started[u] += 1
        mark[1] = i + 1
    return 0


def explore(
    n: int, successor: Array, counts: Array, visits: Array, discount: float, sweeps: int, value: Array, choice: Array
) -> None:
    """Fill value and choice `[U]` of the policy that seeks what was seen least (rewards 1/sqrt(1 + visits))."""
    actions, outcomes = visits.shape[1], counts.shape[2]
    untried = 1.0 / (1.0 - discount)
    for u in range(n):
        value[u] = 0.0
    for _ in range(sweeps):
        moved = 0.0
        for u in range(n - 1, -1, -1):
            best, chosen = -1.0, 0
            for a in range(actions):
                seen = visits[u, a]
                q = untried
                if seen > 0:
                    q = 0.0
                    for k in range(outcomes):
                        if counts[u, a, k] > 0 and successor[u, a, k] >= 0:
                            q += counts[u, a, k] * value[successor[u, a, k]]
                    q = 1.0 / np.sqrt(1.0 + seen) + discount * q / seen
                if q > best:
                    best, chosen = q, a
            moved = max(moved, abs(best - value[u]))
            value[u] = best
            choice[u] = chosen
        if moved <= 1e-3:
            break


def optimize(  # noqa: C901 - one compiled loop
    n: int,
    successor: Array,
    counts: Array,
    visits: Array,
    total: Array,
    weights: Array,
    discount: float,
    sweeps: int,
    value: Array,
    choice: Array,
) -> None:
    """Fill, for each of `weights [W, m]`, vector values `[W, n, m]` and choices `[W, n]` of its best policy.

    Actions that were never tried are not chosen; states without a tried action are worth nothing.
    """
    actions, outcomes, m = visits.shape[1], counts.shape[2], total.shape[2]
    q, best = np.zeros(m), np.zeros(m)
    for i in range(weights.shape[0]):
        for u in range(n):
            choice[i, u] = 0
            for j in range(m):
                value[i, u, j] = 0.0
        for _ in range(sweeps):
            moved, largest = 0.0, 0.0
            for u in range(n - 1, -1, -1):
                top, most, chosen = 0.0, 0.0, -1
                for a in range(actions):
                    seen = visits[u, a]
                    if seen == 0:
                        continue
                    score, plain = 0.0, 0.0
                    for j in range(m):
                        later = 0.0
                        for k in range(outcomes):
                            if counts[u, a, k] > 0 and successor[u, a, k] >= 0:
                                later += counts[u, a, k] * value[i, successor[u, a, k], j]
                        q[j] = (total[u, a, j] + discount * later) / seen
                        score += weights[i, j] * q[j]
                        plain += q[j]
                    slack = SAME * (1.0 + abs(top))
                    if chosen < 0 or score > top + slack or (score >= top - slack and plain > most + slack):
                        top, most, chosen = score, plain, a
                        for j in range(m):
                            best[j] = q[j]
                if chosen < 0:
                    continue
                choice[i, u] = chosen
                for j in range(m):
                    moved = max(moved, abs(best[j] - value[i, u, j]))
                    largest = max(largest, abs(best[j]))
                    value[i, u, j] = best[j]
            if moved <= STILL * (1.0 + largest):
                break


def pareto_sets(  # noqa: C901 - one compiled loop
    n: int,
    successor: Array,
    visits: Array,
    total: Array,
    discount: float,
    horizon: int,
    sweeps: int,
    points: Array,
    size: Array,
    action: Array,
    length: Array,
) -> int:
    """Fill the non-dominated returns of the paths from each state to an episode's end; return 1 if any were dropped.

    The first outcome of each action is taken for certain, and paths longer than `horizon` are left out. `points [U, C,
    m]` are filled up to `size [U]`, beyond C the first found stay; `action` and `length` `[U, C]` are each path's first
    action and steps, and of equal returns the shortest path stays.
    """
    actions, capacity, m = visits.shape[1], points.shape[1], points.shape[2]
    fresh, own, steps = np.zeros((capacity, m)), np.zeros(capacity, np.int64), np.zeros(capacity, np.int64)
    candidate, unit = np.zeros(m), np.zeros(m)
    full = 0
    for u in range(n):
        size[u] = 0
    for _ in range(sweeps):
        changed, full = False, 0
        for u in range(n - 1, -1, -1):
            count = 0
            for a in range(actions):
                seen = visits[u, a]
                if seen == 0:
                    continue
                v = successor[u, a, 0]
                options = 1 if v < 0 else size[v]
                for c in range(options):
                    long = 1 if v < 0 else 1 + length[v, c]
                    if long > horizon:
                        continue
                    for j in range(m):
                        later = 0.0 if v < 0 else points[v, c, j]
                        candidate[j] = total[u, a, j] / seen + discount * later
                        unit[j] = 1e-11 * (1.0 + abs(candidate[j]))
                    keep, kept = True, 0
                    for b in range(count):
                        above, below = True, True
                        for j in range(m):
                            above = above and fresh[b, j] >= candidate[j] - unit[j]
                            below = below and fresh[b, j] <= candidate[j] + unit[j]
                        if above and not (below and long < steps[b]):
                            keep = False
                            break
                    if not keep:
                        continue
                    for b in range(count):
                        below = True
                        for j in range(m):
                            below = below and fresh[b, j] <= candidate[j] + unit[j]
                        if below:
                            continue
                        for j in range(m):
                            fresh[kept, j] = fresh[b, j]
                        own[kept], steps[kept] = own[b], steps[b]
                        kept += 1
                    count = kept
                    if count == capacity:
                        full = 1
                        continue
                    for j in range(m):
                        fresh[count, j] = candidate[j]
                    own[count], steps[count] = a, long
                    count += 1
            differs = count != size[u]
            for c in range(count):
                if not differs and (own[c] != action[u, c] or steps[c] != length[u, c]):
                    differs = True
                for j in range(m):
                    if not differs and abs(fresh[c, j] - points[u, c, j]) > 1e-11 * (1.0 + abs(fresh[c, j])):
                        differs = True
            if differs:
                changed = True
                size[u] = count
                for c in range(count):
                    action[u, c], length[u, c] = own[c], steps[c]
                    for j in range(m):
                        points[u, c, j] = fresh[c, j]
        if not changed:
            break
    return full


def follow(
    start: int,
    successor: Array,
    visits: Array,
    total: Array,
    discount: float,
    points: Array,
    size: Array,
    action: Array,
    length: Array,
    choice: Array,
    lasting: Array,
) -> None:
    """Fill the choices `[C, U]` along each path from a state; -1 off the path.

    `lasting [C]` is set where the path meets no state twice and ends, so that a table can follow it.
    """
    m = points.shape[2]
    target = np.zeros(m)
    for c in range(size[start]):
        u, at, lasting[c] = start, c, False
        for _ in range(length[start, c]):
            a = action[u, at]
            if choice[c, u] >= 0:
                break
            choice[c, u] = a
            v = successor[u, a, 0]
            if v < 0:
                lasting[c] = True
                break
            for j in range(m):
                target[j] = points[u, at, j] - total[u, a, j] / visits[u, a]
            nearest, found = np.inf, 0
            for b in range(size[v]):
                gap = 0.0
                for j in range(m):
                    gap += abs(discount * points[v, b, j] - target[j])
                if gap < nearest:
                    nearest, found = gap, b
            u, at = v, found


def reach(starts: Array, successor: Array, counts: Array, choice: Array, met: Array) -> None:
    """Set `met [U]` in the states that the policy `choice [U]` can meet from the states `starts`."""
    waiting, count = np.zeros(met.shape[0], np.int64), 0
    for u in starts:
        met[u] = True
        waiting[count] = u
        count += 1
    while count > 0:
        count -= 1
        u = waiting[count]
        for k in range(counts.shape[2]):
            v = successor[u, choice[u], k]
            if counts[u, choice[u], k] > 0 and v >= 0 and not met[v]:
                met[v] = True
                waiting[count] = v
                count += 1
