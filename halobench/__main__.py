"""`python -m halobench`."""

from halobench.cli import main

if __name__ == "__main__":
    main()
