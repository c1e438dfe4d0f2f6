"""Which layers a remedy may touch, read off the record."""

from __future__ import annotations

from fallline.record.run import Layer, Run


def hidden(run: Run) -> list[Layer]:
    """Linear and convolution layers that feed another layer, outside recurrences."""
    return [
        layer for layer in run.layers if layer.kind in ("linear", "conv") and not layer.output and not layer.recurrent
    ]


def weight(run: Run, layer: Layer) -> str:
    """Name of the layer's weight."""
    return next(p.name for p in run.parameters if p.id == layer.parameter)


def bias(run: Run, layer: Layer) -> str | None:
    """Name of the layer's bias, where it has one."""
    name = weight(run, layer)
    wanted = name.removesuffix("weight") + "bias" if name.endswith("weight") else None
    return wanted if any(p.name == wanted for p in run.parameters) else None


def attribute(model: str, name: str) -> str:
    """How a parameter is written: ``model.features[0].weight``."""
    return model + "".join(f"[{part}]" if part.isdigit() else f".{part}" for part in name.split("."))


def listed(names: list[str], most: int = 6) -> str:
    """Names for a sentence."""
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")
