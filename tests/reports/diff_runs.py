"""Two runs of which the second differs from the first in every way that a diff knows."""

from __future__ import annotations

from types import ModuleType
from typing import Any

from oracle.results import Counterexample, Planted, Result, Run, Sample

WHY = "The gradient is 4.0 times torch's: the division by the batch size is missing."
NUMBERED = {"index": 41, "seed": 7}


def mixed(make: ModuleType) -> tuple[Run, Run]:
    """Both runs are complete, of one seed and of the same examples; every mark but one is in their diff."""
    before = _with_sources(make.passing(), "0" * 16)
    after = _with_sources(make.passing(), "f" * 16)
    fixed = make.example("Sigmoid", "plain", "float32", "forward.y", **NUMBERED)
    unseen = make.example("softmax", "vector", "float64", "forward.y", lane="corpus")
    both = make.example("Affine", "batched", "float32", "forward.y", comparison=make.comparison(margin=9e5))
    before = make.with_failures(before, fixed, unseen, both)
    gradient = [make.example("SoftmaxWithLoss", b, d, "backward.dx", diagnosis=WHY) for b in ("one-hot", "index") for d in make.DTYPES]
    written = make.comparison("contract", message="backward wrote into its cotangent: 3 of 6 bytes changed", margin=None, actual=None)
    found = make.example("Relu", "plain", "float32", "cotangent.unchanged", comparison=written, minimised=None, lane="corpus")
    after = make.with_failures(after, *gradient, found, both)
    after = make.with_failures(after, make.example("cross_entropy_error", "one-hot", "float64", "forward.loss"), status="known")
    after = _changed(after, "AddLayer", "forward.y", status="stale")
    after = _changed(after, "numerical_gradient", "forward.grad", check_version=2)
    after = _changed(after, "Affine", "forward.y", only="failed", n_failed=12)
    before = _changed(before, "TwoLayerNet", "forward.loss", margin=0.02)
    after = _changed(after, "TwoLayerNet", "forward.loss", margin=0.61)
    after = _without(after, "MulLayer")
    return _vetted(make, before, convicted=True), _vetted(make, after, convicted=False)


def cut_off(run: Run) -> Run:
    """`run` as if it had been killed half-way."""
    return run.model_copy(update={"results": run.results[: len(run.results) // 2], "footer": None, "n_damaged": 1})


def _with_sources(run: Run, digest: str) -> Run:
    infos = tuple(info.model_copy(update={"spec": info.name, "source": digest}) for info in run.header.layers)
    return run.model_copy(update={"header": run.header.model_copy(update={"layers": infos})})


def _changed(run: Run, layer: str, quantity: str, only: str = "", **changes: Any) -> Run:
    def change(row: Result) -> Result:
        concerned = (row.layer, row.quantity) == (layer, quantity) and only in ("", row.status)
        return row.model_copy(update=changes) if concerned else row

    return run.model_copy(update={"results": tuple(map(change, run.results))})


def _without(run: Run, layer: str) -> Run:
    head = run.header.model_copy(
        update={
            "layers": tuple(i for i in run.header.layers if i.name != layer),
            "expected": tuple(e for e in run.header.expected if e.layer != layer),
        }
    )
    return run.model_copy(update={"header": head, "results": tuple(r for r in run.results if r.layer != layer)})


def _vetted(make: ModuleType, run: Run, convicted: bool) -> Run:
    """`run` with a planted fault, and a sample on which torch and two layers answer otherwise in the run that does not convict it."""
    fault = Planted(layer="Relu", family="handling", name="nan", fault="NaN becomes 0", n_cases=9, rows=("plain",) if convicted else ())
    answers = {"forward.y": make.array([1.0 if convicted else 1.0000000000000002], (1,))}
    same = {"forward.y": make.array([1.0], (1,))}
    samples = [
        _sample(make.example("Affine", "matrix", "float64", "forward.y"), actual=same, expected=answers),
        _sample(make.example("Sigmoid", "plain", "float64", "forward.y"), actual=answers, expected=same),
    ]
    return run.model_copy(update={"planted": (fault,), "samples": tuple(samples)})


def _sample(example: Counterexample, **answers: Any) -> Sample:
    case = example.case
    return Sample(layer=case.layer, branch=case.branch, dtype=case.dtype, index=3, digest=case.digest, case=case, **answers)
