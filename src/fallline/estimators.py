"""Networks as scikit-learn estimators, for pipelines, grid searches and cross-validation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted, validate_data

from fallline import fitting
from fallline.descent.fit import Settings
from fallline.descent.saved import Origin
from fallline.fitting import Fitted
from fallline.objective.network import Description
from fallline.objective.task import Kind
from fallline.training import Request

FEW = 40  # examples below which none are kept back to stop in time

Array = NDArray[Any]


class _Network(BaseEstimator):  # type: ignore[misc]  # scikit-learn brings no types
    """What classifier and regressor share; the arguments are those of :func:`fallline.fit`.

    ``root``: folder in which each training leaves its record; None records nothing.
    """

    def __init__(
        self,
        hidden: tuple[int, ...] = (128, 128),
        activation: str = "relu",
        init: str = "default",
        normalise: str = "none",
        dropout: float = 0.0,
        factory: str | None = None,
        loss: str | None = None,
        optimizer: str = "adam",
        lr: float | None = None,
        options: dict[str, Any] | None = None,
        schedule: str | None = None,
        epochs: int | None = None,
        batch_size: int | None = None,
        validation: float = 0.15,
        patience: int | None = 20,
        clip: float | None = None,
        scale: bool = True,
        threads: int | None = None,
        root: str | None = None,
        random_state: Any = None,
    ) -> None:
        self.hidden = hidden
        self.activation = activation
        self.init = init
        self.normalise = normalise
        self.dropout = dropout
        self.factory = factory
        self.loss = loss
        self.optimizer = optimizer
        self.lr = lr
        self.options = options
        self.schedule = schedule
        self.epochs = epochs
        self.batch_size = batch_size
        self.validation = validation
        self.patience = patience
        self.clip = clip
        self.scale = scale
        self.threads = threads
        self.root = root
        self.random_state = random_state

    def _train(self, x: Array, y: Array, kind: Kind) -> None:
        seed = int(check_random_state(self.random_state).randint(2**31 - 1))
        described = Description(
            tuple(self.hidden), self.activation, self.init, normalise=self.normalise, dropout=self.dropout
        )
        settings = Settings(
            self.loss, self.optimizer, self.lr, dict(self.options or {}), self.schedule, self.epochs, self.batch_size,
            self.patience, self.clip, seed, self.threads,
        )  # fmt: skip
        held = self.validation if len(x) >= FEW else 0.0
        origin = Origin(factory=self.factory) if self.factory is not None else Origin(described)
        request = Request(None, None, kind, held, 0.0, self.scale, origin, settings)
        fitted = fitting.fit(request, (x, y), root=Path(self.root) if self.root is not None else None)
        self._keep(fitted)

    def _keep(self, fitted: Fitted) -> None:
        self.predictor_ = fitted.predictor
        self.predictor_.model.double()  # predictions do not depend on what else stands in the batch
        self.history_ = fitted.history
        self.n_iter_ = len(fitted.history)
        self.folder_ = str(fitted.folder) if fitted.folder is not None else None

    def _checked(self, x: Any) -> Array:
        check_is_fitted(self)
        found: Array = validate_data(self, x, reset=False)
        return found


class FalllineClassifier(ClassifierMixin, _Network):  # type: ignore[misc]
    """A network that predicts classes.

    Attributes:
        classes_: labels, shape (n_classes,).
        predictor_: the network with its preparation.
        history_: one entry for each epoch.
        folder_: of the record, where ``root`` was given.
    """

    def fit(self, X: Any, y: Any) -> FalllineClassifier:
        """Train on ``X`` of shape (n, features) and labels ``y`` of shape (n,)."""
        X, y = validate_data(self, X, y)
        check_classification_targets(y)
        self.classes_, places = np.unique(y, return_inverse=True)
        if len(self.classes_) < 2:
            raise ValueError(f"the labels hold one class, {self.classes_[0]!r}: a network needs at least two classes")
        self._train(X, places, "classes")
        return self

    def predict(self, X: Any) -> Array:
        """Labels, shape (n,)."""
        X = self._checked(X)
        found: Array = self.classes_[self.predictor_.predict_proba(X).argmax(axis=1)]
        return found

    def predict_proba(self, X: Any) -> Array:
        """Probability of each class, shape (n, n_classes)."""
        X = self._checked(X)
        return self.predictor_.predict_proba(X)


class FalllineRegressor(RegressorMixin, _Network):  # type: ignore[misc]
    """A network that predicts numbers.

    Attributes:
        predictor_: the network with its preparation.
        history_: one entry for each epoch.
        folder_: of the record, where ``root`` was given.
    """

    def fit(self, X: Any, y: Any) -> FalllineRegressor:
        """Train on ``X`` of shape (n, features) and numbers ``y`` of shape (n,) or (n, k)."""
        X, y = validate_data(self, X, y, multi_output=True, y_numeric=True)
        self._train(X, np.asarray(y, dtype=np.float64), "numbers")
        return self

    def predict(self, X: Any) -> Array:
        """Numbers in the target's own unit, shape (n,) or (n, k)."""
        X = self._checked(X)
        return self.predictor_.predict(X)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.single_output = True
        tags.target_tags.multi_output = True
        return tags
