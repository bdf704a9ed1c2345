"""The outcome of a run as one JSON document, for programs."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from oracle.results import ArrayData, CaseData, Run, verdict
from reports.brief import nested
from reports.findings import Finding, account, headline, shown
from reports.rows import Row, Rows
from reports.subjects import Subject, subjects
from reports.writing import write_whole

FORMAT_VERSION = 1
"""Raised when a key is taken away or means something else; new keys may come at any time."""
LARGE = 4096
"""Elements up to which an array is written out."""


def write_json(run: Run, path: Path) -> Path:
    """Write `document` of `run` to `path` and return it. ASCII, keys in a stable order. Raises OSError."""
    return write_whole(path, json.dumps(_strict(document(run)), indent=2, allow_nan=False) + "\n")


def document(run: Run) -> dict[str, Any]:
    """`run` in plain lists and dicts. NaN and infinities are the strings "NaN", "Infinity" and "-Infinity" once written.

    format_version; run_id, started, command, complete (whether the run came to its end); verdict ("conforms", "diverges",
    "incomplete"), exit_code and sentence; missing (declared rows that were never judged); notes (of files: subject, title, text); and
    subjects, each with

    - subject, target, spec, torch, convention, not_claimed (words), verdict ("conforms", "diverges", "error", "not loaded",
      "incomplete", "not claimed"), cases, rows_passed, rows_failed, rows_not_judged, rows_not_claimed, worst_margin or null, diagnosis;
    - rows: quantity, role ("quantity", "contract"), branch, dtype, status (those of the results, "inconclusive", "not-run"), margin
      or null, n_judged, n_failed, n_inconclusive, message;
    - divergences: quantity, role, what (in a word or two), branch, dtype, margin, diagnosis or null, account (a sentence), also (the
      branches and dtypes that fail alike), id, replay, seed, index and minimised, which are null where no case was stored. minimised has
      branch, dtype, protocol, layout, config, and inputs, params and cotangents: name -> dtype, shape and values, nested lists, or
      null where there are more than 4096; it is null where the case was not minimised;
    - notes: title, text.
    """
    rows = Rows(run)
    decided = verdict(run)
    header = run.header
    return {
        "format_version": FORMAT_VERSION,
        "run_id": header.run_id,
        "started": header.started,
        "command": header.command,
        "complete": run.footer is not None and run.footer.outcome == "complete",
        "verdict": decided.outcome,
        "exit_code": decided.exit_code,
        "sentence": decided.sentence,
        "missing": [{"subject": e.layer, "quantity": e.quantity, "branch": e.branch, "dtype": e.dtype} for e in decided.missing],
        "notes": [{"subject": note.layer, "title": note.title, "text": note.text} for note in rows.other_notes],
        "subjects": [_subject(subject) for subject in subjects(rows)],
    }


def _subject(subject: Subject) -> dict[str, Any]:
    info = subject.info
    return {
        "subject": info.name,
        "target": info.target,
        "spec": info.spec,
        "torch": info.torch.splitlines(),
        "convention": info.convention,
        "not_claimed": list(info.not_claimed),
        "verdict": subject.grade,
        "cases": subject.cases,
        "rows_passed": subject.passed,
        "rows_failed": subject.failed,
        "rows_not_judged": subject.not_judged,
        "rows_not_claimed": subject.not_claimed,
        "worst_margin": subject.margin,
        "diagnosis": subject.diagnosis or None,
        "rows": [_row(row) for row in subject.rows],
        "divergences": [_divergence(finding) for finding in subject.findings],
        "notes": [{"title": note.title, "text": note.text} for note in subject.notes],
    }


def _row(row: Row) -> dict[str, Any]:
    result = row.result
    return {
        "quantity": row.quantity,
        "role": row.role,
        "branch": row.branch,
        "dtype": row.dtype,
        "status": row.state,
        "margin": row.margin,
        "n_judged": result.n_judged if result else 0,
        "n_failed": result.n_failed if result else 0,
        "n_inconclusive": result.n_inconclusive if result else 0,
        "message": result.message if result else "",
    }


def _divergence(finding: Finding) -> dict[str, Any]:
    row, example = finding.row, finding.row.example
    return {
        "quantity": row.quantity,
        "role": row.role,
        "what": headline(row),
        "branch": row.branch,
        "dtype": row.dtype,
        "margin": shown(example).margin if example else row.margin,
        "diagnosis": finding.diagnosis or None,
        "account": account(row),
        "also": [{"branch": other.branch, "dtype": other.dtype} for other in finding.others],
        "id": example.id if example else None,
        "replay": example.replay if example else None,
        "seed": example.seed if example else None,
        "index": example.index if example else None,
        "minimised": _case(example.minimised) if example and example.minimised else None,
    }


def _case(case: CaseData) -> dict[str, Any]:
    return {
        "branch": case.branch,
        "dtype": case.dtype,
        "protocol": case.protocol,
        "layout": case.layout,
        "config": dict(case.config),
        "inputs": {name: _array(array) for name, array in case.inputs.items()},
        "params": {name: _array(array) for name, array in case.params.items()},
        "cotangents": {name: _array(array) for name, array in case.cotangents.items()},
    }


def _array(array: ArrayData) -> dict[str, Any]:
    values = nested(array) if math.prod(array.shape) <= LARGE else None
    return {"dtype": array.dtype, "shape": list(array.shape), "values": values}


def _strict(value: Any) -> Any:
    """`value` without the floats that JSON does not have."""
    if isinstance(value, dict):
        return {key: _strict(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_strict(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value
