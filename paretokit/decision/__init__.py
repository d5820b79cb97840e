"""Decision: from a front to one solution, and why.

choice = pick(front, preference=[0.2, 0.8])     # or front.pick(...)
choice.why                                      # what was given up for what
choice.decode()                                 # what to deploy
"""

from paretokit.decision._choice import Choice
from paretokit.decision._knee import knee
from paretokit.decision._pick import pick, rules
from paretokit.decision._pseudo_weights import pseudo_weights
from paretokit.decision._topsis import topsis

__all__ = ["Choice", "knee", "pick", "pseudo_weights", "rules", "topsis"]
