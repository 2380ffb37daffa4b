"""Measure halo attention and HaloNets: what they cost, whether they are right, and which to pick."""
