"""What a check says."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Literal, Protocol

from fallline.record.run import Run

Severity = Literal["error", "warning", "info"]


@dataclass(frozen=True)
class Prescription:
    """A remedy that may help, by its name and arguments."""

    name: str
    args: dict[str, Any]
    why: str


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong with a training."""

    code: str
    severity: Severity
    title: str  # a few words, for a heading
    message: str  # what was seen, with its numbers
    why: str  # the cause, in words a student understands
    disproof: str  # what would show that this is not it
    layers: tuple[str, ...] = ()
    steps: tuple[int, int] = (0, 0)
    evidence: dict[str, float] = field(default_factory=dict)
    because_of: str | None = None
    remedies: tuple[Prescription, ...] = ()

    def following(self, cause: str) -> Finding:
        """The same finding as a consequence of another."""
        return replace(self, because_of=cause)


class NotApplicable(Exception):  # noqa: N818 - an answer, not an error
    """Raised by a check that has nothing to judge; the message is the reason."""


class Check(Protocol):
    """One kind of fault, and how it shows in a record."""

    @property
    def code(self) -> str: ...

    def look(self, run: Run) -> Finding | None:
        """The finding, or None when the check passes.

        Raises:
            NotApplicable: the record holds nothing that this check could judge.
        """
        ...


def text(number: float) -> str:
    """A number as a person writes it: three figures, powers of ten only where they help."""
    if number == 0 or 1e-3 <= abs(number) < 1e5:
        return f"{number:.3g}" if abs(number) < 1000 else f"{number:.0f}"
    return f"{number:.1e}"
