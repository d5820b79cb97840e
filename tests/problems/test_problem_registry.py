"""Ids, classes, nearest names, and an import that costs nothing."""

import subprocess
import sys

import pytest

from paretokit import problems
from paretokit.core import Problem, UnknownNameError


def test_every_id_makes_a_problem_of_that_id():
    ids = problems.list()
    assert ids == sorted(set(ids))
    assert len(ids) >= 59
    for name in ids:
        problem = problems.make(name)
        assert isinstance(problem, Problem)
        assert problem.id == name
        assert getattr(problems, type(problem).__name__) is type(problem)
        assert type(problem).__name__ in problems.__all__


def test_names_are_sorted_and_exist():
    assert problems.__all__ == sorted(problems.__all__)
    for name in problems.__all__:
        assert callable(getattr(problems, name))


def test_options_reach_the_constructor():
    assert problems.make("zdt1-v1", n_variables=7).space.dim == 7
    assert problems.make("dtlz2-v1", n_objectives=5) == problems.DTLZ2(n_objectives=5)


def test_unknown_names_get_the_nearest():
    with pytest.raises(
        UnknownNameError, match=r"`problem` must be a known name; got 'ztd1-v1' \(did you mean .*zdt1-v1"
    ):
        problems.make("ztd1-v1")
    with pytest.raises(UnknownNameError, match="zdt1-v1 has no option 'n_variable'; did you mean 'n_variables'?"):
        problems.make("zdt1-v1", n_variable=3)
    with pytest.raises(AttributeError, match="has no attribute 'ZDT9'"):
        problems.ZDT9


def test_importing_loads_no_problem_and_no_peer():
    code = (
        "import sys, paretokit.problems; "
        "bad = [m for m in sys.modules if m.split('.')[0] in ('pymoo', 'pygmo', 'joblib', 'numba') "
        "or m.startswith('paretokit.problems.synthetic._')]; sys.exit(', '.join(bad) or None)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
