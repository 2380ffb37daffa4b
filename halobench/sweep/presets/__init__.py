"""Presets: spec files that come with halobench, one a file."""
