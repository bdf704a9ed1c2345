"""Reading vectors: what has been cut off, changed or blown up is refused with the reason, before any number of it is used.

A manifest is JSON, the numbers are safetensors: data alone, nothing of either is executed.
"""

from __future__ import annotations

import hashlib
import importlib.resources
import json
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from pydantic import ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load

from oracle.core.case import LAYOUTS, PROTOCOLS, Array, Arrays, Case
from oracle.core.evaluation import Evaluation
from oracle.vectors.manifest import NAME, VERSION, Manifest, VectorCase, VectorFile

LARGEST_MANIFEST = 32 * 2**20
LARGEST_FILE = 256 * 2**20
LARGEST_HEADER = 16 * 2**20
"""Bytes. The project's own vectors take a hundredth of it."""
SHIPPED = "data"
"""Folder of this package with the project's own vectors."""


class VectorsError(Exception):
    """Vectors that cannot be relied on: which file, why, and what to do."""


class Vector(NamedTuple):
    """One recorded case with torch's answer. allowed: by quantity, the allowed error of every element."""

    told: VectorCase
    case: Case
    expected: Evaluation
    allowed: Arrays


def shipped() -> Path:
    """The folder of the project's own vectors."""
    return Path(str(importlib.resources.files("oracle.vectors"))) / SHIPPED


def read_manifest(folder: Path) -> Manifest:
    """The manifest of `folder`. Raises VectorsError."""
    path = folder / NAME
    raw = _bytes(path, LARGEST_MANIFEST)
    try:
        version = json.loads(raw).get("schema_version")
        if isinstance(version, int) and version > VERSION:
            raise VectorsError(f"{path} was written by a newer gradconform (version {version} of the format). Update gradconform.")
        manifest = Manifest.model_validate_json(raw)
    except (AttributeError, RecursionError, TypeError, ValueError) as error:
        raise VectorsError(f"{path} is no manifest of vectors: {_first(error)}. Record them again with `gradconform record`.") from error
    _check(path, manifest)
    return manifest


def read_vectors(folder: Path, layer: VectorFile) -> Iterator[Vector]:
    """The cases of one layer, in the order of their numbers. The whole file is checked before the first one. Raises VectorsError."""
    path = folder / layer.file
    raw = _bytes(path, min(LARGEST_FILE, layer.size))
    if len(raw) != layer.size or hashlib.sha256(raw).hexdigest() != layer.sha256:
        raise VectorsError(f"{path} is not the file that was recorded: its digest differs from the manifest's. Fetch it again.")
    if len(raw) < 8 or struct.unpack("<Q", raw[:8])[0] > LARGEST_HEADER:
        raise VectorsError(f"{path} has a header beyond all measure. Record it again with `gradconform record`.")
    try:
        tensors = load(raw)
    except (SafetensorError, KeyError, TypeError, ValueError) as error:
        raise VectorsError(f"{path} is no safetensors file: {error}. Record it again with `gradconform record`.") from error
    for told in layer.cases:
        yield _vector(path, layer, told, tensors)


def _vector(path: Path, layer: VectorFile, told: VectorCase, tensors: Arrays) -> Vector:
    def group(kind: str, names: tuple[str, ...]) -> Arrays:
        return {name: _tensor(path, f"{told.n}/{kind}/{name}", tensors) for name in names}

    def case(prefix: str, prior: Case | None) -> Case:
        return Case(
            layer=layer.layer,
            branch=told.branch,
            dtype=told.dtype,
            inputs=group(f"{prefix}input", layer.inputs),
            params=group(f"{prefix}param", layer.params),
            cotangents=group(f"{prefix}cotangent", layer.cotangents),
            config=told.config,
            dims=told.dims,
            protocol="plain" if prefix else told.protocol,
            layout="C" if prefix else told.layout,
            prior=prior,
            refusal=None if prefix else told.refusal,
            profiles=told.profiles,
        )

    asked = case("", case("prior/", None) if told.prior else None)
    outputs = tuple(q for q in layer.quantities if q.startswith("forward."))
    if told.error is not None:
        answered = group("expected", outputs) if told.answered else {}
        return Vector(told, asked, Evaluation(tuple(answered.values()), (), told.error), {})
    expected = group("expected", layer.quantities)
    inexact = tuple(q for q in layer.quantities if q not in told.exact)
    allowed = {q: np.zeros(expected[q].shape, np.float32) for q in told.exact if q in expected} | group("allowed", inexact)
    answers = tuple(expected[q] for q in layer.quantities)
    return Vector(told, asked, Evaluation(answers[: len(outputs)], answers[len(outputs) :], None), allowed)


def _tensor(path: Path, name: str, tensors: Arrays) -> Array:
    try:
        return tensors[name]
    except KeyError:
        raise VectorsError(f"{path} lacks the tensor {name} that the manifest names. Record it again with `gradconform record`.") from None


def _check(path: Path, manifest: Manifest) -> None:
    """Raises VectorsError where the manifest contradicts itself, or asks for what there is none of."""
    cases = [case for layer in manifest.layers for case in layer.cases]
    if manifest.n_cases != len(cases):
        raise VectorsError(f"{path} lists {len(cases):,} cases and counts {manifest.n_cases:,}: it has been changed. Fetch it again.")
    if len({layer.layer for layer in manifest.layers}) != len(manifest.layers):
        raise VectorsError(f"{path} lists a layer twice: it has been changed. Fetch it again.")
    for layer in manifest.layers:
        numbers = [case.n for case in layer.cases]
        if len(set(numbers)) != len(numbers):
            raise VectorsError(f"{path} lists a case of {layer.layer} twice: it has been changed. Fetch it again.")
    strange = next((c for c in cases if c.layout not in LAYOUTS or c.protocol not in (*PROTOCOLS, "other-form")), None)
    if strange:
        raise VectorsError(f"{path} asks for the layout {strange.layout!r} and the protocol {strange.protocol!r}: one of them is unknown.")


def _bytes(path: Path, most: int) -> bytes:
    try:
        if not path.is_file():
            raise VectorsError(f"there is no {path}. `gradconform record --out FOLDER` makes a folder of vectors.")
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise VectorsError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(raw) > most:
        raise VectorsError(f"{path} is larger than the {most:,} bytes it should have. Fetch it again.")
    return raw


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(map(str, first["loc"]))
        return f"{where}: {first['msg']}" if where else first["msg"]
    return f"{type(error).__name__}: {error}"
