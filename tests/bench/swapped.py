"""timm's halo models with each of ours inside: the largest difference of logits and of gradients.

    PYTHONPATH=tests python tests/bench/swapped.py

In float64, random weights, one image of the published size; relative to the norm of each tensor.
"""

from networks import images, largest_difference, network, output_and_gradients
from rich.console import Console
from rich.table import Table

from halobench.models import use, zoo

OURS = ("haloed_blocked", "haloed_chunked", "sdpa_blocked")


def main() -> None:
    """Print a table."""
    table = Table("model", "implementation", "logits", "gradients")
    for name in zoo.TIMM_HALO:
        model, x = network(name), images(name)
        expected = output_and_gradients(model, x)
        for implementation in OURS:
            actual = output_and_gradients(use(model, implementation), x)
            logits = {"output": expected.pop("output")}
            differences = largest_difference(actual, logits), largest_difference(actual, expected)
            table.add_row(name, implementation, *(f"{value:.1e}" for value in differences))
            expected |= logits
    Console(width=100).print(table)


if __name__ == "__main__":
    main()
