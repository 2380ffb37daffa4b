"""Measure halo attention and HaloNets: what they cost, whether they are right, and which to pick.

A sweep is written as a spec (`sweep/spec.py`), expanded to cases (`sweep/plan.py`), each measured in a
process of its own (`sweep/executors/`, `measure/measurement.py`) into a record (`results/record.py`), stored
(`results/store.py`), read back as one table (`results/frame.py`) and shown (`report/`).
"""
