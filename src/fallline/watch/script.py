"""Running somebody's program, unchanged, with a recorder listening."""

from __future__ import annotations

import builtins
import runpy
import sys
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType

from fallline.record import calls, recorder, replay, tally, tape
from fallline.record.recorder import StopTraining

OWN = (
    __name__,
    *(module.__name__ for module in (calls, recorder, replay, tally, tape)),
)  # modules whose frames no traceback of a program should show


class ScriptError(Exception):
    """The program cannot be started; the message says why."""


@dataclass(frozen=True)
class Ending:
    """How a program ended."""

    exit: int  # what its exit status would be without fallline
    error: str | None = None  # last line of its traceback
    interrupted: bool = False
    stopped: bool = False  # by the recorder's limit of updates


def load(script: Path, source: bytes | None = None) -> Callable[[], None]:
    """Compile a script; what is returned runs it as ``__main__`` in this process.

    ``source``: run this in the place of what the file holds.

    Raises:
        ScriptError: there is no such file, or it is not Python.
    """
    try:
        source = script.read_bytes() if source is None else source
    except OSError as error:
        raise ScriptError(f"cannot read {script}: {error.strerror}") from error
    try:
        code = compile(source, str(script.absolute()), "exec", dont_inherit=True)
    except (SyntaxError, ValueError) as error:
        where, what = (f" at line {error.lineno}", error.msg) if isinstance(error, SyntaxError) else ("", error)
        raise ScriptError(f"{script} is not valid Python{where}: {what}") from error

    def execute() -> None:
        main, path = ModuleType("__main__"), str(script.absolute())
        loader = SourceFileLoader("__main__", path)
        main.__dict__.update(__file__=path, __cached__=None, __builtins__=builtins, __loader__=loader)
        if sys.version_info < (3, 14):
            vars(main).update(__annotations__={})
        sys.modules["__main__"] = main
        sys.path[0] = str(script.resolve().parent)
        exec(code, main.__dict__)

    return execute


def load_module(name: str) -> Callable[[], None]:
    """Like :func:`load` for ``python -m name``."""
    sys.path[0] = str(Path.cwd())
    try:
        found = runpy._get_module_details(name)  # type: ignore[attr-defined]
    except Exception as error:
        raise ScriptError(f"cannot run module {name}: {error.__cause__ or error}") from error
    sys.argv[0] = found[1].origin

    def execute() -> None:
        runpy.run_module(name, run_name="__main__", alter_sys=True)

    return execute


def execute(program: Callable[[], None]) -> Ending:
    """Run a loaded program to its end, whatever end that is, and tell it.

    A traceback is printed to stderr as Python would, without fallline's own frames.
    """
    try:
        program()
    except StopTraining:
        return Ending(0, stopped=True)
    except SystemExit as end:
        return Ending(_status(end))
    except KeyboardInterrupt as error:
        _print(error)
        return Ending(130, "KeyboardInterrupt", interrupted=True)
    except BaseException as error:
        _print(error)
        return Ending(1, traceback.format_exception_only(error)[-1].strip())
    return Ending(0)


def _status(end: SystemExit) -> int:
    if end.code is None:
        return 0
    if isinstance(end.code, int):
        return end.code
    print(end.code, file=sys.stderr)
    return 1


def _print(error: BaseException) -> None:
    with suppress(OSError, ValueError):  # the program may have closed it
        sys.stdout.flush()
    _trim(error)
    sys.excepthook(type(error), error, error.__traceback__)


def _trim(error: BaseException | None) -> None:
    """Drop the frames of fallline from a traceback, and from those of the errors that led to it."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        frames = error.__traceback__
        while frames is not None and frames.tb_frame.f_globals.get("__name__") in (*OWN, "runpy"):
            frames = frames.tb_next
        error.__traceback__ = frames
        while frames is not None:
            while frames.tb_next is not None and frames.tb_next.tb_frame.f_globals.get("__name__") in OWN:
                frames.tb_next = frames.tb_next.tb_next
            frames = frames.tb_next
        error = error.__cause__ or error.__context__
