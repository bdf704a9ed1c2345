"""Synthetic gradient checks for the reports: every state of a row, and the worst text there is."""

from __future__ import annotations

import math

from oracle.results import Environment
from oracle.results.gradcheck import Broken, Element, GradCheck, GradRow, GradSettings, LossRow, Step
from tests.reports.subject_runs import HOSTILE

ENVIRONMENT = Environment(
    gradconform="0.1.0",
    python="CPython 3.11.7",
    numpy="2.1.0",
    torch="2.13.0",
    hypothesis=None,
    platform="Linux",
    machine="x86_64",
    blas="b",
)
WORST = Element(index=(3, 1), backprop=0.25, autograd=0.125, numerical=0.125, allowed=1e-15, error=2e-9, state="resolved")


def row(parameter: str, dtype: str = "float64", **given: object) -> GradRow:
    """A row that passed, but for what is given."""
    plain: dict[str, object] = {
        "parameter": parameter, "dtype": dtype, "shape": (784, 50), "n_elements": 39_200, "n_tried": 64, "n_resolved": 61, "n_kinks": 2,
        "n_unresolved": 1, "apart_backprop_autograd": 5e-20, "apart_backprop_numerical": 1.2e-12, "apart_autograd_numerical": 1.3e-12,
        "margin_backprop_autograd": 0.004, "margin_backprop_numerical": 0.25, "margin_autograd_numerical": 0.26, "sees": 2e-7,
        "scale": 0.02, "worst": WORST, "alone": "nobody", "status": "passed",
    }  # fmt: skip
    return GradRow(**{**plain, **given})  # type: ignore[arg-type]


def step(dtype: str = "float64", of: str = "float64") -> Step:
    return Step(dtype=dtype, of=of, step=2.0**-14, rounding=6e-14, resolved=1e-4 if of == "float64" else 1 / 16)


def loss(dtype: str = "float64", **given: object) -> LossRow:
    plain: dict[str, object] = {"dtype": dtype, "actual": 2.3, "expected": 2.3, "allowed": 1e-13, "margin": 0.0, "status": "passed"}
    return LossRow(**{**plain, **given})  # type: ignore[arg-type]


def check(*rows: GradRow, **given: object) -> GradCheck:
    """A gradient check with these rows in float64."""
    plain: dict[str, object] = {
        "started": "2026-01-02T03:04:05+00:00", "command": "gradconform gradcheck", "environment": ENVIRONMENT,
        "settings": GradSettings(dtypes=("float64",), samples=64, seed=0, batch=3, data="MNIST"), "net": "TwoLayerNet",
        "torch": "F.loss(x, t)",
        "steps": (step(),), "losses": (loss(),), "rows": rows or (row("W1"), row("b1", shape=(50,), n_elements=64)), "seconds": 0.4,
    }  # fmt: skip
    return GradCheck(**{**plain, **given})  # type: ignore[arg-type]


def mixed() -> GradCheck:
    """One of everything: each of the three alone, all of them, a row that differences tell nothing of, a wrong loss, a broken contract."""
    silent = {"n_resolved": 0, "n_kinks": 60, "n_unresolved": 4, "margin_backprop_numerical": None, "margin_autograd_numerical": None}
    none = {**silent, "n_tried": 0, "n_kinks": 0, "n_unresolved": 0, "apart_backprop_numerical": None, "apart_autograd_numerical": None}
    rows = (
        row(
            "W1",
            alone="backprop",
            status="failed",
            n_over=40,
            margin_backprop_autograd=3e13,
            message="backprop stands alone.",
            diagnosis="Twice.",
        ),
        row("b1", alone="numerical", status="failed", margin_backprop_numerical=7.5, message="numerical stands alone."),
        row("W2", alone="autograd", status="failed", margin_backprop_autograd=math.inf, message="autograd stands alone."),
        row("b2", alone="all", status="failed", message="No two agree.", worst=WORST.model_copy(update={"state": "kink"})),
        row("W3", status="open", message="Differences can tell nothing here.", sees=None, **silent),
        row("b3", "float32", status="open", message="No difference was taken.", worst=None, shape=(), n_elements=64, **none),
    )
    return check(
        *rows,
        settings=GradSettings(dtypes=("float64", "float32"), samples=None, seed=0, batch=3, data="MNIST"),
        steps=(step(), step("float32", "float32")),
        losses=(loss(actual=2.5, margin=9.0, status="failed", diagnosis="It adds 1e-07."), loss("float32")),
        broken=(Broken(dtype="float64", contract="inputs.unchanged", message="loss wrote into x"),),
        estimated="torch.special.i0",
        notes=("float16 is left out: the net cannot be had so.",),
        interrupted=True,
    )


def poisoned(found: GradCheck) -> GradCheck:
    """`found`, in which every field that takes any text holds the worst text there is."""
    kept = ("kind", "alone", "status", "state", "dtype", "of", "dtypes")

    def poison(value: object, name: str = "") -> object:
        if isinstance(value, dict):
            return {k: v if k in kept else poison(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [poison(v, name) for v in value]
        return value[:44] + HOSTILE if isinstance(value, str) else value

    return GradCheck.model_validate(poison(found.model_dump()))


def large() -> GradCheck:
    """A check of a net with more parameters than anybody reads."""
    return check(*[row(f"W{i}", alone="backprop", status="failed", message="backprop stands alone.") for i in range(700)])
