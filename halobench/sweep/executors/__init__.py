"""Executors: where the cases of a sweep are measured."""
