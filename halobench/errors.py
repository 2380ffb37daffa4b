"""What is the user's to mend: the exceptions that the command line turns into one line and exit code 2.

Every other exception is a bug: it keeps its traceback, and the exit code is 70.
"""

from collections.abc import Iterable


class UsageError(Exception):
    """What was asked for cannot be done; the message says in a line what was given and what is allowed."""


class UnknownName(UsageError, KeyError):
    """Nothing has this name; the message lists the names that there are."""

    def __str__(self) -> str:
        return str(self.args[0])  # a KeyError would put it in quotation marks


class ImpossibleProblem(UsageError, ValueError):
    """Sizes or options that contradict each other; a sweep leaves such a combination out, with the reason."""


class OtherMachine(UsageError):
    """A run was begun on another machine, device or version, and cannot be continued on this one."""


def must_be_one_of(what: str, value: object, allowed: Iterable[str]) -> None:
    """Raise UsageError unless the value is allowed.

    Args:
        what: the option or axis, as the user wrote it.
        value: what was given.
        allowed: every value that is allowed, in the order in which the message lists them.
    """
    allowed = list(allowed)
    if value not in allowed:
        raise UsageError(f"{what}: {value!r} must be one of {', '.join(allowed)}")
