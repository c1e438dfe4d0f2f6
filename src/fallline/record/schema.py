"""The tables of a run's file. A change of a table raises ``SCHEMA``; readers refuse what is newer than they are."""

from __future__ import annotations

SCHEMA = 1

TABLES: dict[str, tuple[str, ...]] = {
    "meta": ("key TEXT PRIMARY KEY", "value TEXT"),  # value: JSON
    "models": ("id INTEGER", "name TEXT", "class TEXT", "parameters INTEGER"),
    # A layer is a weight with the operation that uses it; the ids follow the order of first use.
    "layers": (
        "id INTEGER", "name TEXT", "kind TEXT", "parameter INTEGER", "units INTEGER", "fan_in INTEGER",
        "activation TEXT", "ops TEXT", "sources TEXT", "weight_variance REAL", "output INTEGER", "recurrent INTEGER",
    ),
    "parameters": (
        "id INTEGER", "name TEXT", "model TEXT", "numel INTEGER", "ndim INTEGER", "registered INTEGER",
        "trainable INTEGER",
    ),
    "optimizers": ("id INTEGER", "class TEXT", "settings TEXT", "parameters TEXT", "name TEXT"),
    # One row a parameter update; optimizer 0 is an update written by hand.
    "steps": (
        "step INTEGER", "optimizer INTEGER", "loss REAL", "lr REAL", "backwards INTEGER", "time REAL",
    ),
    "layer_stats": (
        "step INTEGER", "optimizer INTEGER", "layer INTEGER", "calls INTEGER", "in_rms REAL", "in_spread REAL",
        "grad_out REAL", "grad_in REAL", "grad_first REAL", "grad_last REAL", "slope REAL", "flat REAL",
        "dead REAL", "dead_window REAL",
    ),
    "parameter_stats": (
        "step INTEGER", "optimizer INTEGER", "parameter INTEGER", "grad REAL", "weight REAL", "update_norm REAL",
        "displacement REAL", "twins REAL",
    ),
    "losses": ("step INTEGER", "optimizer INTEGER", "detail TEXT"),  # detail: JSON, what the loss compared
    "events": ("step INTEGER", "kind TEXT", "detail TEXT"),
    "findings": ("position INTEGER", "detail TEXT"),
    "trials": ("position INTEGER", "detail TEXT"),
}  # fmt: skip


def columns(table: str) -> tuple[str, ...]:
    """Column names of a table."""
    return tuple(column.split()[0] for column in TABLES[table])
