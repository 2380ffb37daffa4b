"""Attention implementations, one file each; what two of them share lies in a `_private` file."""
