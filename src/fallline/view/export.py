"""A record as text files for other tools: JSON lines or CSV, one file a table."""

from __future__ import annotations

import csv
import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from fallline.record.run import Run
from fallline.record.schema import TABLES, columns
from fallline.record.store import FILE


def export(run: Run, form: str, folder: Path) -> list[Path]:
    """Write every table of a run as ``<table>.jsonl`` or ``<table>.csv`` into ``folder``; the files written."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for table in TABLES:
        path = folder / f"{table}.{form}"
        with path.open("w", newline="", encoding="utf-8") as file:
            if form == "csv":
                writer = csv.writer(file)
                writer.writerow(columns(table))
                writer.writerows(_rows(run, table))
            else:
                for row in _rows(run, table):
                    file.write(json.dumps(dict(zip(columns(table), row, strict=True))) + "\n")
        written.append(path)
    return written


def _rows(run: Run, table: str) -> Iterator[tuple[Any, ...]]:
    db = sqlite3.connect(f"file:{run.folder / FILE}?mode=ro", uri=True)
    try:
        yield from db.execute(f"SELECT {', '.join(columns(table))} FROM {table} ORDER BY rowid")
    finally:
        db.close()
