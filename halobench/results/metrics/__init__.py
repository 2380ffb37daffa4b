"""Metrics, one file per subject."""
