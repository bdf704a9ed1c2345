"""A gradient check as one JSON document, for programs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from oracle.results.gradcheck import GradCheck, grad_verdict
from reports.writing import write_whole

FORMAT_VERSION = 1
"""Raised when a key is taken away or means something else; new keys may come at any time."""


def write_gradcheck_json(check: GradCheck, path: Path) -> Path:
    """Write `gradcheck_document` of `check` to `path` and return it. ASCII. Raises OSError."""
    return write_whole(path, json.dumps(gradcheck_document(check), indent=2, allow_nan=False) + "\n")


def gradcheck_document(check: GradCheck) -> dict[str, Any]:
    """`check` in plain lists and dicts: format_version, outcome, exit_code, sentence, gaps; then the fields of `GradCheck` by name.

    NaN and infinities are the strings "NaN", "Infinity" and "-Infinity".
    """
    decided = grad_verdict(check)
    return {
        "format_version": FORMAT_VERSION,
        "outcome": decided.outcome,
        "exit_code": decided.exit_code,
        "sentence": decided.sentence,
        "gaps": list(decided.gaps),
        **json.loads(check.model_dump_json()),
    }
