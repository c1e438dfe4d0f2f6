"""Whether a program leaves anything behind besides what it prints."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch

WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
CHANGES = frozenset(  # of files, by the names of Python's audit events; their first argument is a path
    {
        "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate", "shutil.copyfile",
        "shutil.move", "sqlite3.connect",
    }
)  # fmt: skip
OTHERS = frozenset(  # what may change anything
    {"subprocess.Popen", "os.system", "os.exec", "os.posix_spawn", "socket.connect", "socket.sendto", "socket.bind"}
)
MOST = 5000  # files whose times are looked at


def watch(note: Path, own: Iterable[Path]) -> None:
    """From now on make the file ``note`` as soon as this process, or one that it forks, acts on the world.

    Told by Python's audit events, and by the writer of ``torch.save``; other native code is not seen (for that there is
    :func:`snapshot`). What happens under ``own`` does not count, nor do the caches of imported modules.
    """
    roots = tuple(str(path.absolute()) + os.sep for path in (*own, note.parent))
    told = False

    def act(path: Any) -> None:
        nonlocal told
        where = os.path.abspath(os.fsdecode(path)) if isinstance(path, (str, bytes, os.PathLike)) else ""
        if told or where == os.devnull or "__pycache__" in where or f"{where}{os.sep}".startswith(roots):
            return
        told = True  # before the file is made: that is an event, too
        note.touch()

    def hear(event: str, args: tuple[Any, ...]) -> None:
        if event == "open":
            path, mode, flags = args
            if not isinstance(path, int) and (flags & WRITING if mode is None else set(mode) & set("wax+")):
                act(path)
        elif event in CHANGES:
            act(args[0])
        elif event in OTHERS:
            act(None)

    sys.addaudithook(hear)
    writer = torch.serialization._open_zipfile_writer_file
    make = writer.__init__

    def made(self: Any, name: Any, *args: Any, **kwargs: Any) -> None:
        act(name)
        make(self, name, *args, **kwargs)

    writer.__init__ = made  # type: ignore[method-assign]


def snapshot(folders: Iterable[Path], own: Path) -> dict[str, tuple[int, int]] | None:
    """Time and size of every file in some folders, except those under ``own``; None where there are too many."""
    seen: dict[str, tuple[int, int]] = {}
    for folder in folders:
        for parent, names, files in os.walk(folder):
            names[:] = [n for n in names if n != "__pycache__" and Path(parent, n).absolute() != own.absolute()]
            for file in files:
                try:
                    status = os.stat(os.path.join(parent, file))
                except OSError:  # it is gone again
                    continue
                seen[os.path.join(parent, file)] = status.st_mtime_ns, status.st_size
            if len(seen) > MOST:
                return None
    return seen
