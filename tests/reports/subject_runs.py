"""Runs as `gradconform check` makes them, of layers that come from somebody's files; and runs in which every text is the worst there is."""

from __future__ import annotations

from types import ModuleType

from oracle.results import Counterexample, Expected, Footer, LayerInfo, Note, Result, Run

WHY = "The gradient is N times torch's, with N the batch: the division by the batch size is missing."
REASON = "no derivative of sigmoid was found"
MESSAGE = "broken.py, line 3: SyntaxError: invalid syntax"
PRINTED = "epoch 1\nepoch 2"


def checked(make: ModuleType, examples: bool = True) -> Run:
    """Relu, which conforms; Sigmoid, whose gradients are not claimed; SoftmaxWithLoss, which diverges; a file that cannot be loaded."""
    run = _only(make.passing(), ("Relu", "Sigmoid", "SoftmaxWithLoss"))
    run = _without_gradients(run, "layers.py:Sigmoid")
    if examples:
        run = make.with_failures(run, *_gradient(make), _written_into(make))
    rejected = LayerInfo(
        name="broken.py",
        subject="broken.py",
        torch="",
        summary="",
        check_version=0,
        branches=(),
        quantities=(),
        contracts=("subject.loads",),
        spec="Affine",
        target="broken.py",
    )
    head = run.header.model_copy(update={"layers": (*run.header.layers, rejected)})
    row = result("broken.py", "-", "-", "subject.loads", role="contract", status="error", n_judged=1, n_failed=1, message=MESSAGE)
    notes = (
        Note(layer="layers.py:Relu", title="printed", text=PRINTED),
        Note(layer="layers.py", title="not loaded", text="Adam: needs lr, which is not defined"),
    )
    return run.model_copy(update={"header": head, "results": (*run.results, row), "notes": notes})


def result(layer: str, branch: str, dtype: str, quantity: str, **changes: object) -> Result:
    """A row of which nothing was judged, but for `changes`."""
    fields: dict[str, object] = {
        "layer": layer,
        "branch": branch,
        "dtype": dtype,
        "quantity": quantity,
        "role": "quantity",
        "status": "not-claimed",
        "check_version": 1,
        "n_judged": 0,
        "n_failed": 0,
    }
    return Result(**{**fields, **changes})  # type: ignore[arg-type]


def _only(run: Run, names: tuple[str, ...]) -> Run:
    """The layers `names` of `run`, as if they came from layers.py."""

    def moved(info: LayerInfo) -> LayerInfo:
        return info.model_copy(
            update={
                "name": f"layers.py:{info.name}",
                "spec": info.name,
                "target": "layers.py",
                "convention": "layer: gradients in .dW, .db",
                "not_claimed": ("dout", "nan") if info.name == "Relu" else (),
            }
        )

    def renamed(record: Expected | Result) -> dict[str, str]:
        return {"layer": f"layers.py:{record.layer}"}

    head = run.header.model_copy(
        update={
            "layers": tuple(moved(info) for info in run.header.layers if info.name in names),
            "expected": tuple(e.model_copy(update=renamed(e)) for e in run.header.expected if e.layer in names),
        }
    )
    return Run(
        header=head,
        results=tuple(r.model_copy(update=renamed(r)) for r in run.results if r.layer in names),
        depths=tuple(d.model_copy(update={"layer": f"layers.py:{d.layer}"}) for d in run.depths if d.layer in names),
        footer=Footer(finished="2025-01-02T03:07:15Z", seconds=1.4, outcome="complete"),
    )


def _without_gradients(run: Run, layer: str) -> Run:
    """`run` in which `layer` does not claim its gradients."""

    def gone(record: Expected | Result) -> bool:
        return record.layer == layer and record.quantity.startswith("backward.")

    rows = [result(*r.key, role=r.role, message=REASON) if gone(r) else r for r in run.results]
    head = run.header.model_copy(update={"expected": tuple(e for e in run.header.expected if not gone(e))})
    return run.model_copy(update={"header": head, "results": tuple(rows)})


def _gradient(make: ModuleType) -> list[Counterexample]:
    """Three rows that fail alike. Only the second, which is not the worst, was minimised and diagnosed: it leads."""
    array = make.array
    small = make.case(
        "layers.py:SoftmaxWithLoss",
        "index",
        "float32",
        protocol="plain",
        inputs={"x": array([0.0, 0.0], (2, 1), "float32"), "t": array([0, 0], (2,), "int64")},
        params={},
        cotangents={"loss": array([1.0], (), "float32")},
        config={},
    )
    rows = (("one-hot", "float64", 9e5), ("index", "float32", 12.0), ("probabilities", "float64", 3e3))
    return [
        make.example(
            "layers.py:SoftmaxWithLoss",
            branch,
            dtype,
            "backward.dx",
            comparison=make.comparison(margin=margin),
            minimised=small if branch == "index" else None,
            minimised_comparison=make.comparison(margin=12.0) if branch == "index" else None,
            diagnosis=WHY if branch == "index" else None,
        )
        for branch, dtype, margin in rows
    ]


def _written_into(make: ModuleType) -> Counterexample:
    broken = make.comparison("contract", message="backward wrote into dout", margin=None, actual=None, expected=None)
    found: Counterexample = make.example(
        "layers.py:SoftmaxWithLoss", "one-hot", "float64", "cotangent.unchanged", comparison=broken, minimised_comparison=broken
    )
    return found


HOSTILE = (
    "<script>alert(1)</script>\"><img src=x onerror=alert(2)>\x1b[31m\u202egnp\x00\u2066 {{ 7*7 }} [bold]red[/bold] 'onload='" + "a" * 40
)


def poisoned(run: Run) -> Run:
    """`run`, in which every field that takes any text holds the worst text there is."""
    kept = ("kind", "dtype", "data", "status", "role", "outcome", "worst_outcome", "lane", "expires")
    arrays, counts = ("inputs", "params", "cotangents", "config", "dims"), (
        "boundaries", "protocols", "layouts", "profiles", "shapes", "extents", "margins", "ulps",
    )  # fmt: skip

    def poison(value: object, name: str = "") -> object:
        if isinstance(value, dict):
            return {(k[:44] + HOSTILE if name in arrays + counts else k): poison(v, k) for k, v in value.items()}
        if isinstance(value, list | tuple):
            return [poison(v, name) for v in value]
        return value[:44] + HOSTILE if isinstance(value, str) and name not in kept and name != "dtypes" else value

    return Run.model_validate(poison(run.model_dump()))
