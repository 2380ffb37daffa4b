"""The command `doctor`."""


def run() -> int:
    """Check whether this machine is fit to measure; exit code 1 if anything is bad."""
    from halobench.screens import doctor as screen

    return screen.show()
