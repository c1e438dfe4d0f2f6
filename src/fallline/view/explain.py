"""The page of a check, as it is shipped with the package: the same text that the documentation shows."""

from __future__ import annotations

import difflib
import re
import textwrap
from importlib import resources

from fallline.diagnosis.checks import CHECKS

TERMS = "terms"  # the page that is no check: what the words of the others mean
WIDTH = 80
BEGINS = re.compile(r"\s*(- |\d+\. )|#+ |\| ?")  # a line that does not go on the one before
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
        return _wrapped(text)
    more = "Words such as “explained”, “stuck” or “signal”: `fallline explain terms`. "
    return _wrapped(f"{text}\n\n{more}The program alone: `fallline explain {code} --example`.")


def _wrapped(text: str) -> str:
    """The same in lines of at most 80 columns, but for code."""
    parts: list[tuple[str, bool]] = []  # each with whether it stays as it is
    fenced = False
    for line in text.splitlines():
        fenced ^= line.startswith("```")
        if fenced or not line or line.startswith("```"):
            parts.append((line, True))
        elif BEGINS.match(line) or not parts or parts[-1][1]:
            parts.append((line, False))
        else:
            parts[-1] = (f"{parts[-1][0]} {line.strip()}", False)
    return "\n".join(part if fixed else _filled(part) for part, fixed in parts)


def _filled(part: str) -> str:
    begin = BEGINS.match(part)
    indent = " " * (len(begin[0]) if begin is not None else 0)
    if part.startswith("|") and len(part) > WIDTH:  # its end may stand alone
        part = part.removesuffix(" |")
    return textwrap.fill(part, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)


def listing() -> str:
    """Every code with its sentence."""
    width = max(map(len, codes()))
    return "\n".join(f"{code:{width}}  {summary(code)}" for code in codes())
