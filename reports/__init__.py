"""The renderers: from a run, as `oracle.results` reads it, to something a person reads.

They import `oracle.results` and nothing else of ours. This module imports no renderer before it is asked for, so that listing the
reporters costs nothing, and importing it loads neither NumPy nor torch.
"""

from __future__ import annotations

import importlib
from collections.abc import Callable
from typing import Any

REPORTERS = {
    "annotations": "reports.annotations:commands",
    "badge": "reports.badge:write_badge",
    "check": "reports.check:print_check",
    "csv": "reports.table_csv:write_csv",
    "diff": "reports.diff_text:print_diff",
    "diff-html": "reports.diff_html:write_diff_html",
    "diff-json": "reports.diff_json:write_diff_json",
    "gradcheck": "reports.gradcheck_text:print_gradcheck",
    "gradcheck-json": "reports.gradcheck_json:write_gradcheck_json",
    "gradcheck-page": "reports.gradcheck_html:write_gradcheck",
    "grades": "reports.grades:print_grades",
    "html": "reports.html:write_html",
    "json": "reports.document:write_json",
    "junit": "reports.junit:write_junit",
    "markdown": "reports.markdown:write_markdown",
    "legs": "reports.legs_text:print_legs",
    "legs-page": "reports.legs_html:write_legs",
    "summary": "reports.summary:print_summary",
    "table": "reports.table:table_html",
    "training": "reports.training_text:print_training",
    "training-page": "reports.training_html:write_training",
}
"""Reporter name -> where its function is. To add a reporter: its own file, and one line here."""


def reporter(name: str) -> Callable[..., Any]:
    """The function of the reporter `name`, imported now. Raises ValueError, naming those there are, if there is none."""
    try:
        module, _, function = REPORTERS[name].partition(":")
    except KeyError:
        raise ValueError(f"no reporter is called {name!r}; there are: {', '.join(sorted(REPORTERS))}") from None
    found: Callable[..., Any] = getattr(importlib.import_module(module), function)
    return found


__all__ = ["REPORTERS", "reporter"]
