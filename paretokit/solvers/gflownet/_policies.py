"""Policy networks by kind, as saved configurations name them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from paretokit.core import Registry
from paretokit.solvers.gflownet._policy import PolicyNetwork

_ROOM = "paretokit.solvers.gflownet."

POLICIES = Registry(
    "policy",
    {
        "mlp": _ROOM + "_mlp_policy:MLPPolicy",
        "transformer": _ROOM + "_transformer_policy:TransformerPolicy",
        "tree": _ROOM + "_tree_policy:TreePolicy",
    },
)


def policy_of(given: PolicyNetwork | Mapping[str, Any] | str) -> PolicyNetwork:
    """Return a policy network: itself, by kind, or from what `describe` gave.

    Raises:
        UnknownNameError: For an unknown kind or option; the message offers the nearest.
    """
    if isinstance(given, PolicyNetwork):
        return given
    options = {"kind": given} if isinstance(given, str) else dict(given)
    made: PolicyNetwork = POLICIES.make(str(options.pop("kind", "mlp")), options)
    return made
