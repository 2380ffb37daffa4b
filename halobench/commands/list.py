"""The command `list`."""

from halobench.options import PluginFiles


def run(
    plugin: PluginFiles = None,
) -> None:
    """List implementations, models, metrics, reports and presets, and what was left out and why."""
    from halobench.attention.implementation import load_files
    from halobench.screens import list as screen

    load_files(plugin or [])
    screen.show()
