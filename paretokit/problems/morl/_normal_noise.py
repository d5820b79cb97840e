"""Normal numbers from the uniform noise that environments are stepped with."""

from __future__ import annotations

import torch
from torch import Tensor


def normals(noise: Tensor) -> Tensor:
    """Return standard normal numbers of uniforms in [0, 1) by inverse transform, always finite."""
    drawn: Tensor = torch.special.ndtri((noise + 2.0**-54).clamp(max=1.0 - 2.0**-53))
    return drawn
