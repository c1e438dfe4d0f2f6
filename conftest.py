"""Runs the Python blocks of README.md and docs/ as tests. The blocks of one page share their names, in their order."""

import os
import tempfile
from typing import Any

import pytest
from sybil import Sybil
from sybil.parsers.markdown import PythonCodeBlockParser, SkipParser
from xdist.scheduler import LoadScopeScheduling


def enter_scratch_folder(namespace: dict[str, Any]) -> None:
    """Let a page write its runs somewhere that is thrown away."""
    namespace["_home"] = os.getcwd()
    namespace["_scratch"] = tempfile.TemporaryDirectory()
    os.chdir(namespace["_scratch"].name)


def leave_scratch_folder(namespace: dict[str, Any]) -> None:
    os.chdir(namespace["_home"])
    namespace["_scratch"].cleanup()


pytest_collect_file = Sybil(
    parsers=[PythonCodeBlockParser(), SkipParser()],
    patterns=["README.md", "docs/*.md"],
    setup=enter_scratch_folder,
    teardown=leave_scratch_folder,
).pytest()


class PagesWhole(LoadScopeScheduling):
    """Deals tests out one by one, but the blocks of one page to one worker, since they share their names."""

    def _split_scope(self, nodeid: str) -> str:
        page = nodeid.partition("::")[0]
        return page if page.endswith(".md") else nodeid


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    # not the mark xdist_group: pytest 9.2 no longer lets xdist 3.8 see it (pytest-xdist#1386)
    return PagesWhole(config, log)
