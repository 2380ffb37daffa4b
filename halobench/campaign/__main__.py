"""`python -m halobench.campaign`."""

import typer

from halobench.campaign.runner import main

if __name__ == "__main__":
    typer.run(main)
