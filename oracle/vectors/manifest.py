"""The manifest of a folder of vectors: everything but the numbers, which are in one safetensors file for each layer.

Schema history
--------------
1   First version.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from oracle.results.model import Count, Environment, Name, Record, Scalar, Text

VERSION = 1
NAME = "manifest.json"

NOTES = {
    "files": "Each layer has one safetensors file. The tensors of case n are named n/input/NAME, n/param/NAME, n/cotangent/NAME, "
    "n/expected/QUANTITY and n/allowed/QUANTITY; with n/prior/ before input, param and cotangent those of the case that "
    "the same layer object is used on before.",
    "expected": "What torch answers in the dtype of the case. A layer conforms where abs(actual - expected) <= allowed, element by "
    "element; NaN must meet NaN, an infinity the same infinity. Shape and dtype are those of the tensor. The sign of a zero is not judged.",
    "allowed": "float32, rounded up; infinite where the result may overflow, so that nothing is asked of the element. Of quantities that "
    "are listed as exact it is left out: there it is 0 everywhere.",
    "error": "Set where torch raises: the layer must raise as well, whatever its message. answered: it is backward that raises, and "
    "forward has answered what is expected of it.",
    "protocol": "plain: a new object. reused, reshaped: an object that was used on the prior case. backward-twice: backward is called "
    "twice, and both gradients are judged. backward-first: backward is tried before forward and must raise; then the case is judged as "
    "usual. other-form: the same labels as one-hot must give the same answer.",
    "layout": "How the arrays are handed over: C, fortran, strided (every second element of a wider array), negative-stride (the last axis "
    "reversed), stride-0 (equal rows share their memory), read-only. Where a language has no such thing, as C.",
    "companion": "A case that is only there to answer a second question about another one; it is judged like any other.",
}
"""What the flags mean, told once in every manifest."""


class VectorCase(Record):
    """One case; see `NOTES`."""

    n: Count
    branch: Name
    dtype: Name
    protocol: Name = "plain"
    layout: Name = "C"
    config: dict[Name, Scalar] = {}
    dims: dict[Name, tuple[str | int, ...]] = {}
    refusal: Name | None = None
    error: Text | None = None
    answered: bool = False
    exact: tuple[Name, ...] = ()
    prior: bool = False
    profiles: tuple[Name, ...] = ()
    companion: bool = False


class VectorFile(Record):
    """The vectors of one layer.

    torch: by branch, the expression that was evaluated. inputs, params, cotangents: names, in the order of the layer's arguments.
    quantities: what is judged, in the order of the layer's results: "forward.NAME", then "backward.dNAME".
    """

    layer: Name
    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_]{1,100}\.safetensors$")]
    sha256: Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
    size: Count
    check_version: Count
    summary: Text
    torch: dict[Name, Text]
    inputs: tuple[Name, ...]
    params: tuple[Name, ...]
    cotangents: tuple[Name, ...]
    quantities: tuple[Name, ...]
    cases: tuple[VectorCase, ...]


class Manifest(Record):
    """What a folder of vectors holds, and where its answers come from."""

    kind: Literal["vectors"] = "vectors"
    schema_version: int
    recorded: Name
    seed: int
    environment: Environment
    notes: dict[Name, Text]
    n_cases: Count
    layers: tuple[VectorFile, ...]
