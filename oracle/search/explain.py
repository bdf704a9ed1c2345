"""A finding in numbers and words, and as code that anybody with NumPy and torch can run."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from typing import Any

import numpy as np

from oracle.core.ball import PRECISIONS
from oracle.core.case import Array, Case
from oracle.core.compare import Comparison, allowed_error, compare, ulp_distance
from oracle.core.evaluation import Finding
from oracle.core.expected import evaluate as expected_of
from oracle.core.observe import Judged, observe, watching
from oracle.core.spec import LayerSpec
from oracle.core.stored import stored_array
from oracle.results.model import ComparisonData

LITERAL = 64
"""Elements up to which an array is written out in a snippet; a larger one is packed."""
PACKED = 4096
"""Bytes up to which an array is packed; a larger one is only to be had by replaying."""
WHOLE = 256
"""Elements up to which both sides' answers are stored whole."""


def explained(spec: LayerSpec, subject: Judged, case: Case, finding: Finding) -> ComparisonData:
    """The finding with the values at its worst element, as it is stored."""
    found = finding.comparison
    if found is None:
        return ComparisonData(reason=finding.reason or "contract", message=finding.message)
    with watching(), np.errstate(all="ignore"):
        sides = _sides(spec, subject, case, found.quantity)
        if sides is None or sides[0].shape != sides[1].shape or len(found.worst_index) != sides[0].ndim:
            return ComparisonData(reason=finding.reason, message=finding.message, margin=found.margin)
        at = found.worst_index
        actual, expected, allowed = sides
        told = finding.message or sentence(finding.name, actual[at], expected[at], allowed[at], found.margin, at)
        return in_numbers(*sides, found, finding.reason, told)


def measured(spec: LayerSpec, subject: Judged, case: Case, quantity: str) -> ComparisonData | None:
    """How far `quantity` is off in a case that holds, with the values at its worst element; None where there is nothing to compare."""
    sides = _sides(spec, subject, case, quantity)
    if sides is None or sides[0].shape != sides[1].shape or not sides[0].size:
        return None
    actual, expected, allowed = sides
    found = compare(quantity, actual, expected, spec.bounds(PRECISIONS[case.dtype], case)[quantity])
    off = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    ratio = np.where(off > 0, off / allowed, 0.0)
    at = np.unravel_index(int(np.nanargmax(np.where(np.isnan(ratio), -1.0, ratio))), ratio.shape)
    return in_numbers(actual, expected, allowed, found._replace(worst_index=tuple(map(int, at))), "value", "")


def _sides(spec: LayerSpec, subject: Judged, case: Case, quantity: str) -> tuple[Array, Array, Array] | None:
    """(actual, expected, allowed error) of one quantity; None where one of them gave none."""
    expected = expected_of(spec, case)
    seen = observe(subject, case).evaluation
    results = dict(zip(spec.quantities, seen.outputs + seen.grads, strict=False))
    answers = dict(zip(spec.quantities, expected.outputs + expected.grads, strict=False))
    if quantity not in results or quantity not in answers:
        return None
    return results[quantity], answers[quantity], allowed_error(spec.bounds(PRECISIONS[case.dtype], case)[quantity])


def in_numbers(actual: Array, expected: Array, allowed: Array, found: Comparison, reason: str, message: str) -> ComparisonData:
    at = found.worst_index
    off = np.abs(actual.astype(np.float64) - expected.astype(np.float64))
    whole = actual.size <= WHOLE and actual.dtype == expected.dtype
    return ComparisonData(
        reason=reason,
        message=message,
        margin=found.margin,
        max_abs=float(np.nanmax(off, initial=0.0)),
        max_ulp=ulp_distance(actual, expected),
        worst_index=at,
        actual=stored_array(np.asarray(actual[at])),
        expected=stored_array(np.asarray(expected[at])),
        allowed=stored_array(np.asarray(allowed[at], np.float64)),
        all_actual=stored_array(actual) if whole else None,
        all_expected=stored_array(expected) if whole else None,
        all_allowed=stored_array(np.asarray(allowed, np.float64)) if whole else None,
        n_mismatched=found.n_mismatched,
        n_elements=found.n_elements,
    )


def sentence(name: str, actual: Any, expected: Any, allowed: Any, margin: float, at: tuple[int, ...]) -> str:
    where = f"{name}[{', '.join(map(str, at))}]" if at else name
    if margin == np.inf and not (np.isfinite(actual) and np.isfinite(expected)):
        return f"{where} is {actual}, torch gives {expected}."
    share = f"{margin:.3g} times the allowed error {float(allowed):.3g}" if margin < np.inf else "where no error is allowed"
    return f"{where} is {actual}, torch gives {expected}: off by {abs(float(actual) - float(expected)):.3g}, {share}."


def snippet(spec: LayerSpec, case: Case, finding: Finding, answers: Mapping[str, Array]) -> str:
    """Code that shows the finding with NumPy and torch alone: the inputs, torch's answer, and what the layer answered.

    `answers` are the layer's results by quantity; of a finding about one quantity only that one is shown.
    """
    concerned = finding.name if finding.role == "quantity" else None if finding.comparison is None else finding.comparison.quantity
    arrays = {**case.inputs, **case.params}
    lines = ["import numpy as np", "import torch", "import torch.nn.functional as F", "from numpy import inf, nan", ""]
    if any(a.size > LITERAL for a in case.arrays.values()):
        lines.insert(0, "import base64")
    for name, a in (*arrays.items(), *[(f"d{n}", c) for n, c in case.cotangents.items()]):
        if a.nbytes > PACKED:
            return f"# {name} has {a.size} elements; the replay command shows this case in full."
        lines.append(f"{name} = {_literal(a)}")
    names = ", ".join(arrays)
    lines += ["", f"{names}{',' if len(arrays) == 1 else ''} = (torch.from_numpy(a) for a in ({names},))"]
    lines += [f"{name}.requires_grad_()" for name in spec.wrt]
    outputs = ", ".join(spec.outputs)
    lines.append(f"{outputs} = {spec.expression(case.branch)}")
    lines += [f'print("torch  forward.{name}:", {name}.detach().numpy())' for name in spec.outputs]
    if spec.wrt:
        roots = [name for name in spec.outputs if name in case.cotangents]
        grads = ", ".join(f"grad_{name}" for name in spec.wrt)
        seeds = ", ".join(f"torch.from_numpy(d{name})" for name in roots)
        lines.append(f"{grads}, = torch.autograd.grad([{', '.join(roots)}], [{', '.join(spec.wrt)}], [{seeds}])")
        lines += [f'print("torch  backward.d{name}:", grad_{name}.numpy())' for name in spec.wrt]
    shown = answers if concerned is None else {concerned: answers[concerned]} if concerned in answers else {}
    lines += [f'print("layer  {name}:", {_literal(a)})' for name, a in shown.items() if a.nbytes <= PACKED]
    if finding.role == "contract":
        lines.append(f"# {finding.name}: {' '.join(finding.message.split())}")
    return "\n".join(lines) + "\n"


def _literal(a: Array) -> str:
    if a.size == 0:
        return f"np.zeros({a.shape}, np.{a.dtype})"
    if a.size <= LITERAL:
        return f"np.array({a.tolist()!r}, np.{a.dtype})"
    packed = base64.b64encode(a.tobytes()).decode("ascii")
    return f'np.frombuffer(base64.b64decode("{packed}"), np.{a.dtype}).reshape({a.shape}).copy()'
