"""The outcome as JUnit XML, which every CI system reads: a suite for each layer, a case for each row, and one for the run itself."""

from __future__ import annotations

import io
import re
from pathlib import Path

from junitparser import Error, Failure, JUnitXml, Skipped, TestCase, TestSuite

from oracle.results import LayerInfo, Run, Verdict, entry_for, verdict
from reports.brief import inputs_text, is_small
from reports.findings import account, headline
from reports.rows import Key, Row, Rows
from reports.words import FAILING, STATES, count, shorten, visible
from reports.writing import write_whole

LINE, TEXT = 600, 8000
"""Characters of a message, and of what is told below it."""
_STARTED = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d")


def write_junit(run: Run, path: Path) -> Path:
    """Write `run` to `path` as JUnit XML and return it. Raises OSError.

    A row that diverges is a failure; one whose layer raised, and one that was declared and never judged, an error: only what was judged
    and holds is passed. Skipped, with the reason: known divergences and what is not claimed. The suite `run` has one case more, which
    fails whenever the exit code is not 0.
    """
    text = io.BytesIO()
    junit(run).write(text)
    return write_whole(path, text.getvalue().decode("utf-8") + "\n")


def junit(run: Run) -> JUnitXml:
    """`run` as junitparser has it."""
    rows = Rows(run)
    decided = verdict(run)
    missing = {(e.layer, e.branch, e.dtype, e.quantity) for e in decided.missing}
    document = JUnitXml("gradconform")
    document.append(_run_suite(run, decided))
    for info in rows.layers:
        document.append(_suite(rows, info, missing))
    document.update_statistics()
    return document


def _run_suite(run: Run, decided: Verdict) -> TestSuite:
    """The suite of the run itself: its one case holds if the whole run does."""
    case = TestCase("verdict", "run", round(run.footer.seconds, 3) if run.footer else None)
    if decided.exit_code:
        kind = Failure if decided.outcome == "diverges" else Error
        case.result = [kind(_line(decided.sentence), decided.outcome)]
        case.result[0].text = _block("\n".join((*decided.problems, *decided.gaps)))
    env, settings = run.header.environment, run.header.settings
    facts = {
        "run_id": run.header.run_id,
        "label": run.header.label,
        "command": run.header.command,
        "seed": str(settings.seed),
        "examples": str(settings.examples),
        "dtypes": ", ".join(settings.dtypes),
        "gradconform": env.gradconform,
        "python": env.python,
        "numpy": env.numpy,
        "torch": env.torch or "",
        "platform": f"{env.platform} {env.machine}",
        "blas": env.blas,
        "commit": env.commit or "",
    }
    return _filled("run", run, facts, [case])


def _suite(rows: Rows, info: LayerInfo, missing: set[Key]) -> TestSuite:
    cases = sum(depth.n_cases for depth in rows.depths(info.name))
    facts = {
        "torch": info.torch,
        "target": info.target,
        "convention": info.convention,
        "not claimed": ", ".join(info.not_claimed),
        "cases": str(cases),
        "source": info.source,
    }
    return _filled(info.name, rows.run, facts, [_case(rows.run, row, missing) for row in rows.by_layer.get(info.name, ())])


def _filled(name: str, run: Run, facts: dict[str, str], cases: list[TestCase]) -> TestSuite:
    suite = TestSuite(_line(name))
    started = _STARTED.match(run.header.started)
    if started:
        suite.timestamp = started[0]
    for key, value in facts.items():
        if value:
            suite.add_property(key, _line(value))
    suite.add_testcases(cases)
    return suite


def _case(run: Run, row: Row, missing: set[Key]) -> TestCase:
    case = TestCase(_line(row.quantity), _line(f"{row.layer}.{row.branch}.{row.dtype}"))
    if row.state in FAILING:
        kind = Error if row.state == "error" else Failure
        case.result = [kind(_line(f"{headline(row)}: {account(row)}"), headline(row))]
        case.result[0].text = _text(row)
    elif row.key in missing:
        case.result = [Error(f"declared and never judged: {_undecided(row)}", "never judged")]
    elif row.state != "passed":
        case.result = [Skipped(_line(_reason(run, row)))]
    return case


def _text(row: Row) -> str:
    """Why, with which numbers, and how to see it again."""
    example = row.example
    if example is None:
        return _block(account(row))
    case = example.minimised or example.case
    parts = [
        f"Why: {example.diagnosis}" if example.diagnosis else "",
        account(row),
        f"With: {inputs_text(case)}" if is_small(case) else "",
        f"Replay: {example.replay}" if example.replay else "",
        f"\n{example.snippet}" if example.snippet else "",
    ]
    return _block("\n".join(filter(None, parts)))


def _undecided(row: Row) -> str:
    """Why a row that was asked for has no verdict."""
    if row.state == "inconclusive" and row.result is not None:
        return f"torch leaves its own bound in {count(row.result.n_inconclusive, 'case')}"
    return "skipped" if row.state == "skipped" else "no case reached it"


def _reason(run: Run, row: Row) -> str:
    """Why nothing is held against a row that did not pass."""
    message = row.result.message if row.result is not None else ""
    if row.state == "known":
        entry = entry_for(run.header.gate, row.key)
        return f"known divergence: {entry.reason} {entry.link}".rstrip() if entry else f"known divergence: {message}"
    if row.state in ("not-run", "inconclusive"):
        return "nothing to compare: the layer raised in every case, see its errors"
    return f"{STATES[row.state]}: {message}" if message else STATES[row.state]


def _line(text: str) -> str:
    """XML has no control characters, escaped or not; made visible they can be read."""
    return shorten(visible(" ".join(text.split())), LINE)


def _block(text: str) -> str:
    return shorten(visible(text, lines=True), TEXT)
