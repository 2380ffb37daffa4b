"""Networks with halo attention inside, and those they are compared with."""

from halobench.models.swap import use
from halobench.models.zoo import create

__all__ = ["create", "use"]
