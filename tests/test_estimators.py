from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.datasets import load_iris, make_regression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from fallline import FalllineClassifier, FalllineRegressor
from fallline.record.run import read


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks([FalllineClassifier(epochs=60), FalllineRegressor(epochs=60)])
def test_scikit_learns_own_checks(estimator: Any, check: Any) -> None:
    check(estimator)


def test_labels_of_any_kind_are_predicted_and_pickled() -> None:
    x, y = load_iris(return_X_y=True)
    names = np.array(["setosa", "versicolor", "virginica"])[y]
    model = FalllineClassifier((16,), lr=0.01, epochs=40, random_state=0).fit(x, names)
    assert model.score(x, names) > 0.9
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.predict(x), model.predict(x))
    np.testing.assert_allclose(model.predict_proba(x).sum(axis=1), 1)


def test_in_a_pipeline_and_a_search(tmp_path: Path) -> None:
    x, y = make_regression(80, 4, random_state=0)
    network = FalllineRegressor((8,), epochs=30, random_state=0, root=str(tmp_path))
    search = GridSearchCV(make_pipeline(StandardScaler(), network), {"falllineregressor__lr": [1e-5, 1e-2]}, cv=2).fit(
        x, y
    )
    assert search.best_params_ == {"falllineregressor__lr": 1e-2}
    assert len(list(tmp_path.iterdir())) == 5  # two rates, two parts, and the best again
    assert len(read(search.best_estimator_[-1].folder_).steps) > 0
    assert clone(network).get_params() == network.get_params()


def test_several_numbers() -> None:
    x, y = make_regression(80, 4, n_targets=2, random_state=0)
    model = FalllineRegressor((16,), lr=0.01, epochs=60, random_state=0).fit(x, y)
    assert model.predict(x).shape == (80, 2)
    assert model.score(x, y) > 0.8
