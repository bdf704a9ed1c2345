"""Synthetic runs for the tests of the reports: no layer is run, every number is made up here."""

from __future__ import annotations

import base64
import struct
import sys
from collections.abc import Callable, Iterator
from types import ModuleType

import pytest

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
)
from tests.reports import full_runs, subject_runs
from tests.reports.subject_runs import poisoned

_THIS = sys.modules[__name__]

DTYPES = ("float64", "float32")
CONTRACTS = {
    "inputs.unchanged": "The layer leaves the bytes of its inputs as they were.",
    "params.unchanged": "The layer leaves the bytes of its parameters as they were.",
    "cotangent.unchanged": "backward leaves the bytes of its cotangent as they were.",
    "results.own-memory": "No result shares memory with an input or with an earlier result.",
    "results.dtype": "Every result has the dtype torch gives it.",
    "results.shape": "Every result has the shape torch gives it.",
    "backward.repeatable": "Calling backward twice gives the same bytes twice.",
    "state.fresh": "A second forward forgets everything of the first.",
    "call.forward-first": "backward before forward raises an error that says so.",
    "call.answers": "Every call returns.",
    "call.no-warnings": "No call warns.",
    "inputs.layout": "The memory layout of an input does not change the result beyond the allowed error.",
    "inputs.refused": "Inputs that torch refuses are refused as well.",
    "labels.forms-agree": "One-hot labels and index labels of the same classes give the same result.",
}
LAYERS: dict[str, tuple[str, tuple[str, ...], tuple[str, ...]]] = {
    "AddLayer": ("torch.add", ("plain", "broadcast"), ("forward.y", "backward.da", "backward.db")),
    "MulLayer": ("torch.mul", ("plain", "broadcast"), ("forward.y", "backward.da", "backward.db")),
    "Relu": ("torch.relu", ("plain",), ("forward.y", "backward.dx")),
    "Sigmoid": ("torch.sigmoid", ("plain",), ("forward.y", "backward.dx")),
    "Affine": ("torch.nn.functional.linear(x, W.T, b)", ("matrix", "batched"), ("forward.y", "backward.dx", "backward.dW", "backward.db")),
    "SoftmaxWithLoss": (
        "torch.nn.functional.cross_entropy(x, t)",
        ("one-hot", "index", "probabilities"),
        ("forward.loss", "backward.dx", "state.y"),
    ),
    "softmax": ("torch.softmax(x, dim=-1)", ("vector", "matrix"), ("forward.y",)),
    "cross_entropy_error": ("torch.nn.functional.nll_loss", ("one-hot", "index"), ("forward.loss",)),
    "numerical_gradient": ("torch.autograd.grad", ("plain",), ("forward.grad",)),
    "TwoLayerNet": (
        "torch.nn.Sequential(Linear, ReLU, Linear) + cross_entropy",
        ("one-hot", "index"),
        ("forward.loss", "backward.dW1", "backward.db1", "backward.dW2", "backward.db2"),
    ),
}


def array(values: list[float], shape: tuple[int, ...], dtype: str = "float64") -> ArrayData:
    code = {"float64": "d", "float32": "f", "float16": "e", "int64": "q"}[dtype]
    return ArrayData(dtype=dtype, shape=shape, data=base64.b64encode(struct.pack(f"<{len(values)}{code}", *values)).decode())


def header(dtypes: tuple[str, ...] = DTYPES) -> Header:
    infos = tuple(
        LayerInfo(
            name=name,
            torch=torch,
            subject=f"reference.{name}",
            summary=f"{name}, forward and backward.",
            check_version=1,
            branches=branches,
            quantities=quantities,
            contracts=tuple(CONTRACTS),
        )
        for name, (torch, branches, quantities) in LAYERS.items()
    )
    rows = ((i, b, d, q) for i in infos for b in i.branches for d in dtypes for q in (*i.quantities, *i.contracts))
    return Header(
        schema_version=SCHEMA_VERSION,
        run_id="20250102-030405-abcdef",
        started="2025-01-02T03:04:05Z",
        command="gradconform run --examples 2000 --seed 7",
        environment=Environment(
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
        ),
        settings=Settings(layers=tuple(LAYERS), examples=2000, seed=7, dtypes=dtypes, workers=4),
        layers=infos,
        contracts=tuple(ContractInfo(id=k, version=1, explanation=v) for k, v in CONTRACTS.items()),
        expected=tuple(Expected(layer=i.name, branch=b, dtype=d, quantity=q) for i, b, d, q in rows),
    )


def _results(head: Header) -> Iterator[Result]:
    for at, row in enumerate(head.expected):
        contract = row.quantity in CONTRACTS
        yield Result(
            **row.model_dump(),
            role="contract" if contract else "quantity",
            status="passed",
            check_version=1,
            n_judged=900 + at,
            n_failed=0,
            n_inconclusive=at % 3,
            n_elements=0 if contract else 41_000 + at,
            n_undetermined=0 if contract else at % 50,
            margin=None if contract else (0.0, 0.004, 0.13, 0.27, 0.44, 0.61)[at % 6],
            worst_case=None if contract else at * 3,
        )


def _depths(head: Header) -> Iterator[Depth]:
    for layer, branch, dtype in dict.fromkeys((e.layer, e.branch, e.dtype) for e in head.expected):
        yield Depth(
            layer=layer,
            branch=branch,
            dtype=dtype,
            n_cases=1000,
            n_distinct=987,
            n_discarded=13,
            boundaries={"empty": 20, "one-sample": 90, "one-class": 44, "kink at 0": 310, "square": 101, "saturated": 77},
            protocols={"plain": 400, "used-before": 200, "other-shape-before": 200, "backward-twice": 200},
            layouts={"C": 500, "Fortran": 150, "strided": 100, "negative-stride": 90, "transposed": 90, "broadcast": 40, "read-only": 30},
            profiles={"normal": 300, "uniform": 120, "ties": 90, "cancelling": 80, "subnormal": 70, "saturating": 140, "nan-inf": 60},
            shapes={"x=(3, 4)": 60, "x=(1, 1)": 55, "x=(2, 7)": 40, "x=(0, 5)": 20, "x=(64, 31)": 6, "x=(33, 1)": 4},
            n_shapes=412,
        )


def passing(dtypes: tuple[str, ...] = DTYPES) -> Run:
    head = header(dtypes)
    end = Footer(finished="2025-01-02T03:07:15Z", seconds=190.4, outcome="complete")
    return Run(header=head, results=tuple(_results(head)), depths=tuple(_depths(head)), footer=end)


def case(layer: str, branch: str, dtype: str = "float64", **changes: object) -> CaseData:
    fields: dict[str, object] = {
        "layer": layer,
        "branch": branch,
        "dtype": dtype,
        "protocol": "used-before",
        "layout": "C",
        "inputs": {"x": array([1.0, -0.0, 0.1, float("nan"), float("inf"), 2.5], (2, 3), dtype)},
        "params": {"W": array([float(i) / 7 for i in range(300)], (3, 100), dtype), "b": array([], (0,), dtype)},
        "cotangents": {"out": array([0.5], (), dtype)},
        "config": {"axis": -1, "keepdims": True, "reduction": "mean"},
        "dims": {"x": ("N", 3)},
    }
    return CaseData(**{**fields, **changes})  # type: ignore[arg-type]


def comparison(reason: str = "value", **changes: object) -> ComparisonData:
    fields: dict[str, object] = {
        "reason": reason,
        "message": "actual is 4 times expected",
        "margin": 3.2e5,
        "max_abs": 1.5,
        "max_ulp": 6.7e15,
        "worst_index": (0, 2),
        "actual": array([2.0], ()),
        "expected": array([0.5], ()),
        "allowed": array([4.6875e-6], ()),
        "n_mismatched": 5,
        "n_elements": 6,
    }
    return ComparisonData(**{**fields, **changes})  # type: ignore[arg-type]


def example(layer: str, branch: str, dtype: str, quantity: str, **changes: object) -> Counterexample:
    small = case(layer, branch, dtype, params={"W": array([1.0, 0.0, 0.0], (3, 1), dtype)}, prior=case(layer, branch, dtype))
    fields: dict[str, object] = {
        "id": f"{layer}-{branch}-{dtype}-{quantity}",
        "layer": layer,
        "branch": branch,
        "dtype": dtype,
        "quantity": quantity,
        "role": "contract" if quantity in CONTRACTS else "quantity",
        "seed": 7,
        "index": 41,
        "case": case(layer, branch, dtype),
        "comparison": comparison(margin=9e5),
        "minimised": small,
        "minimised_comparison": comparison(),
        "snippet": f"import numpy as np\n\nx = np.array([[1.0, 0.0]])\nlayer = {layer}()\nprint(layer.forward(x))\n",
        "replay": f"gradconform replay results.jsonl {layer}-{branch}-{dtype}-{quantity}",
    }
    return Counterexample(**{**fields, **changes})  # type: ignore[arg-type]


def with_failures(run: Run, *examples: Counterexample, status: str = "failed", outcome: str | None = "differs") -> Run:
    """`run` with the rows of `examples` failed."""
    failed = {(e.layer, e.branch, e.dtype, e.quantity): e for e in examples}

    def judge(result: Result) -> Result:
        if (found := failed.get(result.key)) is None:
            return result
        margin = None if found.role == "contract" else found.comparison.margin
        bad = {"status": status, "n_failed": 31, "margin": margin, "worst_case": 41, "message": found.comparison.message}
        return result.model_copy(update={**bad, "worst_outcome": None if found.role == "contract" else outcome})

    return run.model_copy(update={"results": tuple(map(judge, run.results)), "counterexamples": (*run.counterexamples, *examples)})


def diverging() -> Run:
    gradient = [
        example(
            "SoftmaxWithLoss",
            b,
            d,
            "backward.dx",
            diagnosis="The gradient is 4.0 times torch's: the division by the batch size is missing.",
        )
        for b in ("one-hot", "index")
        for d in DTYPES
    ]
    broken = comparison(
        "contract", message="backward wrote into its cotangent: 3 of 6 bytes changed", margin=None, actual=None, expected=None
    )
    nan = comparison("nan", message="", margin=float("inf"), actual=array([float("nan")], ()), expected=array([-0.0], ()), max_ulp=None)
    run = with_failures(
        passing(),
        *gradient,
        example("Relu", "plain", "float32", "cotangent.unchanged", comparison=broken, minimised=None, minimised_comparison=None),
        example("Affine", "batched", "float32", "forward.y", comparison=nan, minimised=None, minimised_comparison=None),
    )
    mild = example(
        "Sigmoid", "plain", "float32", "forward.y", comparison=comparison(margin=3.4), minimised_comparison=comparison(margin=2.1)
    )
    return with_failures(run, mild, outcome="imprecise")


def interrupted() -> Run:
    run = diverging()
    return run.model_copy(update={"results": run.results[:-50], "footer": None, "n_damaged": 2})


MAKERS: dict[str, Callable[[], Run]] = {
    "passing": passing,
    "diverging": diverging,
    "interrupted": interrupted,
    "hostile": lambda: poisoned(diverging()),
}


@pytest.fixture(scope="session")
def runs() -> dict[str, Run]:
    """Name -> run: passing, diverging, interrupted, hostile."""
    return {name: make() for name, make in MAKERS.items()}


@pytest.fixture(scope="session")
def make() -> ModuleType:
    """This module, for tests that build runs of their own."""
    return _THIS


@pytest.fixture(scope="session")
def checked(make: ModuleType) -> Run:
    """A run of subjects: one conforms, one has no gradients, one diverges, one cannot be loaded."""
    return subject_runs.checked(make)


@pytest.fixture(scope="session")
def full(make: ModuleType) -> Run:
    """A run with everything that a results file may hold."""
    return full_runs.full(make)


@pytest.fixture(scope="session")
def poisoned_check(make: ModuleType) -> Run:
    """The same with the worst text there is in every field."""
    return poisoned(subject_runs.checked(make))
