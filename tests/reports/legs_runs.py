"""Runs on several versions, made up: one layer fails on one version only, answers differ by ULP, one leg drew other inputs."""

from __future__ import annotations

from types import ModuleType

from oracle.results import Run, Sample
from oracle.results.labels import Source
from oracle.results.legs import Legs, legs_of

STEP = 2.0**-52


def on(run: Run, python: str, numpy: str = "2.4.0", torch: str = "2.13.0", **changes: object) -> Run:
    """`run`, as if it had taken place on these versions."""
    where = run.header.environment.model_copy(update={"python": f"CPython {python}", "numpy": numpy, "torch": torch})
    return run.model_copy(update={"header": run.header.model_copy(update={"environment": where, **changes})})


def sampled(make: ModuleType, run: Run, ulps: int = 0, oracle: int = 0, drawn: float = 1.0, shape: tuple[int, ...] = (2, 2)) -> Run:
    """`run` with a sample of every branch in float64: answers to the layer `ulps` away, and torch's `oracle`; `drawn` is in the inputs."""
    samples = []
    for layer, (_, branches, quantities) in make.LAYERS.items():
        for branch in branches:
            small = {"inputs": {"x": make.array([drawn, 2.0, -0.0, 4.0], (2, 2))}, "params": {}, "protocol": "plain"}
            case = make.case(layer, branch, **small)
            answers = {
                side: {q: make.array([1.0, 1.0 + n * STEP, 0.0, float("nan")], shape) for q in quantities}
                for side, n in (("actual", ulps), ("expected", oracle))
            }
            samples.append(Sample(layer=layer, branch=branch, dtype="float64", index=12, digest="lies", case=case, **answers))
    return run.model_copy(update={"samples": tuple(samples)})


def sources(make: ModuleType) -> list[Source]:
    """Four legs, of which one diverges, one was cut off and one drew other inputs."""
    good, bad = make.passing(), make.diverging()
    cut = make.interrupted().model_copy(update={"counterexamples": ()})
    return [
        Source("legs/py310/results.jsonl", on(sampled(make, good), "3.10.4", "1.26.4")),
        Source("legs/py311/results.jsonl", on(sampled(make, bad, ulps=3), "3.11.9", label="")),
        Source("legs/py312/results.jsonl", on(sampled(make, good, oracle=1), "3.12.1")),
        Source("legs/py39/results.jsonl", on(sampled(make, _conforming(cut), drawn=7.0), "3.9.1")),
    ]


def _conforming(run: Run) -> Run:
    rows = tuple(r.model_copy(update={"status": "passed", "n_failed": 0, "margin": 0.5}) for r in run.results if r.n_judged)
    return run.model_copy(update={"results": rows})


def mixed(make: ModuleType) -> Legs:
    """The legs of `sources`, one of which is expected in vain."""
    return legs_of(sources(make), ["py310", "py311", "py312", "py313"])


def agreeing(make: ModuleType) -> Legs:
    """Two legs that conform and have the same answers."""
    good = sampled(make, make.passing())
    return legs_of([Source("a", on(good, "3.10.4")), Source("b", on(good, "3.11.9"))])
