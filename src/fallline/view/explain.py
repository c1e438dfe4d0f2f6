"""The page of a check, as it is shipped with the package: the same text that the documentation shows."""

from __future__ import annotations

import difflib
import re
from importlib import resources

from fallline.diagnosis.checks import CHECKS

TERMS = "terms"  # the page that is no check: what the words of the others mean
PARTS = ("What it sees", "Why it matters", "What to do", "Known problems", "Example")


class UnknownCodeError(ValueError):
    """There is no page of this name; the message names the nearest."""


def codes() -> list[str]:
    """The codes of all checks, in the order in which a report names them."""
    return [check.code for check in CHECKS]


def page(code: str) -> str:
    """The page of a code, in Markdown; its links are those of a file in ``docs/checks/``.

    Raises:
        UnknownCodeError: no check has this code.
    """
    known = [*codes(), TERMS]
    if code not in known:
        near = difflib.get_close_matches(code.lower().replace("_", "-").replace(" ", "-"), known, 1, cutoff=0.4)
        hint = f"did you mean {near[0]}?" if near else f"it is one of {', '.join(known)}"
        raise UnknownCodeError(f"there is no check {code!r}; {hint}")
    return (resources.files("fallline.view") / "pages" / f"{code}.md").read_text(encoding="utf-8")


def summary(code: str) -> str:
    """The one sentence on top of a page."""
    return " ".join(page(code).split("\n\n")[1].split())


def example(code: str) -> str:
    """The sick program of a check."""
    found = re.search(r"^## Example\n.*?^```python\n(.*?)^```", page(code), flags=re.DOTALL | re.MULTILINE)
    if found is None:
        raise UnknownCodeError(f"there is no example for {code!r}")
    return found[1]


def explain(code: str) -> str:
    """The page for a terminal: links are given by their text."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", page(code)).rstrip()
    if code == TERMS:
        return text
    more = "Words such as “explained”, “stuck” or “signal”: `fallline explain terms`. "
    return f"{text}\n\n{more}The program alone: `fallline explain {code} --example`."


def listing() -> str:
    """Every code with its sentence."""
    width = max(map(len, codes()))
    return "\n".join(f"{code:{width}}  {summary(code)}" for code in codes())
