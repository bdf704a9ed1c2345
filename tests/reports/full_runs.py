"""A run with everything that a results file may hold: histograms, extents, worst cases, planted faults, oracle health, a gate, lanes."""

from __future__ import annotations

from types import ModuleType

from oracle.results import Depth, Gate, Health, Known, Planted, Result, Run, Worst

MARGINS = {"0": 400, "2^-9": 31, "2^-6": 120, "2^-3": 80, "2^-1": 12, "2^0": 1}
BEYOND = {**MARGINS, "2^4": 7, "inf": 2}
ULPS = {"0": 30_000, "2^0": 9_000, "2^1": 2_000, "2^4": 41}
EXTENTS = {"0,3": 7, "1,1": 90, "3,4": 160, "64,31": 12, "1024,2": 1}
BOUNDARIES = ("empty", "one-sample", "kink at 0", "subnormal", "ties")
SURVIVOR = "the bias is added twice when there is one row"
LINK = "https://example.org/issues/12"
KNOWN = (
    Known(
        layer="Sigmoid",
        branch="plain",
        quantity="forward.y",
        dtype="float32",
        reason="Two roundings by design.",
        link=LINK,
        expires="2031-01-31",
    ),
    Known(layer="Relu", branch="plain", quantity="backward.dx", reason="Mended long ago.", link="javascript:alert(1)"),
    Known(layer="Relu", branch="gone", quantity="forward.y", reason="Nobody knows."),
)


def full(make: ModuleType) -> Run:
    """The diverging run with all of it: one fault survives, the oracle is off once, one divergence is known and one stale."""
    run = make.diverging()
    head = run.header.model_copy(
        update={
            "boundaries": BOUNDARIES,
            "n_planted": 4,
            "gate": Gate(known=KNOWN, floor=500, source="pyproject.toml"),
            "corpus": ("0123456789abcdef",),
        }
    )
    heated = tuple(e.model_copy(update={"minimised_comparison": heat(make)}) for e in run.counterexamples)
    lanes = tuple(e.model_copy(update={"lane": "corpus" if e.layer == "Affine" else "search"}) for e in heated)
    return run.model_copy(
        update={
            "header": head,
            "results": tuple(map(_measured, run.results)),
            "depths": tuple(map(_deep, run.depths)),
            "counterexamples": tuple(e if e.role == "quantity" else old for e, old in zip(lanes, run.counterexamples, strict=True)),
            "worsts": tuple(_worsts(make, run)),
            "planted": PLANTED,
            "health": HEALTH,
        }
    )


def heat(make: ModuleType) -> object:
    """A comparison with its whole arrays: one element equal, one near the edge, one beyond it, one undetermined, one NaN, one -0."""
    return make.comparison(
        all_actual=make.array([1.0, 2.0, 2.0, 3.0, float("nan"), -0.0], (2, 3)),
        all_expected=make.array([1.0, 2.25, 0.5, 9.0, 1.0, 0.0], (2, 3)),
        all_allowed=make.array([0.5, 0.3, 0.0625, float("inf"), 0.5, 0.5], (2, 3)),
    )


def _measured(result: Result) -> Result:
    if result.key == ("Sigmoid", "plain", "float32", "forward.y"):
        return result.model_copy(update={"status": "known", "margins": BEYOND, "ulps": ULPS})
    if result.key == ("Relu", "plain", "float64", "backward.dx"):
        return result.model_copy(update={"status": "stale", "margins": MARGINS, "ulps": ULPS})
    if result.role == "contract":
        return result
    replayed = {"n_replayed": 40, "n_replay_failed": 3 if result.layer == "Affine" and result.status == "failed" else 0}
    return result.model_copy(update={"margins": BEYOND if result.status == "failed" else MARGINS, "ulps": ULPS, **replayed})


def _deep(depth: Depth) -> Depth:
    found = {**depth.boundaries, "kink at 0": 310, "ties": 44} if depth.layer == "Relu" else dict.fromkeys(BOUNDARIES, 3)
    return depth.model_copy(update={"extents": EXTENTS, "boundaries": found})


def _worsts(make: ModuleType, run: Run) -> list[Worst]:
    return [
        Worst(
            layer=info.name,
            branch=info.branches[0],
            dtype="float32",
            quantity=quantity,
            seed=7,
            index=1234,
            comparison=make.comparison(message="", margin=0.61),
            shapes={"x": (3, 4), "t": ()},
            protocol="used-before",
            layout="strided",
            profiles=("ties", "cancelling"),
            case=make.case(info.name, info.branches[0], "float32") if info.name == "Relu" else None,
        )
        for info in run.header.layers
        for quantity in info.quantities
    ]


PLANTED = (
    Planted(layer="Relu", family="gradient", name="relu-ge", fault="the mask is x >= 0", n_cases=3, rows=("plain float64 backward.dx",)),
    Planted(
        layer="Relu", family="state", name="relu-stale", fault="the first mask is kept", n_cases=9, rows=("plain float64 state.fresh",)
    ),
    Planted(layer="Affine", family="gradient", name="affine-db", fault="db is a mean", n_cases=2, rows=("matrix float64 backward.db",)),
    Planted(layer="Affine", family="state", name="affine-bias", fault=SURVIVOR, n_cases=2000),
)
HEALTH = (
    Health(layer="Relu", branch="plain", quantity="backward.dx", n_cases=20, n_elements=400, n_kinks=31, n_unresolved=4, worst=0.2),
    Health(
        layer="Affine",
        branch="matrix",
        quantity="backward.dW",
        n_cases=20,
        n_elements=900,
        n_wrong=2,
        worst=55.0,
        message="dW[0, 1]: 3 against 4",
    ),
)
