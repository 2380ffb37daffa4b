"""The Triton kernels of halo attention, and what launches them."""
