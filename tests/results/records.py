"""Small records to write and read."""

from __future__ import annotations

import base64
from typing import Any

from oracle.results import (
    SCHEMA_VERSION,
    ArrayData,
    CaseData,
    ComparisonData,
    ContractInfo,
    Counterexample,
    Depth,
    Environment,
    Expected,
    Footer,
    Header,
    LayerInfo,
    Result,
    Run,
    Settings,
)  # fmt: skip

ROW = {"layer": "Relu", "branch": "matrix", "dtype": "float64"}


def header(*quantities: str) -> Header:
    where = {
        "gradconform": "0",
        "python": "3",
        "numpy": "2",
        "torch": None,
        "hypothesis": None,
        "platform": "p",
        "machine": "m",
        "blas": "b",
    }
    info = {"subject": "s", "torch": "t", "summary": "s.", "check_version": 1, "branches": ("matrix",), "contracts": ()}
    names = quantities or ("backward.dx",)
    return Header(
        schema_version=SCHEMA_VERSION,
        run_id="r",
        started="now",
        command="c",
        environment=Environment(**where),
        settings=Settings(layers=("Relu",), examples=10, seed=1, dtypes=("float64",), workers=1),
        layers=(LayerInfo(name="Relu", quantities=names, **info),),
        contracts=(ContractInfo(id="call.answers", version=1, explanation="e."),),
        expected=tuple(Expected(**ROW, quantity=name) for name in names),
    )


def result(quantity: str = "backward.dx", **changes: Any) -> Result:
    given = {"role": "quantity", "status": "passed", "check_version": 1, "n_judged": 10, "n_failed": 0, "margin": 0.25, "worst_case": 3}
    return Result(**{**ROW, **given, "quantity": quantity, **changes})


def depth(**changes: Any) -> Depth:
    return Depth(**{**ROW, "n_cases": 10, "n_distinct": 9, "profiles": {"normal": 4}, **changes})


def array(raw: bytes, dtype: str, *shape: int) -> ArrayData:
    return ArrayData(dtype=dtype, shape=shape, data=base64.b64encode(raw).decode())


def counterexample(id: str = "a", **changes: Any) -> Counterexample:
    nan = array(bytes.fromhex("efbeaddeefbef87f"), "float64", 1)
    case = CaseData(**ROW, protocol="plain", layout="C", inputs={"x": nan}, params={}, cotangents={}, dims={"x": ("A",)}, config={"f": 1.5})
    found = ComparisonData(reason="nan", message="m", margin=float("inf"), max_abs=float("nan"), actual=nan, worst_index=(0,))
    given = {"role": "quantity", "quantity": "backward.dx", "seed": 1, "index": 2, "case": case, "comparison": found}
    return Counterexample(**{**ROW, "id": id, **given, **changes})


def footer(outcome: str = "complete", message: str = "") -> Footer:
    return Footer(finished="then", seconds=1.5, outcome=outcome, message=message)  # type: ignore[arg-type]


def run(*results: Result, end: Footer | None = None, **changes: Any) -> Run:
    return Run(**{"header": header(), "results": results, "depths": (depth(),), "footer": end or footer(), **changes})
