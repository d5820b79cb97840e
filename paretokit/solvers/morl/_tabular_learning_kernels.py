# mypy: disable-error-code="untyped-decorator,no-untyped-def,no-untyped-call,no-any-return,misc"
"""The functions of `_tabular_learning.py`, compiled."""

from paretokit.core._kernel import jit
from paretokit.solvers.morl import _tabular_learning as plain

I1, I2, I3 = "int64[::1]", "int64[:, ::1]", "int64[:, :, ::1]"
F1, F2, F3 = "float64[::1]", "float64[:, ::1]", "float64[:, :, ::1]"
B1 = "boolean[::1]"


def _signature(result, *arguments):
    return f"{result}({', '.join(arguments)})"


observe = jit(_signature("int64", I1, I1, F2, I1, B1, B1, I1, I1, I2, F3, I3, I3, I1, I1))(plain.observe)
explore = jit(_signature("void", "int64", I3, I3, I2, "float64", "int64", F1, I1))(plain.explore)
optimize = jit(_signature("void", "int64", I3, I3, I2, F3, F2, "float64", "int64", F3, I2))(plain.optimize)
pareto_sets = jit(_signature("int64", "int64", I3, I2, F3, "float64", "int64", "int64", F3, I1, I2, I2))(
    plain.pareto_sets
)
follow = jit(_signature("void", "int64", I3, I2, F3, "float64", F3, I1, I2, I2, I2, B1))(plain.follow)
reach = jit(_signature("void", I1, I3, I3, I1, B1))(plain.reach)
