"""Compiled lanes of MuJoCo: set a state, step, read the state back, for a block of lanes and without the interpreter.

MuJoCo's C functions arrive as addresses, so the compiled code can be cached; every argument is passed as a 64-bit
integer, which the calling conventions of x86-64 and AArch64 allow for pointers and for 32-bit integers alike. The
plain twin is `Engine.advance_plain`, which goes through MuJoCo's own Python bindings.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic
from numpy.typing import NDArray

from paretokit.core._kernel import jit

Matrix = NDArray[np.float64]
Integers = NDArray[np.int64]

NUMBERS, MATRIX = "int64[::1]", "float64[:, ::1]"


def _build_call(_: Any, function: Any, arguments: Any) -> Any:
    """Type and generate a call of the C function at an address with a tuple of 64-bit integers."""

    def generate(context: Any, builder: Any, _: Any, values: Any) -> Any:
        address, packed = values
        passed = cgutils.unpack_tuple(builder, packed)
        kind = cgutils.ir.FunctionType(cgutils.ir.VoidType(), [value.type for value in passed])
        builder.call(builder.inttoptr(address, kind.as_pointer()), passed)
        return context.get_dummy_value()

    return types.void(function, arguments), generate


_call = intrinsic(_build_call)


@jit(f"void({NUMBERS}, {NUMBERS}, int64[:, ::1], int64, int64, int64, {MATRIX}, {MATRIX}, {MATRIX})")
def advance(
    functions: Integers,
    scratch: Integers,
    fields: Integers,
    frame_skip: int,
    first: int,
    last: int,
    states: Matrix,
    controls: Matrix,
    after: Matrix,
) -> None:
    """Step lanes first … last - 1.

    Args:
        functions: Addresses of mj_setState, mj_getState, mj_step, mju_copy, and mj_rnePostConstraint or 0.
        scratch: Address of the model, of the thread's data, of its control; number of controls; state specification;
            length of MuJoCo's part of a state.
        fields: A row for each array that follows it: address in the data, number of entries.
        frame_skip: Steps of the physics.
        first: Lane that the block begins with.
        last: Lane behind its end.
        states: Before `[L, s]`.
        controls: Actions `[L, k]`, within their box.
        after: Receives the states after `[L, s]`.
    """
    set_state, get_state, step, copy, post = functions[0], functions[1], functions[2], functions[3], functions[4]
    model, data, control, k, spec, physics = scratch[0], scratch[1], scratch[2], scratch[3], scratch[4], scratch[5]
    width = states.shape[1]
    source, given, target = states.ctypes.data, controls.ctypes.data, after.ctypes.data
    for lane in range(first, last):
        _call(set_state, (model, data, np.int64(source + 8 * lane * width), spec))
        _call(copy, (control, np.int64(given + 8 * lane * k), k))
        for _ in range(frame_skip):
            _call(step, (model, data))
        if post != 0:
            _call(post, (model, data))
        place = np.int64(target + 8 * lane * width)
        _call(get_state, (model, data, place, spec))
        place += 8 * physics
        for f in range(fields.shape[0]):
            _call(copy, (place, fields[f, 0], fields[f, 1]))
            place += 8 * fields[f, 1]
