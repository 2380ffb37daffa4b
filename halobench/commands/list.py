"""The command `list`."""


def run() -> None:
    """List implementations, models, metrics, reports and presets, and what was left out and why."""
    from halobench.screens import list as screen

    screen.show()
