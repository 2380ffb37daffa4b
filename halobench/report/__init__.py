"""Reports: their contract, their looks, and the tables, figures and page that a run's folder holds.

The public names are found when they are first used: importing this package does not import matplotlib.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
