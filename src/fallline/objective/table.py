"""Tables: read from a file, with the kind of every column found out."""

from __future__ import annotations

import csv
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np

from fallline.objective.mistake import InputError, listed, nearest

ColumnKind = Literal["number", "category", "date"]

PARSED = 0.9  # share of a text column that must read as numbers, or as dates, to be taken for that
CATEGORIES = 50  # most values of a column of text that get an input each; the rare ones share one
IDENTIFIER = 0.5  # a column of text with more different values than this share of the rows is no category
USUAL = ("target", "label", "class", "y")  # names that a target has where none is given
MISSING = ("?", "-", "none", "None")  # besides those pandas knows


@dataclass(frozen=True)
class Kinds:
    """The columns that are used, and what is said about the others."""

    columns: dict[str, ColumnKind]
    notes: tuple[str, ...]


def pandas() -> Any:
    """The module, or a sentence that says how to get it."""
    try:
        import pandas
    except ImportError as error:
        raise InputError("tables need pandas: pip install 'fallline[tables]'") from error
    return pandas


def read(path: Path) -> Any:
    """A CSV (or TSV) or Parquet file as a data frame.

    Raises:
        InputError: no such file, no table in it, an empty one, or two columns of one name.
    """
    if not path.is_file():
        raise InputError(f"there is no file {path}")
    try:
        frame = _read_parquet(path) if path.suffix.lower() in (".parquet", ".pq") else _read_csv(path)
    except InputError:
        raise
    except Exception as error:  # pandas and pyarrow raise a dozen kinds
        raise InputError(f"cannot read {path.name} as a table: {error}") from error
    return frame


def _read_csv(path: Path) -> Any:
    encoding = "utf-8-sig"
    try:
        with path.open(encoding=encoding, newline="") as file:
            lines = [file.readline() for _ in range(5)]
    except UnicodeDecodeError:
        encoding = "latin-1"
        with path.open(encoding=encoding, newline="") as file:
            lines = [file.readline() for _ in range(5)]
    if not lines[0].strip():
        raise InputError(f"{path.name} is empty: the first line must hold the names of the columns")
    delimiter = max(",;\t|", key=lines[0].count)
    check_names(next(csv.reader([lines[0]], delimiter=delimiter)), path.name)
    return pandas().read_csv(path, sep=delimiter, encoding=encoding, na_values=list(MISSING), skipinitialspace=True)


def _read_parquet(path: Path) -> Any:
    pandas()
    import pyarrow.parquet

    check_names(pyarrow.parquet.read_schema(path).names, path.name)
    return pyarrow.parquet.read_table(path).to_pandas()


def check_names(names: list[str], where: str) -> None:
    """Refuse a table with two columns of one name."""
    twice = [name for name, count in Counter(names).items() if count > 1]
    if twice:
        places = [str(place + 1) for place, name in enumerate(names) if name == twice[0]]
        raise InputError(
            f"{where} has {len(places)} columns named {twice[0]!r} (columns {', '.join(places)}): rename or remove them"
        )


def target_column(names: list[str], wanted: str | None) -> str:
    """The column to predict.

    Raises:
        InputError: it is not there, with the nearest name, or none was named and none has a usual name.
    """
    if wanted is None:
        usual = [name for name in names if str(name).lower() in USUAL]
        if len(usual) == 1:
            return usual[0]
        raise InputError(f"say which column to predict with --target; there are {listed(map(str, names))}")
    if wanted not in names:
        raise InputError(f"there is no column {wanted!r}{nearest(wanted, names)} (columns: {listed(names)})")
    return wanted


def targets(column: Any, name: str) -> tuple[Any, Any, list[str]]:
    """The target's values, which rows have one, and what to say about the others.

    Raises:
        InputError: no row has one.
    """
    kept = column.notna().to_numpy().copy()
    values = column.to_numpy()
    if column.dtype.kind in "fc":
        kept &= np.isfinite(values.astype(float))
    elif parsed := _as_numbers(column[kept]):
        numbers = np.full(len(column), np.nan)
        numbers[kept] = parsed[0]
        values, kept = numbers, np.isfinite(numbers)
    if not kept.any():
        raise InputError(f"no row has a value of {name!r} that is a finite number or a label")
    left = int((~kept).sum())
    notes = [f"{left} of {len(kept)} rows left out: their {name!r} is missing or not finite"] if left else []
    found = values[kept]
    if column.dtype.kind in "biuf" or values.dtype.kind == "f":
        found = found.astype(column.dtype if column.dtype.kind in "bi" else float)
    else:
        found = np.array([str(value) for value in found])
    return found, kept, notes


def kinds(frame: Any) -> Kinds:
    """Find out what each column of a table holds."""
    columns: dict[str, ColumnKind] = {}
    notes: list[str] = []
    constant: list[str] = []
    for name in frame.columns:
        column = frame[name]
        present = column.dropna()
        if _counts_rows(column) and (str(name).startswith("Unnamed: ") or column.iloc[0] in (0, 1)):
            notes.append(f"column {name!r} left out: it counts the rows")
        elif present.nunique() < 2 and (len(present) in (0, len(column))):
            constant.append(str(name))
        else:
            kind, note = _kind(str(name), column, present)
            if kind is not None:
                columns[name] = kind
            notes += [note] if note else []
    if constant:
        which = listed(constant, 6)
        notes.append(f"{len(constant)} column{'s' * (len(constant) > 1)} left out, the same in every row: {which}")
    return Kinds(columns, tuple(notes))


def _kind(name: str, column: Any, present: Any) -> tuple[ColumnKind | None, str]:
    """The kind of a column, None where it is left out, and what to say about it."""
    api = pandas().api.types
    if api.is_datetime64_any_dtype(column.dtype):
        return "date", ""
    if api.is_bool_dtype(column.dtype) or api.is_numeric_dtype(column.dtype):
        return "number", _infinite(name, present)
    return _kind_of_text(name, present)


def _kind_of_text(name: str, present: Any) -> tuple[ColumnKind | None, str]:
    if parsed := _as_numbers(present):
        unread = int(np.isnan(parsed[0]).sum())
        note = f"column {name!r} read as numbers; {unread} texts in it count as missing" if unread else ""
        return "number", note
    if _reads_as_dates(present):
        return "date", f"column {name!r} read as dates"
    different = present.nunique()
    if different > CATEGORIES and different > IDENTIFIER * len(present):
        return None, f"column {name!r} left out: text with {different} different values in {len(present)} rows"
    if different > CATEGORIES:
        return (
            "category",
            f"column {name!r}: {different} different texts; all but the {CATEGORIES - 1} most frequent share one",
        )
    return "category", ""


def _counts_rows(column: Any) -> bool:
    return bool(column.dtype.kind in "iu" and (column.diff().iloc[1:] == 1).all())


def _infinite(name: str, present: Any) -> str:
    count = int(np.isinf(present.to_numpy(dtype=float)).sum())
    return f"column {name!r}: {count} infinite value{'s' * (count > 1)} count as missing" if count else ""


def _as_numbers(present: Any) -> tuple[Any] | None:
    """The texts as numbers, NaN where they are none; None unless nearly all are (and where it is not text)."""
    if present.dtype.kind in "biufM" or not len(present):
        return None
    parsed = pandas().to_numeric(present.astype(str).str.strip(), errors="coerce").to_numpy(dtype=float)
    return (parsed,) if np.isfinite(parsed).mean() >= PARSED else None


def numbers(column: Any) -> Any:
    """A column as floats (n,), NaN where missing, infinite or no number."""
    if column.dtype.kind not in "biuf":
        column = pandas().to_numeric(column.astype(object).where(column.notna(), None), errors="coerce")
    values = column.to_numpy(dtype=np.float64, na_value=np.nan).copy()
    values[~np.isfinite(values)] = np.nan
    return values


def dates(column: Any) -> Any:
    """A column as dates in universal time, NaT where missing or no date."""
    return pandas().to_datetime(column, errors="coerce", utc=True, format="mixed")


def texts(column: Any, missing: str) -> Any:
    """A column as an array of str (n,)."""
    return np.array([missing if lost else str(value) for value, lost in zip(column, column.isna(), strict=True)])


def _reads_as_dates(present: Any) -> bool:
    some = present.astype(str).head(200)
    looks = some.str.contains(r"\d[-/.:]\d|\d \w{3,}|\w{3,} \d", regex=True) & (some.str.len() >= 6)
    if not len(some) or looks.mean() < PARSED:
        return False
    return bool(dates(some).notna().mean() >= PARSED)
