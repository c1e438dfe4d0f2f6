"""Every picture is drawn, as PNG, and shows what it says."""

from __future__ import annotations

from typing import Any

import pytest

import fallline

pytest.importorskip("matplotlib")
minimize: Any = fallline.minimize


@pytest.mark.parametrize(
    ("name", "kind", "panels"),
    [
        ("parabola", None, 1),
        ("valley", None, 1),
        ("valley", "surface", 1),
        ("valley", "history", 3),
        ("two-wells", None, 3),
        ("powell-singular", None, 3),
    ],
)
def test_pictures(name: str, kind: str | None, panels: int) -> None:
    from fallline.view.figures.descent import png

    drawn = minimize(name, max_iter=50).plot(kind)
    assert len(drawn.axes) == panels
    assert png(drawn).startswith(b"\x89PNG")


def test_maps(monkeypatch: pytest.MonkeyPatch) -> None:
    from fallline.view.figures import maps

    monkeypatch.setattr(maps, "STARTS", 12)
    monkeypatch.setattr(maps, "RATES", 12)
    monkeypatch.setattr(maps, "MOMENTA", 10)
    r = minimize("himmelblau", lr=0.01)
    assert len(r.plot("basins").axes) == 1
    assert len(r.plot("phase").axes) == 2


def test_basins_by_a_rate_with_which_a_descent_arrives(monkeypatch: pytest.MonkeyPatch) -> None:
    from fallline.view.figures import maps

    monkeypatch.setattr(maps, "STARTS", 12)
    drawn = minimize("two-wells", [1.0, 0.0]).plot("basins")  # with 1 / L of the saddle the steps swing without end
    assert "0.25; with 0.5 none arrives" in drawn.axes[0].get_title(loc="left")
    assert {text.get_text() for text in drawn.legends[0].get_texts()} >= {"(0, 1.41)", "(0, −1.41)"}


def test_a_gradient_of_exactly_zero_is_drawn() -> None:
    length = minimize("two-wells", [1.0, 0.0]).plot("history").axes[1]
    assert list(length.get_lines()[0].get_ydata()) == [2.0, 0.0]
    assert length.get_yscale() == "symlog"


def test_in_a_notebook() -> None:
    r = minimize("parabola", lr=0.1)
    assert r._repr_png_().startswith(b"\x89PNG")
    assert "minimum" in r._repr_html_()
    assert "data:image/png" in r._repr_html_()


@pytest.mark.parametrize(
    ("name", "kind", "what"), [("parabola", "contour", "2 variables"), ("valley", "pie", "is one of")]
)
def test_pictures_that_do_not_fit(name: str, kind: str, what: str) -> None:
    with pytest.raises(ValueError, match=what):
        minimize(name).plot(kind)
