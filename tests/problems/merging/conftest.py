"""A cache of suites for the tests of a module, and training that fails."""

import pytest

from paretokit.problems.merging import _suite_cache as cache


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Return the module's cache folder."""
    place = tmp_path_factory.mktemp("cache")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PARETOKIT_CACHE", str(place))
        yield place


@pytest.fixture
def untrainable(monkeypatch):
    """Let training fail."""

    def fail(recipe):
        raise AssertionError("trained again")

    monkeypatch.setattr(cache, "trained", fail)
