"""Benign cases of the affine layer, handed over in every way."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from oracle.core.case import LAYOUTS, PROTOCOLS, Case
from oracle.core.judge import judge
from oracle.specs import spec_named
from oracle.subjects import subject_of

AFFINE = spec_named("Affine")


def affine_case(seed: int = 0, rows: int = 3, dtype: str = "float64", **handling: object) -> Case:
    """x (rows, 4), W (4, 2): standard normals."""
    rng = np.random.default_rng(seed)
    shapes = {"x": (rows, 4), "W": (4, 2), "b": (2,), "dout": (rows, 2)}
    arrays = {name: rng.standard_normal(shape).astype(dtype) for name, shape in shapes.items()}
    dims = {"x": ("N", "D"), "W": ("D", "M"), "b": ("M",), "dout": ("N", "M")}
    params = {"W": arrays["W"], "b": arrays["b"]}
    return Case("Affine", "matrix", dtype, {"x": arrays["x"]}, params, {"out": arrays["dout"]}, {}, dims)._replace(**handling)


def handings(case: Case) -> Iterator[Case]:
    """The case in every protocol and memory layout, and with a bad cotangent."""
    for protocol in PROTOCOLS:
        prior = {"reused": affine_case(1), "reshaped": affine_case(1, rows=5)}.get(protocol)
        yield case._replace(protocol=protocol, prior=prior)
    for layout in LAYOUTS:
        yield case._replace(layout=layout)
    yield case._replace(refusal="cotangent-of-another-shape", cotangents={"out": case.cotangents["out"][..., None]})


def convicted(layer: object, case: Case, spec: object = AFFINE) -> dict[str, str]:
    """The rows on which `layer` is convicted, with the messages; `measure` must make no difference to them."""
    found = [judge(spec, subject_of(spec, layer), case, measure).findings for measure in (True, False)]
    assert {f.key for f in found[0]} == {f.key for f in found[1]}
    return {f.name: f.message for f in found[0]}
