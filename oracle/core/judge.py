"""`judge`: all quantities and contracts of one case, none hiding another. No pytest, no Hypothesis, no printing."""

from __future__ import annotations

import numpy as np

from oracle.core.ball import EXTENDED, PRECISIONS, Ball, Precision
from oracle.core.case import Array, Case
from oracle.core.compare import Comparison, compare, same_bits
from oracle.core.contracts import of_protocol
from oracle.core.evaluation import Evaluation, Finding, Judgement
from oracle.core.expected import NotRecorded
from oracle.core.expected import evaluate as expected_of
from oracle.core.observe import Judged, Observation, observe, watching
from oracle.core.spec import LayerSpec

EXTENDED_LIMIT = 2**20
"""Multiplications up to which a conviction is confirmed in extended precision, where products have no BLAS."""


_CLEAN = Judgement((), (), True)
_REFUSED = Judgement((), (), False)


def judge(spec: LayerSpec, subject: Judged, case: Case, measure: bool = True) -> Judgement:
    """Judge `subject` on `case` against torch.

    Without `measure`, bitwise equality settles a case, and torch's own error is not looked at unless the layer fails; the sweep
    measures a fixed share of its cases. A failure under an unusual protocol or memory layout that vanishes in
    the plain one is charged to that contract, not to the quantity.
    """
    with watching():
        return decide(spec, subject, case, expected_of(spec, case), observe(subject, case), measure)


def decide(spec: LayerSpec, subject: Judged, case: Case, expected: Evaluation, seen: Observation, measure: bool) -> Judgement:
    """The judgement of a case that both sides have run already; to be called within `watching()`."""
    if case.refusal is not None:
        return _judge_refusal(case, expected, seen)
    if expected.error is not None:
        return Judgement((), (), False, f"torch raised {expected.error}")
    if not measure and seen.evaluation.error is None and not seen.breaches and not seen.warned and _all_equal(seen, expected):
        return _CLEAN if case.protocol != "other-form" else _judge_other_form(spec, subject, case, seen)
    with np.errstate(all="ignore"):
        return _judge_closely(spec, subject, case, expected, seen, measure)


def _all_equal(seen: Observation, expected: Evaluation) -> bool:
    mine, theirs = seen.evaluation, expected
    if len(mine.outputs) != len(theirs.outputs) or len(mine.grads) != len(theirs.grads):
        return False
    pairs = zip(mine.outputs + mine.grads, theirs.outputs + theirs.grads, strict=True)
    if not all(same_bits(a, e) for a, e in pairs):
        return False
    return seen.again is None or all(same_bits(a, e) for a, e in zip(seen.again, theirs.grads, strict=True))


def _judge_refusal(case: Case, expected: Evaluation, seen: Observation) -> Judgement:
    """Error parity: bad input on which torch raises must raise here too."""
    if expected.error is None:
        return Judgement((), (), False, f"torch answered the bad input {case.refusal}")
    if seen.evaluation.error is None:
        message = f"{case.refusal}: the layer answered where torch raises {expected.error}"
    elif seen.evaluation.outputs and not expected.outputs:
        message = f"{case.refusal}: forward answered where torch raises {expected.error}; only backward raised"
    else:
        return _REFUSED
    return Judgement((Finding("inputs.refused", "contract", case.refusal or "", message),), (), False)


def _judge_closely(
    spec: LayerSpec,
    subject: Judged,
    case: Case,
    expected: Evaluation,
    seen: Observation,
    measure: bool = True,
    attribute: bool = True,
) -> Judgement:
    """The whole judgement of a case that is not settled by equal bits."""
    findings = [Finding(b.contract, "contract", "contract", b.message) for b in dict.fromkeys(seen.breaches)]
    comparisons: list[Comparison] = []
    error = seen.evaluation.error
    if error is not None:
        findings.append(Finding("call.answers", "contract", "died" if seen.died else "error", error))
    else:
        if seen.warned and _all_finite(expected):
            findings.append(Finding("call.no-warnings", "contract", "warning", seen.warned[0]))
        findings += _forms(spec, seen.evaluation, expected)
        comparisons, faults = _values(spec, case, seen, expected, measure)
        if attribute and faults and case.cotangents:
            faults = _charged_to_dout(spec, subject, case, seen, faults)
        findings += faults
        if case.protocol == "other-form":
            findings += _judge_other_form(spec, subject, case, seen).findings
    # a case that a process did not survive is not tried again in other ways
    if attribute and findings and not seen.died and (case.protocol != "plain" or case.layout != "C"):
        findings = _attributed(spec, subject, case, findings)
    # what is charged to another row says nothing about the margin of this one
    failed = {f.name for f in findings}
    kept = tuple([c for c in comparisons if c.ok or c.inconclusive or c.quantity in failed])
    return Judgement(tuple(findings), kept, error is None)


def _all_finite(expected: Evaluation) -> bool:
    return all(np.isfinite(e).all() for e in expected.outputs + expected.grads)


def _forms(spec: LayerSpec, actual: Evaluation, expected: Evaluation) -> list[Finding]:
    """Shapes and dtypes. A quantity of another shape cannot be compared, so it fails as well."""
    findings = []
    for name, a, e in zip(spec.quantities, actual.outputs + actual.grads, expected.outputs + expected.grads, strict=True):
        if a.shape != e.shape:
            message = f"{name} has shape {a.shape}, torch's has {e.shape}"
            findings.append(Finding("results.shape", "contract", "shape", message))
            findings.append(Finding(name, "quantity", "shape", message))
        if a.dtype != e.dtype:
            findings.append(Finding("results.dtype", "contract", "dtype", f"{name} is {a.dtype}, torch's is {e.dtype}"))
    return findings


def _values(spec: LayerSpec, case: Case, seen: Observation, expected: Evaluation, measure: bool) -> tuple[list[Comparison], list[Finding]]:
    """Every quantity held against its allowed error, a conviction confirmed with an extended midpoint."""
    comparisons, findings = _compared(spec, case, PRECISIONS[case.dtype], seen, expected, measure)
    if findings and case.dtype == "float64" and _extendable(case):
        comparisons, findings = _compared(spec, case, EXTENDED[case.dtype], seen, expected)
    return comparisons, findings


def _extendable(case: Case) -> bool:
    sizes = sorted({n for a in case.arrays.values() for n in a.shape}, reverse=True)
    return int(np.prod(sizes[:3], dtype=np.int64)) <= EXTENDED_LIMIT


def _compared(
    spec: LayerSpec, case: Case, p: Precision, seen: Observation, expected: Evaluation, measure: bool = True
) -> tuple[list[Comparison], list[Finding]]:
    balls = spec.bounds(p, case)
    comparisons, findings = [], []
    pairs = zip(spec.quantities, seen.evaluation.outputs + seen.evaluation.grads, expected.outputs + expected.grads, strict=True)
    for name, a, e in pairs:
        if a.shape == e.shape:
            found = compare(name, a, e, balls[name], measure)
            comparisons.append(found)
            if not (found.ok or found.inconclusive):
                findings.append(Finding(name, "quantity", found.reason, "", found))
    if seen.again is not None:
        # what is wrong the first time is no fault of the repetition
        grads = zip(spec.backward_names, seen.evaluation.grads, expected.grads, strict=True)
        wrong = {f.name for f in findings} | {name for name, g, e in grads if g.shape != e.shape}
        findings += _repeated(spec, seen.again, expected.grads, balls, wrong, measure)
    return comparisons, findings


def _repeated(
    spec: LayerSpec, again: tuple[Array, ...], expected: tuple[Array, ...], balls: dict[str, Ball], wrong: set[str], measure: bool
) -> list[Finding]:
    """The gradients of the second backward, held against the same allowed errors."""
    findings = []
    for name, a, e in zip(spec.backward_names, again, expected, strict=True):
        if name in wrong:
            continue
        message = f"{name} of the second backward is another than that of the first"
        if a.shape != e.shape:
            findings.append(Finding("backward.repeatable", "contract", "shape", message))
        elif not ((found := compare(name, a, e, balls[name], measure)).ok or found.inconclusive):
            findings.append(Finding("backward.repeatable", "contract", found.reason, message, found))
    return findings


def _judge_other_form(spec: LayerSpec, subject: Judged, case: Case, seen: Observation) -> Judgement:
    """The same question in another form must have the same answer, within both allowed errors."""
    with np.errstate(all="ignore"):
        other = spec.other_form[case.branch](case)
        if other is None:
            return _CLEAN
        answer = observe(subject, other._replace(protocol="plain"))
        if answer.evaluation.error is not None:
            finding = Finding("labels.forms-agree", "contract", "error", f"{other.branch}: {answer.evaluation.error}")
            return Judgement((finding,), (), True)
        mine = answer.evaluation
        # a product of 0 and -inf is NaN in one form and never formed in the other: there torch's own two answers differ
        try:
            if not (_all_finite(seen.evaluation) and _all_finite(expected_of(spec, other))):
                return _CLEAN
        except NotRecorded:
            return _CLEAN
        _, faults = _compared(spec, case, PRECISIONS[case.dtype], Observation(mine, (), None, ()), seen.evaluation)
        message = f"{case.branch} and {other.branch} labels give different answers"
        findings = [Finding("labels.forms-agree", "contract", "value", message, f.comparison) for f in faults[:1]]
        return Judgement(tuple(findings), (), True)


def _charged_to_dout(spec: LayerSpec, subject: Judged, case: Case, seen: Observation, faults: list[Finding]) -> list[Finding]:
    """A gradient that is the same for any `dout`, and right for one of ones, ignores it: that is one fault with a row of its own."""
    suspects = {f.name for f in faults if f.role == "quantity"} & set(spec.backward_names)
    if not suspects:
        return faults
    same = suspects
    # -0.5 as well: a square is the same for 1 and -1, and what is clipped for a large dout is not for a small one
    for value in (-0.5, 1.0):
        full = case._replace(cotangents={name: np.full_like(a, value) for name, a in case.cotangents.items()})
        answer = observe(subject, full)
        if answer.evaluation.error is not None:
            return faults
        pairs = zip(spec.backward_names, seen.evaluation.grads, answer.evaluation.grads, strict=True)
        same = {name for name, a, b in pairs if name in same and same_bits(a, b)}
        if not same:
            return faults
    try:
        right = expected_of(spec, full)
    except NotRecorded:
        return faults
    same -= {f.name for f in _judge_closely(spec, subject, full, right, answer, attribute=False).findings}
    ignored = [f for f in faults if f.name in same]
    rest = [f for f in faults if f.name not in same]
    message = f"{ignored[0].name} is the same whatever dout is" if ignored else ""
    return rest + [Finding("cotangent.honoured", "contract", "value", message, f.comparison) for f in ignored[:1]]


def _attributed(spec: LayerSpec, subject: Judged, case: Case, findings: list[Finding]) -> list[Finding]:
    """Charge what vanishes in plain C order to the layout, and what vanishes on a fresh object to the protocol."""
    plain = case._replace(protocol="plain", prior=None)
    variants = []
    if case.layout != "C":
        variants.append(("inputs.layout", case._replace(layout="C"), f"with {case.layout} memory only: "))
    protocol = of_protocol(case.protocol)
    if protocol is not None and case.protocol != "other-form":
        variants.append((protocol, plain, f"{case.protocol} only: "))
    for contract, variant, note in variants:
        still = {f.key for f in _findings_of(spec, subject, variant)}
        findings = [f if f.key in still or not _depends(f) else _charged(f, contract, note) for f in findings]
    return list({f.key: f for f in reversed(findings)}.values())[::-1]


def _depends(finding: Finding) -> bool:
    """Whether the fault may lie in the way the case was handed over: a wrong answer does, a write into dout is what it is."""
    return finding.role == "quantity" or finding.name in ("call.answers", "call.no-warnings", "results.shape", "results.dtype")


def _charged(finding: Finding, contract: str, note: str) -> Finding:
    found = finding.comparison
    detail = finding.message if found is None else f"{finding.name} is off by {found.margin:.3g} times the allowed error"
    return Finding(contract, "contract", finding.reason, f"{note}{detail}", finding.comparison)


def _findings_of(spec: LayerSpec, subject: Judged, case: Case) -> tuple[Finding, ...]:
    expected = expected_of(spec, case)
    if expected.error is not None:
        return ()
    seen = observe(subject, case)
    return _judge_closely(spec, subject, case, expected, seen, attribute=False).findings
