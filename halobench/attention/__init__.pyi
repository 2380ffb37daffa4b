from .functional import halo_attention as halo_attention
from .implementation import Position as Position
from .implementation import attention as attention
from .layer import HaloAttention as HaloAttention
from .problem import Problem as Problem
