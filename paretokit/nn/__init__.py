"""Stacked networks: one leading member axis P everywhere, parameters as rows of one flat buffer.

Summing the members' own losses leaves each member's gradient exact, so P networks train like P separate runs, in one
program.
"""

from paretokit.nn._adam import Adam, AdamState, clipped
from paretokit.nn._mlp import MLP, perceptron
from paretokit.nn._moments import Moments
from paretokit.nn._transformer import Transformer

__all__ = ["MLP", "Adam", "AdamState", "Moments", "Transformer", "clipped", "perceptron"]
