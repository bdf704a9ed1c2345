"""Synthetic trainings: no net is trained, every number is made up here."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from oracle.results.model import ComparisonData, Environment, Footer, Planted, Record
from oracle.results.training import (
    TRAINING_SCHEMA_VERSION,
    Checkpoint,
    Epoch,
    NetInfo,
    Steps,
    Timing,
    Training,
    TrainingDivergence,
    TrainingHeader,
    TrainingRow,
    TrainingSettings,
)
from oracle.results.training.codec import assembled
from tests.results.records import array

DTYPES = ("float64", "float32")
ROUNDOFF = {"float64": 2.0**-53, "float32": 2.0**-24}
PARAMETERS = {"W1": (784, 50), "b1": (50,), "W2": (50, 10), "b2": (10,)}
QUANTITIES = ("forward.loss", *(f"backward.d{name}" for name in PARAMETERS))
CONTRACTS = ("call.answers", "inputs.unchanged", "params.unchanged", "params.updated")
BLOCK = 100
"""Steps of one line."""
FAULTS = {"accumulated": "the gradient of the last step is added", "stale": "the batch of the last step is used"}
LOST = "The gradient of b1 is 100 times torch's: the division by the batch size is missing."
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(2)>\x1b[31m\u202egnp\x00\u2066 {{ 7*7 }} [bold]red[/bold] ::error::x'


def header(steps: int = 300, dtypes: Sequence[str] = DTYPES, **changes: Any) -> TrainingHeader:
    where = Environment(
        gradconform="0.1.0",
        python="3.11.9",
        numpy="2.4.0",
        torch="2.13.0",
        hypothesis=None,
        platform="Linux",
        machine="x86_64",
        blas="OpenBLAS 0.3.30",
        commit="0123456789abcdef",
        dirty=True,
    )
    asked = TrainingSettings(
        dtypes=tuple(dtypes),
        steps=steps,
        batch=100,
        lr=0.1,
        seed=7,
        epoch=100,
        shadows=4,
        data="MNIST, 28 x 28 pixels",
        n_train=60_000,
        n_test=10_000,
    )
    net = NetInfo(name="TwoLayerNet", torch="F.cross_entropy(F.linear(h, W2.T, b2), t)", summary="A net.", parameters=PARAMETERS)
    return TrainingHeader(
        **{
            "schema_version": TRAINING_SCHEMA_VERSION,
            "run_id": "20250102-030405-abcdef",
            "started": "2025-01-02T03:04:05Z",
            "command": f"gradconform train --steps {steps} --seed 7",
            "environment": where,
            "settings": asked,
            "net": net,
            **changes,
        }
    )


def block(dtype: str, first: int, n: int, **changes: Any) -> Steps:
    """Steps of a net that stays near its twin: the first one equal to the bit, then apart by a few roundings, and growing."""
    u, at = ROUNDOFF[dtype], range(first, first + n)
    expected = [2.2 * math.exp(-k / 80) + 0.1 + 0.02 * math.sin(k) for k in at]
    moved = [0.0 if k == 1 else u * k for k in at]
    columns = {
        "actual": [e * (1 + (k % 3 - 1) * 4 * u) for e, k in zip(expected, at, strict=True)],
        "expected": expected,
        "distance": moved,
        "allowed": [2 * u * k**1.1 for k in at],
        "shadow": [3 * u * k**1.1 for k in at],
        "injected": [0.5 * u * k for k in at],
        "distances": dict.fromkeys(PARAMETERS, moved),
        "margins": {
            q: [None if q == "forward.loss" and k % 50 == 0 else 0.0 if k % 7 == 0 else 0.4 * abs(math.sin(k + j)) for k in at]
            for j, q in enumerate(QUANTITIES)
        },
    }
    return Steps(dtype=dtype, first=first, **{**columns, **changes})  # type: ignore[arg-type]


def row(dtype: str, quantity: str, n: int = 300, **changes: Any) -> TrainingRow:
    contract = quantity in CONTRACTS
    given = {
        "role": "contract" if contract else "trajectory" if quantity == "trajectory" else "quantity",
        "status": "passed",
        "n_judged": n,
        "n_inconclusive": 2 if quantity == "backward.dW1" else 0,
        "n_elements": 0 if contract else 50 * n,
        "margin": None if contract else 0.39,
        "worst": None if contract else min(33, n),
    }
    return TrainingRow(dtype=dtype, quantity=quantity, **{**given, **changes})


def body(dtype: str, steps: int = 300) -> list[Record]:
    """The lines of one dtype that conforms, in the order in which they are written."""
    blocks = [block(dtype, first, min(BLOCK, steps + 1 - first)) for first in range(1, steps + 1, BLOCK)]
    rows = [row(dtype, quantity, steps) for quantity in (*QUANTITIES, *CONTRACTS, "trajectory")]
    epochs = [epoch(dtype, at, at * BLOCK) for at in range(steps // BLOCK + 1)]
    slow = Timing(dtype=dtype, steps=steps, actual_seconds=steps * 0.002, expected_seconds=steps * 0.001)
    kept = Checkpoint(dtype=dtype, step=steps, file=f"{dtype}.safetensors", sha256="0123456789abcdef" * 4)
    return [*blocks, *rows, *epochs, slow, kept]


def epoch(dtype: str, at: int, step: int, **changes: Any) -> Epoch:
    good = 0.97 - 0.85 * 0.5**at
    found = {"actual_train": good + 0.01, "actual_test": good, "expected_train": good + 0.01, "expected_test": good}
    return Epoch(dtype=dtype, epoch=at, step=step, **{**found, **changes})


def footer(outcome: str = "complete", message: str = "") -> Footer:
    return Footer(finished="2025-01-02T03:07:15Z", seconds=190.4, outcome=outcome, message=message)  # type: ignore[arg-type]


def conforming_lines(steps: int = 300) -> list[Any]:
    return [line for dtype in DTYPES for line in body(dtype, steps)] + [footer()]


def conforming(steps: int = 300) -> Training:
    """Two dtypes, each step within its allowed error, the trajectory within what is allowed."""
    return assembled(header(steps), conforming_lines(steps))


def comparison(reason: str = "value", **changes: Any) -> ComparisonData:
    given: dict[str, Any] = {
        "reason": reason,
        "message": "actual is 100 times expected",
        "margin": 3.2e5,
        "max_abs": 1.5,
        "worst_index": (3,),
        "actual": array(bytes.fromhex("0000000000000040"), "float64"),
        "expected": array(bytes.fromhex("000000000000e03f"), "float64"),
        "allowed": array(bytes.fromhex("000000000000d03e"), "float64"),
        "all_actual": array(bytes(32), "float64", 4),
        "all_expected": array(bytes.fromhex("00" * 24 + "0000000000000040"), "float64", 4),
        "n_mismatched": 2,
        "n_elements": 4,
    }
    return ComparisonData(**{**given, **changes})


def diverging() -> Training:
    """float64 leaves torch at the second step and is trained no further; a contract is broken at the third of float32."""
    lines = [line for line in body("float32") if getattr(line, "quantity", "") != "params.unchanged"]
    lines += [row("float32", "params.unchanged", status="failed", n_failed=298, first_failed=3, message="gradient wrote into W1")]
    told = {"message": "gradient wrote into W1", "margin": None, "max_abs": None, "worst_index": None, "all_actual": None}
    broken = comparison("contract", actual=None, expected=None, allowed=None, all_expected=None, n_mismatched=0, n_elements=0, **told)
    lines += [TrainingDivergence(dtype="float32", quantity="params.unchanged", step=3, comparison=broken)]
    bad = {"actual": [2.3, 7.5], "margins": {q: [0.1, 3.2e5 if q == "backward.db1" else 0.2] for q in QUANTITIES}}
    lines += [block("float64", 1, 2, **bad), epoch("float64", 0, 0)]
    lines += [row("float64", q, 2) for q in (*QUANTITIES, *CONTRACTS) if q != "backward.db1"]
    wrong = {"status": "failed", "n_failed": 1, "margin": 3.2e5, "worst": 2, "first_failed": 2, "message": "actual is 100 times expected"}
    lines += [row("float64", "backward.db1", 2, **wrong)]
    found = {"comparison": comparison(), "diagnosis": LOST, "file": "float64-db1-2.safetensors"}
    lines += [TrainingDivergence(dtype="float64", quantity="backward.db1", step=2, **found), footer()]
    return assembled(header(), lines)


def interrupted() -> Training:
    """Ctrl-C in the second dtype, after the first block; one line was damaged."""
    lines = [*body("float64"), *body("float32", BLOCK), footer("interrupted", "by Ctrl-C in step 101 of float32")]
    return assembled(header(), lines, damaged=1)


def wandering() -> Training:
    """Every step within its allowed error, and yet further from its twin than is allowed, from step 205 on; no row has its arrays."""
    far = [min(4e-16 * 1.1**k, 0.5) for k in range(1, 301)]
    lines = [line for line in body("float64") if not isinstance(line, Steps) and getattr(line, "quantity", "") != "trajectory"]
    wrong = {"status": "failed", "n_failed": 96, "margin": 170.0, "worst": 300, "first_failed": 205, "message": "further than is allowed"}
    lines += [block("float64", 1, 300, distance=far), row("float64", "trajectory", **wrong), footer()]
    return assembled(header(dtypes=("float64",)), lines)


def blind() -> Training:
    """A broken net that should have been convicted was not."""
    told = {"layer": "TwoLayerNet", "family": "net", "n_cases": 3}
    planted = [
        Planted(name="accumulated", fault=FAULTS["accumulated"], rows=("backward.W1", "backward.db1"), **told),
        Planted(name="stale", fault=FAULTS["stale"], **told),
    ]
    return assembled(header(n_planted=2), [*planted, *conforming_lines()])


def resumed() -> Training:
    """Begun twice: the rows and checkpoints of the first part are there again, grown."""
    first = body("float64", 100)
    rest = [block("float64", 101, 100), block("float64", 201, 100), *body("float64")[3:]]
    return assembled(header(dtypes=("float64",)), [*first, *rest, footer()])


def broken() -> Training:
    """Losses that are NaN or infinite, a net that gives no scores, and distances that are no numbers."""
    odd = [2.3] * 100 + [math.nan, math.inf, -math.inf] + [1e308, -1e308, 5e-324] * 20 + [math.nan] * 137
    lines = [line for line in body("float64") if not isinstance(line, Steps | Epoch)]
    lines += [block("float64", 1, 300, actual=odd, expected=odd[::-1], distance=odd, allowed=odd, shadow=odd[::-1], injected=[0.0] * 300)]
    lines += [Epoch(dtype="float64", epoch=at, step=100 * at, actual_test=0.5 if at == 1 else None) for at in range(3)]
    return assembled(header(dtypes=("float64",)), [*lines, footer()])


def poisoned(training: Training) -> Training:
    """`training` with the worst text in every field that takes any."""
    keys = ("parameters", "distances", "margins", "steps")
    meant = ("kind", "status", "role", "outcome", "sha256", "file")

    def poison(value: object, name: str = "") -> object:
        if isinstance(value, dict):
            # an array keeps its dtype and its bytes; the dtype of a record is text like any other
            kept = {"dtype", "data"} if {"dtype", "shape", "data"} <= value.keys() else set()
            return {(k[:44] + HOSTILE if name in keys else k): v if k in kept else poison(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [poison(v, name) for v in value]
        return value[:44] + HOSTILE if isinstance(value, str) and name not in meant else value

    return Training.model_validate(poison(training.model_dump()))


TRAININGS: dict[str, Callable[[], Training]] = {
    "conforming": conforming,
    "diverging": diverging,
    "interrupted": interrupted,
    "wandering": wandering,
    "blind": blind,
    "resumed": resumed,
    "broken": broken,
    "hostile": lambda: poisoned(diverging()),
    "hostile blind": lambda: poisoned(blind()),
}
