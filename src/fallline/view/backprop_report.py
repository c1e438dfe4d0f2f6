"""A backpropagation trace for a person and for other programs."""

from __future__ import annotations

import html
import io
import math
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, TextIO

from rich.console import Console, Group, RenderableType
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from fallline.calculus.backprop import Input, LayerFactor, Leaf, Spread, Step, Trace, Verification
from fallline.calculus.local import Local
from fallline.diagnosis.finding import text
from fallline.view import backprop_hand

SCHEMA = 1
MOST_STEPS = 60  # operations listed unless all are asked for
MOST_LEAVES = 12  # parameters read one by one


@dataclass(frozen=True)
class Backprop:
    """A backward pass, operation by operation, with what can be shown of it."""

    trace: Trace

    @property
    def steps(self) -> tuple[Step, ...]:
        """Every operation, from the loss back to the inputs."""
        return self.trace.steps

    @property
    def layers(self) -> tuple[LayerFactor, ...]:
        """What each layer's activation and weights contribute, from the first layer to the last."""
        return self.trace.layers

    def as_json(self) -> dict[str, Any]:
        """All numbers, as plain values that JSON can hold."""
        return as_json(self.trace)

    def table(self, everything: bool = True) -> str:
        """The trace as text for a terminal, with the calculation by hand where the numbers are few."""
        return render(self.trace, everything)

    def by_hand(self) -> str:
        """The whole calculation with every number; empty where there are too many."""
        return backprop_hand.calculation(self.trace)

    def save(self, path: str | Path) -> None:
        """Draw the graph into a file; its ending chooses the format (svg, png, pdf)."""
        from fallline.view import backprop_picture

        backprop_picture.save(self.trace, Path(path))

    def __str__(self) -> str:
        return self.table(everything=False)

    def _repr_html_(self) -> str:
        return f'<pre style="line-height:1.35">{html.escape(self.table())}</pre>'


def as_json(trace: Trace) -> dict[str, Any]:
    """A trace as plain values; numbers that JSON cannot hold become text."""
    checked = trace.verification
    data = {"schema": SCHEMA, **asdict(trace), "total": trace.total, "product": trace.product}
    data["residual"] = trace.residual
    if checked is not None:
        data["verification"] |= {"largest": checked.largest, "worst": checked.worst}
    return dict(_plain(data))


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return str(value)
    return value


def render(trace: Trace, everything: bool = False, width: int = 100) -> str:
    """The report as plain text."""
    console = Console(file=io.StringIO(), width=width, color_system=None, highlight=False)
    console.print(report(trace, everything))
    return str(console.file.getvalue())  # type: ignore[attr-defined]


def show(trace: Trace, name: str, everything: bool, file: TextIO | None = None) -> None:
    """Print the report to ``file`` (standard error unless given)."""
    console = Console(file=file, stderr=file is None, highlight=False)
    console.width = min(console.width, 120) if console.is_terminal else 100
    console.print(Text(f"\n{name} · its first backward pass", style="bold"))
    console.print(report(trace, everything))


def report(trace: Trace, everything: bool) -> RenderableType:
    """The whole report, as Rich renders it."""
    count = len(trace.steps)
    parts: list[RenderableType] = [Text(f"loss {_number(trace.loss)} · {count} operations back to the inputs")]
    if len(trace.layers) > 1:
        parts += [Text(), Text("Layers, from the loss to the input", style="bold"), _layers(trace)]
    parts += [Text(), Text("Operations, from the loss to the input", style="bold"), _steps(trace, everything)]
    if calculation := backprop_hand.calculation(trace):
        parts += [Text(), Text("By hand", style="bold"), Padding(Text(calculation), (0, 0, 0, 2))]
    parts += [Text(), Text("The gradient", style="bold"), Padding(Text("\n".join(_reading(trace))), (0, 0, 0, 2))]
    if trace.residual is not None:
        within = f"to within {text(trace.residual)}" if trace.residual else "exactly"
        parts.append(Text(f"\nlocal derivative × came in = went out, {within}, at every step"))
    if trace.verification is not None:
        parts.append(Text(_verified(trace.verification)))
    parts += [Text(f"note: {note}", style="yellow") for note in trace.notes]
    return Group(*parts)


def _layers(trace: Trace) -> RenderableType:
    grid = Table(box=None, padding=(0, 1), header_style="dim")
    for title in ("layer", "‖∂L/∂output‖", "× activation", "× weights", "× between"):
        grid.add_column(title, justify="left" if title == "layer" else "right")
    for layer in reversed(trace.layers):
        slope = "" if layer.activation is None else f"{layer.activation_name} {text(layer.activation)}"
        grid.add_row(
            layer.name or layer.kind, text(layer.signal), slope, _factor(layer.weights), _factor(layer.between)
        )
    factors = len(trace.layers) - 1
    total, product = trace.total or 0.0, trace.product or 0.0
    said = f"product of all factors {text(product)}; measured, first layer / last layer: {text(total)}"
    if total > 0 and math.isfinite(total):
        said += f", ×{text(total ** (1 / factors))} a layer"
    return Group(grid, Text(f" {said}"))


def _factor(value: float | None) -> str:
    return "" if value is None else text(value)


def _steps(trace: Trace, everything: bool) -> RenderableType:
    shown = trace.steps if everything else trace.steps[:MOST_STEPS]
    lines = [line for step in shown for line in _lines(step)]
    if hidden := len(trace.steps) - len(shown):
        lines.append(f"… and {hidden} more (--all shows them)")
    return Text("\n".join(lines))


def _lines(step: Step) -> list[str]:
    """One operation: its output and the gradient that came in, then a line for each way on."""
    torch_name = step.operation.rstrip("0123456789").removesuffix("Backward")
    title = step.name if step.name.lower() == torch_name.lower() else f"{step.name} ({torch_name})"
    layer = f" · {step.layer}" if step.layer else ""
    lines = [f"{step.index:>3}  {title}{layer}"]
    for output in step.outputs:
        if output.gradient is not None:
            value = _spread(output.value) if output.value is not None else "not seen"
            lines.append(f"     value {value}   came in {_gradient(output.gradient)}")
    return lines + [f"     {_way(step, given)}" for given in step.inputs]


def _way(step: Step, given: Input) -> str:
    target = given.name if given.source is None else str(given.source)
    if given.gradient is None:
        return f"→ {target:<12} nothing"
    moved = step.role == "view" and given.local is not None and given.local.norm == 1
    slope = "moved about" if moved else local(given.local)
    return f"→ {target:<12} {slope:<28} went out {_gradient(given.gradient)}  ×{text(given.ratio or 0.0)}"


def local(found: Local | None) -> str:
    """A local derivative in a few characters."""
    if found is None or found.kind == "unread":
        return "" if found is None else f"unread: {found.reason}"
    numbers = _every_number(found)
    if numbers:
        return numbers
    if found.kind == "elementwise":
        low, high = found.min or 0.0, found.max or 0.0
        return (
            f"mean {text(found.mean or 0.0)}, {text(low)} to {text(high)}" if low < high else f"{text(low)} everywhere"
        )
    if found.norm is None:
        return "unread: not finite"
    return f"gain {text(found.norm)} in one direction" if found.reason else f"norm {text(found.norm)}"


def _every_number(found: Local) -> str:
    if found.diagonal is not None:
        return _list(found.diagonal)
    if found.matrix is not None and len(found.matrix) == 1:
        return _list(found.matrix[0])
    if found.matrix is not None and len(found.matrix) * len(found.matrix[0]) <= 4:
        return "[" + ", ".join(_list(row) for row in found.matrix) + "]"
    return ""


def _spread(found: Spread) -> str:
    if found.values is not None:
        return _list(found.values)
    shape = "×".join(map(str, found.shape))
    return f"{shape}: {text(found.mean)} ± {text(found.std)}, {text(found.min)} to {text(found.max)}"


def _gradient(found: Spread | None) -> str:
    if found is None:
        return ""
    return _list(found.values) if found.values is not None else f"‖·‖ {text(found.norm)}"


def _list(values: tuple[float, ...]) -> str:
    return text(values[0]) if len(values) == 1 else "[" + ", ".join(text(v) for v in values) + "]"


def _number(value: float) -> str:
    return f"{value:.6g}"


def _verified(found: Verification) -> str:
    parts = []
    told = [c for c in found.checks if c.error is not None]
    if found.largest is not None:
        parts.append(
            f"verified: {len(told)} gradients against central differences in float64, "
            f"largest relative error {text(found.largest)} ({found.worst})"
        )
    for reason in sorted({c.reason for c in found.checks if c.error is None}):
        parts.append(f"not verified: {sum(c.reason == reason for c in found.checks)} gradients, {reason}")
    parts += [f"not verified: {reason}" for reason in found.left_out]
    return "\n".join(parts or ["not verified: there is no gradient to check"])


# -- reading the gradient ---------------------------------------------------------------------------------------------


def _reading(trace: Trace) -> list[str]:
    """Which way the next step of gradient descent moves each parameter, and which moves farthest."""
    numbers = list(_numbers(trace))
    if not numbers or len(numbers) > MOST_LEAVES:
        leaves = sorted(trace.leaves, key=lambda leaf: -(leaf.gradient.norm if leaf.gradient else -1.0))
        lines = [_line(leaf) for leaf in leaves[:MOST_LEAVES]]
        hidden = len(leaves) - len(lines)
        return lines + [f"… and {hidden} with a smaller gradient"] * bool(hidden)
    largest = max(abs(g) for _, g in numbers)
    lines = []
    for name, g in sorted(numbers, key=lambda item: -abs(item[1])):
        if g == 0:
            lines.append(f"{name}: 0. It stays: to first order the loss does not change with it.")
            continue
        share = "the largest step" if abs(g) == largest else f"{text(abs(g) / largest)} of the largest step"
        way = "decreases" if g > 0 else "increases"
        lines.append(f"{name}: {_number(g)}. The next step of gradient descent {way} it, by {share}.")
    size = math.sqrt(sum(g * g for _, g in numbers))
    return [*lines, f"Its magnitude is {_number(size)}, the steepness of the loss here."]


def _numbers(trace: Trace) -> list[tuple[str, float]]:
    found: list[tuple[str, float]] = []
    for leaf in trace.leaves:
        if leaf.gradient is None or leaf.gradient.values is None:
            return []
        names = backprop_hand.elements(leaf.name, leaf.value.shape)
        found += zip(names, leaf.gradient.values, strict=True)
    return found


def _line(leaf: Leaf) -> str:
    shape = "×".join(map(str, leaf.value.shape)) or "a number"
    if leaf.gradient is None:
        return f"{leaf.name} ({shape}): none, the loss does not depend on it"
    return f"{leaf.name} ({shape}): ‖·‖ {text(leaf.gradient.norm)}, of a weight of ‖·‖ {text(leaf.value.norm)}"
