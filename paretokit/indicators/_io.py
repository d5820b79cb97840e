"""Reading of fronts, shared by every indicator; dominance needs it too, so it lives in core."""

from paretokit.core._io import Array, Points, Return, Senses, as_array, as_tensor, flip, read, read_mask, senses

__all__ = ["Array", "Points", "Return", "Senses", "as_array", "as_tensor", "flip", "read", "read_mask", "senses"]
