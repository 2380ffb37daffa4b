"""Reports, one a file: each shows the measured cases in one way."""
