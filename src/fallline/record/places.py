"""Where something stands in the program: the file and line of a frame that is the user's own."""

from __future__ import annotations

import functools
import linecache
import re
import sysconfig
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from types import CodeType, FrameType

import torch

OURS = str(Path(__file__).parent.parent)
LIBRARIES = tuple(
    {
        str(Path(path).resolve())
        for path in (sysconfig.get_path("stdlib"), sysconfig.get_path("platstdlib"), Path(torch.__file__).parent)
        if path
    }
)
INSTALLED = ("/site-packages/", "/dist-packages/")
LISTED = re.compile(r'^\s*File "(.+)", line (\d+), in (.+)$', re.MULTILINE)  # a frame in a printed traceback


@dataclass(frozen=True)
class Place:
    """A line of the program."""

    file: str  # absolute path
    line: int
    function: str
    code: str  # the line as it is written, without its indentation

    def as_detail(self) -> dict[str, object]:
        """As plain values for the record."""
        return asdict(self)


@functools.cache
def is_program(file: str) -> bool:
    """Whether a file belongs to the program, neither to Python, an installed package, nor fallline."""
    if file.startswith("<") or any(part in file.replace("\\", "/") for part in INSTALLED):
        return False
    path = str(Path(file).resolve())
    return not path.startswith((OURS, *LIBRARIES))


def at(file: str, line: int, function: str) -> Place:
    """The place with the text of its line."""
    return Place(file, line, function, linecache.getline(file, line).strip())


def of_code(code: CodeType, instruction: int) -> Place | None:
    """Where a frame stood, by its code and the offset of its instruction."""
    if not is_program(code.co_filename):
        return None
    lines = (line for start, end, line in code.co_lines() if start <= instruction < end and line is not None)
    return at(code.co_filename, next(lines, code.co_firstlineno), code.co_name)


def innermost(frame: FrameType | None, until: FrameType | None = None) -> Place | None:
    """The place in the innermost frame that is the program's, looking outwards up to ``until``."""
    while frame is not None and frame is not until:
        if is_program(frame.f_code.co_filename):
            return at(frame.f_code.co_filename, frame.f_lineno, frame.f_code.co_name)
        frame = frame.f_back
    return None


def listed(traceback: Iterable[str]) -> Place | None:
    """The innermost place of the program in a printed traceback, as anomaly mode leaves with each node of a graph."""
    for text in reversed(list(traceback)):
        for file, line, function in reversed(LISTED.findall(text)):
            if is_program(file):
                return at(file, int(line), function)
    return None
