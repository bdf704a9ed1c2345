"""The outcome in Markdown, for the summary of a CI job or a comment: whatever the run, it fits."""

from __future__ import annotations

import errno
from collections import Counter
from pathlib import Path

from oracle.results import Counterexample, Run, verdict
from reports.brief import inputs_text, is_small
from reports.findings import Finding, account, elsewhere, findings, headline
from reports.known import KnownView, gate_view
from reports.marking import block, code, inline, link
from reports.matrix import Block, Cell, Line, layer_state, matrix
from reports.rows import Rows
from reports.trust import health_view, planted_view
from reports.words import FAILING, count, duration, margin_order, margin_text
from reports.writing import append, write_whole

LIMIT = 1_048_576
"""Bytes: a job summary on GitHub that is larger is lost whole."""
LEAST = 16_384
"""Bytes below which not even the verdict is sure to fit."""
TAIL = 400
"""Bytes kept for saying what was left out."""
SENTENCE = 1000
"""Characters of the verdict: three names, and reasons."""
LAYERS, FINDINGS, KNOWN, MISSING = 200, 50, 20, 20
"""So many of each are told."""
OPEN = 16
"""Lines up to which the matrix is shown unfolded."""
SNIPPET = 4000
"""Characters of a snippet."""


def write_markdown(run: Run, path: Path, *, address: str = "", limit: int = LIMIT, onto: bool = False) -> Path:
    """Write `render_markdown` of `run` to `path` and return it; `onto`: add it to what is there. Raises OSError.

    The limit holds for the whole file. Where too little room is left that is an error: half a verdict would be none.
    """
    if not onto:
        return write_whole(path, render_markdown(run, address=address, limit=limit))
    there = path.stat().st_size if path.is_file() else 0
    if limit - there < LEAST:
        raise OSError(errno.EFBIG, f"it holds {there:,} bytes already, which leaves no room for a summary")
    return append(path, render_markdown(run, address=address, limit=limit - there))


def render_markdown(run: Run, *, address: str = "", limit: int = LIMIT) -> str:
    """`run` in at most `limit` bytes of UTF-8, which must be `LEAST` at least: the verdict, a line for each layer, the divergences with
    their causes, what the run itself was put to, the matrix. address: where the report is, empty where that is nowhere."""
    rows = Rows(run)
    sheet = _Sheet(max(limit, LEAST))
    _add_head(rows, address, sheet)
    _add_layers(rows, sheet)
    _add_findings(findings(rows), sheet)
    _add_missing(run, sheet)
    _add_vetting(run, rows, sheet)
    _add_matrix(rows, sheet)
    sheet.add(_setting(run) + "\n")
    return sheet.text()


class _Sheet:
    """Text that grows as long as there is room. What found none is counted, and named at the end."""

    def __init__(self, limit: int) -> None:
        self._left = limit - TAIL
        self._parts: list[str] = []
        self._without: Counter[str] = Counter()

    def add(self, part: str, what: str = "") -> bool:
        """Add `part` if it fits."""
        size = len(part.encode("utf-8", "replace"))
        if size > self._left:
            self._without[what] += 1
            return False
        self._left -= size
        self._parts.append(part)
        return True

    def leave(self, what: str, n: int) -> None:
        """Count what is not even tried."""
        if n > 0:
            self._without[what] += n

    def text(self) -> str:
        told = ", ".join(count(n, what) for what, n in self._without.items() if what)
        return "".join(self._parts) + (f"\nLeft out here: {told}. The report has them.\n" if told else "")


def _add_head(rows: Rows, address: str, sheet: _Sheet) -> None:
    decided = verdict(rows.run)
    label = f" ({inline(rows.run.header.label)})" if rows.run.header.label else ""
    sheet.add(f"## gradconform: {decided.outcome}{label}\n\n{inline(decided.sentence, SENTENCE)}\n\n")
    if address:
        sheet.add(link("Report and results", address) + "\n\n")


def _add_layers(rows: Rows, sheet: _Sheet) -> None:
    """A line for each layer, those that do not conform first."""
    lines = []
    for info in rows.layers:
        own = rows.by_layer.get(info.name, ())
        state, word = layer_state(own)
        claimed = sum(row.state != "not-claimed" for row in own)
        judged = sum(row.result is not None and row.result.n_judged > 0 for row in own)
        worst = max((row for row in own if row.margin is not None), key=lambda row: margin_order(row.margin), default=None)
        cells = [code(info.name), inline(word.upper() if state in FAILING else word)]
        cells += [f"{sum(depth.n_cases for depth in rows.depths(info.name)):,}"]
        cells += [f"{judged:,}" if judged == claimed else f"{judged:,} of {claimed:,}"]
        cells += [inline(margin_text(worst.margin)), code(f"{worst.quantity} {worst.branch} {worst.dtype}")] if worst else ["-", "-"]
        lines.append((state in ("passed", "known"), f"| {' | '.join(cells)} |\n"))
    if not lines:
        return
    sheet.add("| layer | verdict | cases | rows | worst margin | in |\n|---|---|--:|--:|--:|---|\n")
    ordered = [line for _, line in sorted(lines, key=lambda item: item[0])]
    for line in ordered[:LAYERS]:
        sheet.add(line, "layer")
    sheet.leave("layer", len(ordered) - LAYERS)
    sheet.add("\n")


def _add_findings(found: list[Finding], sheet: _Sheet) -> None:
    if found:
        sheet.add(f"### {count(len(found), 'divergence')}\n\n")
    for at, finding in enumerate(found[:FINDINGS], 1):
        # where the snippet does not fit, the rest may
        head, snippet = _finding(finding, at)
        if not sheet.add(head, "divergence"):
            continue
        sheet.add(snippet)
    sheet.leave("divergence", len(found) - FINDINGS)


def _finding(finding: Finding, at: int) -> tuple[str, str]:
    """What fails, where, why, with which numbers and how to see it again; and the snippet."""
    row, example = finding.row, finding.row.example
    lines = [f"**{at}. {code(row.layer)} {code(row.quantity)}: {headline(row)}** in {inline(row.branch)} {inline(row.dtype)}."]
    if finding.others:
        lines.append(inline(elsewhere(finding)))
    if finding.diagnosis:
        lines.append(f"**Why:** {inline(finding.diagnosis)}")
    lines.append(inline(account(row)))
    if example is None:
        return "<br>\n".join(lines) + "\n\n", ""
    if case := _case(example):
        lines.append(f"With {code(case)}")
    if example.lane == "corpus":
        lines.append("A stored case of the corpus.")
    if example.replay:
        lines.append(f"Replay: {code(example.replay)}")
    snippet = f"<details><summary>Runnable snippet</summary>\n\n{block(example.snippet, SNIPPET)}\n\n</details>\n\n"
    return "<br>\n".join(lines) + "\n\n", snippet if example.snippet.strip() else ""


def _case(example: Counterexample) -> str:
    case = example.minimised
    return inputs_text(case) if case and is_small(case) else ""


def _add_missing(run: Run, sheet: _Sheet) -> None:
    """Rows that were declared and never judged."""
    missing = verdict(run).missing
    if not missing:
        return
    sheet.add(f"### {count(len(missing), 'declared row')} never judged\n\n")
    for row in missing[:MISSING]:
        sheet.add(f"- {code(f'{row.layer} {row.branch} {row.dtype} {row.quantity}')}\n", "row")
    sheet.leave("row", len(missing) - MISSING)
    sheet.add("\n")


def _add_vetting(run: Run, rows: Rows, sheet: _Sheet) -> None:
    """Whether this run was able to see: planted faults, the oracle itself, and what it was held to."""
    if planted := planted_view(run):
        missed = [code(f"{p.layer} {p.family}: {p.name}") for p in planted.survivors[:KNOWN]]
        told = f" Unnoticed: {', '.join(missed)}." if missed else ""
        sheet.add(f"**Planted faults:** {inline(planted.sentence)}{told}\n\n", "line on planted faults")
        sheet.leave("unnoticed fault", len(planted.survivors) - KNOWN)
    if health := health_view(run):
        sheet.add(f"**Oracle health:** {inline(health.sentence)}\n\n")
    gate = gate_view(run, rows)
    if gate is None:
        return
    lanes = f" {inline(gate.lanes)}" if gate.lanes else ""
    sheet.add(f"**Gate** {code(gate.source)}: {count(len(gate.entries), 'known divergence')} listed.{lanes}\n\n", "line on the gate")
    for problem in gate.problems[:KNOWN]:
        sheet.add(f"- **{inline(problem)}**\n", "problem of the list")
    sheet.leave("problem of the list", len(gate.problems) - KNOWN)
    for entry in gate.entries[:KNOWN]:
        sheet.add(_entry(entry), "known divergence")
    sheet.leave("known divergence", len(gate.entries) - KNOWN)
    sheet.add("\n" if gate.entries or gate.problems else "")


def _entry(entry: KnownView) -> str:
    until = f", accepted until {inline(entry.expires)}" if entry.expires else ""
    where = f" {link('Discussed here', entry.text)}." if entry.text else ""
    return f"- {code(entry.name)}, {inline(entry.word)}{until}: {inline(entry.reason)}{where}\n"


def _add_matrix(rows: Rows, sheet: _Sheet) -> None:
    """The margins of every branch and dtype, a table for each layer."""
    columns, blocks = matrix(rows)
    shut = sum(len(b.lines) for b in blocks) > OPEN
    if blocks:
        sheet.add("### Margins\n\n")
    for b in blocks:
        sheet.add(_table(b, columns, shut), "table")


def _table(b: Block, columns: dict[str, str], shut: bool) -> str:
    titles = ["branch", "dtype", *columns.values(), "contracts"]
    head = f"| {' | '.join(titles)} |\n|{'---|' * len(titles)}\n"
    body = "".join(f"| {' | '.join(_cells(line, columns))} |\n" for line in b.lines)
    summary = f"<summary>{code(b.layer)} {inline(b.word)}</summary>"
    return f"<details{'' if shut else ' open'}>{summary}\n\n{head}{body}\n</details>\n\n"


def _cells(line: Line, columns: dict[str, str]) -> list[str]:
    quantities = [", ".join(_cell(cell) for cell in line.cells.get(name, ())) for name in columns]
    return [inline(line.branch), inline(line.dtype), *quantities, _cell(line.contracts) if line.contracts else ""]


def _cell(cell: Cell) -> str:
    text = inline(f"{cell.label} {cell.text}".strip())
    return f"**{text}**" if cell.tone.startswith("f") else text


def _setting(run: Run) -> str:
    """Where and with what it ran, in one small line."""
    env, settings = run.header.environment, run.header.settings
    versions = [f"gradconform {env.gradconform}", f"Python {env.python}", f"NumPy {env.numpy}", f"torch {env.torch}"]
    versions += [f"{env.platform} {env.machine}", f"seed {settings.seed}", f"{count(settings.examples, 'case')} a layer"]
    if run.footer is not None:
        versions.append(duration(run.footer.seconds))
    return f"<sub>{inline(', '.join(versions), SENTENCE)}</sub>"
