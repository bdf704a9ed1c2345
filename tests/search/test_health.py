"""Oracle health: an oracle as it is has no wrong element, one that has moved does."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from oracle.core import differences, torch_side
from oracle.core.case import Array, Case
from oracle.core.claims import claimed
from oracle.core.evaluation import Evaluation
from oracle.results.model import Health
from oracle.search import health
from oracle.search.health import health_of
from oracle.specs import all_specs, spec_named

DTYPES = ("float64", "float32")
WITH_GRADIENT = [name for name, spec in all_specs().items() if spec.wrt]
U = 2.0**-53


def told(name: str, seed: int = 3, examples: int = 2000, dtypes: tuple[str, ...] = DTYPES) -> list[Health]:
    return list(health_of(spec_named(name), "mine", seed, dtypes, examples))


def moved(monkeypatch: pytest.MonkeyPatch, change: Callable[[Case, Array], Any]) -> None:
    """Torch's gradients changed; its forward stays."""
    real = torch_side.evaluate

    def evaluate(spec: Any, case: Case) -> Evaluation:
        found = real(spec, case)
        return found._replace(grads=tuple([np.asarray(change(case, g)) for g in found.grads]))

    monkeypatch.setattr(torch_side, "evaluate", evaluate)


@pytest.mark.parametrize("name", WITH_GRADIENT)
@pytest.mark.parametrize("seed", range(5))
def test_torch_is_well(name: str, seed: int) -> None:
    spec, found = spec_named(name), told(name, seed)
    assert [(h.branch, h.quantity) for h in found] == [(b, q) for b in spec.branches for q in spec.backward_names]
    assert sum(h.n_wrong for h in found) == 0
    assert all(h.worst is None or h.worst <= 1 for h in found)
    assert all(h.n_cases == health.CASES and not h.message and h.layer == "mine" for h in found)
    resolved = sum(h.n_elements - h.n_kinks - h.n_unresolved for h in found)
    assert resolved > 0.2 * sum(h.n_elements for h in found) > 10


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("Sigmoid", lambda case, g: g * (1 + 1e-5)),
        ("Sigmoid", lambda case, g: g * (1 - 1e-7)),
        ("MulLayer", lambda case, g: g * 0),
        ("SoftmaxWithLoss", lambda case, g: g * (len(case.inputs["x"]) if case.inputs["x"].ndim > 1 else 1)),
        ("TwoLayerNet", lambda case, g: -g),
        ("Affine", lambda case, g: g.T if g.ndim == 2 and g.shape[0] == g.shape[1] else g * 1.0001),
        ("Relu", lambda case, g: np.where(case.inputs["x"] > 0, g, 0.01 * case.cotangents["out"])),
    ],
)
def test_an_oracle_that_moved_is_found_out(name: str, change: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    moved(monkeypatch, change)
    found = told(name)
    wrong = [h for h in found if h.n_wrong]
    assert sum(h.n_wrong for h in found) > 10
    assert {h.quantity for h in wrong} == set(spec_named(name).backward_names)
    assert all(h.worst is not None and h.worst > 1 for h in wrong)


def test_another_convention_at_a_kink_is_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    """At 0 there is no derivative, so every convention is as good as another."""
    moved(monkeypatch, lambda case, g: np.where(case.inputs["x"] == 0, case.cotangents["out"], g))
    found = told("Relu", 1)
    assert sum(h.n_wrong for h in found) == 0 < sum(h.n_kinks for h in found)


def test_without_a_gradient_there_is_nothing_to_tell() -> None:
    for name in set(all_specs()) - set(WITH_GRADIENT):
        assert told(name) == []
    assert list(health_of(claimed(spec_named("Affine"), (), forward_only=True), "mine", 1, DTYPES, 2000)) == []


@pytest.mark.parametrize(("dtypes", "examples", "said"), [(("float32",), 200, "no float64 cases"), (DTYPES, 0, "no case of the run")])
def test_no_suitable_case_is_said(dtypes: tuple[str, ...], examples: int, said: str) -> None:
    found = told("Sigmoid", 3, examples, dtypes)
    assert len(found) == 2
    assert all(h.n_cases == h.n_elements == 0 and said in h.message and h.worst is None for h in found)


def test_what_is_not_claimed_is_not_sampled() -> None:
    spec = claimed(spec_named("Affine"), ["tensor"])
    assert {h.branch for h in health_of(spec, "mine", 1, DTYPES, 2000)} == {"matrix"}


def at(f: Callable[[float], float], x: float, c: float = 1.0) -> differences.Difference:
    where = differences.points(x)
    y = [np.array([f(v)]) for v in where.at]
    return differences.difference(where, y, np.array([c]), np.abs(y[2]) * 4 * U)


@pytest.mark.parametrize("x", [-3.7, -1.0, -1e-9, 0.0, 0.3, 1.0, 5.5])
@pytest.mark.parametrize(("f", "slope"), [(math.exp, math.exp), (math.sin, math.cos), (lambda v: v**5, lambda v: 5 * v**4)])
def test_a_smooth_function_is_known_within_the_stated_error(f: Any, slope: Any, x: float) -> None:
    for c in (1.0, -3e7, 1e-300):
        found = at(f, x, c)
        assert abs(found.value - c * slope(x)) <= found.error
        assert found.error <= 1e-8 * abs(c) * max(1.0, abs(x) ** 5)


@pytest.mark.parametrize("share", [0.0, 0.05, 0.3, 0.5, 2 / 3, 0.8, 0.999, 1.0, 1.5, -0.4])
@pytest.mark.parametrize("curvature", [0.0, 1.0, 1e5])
@pytest.mark.parametrize("jump", [1.0, 1e-4])
def test_a_kink_near_the_point_is_within_the_stated_error(share: float, curvature: float, jump: float) -> None:
    """Wherever the kink is, the error of the difference is covered: right at it, where D(2h) - D(h) says nothing, too."""
    x = 0.25
    kink = x + share * differences.points(x).h

    def f(v: float) -> float:
        return jump * max(v - kink, 0.0) + curvature * (v - x) ** 2 / 2

    found = at(f, x)
    if share == 0:
        assert found.at_kink(1e-5 * jump) and abs(found.value - jump / 2) < 1e-3 * jump + 1e-9
    truth = jump if kink < x else 0.0
    if kink != x:
        assert abs(found.value - truth) <= 4 * found.error


def test_steps_are_exact() -> None:
    for x in (0.0, 1.0, -1.5, 3.0000001, 255.9, -1e-300, 7e-5):
        h, where = differences.points(x)
        assert where[2] == x and len(where) == 5
        assert math.frexp(h)[0] == 0.5 and 2.0**-17 <= h / max(abs(x), 1.0) <= 2.0**-16
        assert all(abs((where[i + 1] - where[i]) - h) <= 2 * U * (abs(x) + h) for i in range(4))
