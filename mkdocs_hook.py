"""Puts the pages that ship with the package, `src/fallline/view/pages/`, into the documentation."""

from __future__ import annotations

from typing import Any

from mkdocs.structure.files import File

from fallline.view import explain

INDEX = "checks.md"


def on_config(config: Any) -> Any:
    """A line of the menu for each check."""
    pages = [{code: f"checks/{code}.md"} for code in explain.codes()]
    config["nav"] = [
        {"Checks": [{"All checks": INDEX}, *pages]} if "Checks" in item else item for item in config["nav"]
    ]
    return config


def on_files(files: Any, config: Any) -> Any:
    """The pages themselves; they exist nowhere under docs/."""
    for code in explain.codes():
        files.append(File.generated(config, f"checks/{code}.md", content=explain.page(code)))
    return files


def on_page_markdown(markdown: str, page: Any, **_: Any) -> str:
    """The parts of the page about all checks."""
    if page.file.src_uri != INDEX:
        return markdown
    rows = [f"| [`{code}`](checks/{code}.md) | {explain.summary(code)} |" for code in explain.codes()]
    table = "\n".join(["| code | it says |", "|---|---|", *rows])
    terms = explain.page(explain.TERMS).split("\n\n", 2)[2]
    return markdown.replace("<!-- list of checks -->", table).replace("<!-- terms -->", terms)
