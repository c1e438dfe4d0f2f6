"""Named functions with known answers: their minima, and where they have them, saddles and maxima."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from fallline.objective.expression import parse
from fallline.objective.function import Known, Objective, from_formula

Points = tuple[tuple[float, ...], ...]

MGH = "Moré, Garbow and Hillstrom (1981), ACM TOMS 7(1)"
SFU = "Surjanovic and Bingham, Virtual library of simulation experiments"
GO = "Gavana, Global optimization benchmarks; values as in scipy's benchmarks"
FIRST = "first course on gradient descent"


@dataclass(frozen=True)
class Named:
    """A function that can be called by its name."""

    name: str
    text: str
    start: tuple[float, ...]  # the customary one
    says: str  # what it is good for
    source: str
    minima: tuple[Known, ...] = ()  # global ones; () where it has none
    local: tuple[Known, ...] = ()  # minima that are not global
    saddles: Points = ()
    maxima: Points = ()

    def objective(self) -> Objective:
        """The function, compiled."""
        return from_formula(parse(self.text), self.name, self.minima)


def _at(fun: float, *points: tuple[float, ...]) -> tuple[Known, ...]:
    return tuple(Known(point, fun) for point in points)


def _rosenbrock(n: int) -> str:
    return " + ".join(f"100(x{i + 1}-x{i}^2)^2 + (1-x{i})^2" for i in range(1, n))


ROOT, ROOT5 = 2**0.5, 5**0.5
PI = 3.141592653589793

NAMED: tuple[Named, ...] = (
    Named("parabola", "x^2", (5,), "one variable; with rate 0.1: 5 → 4 → 3.2", FIRST, _at(0, (0,))),
    Named("bowl", "w1^2 + w2^2", (5, -4), "the round bowl: gradient (10, −8) at (5, −4)", FIRST, _at(0, (0, 0))),
    Named("valley", "x^2 + 50y^2", (10, 1), "a long valley, κ = 50: zig-zag against crawl", FIRST, _at(0, (0, 0))),
    Named(
        "two-valleys", "x^4 - 4x^2 + x", (2,), "a local and a global minimum on one curve", FIRST,
        _at(-5.4441920666, (-1.4729976011,)), _at(-2.6185559808, (1.3469974085,)), (), ((0.1260001926,),),
    ),
    Named("saddle", "x^2 - y^2", (1, 0), "the saddle; unbounded below along y", "calculus", (), (), ((0, 0),)),
    Named(
        "two-wells", "x^2 - y^2 + y^4/4", (1, 0), "a saddle between two minima; descent from (1, 0) ends on the saddle",
        "Nesterov (2004), example 1.2.2", _at(-1, (0, ROOT), (0, -ROOT)), (), ((0, 0),),
    ),
    Named("monkey-saddle", "x^3 - 3x y^2", (1, 0), "three valleys meet; zero Hessian at 0", "Hilbert, Cohn-Vossen"),
    Named("half-stable", "x^3 + y^2", (1, 1), "descent stops at a point that is no minimum", "calculus"),
    Named("flat-bottom", "x^4 + y^4", (1, 1), "a minimum whose Hessian is zero", "calculus", _at(0, (0, 0))),
    Named(
        "wine-bottle", "(x^2+y^2-1)^2", (0.1, 0.2), "a ring of minima around a maximum", "calculus", _at(0, (1, 0)),
        (), (), ((0, 0),),
    ),
    Named(
        "egg-box", "-cos(x)*cos(y)", (1, 0.5), "minima, maxima and saddles in a grid", "calculus", _at(-1, (0, 0)),
        (), ((PI / 2, PI / 2),), ((PI, 0),),
    ),
    Named(
        "linear-net", "(1 - x*y)^2 / 2", (0.1, 0.1), "a network of one hidden unit: saddle at 0, a curve of minima",
        "Baldi and Hornik (1989)", _at(0, (1, 1)), (), ((0, 0),),
    ),
    Named("plateau", "-exp(-x^2-y^2)", (6, 6), "gradient 9e-31 at (6, 6), far out", "calculus", _at(-1, (0, 0))),
    Named("hill", "-x^2 - y^2 + (x^4+y^4)/10", (0, 0), "a start on a maximum", "calculus",
          _at(-5, (ROOT5, ROOT5), (-ROOT5, ROOT5), (ROOT5, -ROOT5), (-ROOT5, -ROOT5)), (), ((0, ROOT5),), ((0, 0),)),
    Named("rosenbrock", "(1-x)^2 + 100(y-x^2)^2", (-1.2, 1), "banana valley, κ ≈ 2508", MGH + ", 1", _at(0, (1, 1))),
    Named("rosenbrock-10", _rosenbrock(10), (-1.2, 1) * 5, "the banana valley in ten variables", MGH + ", 21",
          _at(0, (1,) * 10)),
    Named("himmelblau", "(x^2+y-11)^2 + (x+y^2-7)^2", (0, 0), "four minima, four saddles, a maximum",
          "Himmelblau (1972)",
          _at(0, (3, 2), (-2.8051181, 3.1313125), (-3.7793103, -3.2831860), (3.5844283, -1.8481265)), (),
          ((0.0866775, 2.8842547), (3.3851542, 0.0738519), (-3.0730258, -0.0813530), (-0.1279613, -1.9537150)),
          ((-0.2708446, -0.9230386),)),
    Named("beale", "(1.5-x+x*y)^2 + (2.25-x+x*y^2)^2 + (2.625-x+x*y^3)^2", (1, 1), "steep walls, an indefinite start",
          MGH + ", 5", _at(0, (3, 0.5)), (), ((0, 1),)),
    Named("booth", "(x+2y-7)^2 + (2x+y-5)^2", (0, 0), "a quadratic, κ = 9", SFU, _at(0, (1, 3))),
    Named("matyas", "0.26(x^2+y^2) - 0.48x*y", (10, -3), "a quadratic, κ = 25", SFU, _at(0, (0, 0))),
    Named("three-hump-camel", "2x^2 - 1.05x^4 + x^6/6 + x*y + y^2", (2, 1), "two local minima beside the global one",
          SFU, _at(0, (0, 0)), _at(0.29863844, (1.7475523, -0.8737762), (-1.7475523, 0.8737762)),
          ((1.0705423, -0.5352711), (-1.0705423, 0.5352711))),
    Named("six-hump-camel", "(4-2.1x^2+x^4/3)x^2 + x*y + (-4+4y^2)y^2", (1, 1), "six minima, two of them global", SFU,
          _at(-1.0316284535, (0.0898420, -0.7126564), (-0.0898420, 0.7126564)), (), ((0, 0),)),
    Named("goldstein-price",
          "(1+(x+y+1)^2(19-14x+3x^2-14y+6x*y+3y^2)) * (30+(2x-3y)^2(18-32x+12x^2+48y-36x*y+27y^2))",
          (-0.5, -0.5), "values over six powers of ten", SFU, _at(3, (0, -1)), _at(30, (-0.6, -0.4))),
    Named("mccormick", "sin(x+y) + (x-y)^2 - 1.5x + 2.5y + 1", (0, 0),
          "a row of minima, each lower than the one before", SFU),
    Named("easom", "-cos(x)*cos(y)*exp(-(x-pi)^2-(y-pi)^2)", (1, 1), "a hole in a flat plain", SFU, _at(-1, (PI, PI))),
    Named("styblinski-tang", "(x^4-16x^2+5x + y^4-16y^2+5y)/2", (0, 0), "four minima of different depth", SFU,
          _at(-78.3323314075, (-2.9035340278, -2.9035340278)),
          _at(-50.0588933106, (2.7468027710, 2.7468027710)), (), ((0.1567312568, 0.1567312568),)),
    Named("rastrigin", "20 + x^2 - 10cos(2pi*x) + y^2 - 10cos(2pi*y)", (2.2, -1.3), "about 121 minima in [−5, 5]²", SFU,
          _at(0, (0, 0)), (), (), ((0.5025461, 0.5025461),)),
    Named("ackley", "20 + e - 20exp(-sqrt((x^2+y^2)/2)/5) - exp((cos(2pi*x)+cos(2pi*y))/2)", (2.5, 1.5),
          "a funnel full of dents; no derivative at its minimum", SFU, _at(0, (0, 0))),
    Named("griewank", "1 + (x^2+y^2)/4000 - cos(x)*cos(y/sqrt(2))", (8, 8), "a wide bowl with ripples", SFU,
          _at(0, (0, 0))),
    Named("levy", "sin(pi(3+x)/4)^2 + ((x-1)/4)^2(1+10sin(pi(3+x)/4+1)^2) + ((y-1)/4)^2(1+sin(2pi(3+y)/4)^2)", (-4, 4),
          "waves over a bowl", SFU, _at(0, (1, 1))),
    Named("freudenstein-roth", "(x-13+y((5-y)y-2))^2 + (x-29+y((y+1)y-14))^2", (0.5, -2),
          "the customary start leads into a local minimum, f = 48.98", MGH + ", 2", _at(0, (5, 4)),
          _at(48.98425368, (11.4127790, -0.8968053))),
    Named("brown-badly-scaled", "(x-1e6)^2 + (y-2e-6)^2 + (x*y-2)^2", (1, 1), "κ = 1e12", MGH + ", 4",
          _at(0, (1e6, 2e-6))),
    Named("powell-singular", "(a+10b)^2 + 5(c-d)^2 + (b-2c)^4 + 10(a-d)^4", (3, -1, 0, 1),
          "the Hessian at the minimum is singular", MGH + ", 13", _at(0, (0, 0, 0, 0))),
    Named("wood", "100(b-a^2)^2 + (1-a)^2 + 90(d-c^2)^2 + (1-c)^2 + 10(b+d-2)^2 + (b-d)^2/10", (-3, -1, -3, -1),
          "a slow pass near a saddle", MGH + ", 14", _at(0, (1, 1, 1, 1))),
    Named("cliff", "((x-3)/100)^2 - (x-y) + exp(20(x-y))", (0, -1), "a wall no fixed rate survives", "CUTE: CLIFF"),
    Named("cube", "(x-1)^2 + 100(y-x^3)^2", (-1.2, 1), "a bent valley", "CUTE: CUBE", _at(0, (1, 1))),
    Named("problem-02", "sin(x) + sin(10x/3)", (4,), "waves on a wave; −1.899599 at 5.145735 in [2.7, 7.5]", GO),
    Named("softplus-well", "softplus(x) + softplus(-3x)", (4,), "convex; flat far out", "logistic regression"),
)  # fmt: skip


def find(name: str) -> Named | None:
    """The function of this name; None if there is none."""
    return next((named for named in NAMED if named.name == name), None)


def suggestion(text: str) -> str | None:
    """A name that ``text`` may have meant."""
    if not re.fullmatch(r"[A-Za-z][\w-]{3,}", text):
        return None
    return next(iter(difflib.get_close_matches(text, [named.name for named in NAMED], 1, 0.8)), None)
