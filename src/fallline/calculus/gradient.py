"""The gradient of a function at a point: as formulas, as numbers, and read in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import sympy
import torch
from numpy.typing import NDArray

from fallline.objective.function import Objective

SILENT = 1e-12  # a component below this share of the largest does not move its parameter


@dataclass(frozen=True)
class Gradient:
    """The gradient of a function at a point."""

    variables: tuple[str, ...]
    point: NDArray[np.float64]  # (n,)
    value: float  # of the function
    gradient: NDArray[np.float64]  # (n,)
    formulas: tuple[str, ...] | None  # one partial derivative a variable; None where there is no formula

    @property
    def magnitude(self) -> float:
        """Steepness: how fast the function rises in the direction of the gradient."""
        return float(np.linalg.norm(self.gradient))

    @property
    def words(self) -> tuple[str, ...]:
        """What the gradient says, a sentence a variable."""
        return read(self.variables, self.gradient)


def gradient(objective: Objective, x: Sequence[float]) -> Gradient:
    """The gradient at ``x`` ``(n,)``.

    >>> from fallline.objective.expression import parse
    >>> from fallline.objective.function import from_formula
    >>> at = gradient(from_formula(parse("2x^2")), [1.0])
    >>> at.formulas, at.value, float(at.gradient[0])
    (('4·x',), 2.0, 4.0)
    """
    point = torch.as_tensor(x, dtype=torch.float64).reshape(1, -1)
    value, slope = objective.slope(point)
    return Gradient(
        objective.variables, point[0].numpy(), float(value[0]), slope[0].double().numpy(), formulas(objective)
    )  # fmt: skip


def formulas(objective: Objective) -> tuple[str, ...] | None:
    """The partial derivatives as text."""
    if objective.formula is None:
        return None
    return tuple(text(slope) for slope in objective.formula.gradient)


def text(expression: object) -> str:
    """A SymPy expression as a person writes it."""
    return str(sympy.sstr(expression)).replace("**", "^").replace("*", "·")


def read(variables: Sequence[str], slopes: Sequence[float] | NDArray[np.float64]) -> tuple[str, ...]:
    """What each component says about the next step of gradient descent.

    >>> for line in read(["b1", "b2", "b3"], [0.45, -0.3, 0.0]):
    ...     print(line)
    b1 decreases: its slope is 0.45; the largest step.
    b2 increases: its slope is −0.3; a step 0.667 times that of b1.
    b3 stays: its slope is 0, a small change of it does not change the value.
    """
    sizes = np.abs(np.asarray(slopes, dtype=float))
    largest = int(sizes.argmax())
    ties = [name for name, size in zip(variables, sizes, strict=True) if size == sizes[largest]]
    said = []
    for name, slope in zip(variables, slopes, strict=True):
        shown = f"{slope:.6g}".replace("-", "−")
        if abs(slope) <= SILENT * sizes[largest]:
            said.append(f"{name} stays: its slope is {shown}, a small change of it does not change the value.")
            continue
        way = "decreases" if slope > 0 else "increases"
        share = abs(slope) / sizes[largest]
        size = f"a step {share:.3g} times that of {variables[largest]}"
        if name in ties:
            size = "the largest step" if len(ties) == 1 else "a step as large as any"
        said.append(
            f"{name} {way}: its slope is {shown}; {size}." if len(sizes) > 1 else f"{name} {way}: its slope is {shown}."
        )
    return tuple(said)
