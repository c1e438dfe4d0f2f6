"""The debugger for gradient descent."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.api import watch as watch

__version__ = "0.1.0"
__all__ = ["watch"]


def __getattr__(name: str) -> Any:
    """Load a verb when it is first used: ``import fallline`` itself loads neither PyTorch nor NumPy."""
    if name in __all__:
        return getattr(importlib.import_module("fallline.api"), name)
    raise AttributeError(f"module 'fallline' has no attribute {name!r}")
