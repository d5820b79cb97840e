# mypy: ignore-errors
"""Compiled steps of minecart lanes, equal to the tensor code of `_minecart` bit for bit.

A state is a row x, y, speed, sine, cosine, k ores, heading, departed; a mine is a row x, y, k means,
k deviations; the compass holds sines and cosines of the headings -36 … 71; `drawn` holds standard normal numbers for
the lanes that may dig, and `rows` says which row of it is a lane's.
"""

import numpy as np

from paretokit.core._kernel import jit

MINE, LEFT, RIGHT, ACCELERATE, BRAKE = 0, 1, 2, 3, 4
HEADINGS = 36
STILL = 0.001
ACCELERATION = 0.0075
MINE_RADIUS = 0.14
BASE_RADIUS = 0.15


@jit("float64(float64)", inline="always")
def _wrapped(heading):
    return heading - HEADINGS * np.floor(heading / HEADINGS)


@jit("int64[::1](float64[:, ::1], int64[::1], float64[:, ::1], int64, int64[::1])")
def digging_lanes(state, action, mines, ticks, rows):
    """Return the lanes that may dig in this step, and fill `rows` with a lane's place among them."""
    found = np.empty(state.shape[0], np.int64)
    count = 0
    for i in range(state.shape[0]):
        rows[i] = 0
        if action[i] != MINE:
            continue
        x, y = state[i, 0], state[i, 1]
        way = ticks * state[i, 2] * 1.000001
        if state[i, 2] >= STILL and min(min(x, 1.0 - x), min(y, 1.0 - y)) > way:
            continue  # only a wall stops a cart that digs
        reach = MINE_RADIUS + way
        for j in range(mines.shape[0]):
            dx, dy = x - mines[j, 0], y - mines[j, 1]
            if np.sqrt(dx * dx + dy * dy) <= reach:
                rows[i] = count
                found[count] = i
                count += 1
                break
    return found[:count].copy()


@jit("void(float64[::1], float64[:, ::1], float64[:, ::1], int64, int64, float64)")
def _dig(cart, mines, drawn, row, tick, capacity):
    k = cart.shape[0] - 7
    best = np.inf
    nearest = 0
    for j in range(mines.shape[0]):
        dx, dy = cart[0] - mines[j, 0], cart[1] - mines[j, 1]
        distance = np.sqrt(dx * dx + dy * dy)
        if distance < best:
            best = distance
            nearest = j
    if best > MINE_RADIUS:
        return
    mined = np.empty(k)
    held = cart[5]
    for o in range(1, k):
        held += cart[5 + o]
    dug = 0.0
    for o in range(k):
        ore = mines[nearest, 2 + o]
        if drawn.shape[1] > 0:
            ore = ore + mines[nearest, 2 + k + o] * drawn[row, tick * k + o]
        mined[o] = max(ore, 0.0)
        dug = mined[o] if o == 0 else dug + mined[o]
    free = max(capacity - held, 0.0)
    fits = free / dug if dug > free else 1.0
    for o in range(k):
        cart[5 + o] += mined[o] * fits


@jit("void(float64[::1], float64[:, ::1])")
def _drive(cart, compass):
    k = cart.shape[0] - 7
    x, y, heading = cart[0], cart[1], cart[5 + k]
    vx = cart[2] * compass[1, int(heading) + HEADINGS]
    vy = cart[2] * compass[0, int(heading) + HEADINGS]
    inside_x = x != 0.0 and x != 1.0
    inside_y = y != 0.0 and y != 1.0
    if inside_y and abs(vy) > STILL:
        away = 1.0 if vy > 0.0 else -1.0
        if x == 1.0 and vx > 0.0:
            heading += away
        elif x == 0.0 and vx < 0.0:
            heading -= away
    if inside_x and abs(vx) > STILL:
        away = 1.0 if vx > 0.0 else -1.0
        if y == 1.0 and vy > 0.0:
            heading -= away
        elif y == 0.0 and vy < 0.0:
            heading += away
    to_x = min(max(x + vx, 0.0), 1.0)
    to_y = min(max(y + vy, 0.0), 1.0)
    cart[2] = np.sqrt((to_x - x) * (to_x - x) + (to_y - y) * (to_y - y))
    cart[0] = to_x
    cart[1] = to_y
    cart[5 + k] = heading if -HEADINGS <= heading < 2 * HEADINGS else _wrapped(heading)


@jit(
    "void(float64[:, ::1], int64[::1], int64[::1], float64[:, ::1], float64[:, ::1], float64[:, ::1], float64[::1],"
    "float64, int64, int64, float64[:, ::1], float64[:, ::1], boolean[::1])"
)
def step_lanes(state, action, rows, drawn, mines, compass, fuel, capacity, rounds, moves, after, reward, terminated):
    """Fill `after`, `reward` and `terminated` with what `rounds` rounds of `moves` moves do to every lane."""
    k = state.shape[1] - 7
    for i in range(state.shape[0]):
        cart = after[i]
        cart[:] = state[i]
        act = action[i]
        ended = False
        for o in range(k):
            reward[i, o] = 0.0
        for tick in range(rounds):
            if act == LEFT:
                cart[5 + k] = _wrapped(cart[5 + k] - moves)
            elif act == RIGHT:
                cart[5 + k] = _wrapped(cart[5 + k] + moves)
            elif act == ACCELERATE:
                cart[2] = min(cart[2] + ACCELERATION * moves, 1.0)
            elif act == BRAKE:
                cart[2] = 0.0
            elif act == MINE and cart[2] < STILL:
                for j in range(moves):
                    _dig(cart, mines, drawn, rows[i], tick * moves + j, capacity)
            if ended:
                break
            for _ in range(moves):
                if cart[2] >= STILL:
                    _drive(cart, compass)
            if np.sqrt(cart[0] * cart[0] + cart[1] * cart[1]) < BASE_RADIUS:
                if cart[6 + k] > 0.0:
                    ended = True
                    for o in range(k):
                        reward[i, o] = cart[5 + o]
                        cart[5 + o] = 0.0
            else:
                cart[6 + k] = 1.0
        cart[3] = compass[0, int(cart[5 + k]) + HEADINGS]
        cart[4] = compass[1, int(cart[5 + k]) + HEADINGS]
        reward[i, k] = fuel[act]
        terminated[i] = ended
