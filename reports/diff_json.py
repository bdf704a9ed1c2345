"""A diff as one JSON document, for programs."""

from __future__ import annotations

import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

from oracle.results import Result
from oracle.results.diff import Change, Difference
from reports.diff_groups import outcome, sentence
from reports.words import state_of
from reports.writing import write_whole

FORMAT_VERSION = 1
"""Raised when a key is taken away or means something else; new keys may come at any time."""


def write_diff_json(difference: Difference, path: Path) -> Path:
    """Write `diff_document` of `difference` to `path` and return it. ASCII. Raises OSError."""
    return write_whole(path, json.dumps(diff_document(difference), indent=2, allow_nan=False) + "\n")


def diff_document(difference: Difference) -> dict[str, Any]:
    """`difference` in plain lists and dicts. NaN and infinities are the strings "NaN" and "Infinity".

    format_version; outcome ("REGRESSION", "NO REGRESSION" or "NO REGRESSION, INCOMPLETE"), exit_code, sentence, incomplete (sentences),
    replayed, rows (judged in either run), new (rows that BEFORE did not judge and that pass), counts (mark -> rows);
    changes, the most important first: layer, branch, dtype, quantity, mark, differs (false where the row fails in both in the very same
    way), why, causes (any of "code", "inputs", "check", "environment"), replay (what judging the case again has shown, or ""), before
    and after (status, margin, n_judged, n_failed; null where the run has no such row), id and command (of the failing case, or null)
    and diagnosis;
    moved: layer, quantity, side ("actual" or "expected"), compared, moved, ulp (null: beyond any distance), digest, causes;
    survived: the planted faults missed in AFTER alone; sides: group, name, before, after of all that differs between the runs.
    """
    return {
        "format_version": FORMAT_VERSION,
        "outcome": outcome(difference),
        "exit_code": difference.exit_code,
        "sentence": sentence(difference),
        "incomplete": list(difference.incomplete),
        "replayed": difference.replayed,
        "rows": difference.n_rows,
        "new": difference.n_new,
        "counts": dict(Counter(change.mark for change in difference.changes)),
        "changes": [_change(change) for change in difference.changes],
        "moved": [
            {
                "layer": m.layer,
                "quantity": m.quantity,
                "side": m.side,
                "compared": m.n_compared,
                "moved": m.n_moved,
                "ulp": m.ulp,
                "digest": m.digest,
                "causes": list(m.causes),
            }
            for m in difference.moved
        ],
        "survived": [{"layer": p.layer, "family": p.family, "name": p.name} for p in difference.blinder.survived],
        "sides": [side._asdict() for side in difference.sides if side.differs],
    }


def _change(change: Change) -> dict[str, Any]:
    layer, branch, dtype, quantity = change.key
    example = change.example
    return {
        "layer": layer,
        "branch": branch,
        "dtype": dtype,
        "quantity": quantity,
        "mark": change.mark,
        "differs": change.differs,
        "why": change.why,
        "causes": list(change.causes),
        "replay": change.replay,
        "before": _result(change.before),
        "after": _result(change.after),
        "id": example.id if example else None,
        "command": (example.replay if example else None) or None,
        "diagnosis": example.diagnosis if example else None,
    }


def _result(result: Result | None) -> dict[str, Any] | None:
    if result is None:
        return None
    return {"status": state_of(result), "margin": _number(result.margin), "n_judged": result.n_judged, "n_failed": result.n_failed}


def _number(value: float | None) -> float | str | None:
    """`value` without the floats that JSON does not have."""
    if value is None or math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
