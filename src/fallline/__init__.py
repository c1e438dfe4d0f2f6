"""The debugger for gradient descent."""

from __future__ import annotations

import importlib
import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fallline.api import backprop as backprop
    from fallline.api import check as check
    from fallline.api import fit as fit
    from fallline.api import load as load
    from fallline.api import minimize as minimize
    from fallline.api import watch as watch
    from fallline.estimators import FalllineClassifier as FalllineClassifier
    from fallline.estimators import FalllineRegressor as FalllineRegressor
    from fallline.objective.network import Description as Description

__version__ = "0.1.0"
__all__ = [
    "Description", "FalllineClassifier", "FalllineRegressor", "backprop", "check", "fit", "load", "minimize", "watch",
]  # fmt: skip
_HOME = {"Description": "objective.network", "FalllineClassifier": "estimators", "FalllineRegressor": "estimators"}


def __getattr__(name: str) -> Any:
    """Load a verb when it is first used: ``import fallline`` itself loads neither PyTorch nor NumPy."""
    if name in __all__:
        return getattr(importlib.import_module(f"fallline.{_HOME.get(name, 'api')}"), name)
    raise AttributeError(f"module 'fallline' has no attribute {name!r}")


class _Package(ModuleType):
    """Keeps ``fallline.watch`` the verb: an import of the folder of that name would put the module in its place."""

    def __setattr__(self, name: str, value: Any) -> None:
        if not (name in __all__ and isinstance(value, ModuleType)):
            super().__setattr__(name, value)


sys.modules[__name__].__class__ = _Package
