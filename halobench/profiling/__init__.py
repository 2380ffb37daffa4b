"""Where the time of a case goes, and what compilers make of a kernel."""
