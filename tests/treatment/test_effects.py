"""What a program leaves behind besides its output; each in a process of its own, since an audit hook stays for ever."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from fallline.treatment import effects

BEGIN = """
import os, subprocess, sys, tempfile
from pathlib import Path
import torch
from fallline.treatment import effects
own = Path("own").absolute()
effects.watch(Path(sys.argv[1]), [own])
"""
DEEDS = {
    "a file": "open('out.txt', 'w').write('x')",
    "a file that is appended to": "Path('there.txt').open('a').write('x')",
    "a file through the system": "os.close(os.open('out.txt', os.O_WRONLY | os.O_CREAT))",
    "weights": "torch.save(torch.ones(2), 'weights.pt')",
    "a folder": "os.mkdir('folder')",
    "a file that is gone": "os.remove('there.txt')",
    "another program": "subprocess.run(['true'])",
    "a worker": "child = os.fork()\nif not child:\n    open('out.txt', 'w')\n    os._exit(0)\nos.waitpid(child, 0)",
    "a file elsewhere": "tempfile.NamedTemporaryFile()",
}
NONE = {
    "output": "print('x')",
    "a file that is read": "open('there.txt').read()",
    "weights that are read": "torch.load('weights_there.pt')",
    "its own record": "(own / 'record.txt').write_text('x'); torch.save(1, own / 'batch.pt')",
    "nowhere": "open(os.devnull, 'w').write('x')",
    "memory": "import io; torch.save(torch.ones(2), io.BytesIO())",
    "a module": "import colorsys",
}


def acted(folder: Path, deed: str) -> bool:
    import torch

    (folder / "own").mkdir()
    (folder / "notes").mkdir()
    (folder / "there.txt").write_text("x")
    torch.save(torch.ones(2), folder / "weights_there.pt")
    note = folder / "notes" / "note"
    subprocess.run([sys.executable, "-c", BEGIN + deed, str(note)], cwd=folder, check=True, capture_output=True)
    return note.exists()


@pytest.mark.parametrize("deed", DEEDS)
def test_what_acts_is_noted(tmp_path: Path, deed: str) -> None:
    assert acted(tmp_path, DEEDS[deed])


@pytest.mark.parametrize("deed", NONE)
def test_what_only_prints_or_reads_is_not(tmp_path: Path, deed: str) -> None:
    assert not acted(tmp_path, NONE[deed])


def test_a_snapshot_shows_what_native_code_wrote(tmp_path: Path) -> None:
    runs = tmp_path / "runs"
    runs.mkdir()
    (tmp_path / "a").write_text("1")
    before = effects.snapshot([tmp_path], runs)
    (runs / "record").write_text("x")
    assert effects.snapshot([tmp_path], runs) == before
    (tmp_path / "a").write_text("12")
    assert effects.snapshot([tmp_path], runs) != before


def test_too_many_files_are_not_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(effects, "MOST", 2)
    for name in "abc":
        (tmp_path / name).touch()
    assert effects.snapshot([tmp_path], tmp_path / "runs") is None
