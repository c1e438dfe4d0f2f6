"""Running somebody's program inside this process: it sees what ``python`` would give it, and ends as it would end."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest

from fallline.record.recorder import StopTraining
from fallline.watch import script
from fallline.watch.script import Ending, ScriptError


@pytest.fixture(autouse=True)
def this_process(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[None]:
    """Give back what a program changes."""
    main, argv, path = sys.modules["__main__"], sys.argv, sys.path[:]
    monkeypatch.chdir(tmp_path)
    yield
    sys.modules["__main__"], sys.argv, sys.path[:] = main, argv, path


def write(text: str, name: str = "program.py") -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def end(text: str) -> Ending:
    return script.execute(script.load(write(text)))


@pytest.mark.parametrize(
    ("text", "ending"),
    [
        ("x = 1", Ending(0)),
        ("import sys; sys.exit()", Ending(0)),
        ("import sys; sys.exit(0)", Ending(0)),
        ("import sys; sys.exit(3)", Ending(3)),
        ("import sys; sys.exit(True)", Ending(1)),
        ("import sys; sys.exit('no data')", Ending(1)),
        ("raise SystemExit", Ending(0)),
        ("1 / 0", Ending(1, "ZeroDivisionError: division by zero")),
        ("raise KeyboardInterrupt", Ending(130, "KeyboardInterrupt", interrupted=True)),
        ("class Own(BaseException): ...\nraise Own('mine')", Ending(1, "Own: mine")),
        ("raise ValueError", Ending(1, "ValueError")),
    ],
)
def test_endings(text: str, ending: Ending) -> None:
    assert end(text) == ending


def test_a_text_as_exit_status_goes_to_stderr(capsys: pytest.CaptureFixture[str]) -> None:
    end("import sys; sys.exit('no data')")
    assert capsys.readouterr() == ("", "no data\n")


def test_the_recorder_may_stop_it() -> None:
    def program() -> None:
        raise StopTraining

    assert script.execute(program) == Ending(0, stopped=True)


def test_what_a_script_finds(capsys: pytest.CaptureFixture[str]) -> None:
    write("value = 7", "lib/helper.py")
    path = write(
        "import sys, helper, __main__\n"
        "class Thing: pass\n"
        "print(__name__, __file__, __package__, __spec__, __cached__, __doc__, helper.value)\n"
        "print(__main__.Thing is Thing, sys.modules[Thing.__module__] is __main__)\n",
        "lib/program.py",
    )
    assert script.execute(script.load(path)) == Ending(0)
    assert capsys.readouterr().out == f"__main__ {path.absolute()} None None None None 7\nTrue True\n"
    assert sys.path[0] == str(Path("lib").resolve())


def test_a_linked_script_imports_from_where_it_lies(capsys: pytest.CaptureFixture[str]) -> None:
    write("value = 7", "lib/helper.py")
    write("import helper; print(helper.value, __file__)", "lib/program.py")
    Path("link.py").symlink_to("lib/program.py")
    assert script.execute(script.load(Path("link.py"))) == Ending(0)
    assert capsys.readouterr().out == f"7 {Path('link.py').absolute()}\n"


def test_a_script_keeps_its_encoding_and_future(capsys: pytest.CaptureFixture[str]) -> None:
    Path("latin.py").write_bytes(b"# -*- coding: latin-1 -*-\nprint('\xfc')\n")
    assert script.execute(script.load(Path("latin.py"))) == Ending(0)
    assert capsys.readouterr().out == "ü\n"
    assert end("def f(x: undefined): ...") == Ending(1, "NameError: name 'undefined' is not defined")


def test_what_a_module_finds(capsys: pytest.CaptureFixture[str]) -> None:
    write("", "pack/__init__.py")
    write("value = 7", "pack/helper.py")
    write("import sys\nfrom .helper import value\nprint(__name__, __package__, sys.argv, value)", "pack/train.py")
    write("print('main of', __package__)", "pack/__main__.py")
    sys.path[0] = "/somewhere/bin"  # as the command `fallline` has it
    sys.argv = ["pack.train", "--lr", "1"]
    assert script.execute(script.load_module("pack.train")) == Ending(0)
    origin = str(Path("pack/train.py").resolve())
    assert capsys.readouterr().out == f"__main__ pack {[origin, '--lr', '1']} 7\n"
    assert script.execute(script.load_module("pack")) == Ending(0)
    assert capsys.readouterr().out == "main of pack\n"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: script.load(Path("none.py")), "cannot read none.py: No such file or directory"),
        (lambda: script.load(Path(".")), "cannot read .: Is a directory"),
        (lambda: script.load(write("x = = 1\n")), "program.py is not valid Python at line 1: invalid syntax"),
        (lambda: script.load(write("x = 1\0")), "program.py is not valid Python"),
        (lambda: script.load_module("no.such.module"), "cannot run module no.such.module: "),
        (lambda: script.load_module("os.path.nothing"), "cannot run module os.path.nothing: "),
    ],
)
def test_what_cannot_be_run(make: object, message: str) -> None:
    assert callable(make)
    with pytest.raises(ScriptError) as error:
        make()
    assert str(error.value).startswith(message)
    assert "\n" not in str(error.value)


# -- tracebacks ------------------------------------------------------------------------------------------------------

BACKWARD_FAILS = """
import torch
w = torch.ones(2, requires_grad=True)
def train():
    w.sum().backward(torch.ones(3))
try:
    train()
except RuntimeError as error:
    raise ValueError('training failed') from error
"""


def test_a_traceback_shows_only_the_program(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    from fallline.watch.session import Session

    with Session("test", tmp_path):
        assert end(BACKWARD_FAILS).error == "ValueError: training failed"
    shown = capsys.readouterr().err
    assert "fallline" not in shown.replace(str(tmp_path), "")
    assert shown.count("Traceback (most recent call last):") == 2
    with pytest.raises(ValueError, match="training failed") as plain:
        exec(compile(BACKWARD_FAILS, str(Path("program.py").absolute()), "exec"), {})
    expected = "".join(traceback.format_exception(plain.value))
    last = [line for line in expected.splitlines() if line.startswith(("  File", "RuntimeError", "ValueError"))]
    assert [line for line in shown.splitlines() if line.startswith(("  File", "RuntimeError", "ValueError"))] == [
        line for line in last if os.path.basename(__file__) not in line
    ]


def test_a_chain_of_errors_without_end_is_shown() -> None:
    text = "a, b = ValueError('a'), ValueError('b')\na.__context__, b.__context__ = b, a\nraise a"
    assert end(text).error == "ValueError: a"


def test_an_error_that_cannot_be_hashed_is_shown() -> None:
    text = "from dataclasses import dataclass\n@dataclass\nclass Own(Exception):\n    code: int\nraise Own(3)\n"
    assert end(text) == Ending(1, "Own: 3")


def test_the_programs_own_hook_for_errors_is_called(capsys: pytest.CaptureFixture[str]) -> None:
    ours = sys.excepthook
    try:
        ending = end("import sys\nsys.excepthook = lambda kind, error, trace: print('mine:', error)\n1 / 0")
    finally:
        sys.excepthook = ours
    assert ending.exit == 1
    assert capsys.readouterr() == ("mine: division by zero\n", "")


def test_a_program_may_close_its_output(monkeypatch: pytest.MonkeyPatch) -> None:
    with open(os.devnull, "w") as nowhere:
        monkeypatch.setattr(sys, "stdout", nowhere)
        assert end("import sys\nsys.stdout.close()\n1 / 0").exit == 1
