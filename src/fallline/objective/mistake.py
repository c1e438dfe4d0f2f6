"""What a user asked for that cannot be done."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(ValueError):
    """A mistake in what was given; the message is one sentence that says what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """A question after the known name that is most like this one, or an empty string."""
    names = list(known)
    lowered = {known_name.lower(): known_name for known_name in reversed(names)}
    near = difflib.get_close_matches(name.lower(), lowered, 1, 0.6)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names in a row, the first ``most`` of them."""
    every = list(names)
    more = f" and {len(every) - most} more" if len(every) > most else ""
    return ", ".join(every[:most]) + more
