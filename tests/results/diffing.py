"""Two runs to compare, made up here."""

from __future__ import annotations

from typing import Any

from oracle.results import Result, Run, Sample
from oracle.results.diff import Change, Difference
from tests.results.records import ROW, array, counterexample, footer, header, result, run

CASE = counterexample().case
OTHER_INPUTS = CASE.model_copy(update={"layout": "fortran"})
ONE = array(bytes.fromhex("000000000000f03f"), "float64", 1)
NEXT = array(bytes.fromhex("010000000000f03f"), "float64", 1)


def made(
    *rows: Result,
    settings: dict[str, Any] | None = None,
    info: dict[str, Any] | None = None,
    environment: dict[str, Any] | None = None,
    head: dict[str, Any] | None = None,
    **changes: Any,
) -> Run:
    """A run with `rows`; what is given is changed of its settings, layer, environment, header, and of itself."""
    first = header("backward.dx", "forward.y")
    layer = first.layers[0].model_copy(update={"spec": "Relu", "source": "abc", **(info or {})})
    updated = {
        "layers": (layer,),
        "settings": first.settings.model_copy(update=settings or {}),
        "environment": first.environment.model_copy(update={"commit": "c1", "dirty": False, **(environment or {})}),
        **(head or {}),
    }
    return run(*rows, **{"header": first.model_copy(update=updated), **changes})


def failing(index: int = 2, **changes: Any) -> dict[str, Any]:
    """The counterexample of a failing row, as an argument of `made`."""
    return {"counterexamples": (counterexample(index=index, **changes),)}


def bad(**changes: Any) -> Result:
    return result(**{"status": "failed", "n_failed": 3, "margin": 9.0, **changes})


def other_seed(*rows: Result, **changes: Any) -> Run:
    return made(*rows, settings={"seed": 2}, **changes)


def only(found: Difference) -> Change:
    (change,) = found.changes
    return change


HOLDS, FAILS = result(), bad()
CUT = footer("interrupted")
SAMPLE = Sample(**ROW, index=5, digest="d1", case=CASE, actual={"forward.y": ONE}, expected={"forward.y": ONE})
