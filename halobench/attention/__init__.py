"""Halo attention: the operation, its public call and layer, and the contract of an implementation.

The public names are found when they are first used, so that importing this package does not import torch.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
