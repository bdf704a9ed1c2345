"""Making a folder of vectors, and proving later that its answers are still torch's."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from safetensors.numpy import save

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Arrays, Case
from oracle.core.compare import allowed_error, same_bits
from oracle.core.evaluation import Evaluation
from oracle.core.expected import evaluate
from oracle.core.judge import judge
from oracle.core.spec import LayerSpec
from oracle.core.stored import restored_case
from oracle.search.corpus import Kept
from oracle.search.environment import environment
from oracle.subjects import subject_of
from oracle.vectors.choosing import chosen, companions, is_telling
from oracle.vectors.manifest import NAME, NOTES, VERSION, Manifest, VectorCase, VectorFile
from oracle.vectors.reading import Vector, VectorsError, read_manifest, read_vectors

DTYPES = {"float64": 0.45, "float32": 0.45, "float16": 0.1}
"""dtype -> its share of the cases of a branch."""
LEAST = 9
"""Cases of a branch and dtype without which not every contract is put to the test."""
ASKED_TWICE = 2
"""Cases of a branch and dtype whose companions are recorded too."""


class Recorded(NamedTuple):
    """One case with torch's answer and the allowed error of every quantity."""

    case: Case
    expected: Evaluation
    allowed: Arrays
    companion: bool


class Check(NamedTuple):
    """What became of asking torch again: cases with the same bits, cases within the allowed error, and a sentence for each that differs."""

    equal: int
    within: int
    different: tuple[str, ...]


def record(
    folder: Path, specs: Sequence[LayerSpec], per_branch: int, seed: int, done: Callable[[str], None], added: Sequence[Kept] = ()
) -> Manifest:
    """Record `per_branch` cases for every branch of `specs` into `folder`, and the stored cases `added`; `done(layer)` is called after
    each layer.

    The manifest is written last, so that a folder with one is whole. Raises OSError, and VectorsError where an added case cannot be judged.
    """
    folder.mkdir(parents=True, exist_ok=True)
    (folder / NAME).unlink(missing_ok=True)
    layers = []
    for spec in specs:
        mine = [kept for kept in added if kept.case.layer == spec.name]
        layers.append(_write(folder, spec, [*recorded(spec, per_branch, seed), *_added(spec, mine)]))
        done(spec.name)
    manifest = Manifest(
        schema_version=VERSION,
        recorded=datetime.datetime.now(datetime.timezone.utc).isoformat(timespec="seconds"),
        seed=seed,
        environment=environment(),
        notes=NOTES,
        n_cases=sum(len(layer.cases) for layer in layers),
        layers=tuple(layers),
    )
    _replace(folder / NAME, written(manifest).encode())
    return manifest


def written(manifest: Manifest) -> str:
    """The manifest as JSON with a line for each case: small, and two of them can be compared line by line."""
    told = {"kind": manifest.kind, **manifest.model_dump(mode="json", exclude_defaults=True)}
    layers = []
    for layer in told.pop("layers"):
        cases = ",\n".join(json.dumps(case, separators=(",", ":")) for case in layer.pop("cases"))
        layers.append(json.dumps(layer)[:-1] + ', "cases": [\n' + cases + "\n]}")
    return json.dumps(told, indent=1)[:-2] + ',\n "layers": [\n' + ",\n".join(layers) + "\n]\n}\n"


def recorded(spec: LayerSpec, per_branch: int, seed: int) -> Iterator[Recorded]:
    """The cases of one layer. What torch itself is outside its bound for is left out: no layer could be judged by it."""
    seen: set[bytes] = set()
    for branch in spec.branches:
        for dtype, share in DTYPES.items():
            cases = chosen(spec, branch, dtype, max(LEAST, round(per_branch * share)), seed)
            asked_twice = 0
            for case in cases:
                found = _recorded(spec, case, False)
                if found is None:
                    continue
                yield found
                told = bool(case.cotangents) and case.refusal is None and asked_twice < ASKED_TWICE and is_telling(case)
                wants = told or case.protocol == "other-form"
                if wants:
                    asked_twice += case.protocol != "other-form"
                    for other in companions(spec, case):
                        mark = other.branch.encode() + b"".join(a.tobytes() for a in other.arrays.values())
                        answered = _recorded(spec, other, True) if mark not in seen else None
                        if answered is not None:
                            seen.add(mark)
                            yield answered


def _added(spec: LayerSpec, kept: Sequence[Kept]) -> Iterator[Recorded]:
    for item in kept:
        case = restored_case(item.case)
        found = _recorded(spec, case, False) if case.branch in spec.branches else None
        if found is None:
            raise VectorsError(f"the stored case {item.digest} of {item.layer} cannot be recorded: our own layer fails it, or torch does.")
        yield found
        for other in companions(spec, case):
            answered = _recorded(spec, other, True)
            if answered is not None:
                yield answered


def _recorded(spec: LayerSpec, case: Case, companion: bool) -> Recorded | None:
    judgement = judge(spec, subject_of(spec), case)
    if judgement.discarded is not None or judgement.findings or any(c.inconclusive for c in judgement.comparisons):
        return None
    expected = evaluate(spec, case)
    return Recorded(case, expected, {} if expected.error else allowed(spec, case, expected), companion)


def allowed(spec: LayerSpec, case: Case, expected: Evaluation) -> Arrays:
    """The allowed error of every element of every quantity as float32, rounded up; infinite where nothing is determined."""
    with np.errstate(all="ignore"):
        balls = spec.bounds(PRECISIONS[case.dtype], case)
        found = {}
        for name, answer in zip(spec.quantities, expected.outputs + expected.grads, strict=True):
            wide = np.broadcast_to(np.asarray(allowed_error(balls[name]), np.float64), answer.shape)
            narrow = np.asarray(wide, np.float32)
            found[name] = np.asarray(np.where(narrow < wide, np.nextafter(narrow, np.float32(np.inf)), narrow), np.float32)
    return found


def checked(folder: Path, specs: Mapping[str, LayerSpec], done: Callable[[str], None]) -> Check:
    """Ask torch again for everything that `folder` holds of `specs`. Raises VectorsError where it lacks one of them, too."""
    equal = within = 0
    different: list[str] = []
    layers = {layer.layer: layer for layer in read_manifest(folder).layers}
    for name, spec in specs.items():
        layer = layers.get(name)
        if layer is None:
            raise VectorsError(f"{folder} holds no vectors of {name}. Record them with `gradconform record {name} --out FOLDER`.")
        if layer.check_version != spec.check_version:
            different.append(f"{layer.layer}: recorded for version {layer.check_version} of its check, which is {spec.check_version} now")
        for vector in read_vectors(folder, layer):
            said = _compared(spec, vector)
            equal, within = equal + (said == "equal"), within + (said == "within")
            if said not in ("equal", "within"):
                different.append(f"{layer.layer} case {vector.told.n}: {said}")
        done(layer.layer)
    return Check(equal, within, tuple(different))


def _compared(spec: LayerSpec, vector: Vector) -> str:
    now = evaluate(spec, vector.case)
    if (now.error is None) != (vector.expected.error is None):
        return f"torch {'raises ' + now.error if now.error else 'answers'}, and did not when it was recorded"
    if now.error is not None:
        return "equal"
    bounds = allowed(spec, vector.case, now)
    worst = "equal"
    for name, a, b in zip(spec.quantities, now.outputs + now.grads, vector.expected.outputs + vector.expected.grads, strict=True):
        if not np.allclose(bounds[name], vector.allowed[name], rtol=1e-5, atol=0, equal_nan=True):
            return f"the allowed error of {name} is another one now"
        if same_bits(a, b):
            continue
        if a.shape != b.shape or a.dtype != b.dtype:
            return f"{name} is {a.dtype} of shape {a.shape} now, and was {b.dtype} of shape {b.shape}"
        worst = "within"
        with np.errstate(all="ignore"):
            off = np.abs(a.astype(np.float64) - b.astype(np.float64))
        if not ((off <= bounds[name]) | (np.isnan(a) & np.isnan(b)) | (a == b) | np.isinf(bounds[name])).all():
            return f"{name} is further off than the allowed error"
    return worst


def _write(folder: Path, spec: LayerSpec, found: Sequence[Recorded]) -> VectorFile:
    first = next(r.case for r in found if r.expected.error is None)
    tensors: Arrays = {}
    told = []
    for n, item in enumerate(found):
        told.append(_told(n, item))
        _add(tensors, f"{n}/", item.case)
        if item.case.prior is not None:
            _add(tensors, f"{n}/prior/", item.case.prior)
        # of what backward refuses, the outputs
        answers = zip(spec.quantities, item.expected.outputs + item.expected.grads, strict=False)
        tensors |= {f"{n}/expected/{name}": _plain(a) for name, a in answers}
        tensors |= {f"{n}/allowed/{name}": _plain(a) for name, a in item.allowed.items() if name not in told[-1].exact}
    raw = save(tensors)
    name = f"{spec.name}.safetensors"
    _replace(folder / name, raw)
    return VectorFile(
        layer=spec.name,
        file=name,
        sha256=hashlib.sha256(raw).hexdigest(),
        size=len(raw),
        check_version=spec.check_version,
        summary=spec.summary,
        torch={branch: spec.expression(branch) for branch in spec.branches},
        inputs=tuple(first.inputs),
        params=tuple(first.params),
        cotangents=tuple(first.cotangents),
        quantities=spec.quantities,
        cases=tuple(told),
    )


def _told(n: int, item: Recorded) -> VectorCase:
    case = item.case
    return VectorCase(
        n=n,
        branch=case.branch,
        dtype=case.dtype,
        protocol=case.protocol,
        layout=case.layout,
        config=dict(case.config),
        dims=dict(case.dims),
        refusal=case.refusal,
        error=item.expected.error,
        answered=item.expected.error is not None and bool(item.expected.outputs),
        exact=tuple(name for name, a in item.allowed.items() if not a.any()),
        prior=case.prior is not None,
        profiles=case.profiles,
        companion=item.companion,
    )


def _add(tensors: Arrays, prefix: str, case: Case) -> None:
    for kind, arrays in (("input", case.inputs), ("param", case.params), ("cotangent", case.cotangents)):
        tensors.update({f"{prefix}{kind}/{name}": _plain(a) for name, a in arrays.items()})


def _plain(a: Array) -> Array:
    # safetensors writes memory as it lies; ascontiguousarray would make a row of a scalar
    return np.array(a, order="C")


def _replace(path: Path, raw: bytes) -> None:
    handle, partial = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(raw)
        os.chmod(partial, 0o644)
        os.replace(partial, path)
    except BaseException:
        Path(partial).unlink(missing_ok=True)
        raise
