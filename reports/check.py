"""What `gradconform check` shows of layers of the user's own: for each the verdict, a table, and every divergence with its cause."""

from __future__ import annotations

from collections.abc import Sequence

from rich.console import Console
from rich.table import Column

from oracle.results import Counterexample, Note, Run, verdict
from reports.brief import inputs_text, is_small
from reports.findings import Finding, account, findings, headline
from reports.printing import OUTCOMES, STYLES, Part, Printer
from reports.rows import Key, Rows
from reports.subjects import Line, Subject, subjects
from reports.words import LOADS, clip, count

SHOWN = 12
"""This many divergences are told in full; the page has the rest."""
CASE_LENGTH = 160
"""Characters of a case that is written out: two lines."""
WHY_LENGTH = 240
"""Characters of a cause where several subjects are told in short."""
WAYS = 2
"""Ways in which a quantity diverges that are told in short. Together they stay below what is printed of one string."""
ACCOUNT_LENGTH = 150
"""Characters of what was seen where the cause says it already: two lines."""
NOTES, NOTE_LENGTH = 8, 300
"""Notes of a subject that are told, and characters of each."""


def print_check(run: Run, console: Console) -> None:
    """Print the outcome of `run` to `console`: a block for each subject, all of them in short where there are several, the verdict."""
    rows = Rows(run)
    out = Printer(console)
    told = {finding.row.key for finding in findings(rows)[:SHOWN]}
    judged = subjects(rows)
    for subject in judged:
        if len(judged) > 1:
            _print_short(subject, out)
        else:
            _print_subject(subject, told, out)
    _print_loading(rows.other_notes, out)
    if len(judged) > 1:
        out.line(("The report has the numbers, the inputs and a replay command of each; so has checking one of them by its name.", "dim"))
        out.line()
    decided = verdict(run)
    out.line((decided.outcome.upper(), OUTCOMES.get(decided.outcome, "bold")), ("  " + decided.sentence, ""))


def _print_subject(subject: Subject, told: set[Key], out: Printer) -> None:
    info = subject.info
    out.line((info.name, "bold"), ("  ", ""), (subject.grade.upper(), STYLES.get(subject.state, "bold")))
    expressions = info.torch.splitlines()
    more = f" and {len(expressions) - 1} more" if len(expressions) > 1 else ""
    spec = ": ".join(filter(None, (info.spec, (expressions or [""])[0] + more)))
    for title, text in (("judged as", spec), ("called as", info.convention), ("not claimed", ", ".join(info.not_claimed))):
        if text:
            out.line((f"{title:13}", "dim"), (text, ""), indent=2)
    for reason in subject.reasons:
        out.line((f"{'not claimed':13}", "dim"), (reason, ""), indent=2)
    if any(line.name != LOADS for line in subject.lines):
        out.line()
        _print_table(subject, out)
    out.line()
    _print_findings(subject, told, out)
    for note in subject.notes[:NOTES]:
        _print_note(note, out)
    if subject.notes:
        out.line()


def _print_short(subject: Subject, out: Printer) -> None:
    """One of several: the verdict, and a line for each divergence with its cause."""
    rows = f"{subject.passed:,} of {count(subject.claimed, 'row')} hold" if subject.claimed else ""
    out.line((subject.info.name, "bold"), ("  ", ""), (subject.grade.upper(), STYLES.get(subject.state, "bold")), (f"  {rows}", "dim"))
    body: list[list[Part]] = [[(names, ""), (why, "")] for names, why in _reasons(subject)]
    if body:
        out.table([Column("", overflow="fold", max_width=24), Column("", overflow="fold")], body, indent=2)
    for note in subject.notes[:NOTES]:
        _print_note(note, out)
    out.line()


def _reasons(subject: Subject) -> list[tuple[str, str]]:
    """What diverges, and why. Quantities that diverge for one reason share a line, and so do the reasons of one quantity."""
    causes: dict[str, list[Finding]] = {}
    for finding in subject.findings:
        causes.setdefault(finding.diagnosis or account(finding.row), []).append(finding)
    lines: dict[str, list[Finding]] = {}
    for alike in causes.values():
        lines.setdefault(", ".join(dict.fromkeys(finding.row.quantity for finding in alike)), []).append(alike[0])
    return [(names, _ways(sorted(leads, key=lambda finding: not finding.diagnosis), subject)) for names, leads in lines.items()]


def _ways(leads: Sequence[Finding], subject: Subject) -> str:
    """The ways in which one thing diverges. A cause that is known needs no place; what was merely seen does, unless it is so everywhere."""
    told: list[str] = []
    for finding in leads[:WAYS]:
        why = clip(finding.diagnosis or account(finding.row), WHY_LENGTH)
        place = "" if finding.diagnosis and not told else _place(finding, subject)
        told.append(f"{'Also in' if told else 'In'} {place}: {why}" if place else why)
    rest = len(leads) - len(told)
    return " ".join([*told, *([f"And in {count(rest, 'more way')}."] if rest else [])])


def _place(finding: Finding, subject: Subject) -> str:
    """The branches and dtypes in which `finding` was made, briefly; empty where that is all of them."""
    row = finding.row
    if len(finding.rows) == sum(other.quantity == row.quantity for other in subject.rows):
        return ""
    return f"{row.branch} {row.dtype}" + (f" and {count(len(finding.others), 'more row')}" if finding.others else "")


def _print_table(subject: Subject, out: Printer) -> None:
    """Every quantity, and the contracts that do not simply hold; the others are counted."""
    columns = [Column("", min_width=12, overflow="fold"), Column(""), Column("margin"), Column("where"), Column("cases", justify="right")]
    body = [_cells(line) for line in subject.lines if not line.folded]
    for word, plural in (("holds", "hold"), ("not judged", "not judged"), ("not claimed", "not claimed")):
        if lines := [line for line in subject.lines if line.folded == word]:
            body.append(_folded(lines, word, plural))
    out.table(columns, body, indent=2)


def _folded(lines: list[Line], word: str, plural: str) -> list[Part]:
    title = lines[0].name if len(lines) == 1 else count(len(lines), "contract")
    return [(title, ""), (word if len(lines) == 1 else plural, "dim"), ("", ""), ("", ""), (f"{max(x.cases for x in lines):,}", "dim")]


def _cells(line: Line) -> list[Part]:
    state = "passed" if line.word == "holds" else "failed" if line.tone.startswith("f") else ""
    return [(line.name, ""), (line.word, STYLES.get(state, "")), (line.margin, ""), (line.where, ""), (f"{line.cases:,}", "dim")]


def _print_findings(subject: Subject, told: set[Key], out: Printer) -> None:
    shown = [finding for finding in subject.findings if finding.row.key in told]
    for finding in shown:
        _print_finding(finding, out)
    if rest := len(subject.findings) - len(shown):
        out.line((f"... and {count(rest, 'more divergence')} in the report.", "dim"), indent=2)
        out.line()


def _print_finding(finding: Finding, out: Printer) -> None:
    row = finding.row
    if row.quantity == LOADS:
        out.line((account(row), ""), indent=2)
        out.line()
        return
    others = f" and {count(len(finding.others), 'more row')}" if finding.others else ""
    where = f"  {row.branch} {row.dtype}{others}"
    out.line((row.quantity, "bold"), (f"  {headline(row)}", STYLES["failed"]), (where, "dim"), indent=2)
    if finding.diagnosis:
        out.line(("Why: ", "bold"), (finding.diagnosis, "bold"), indent=4)
    seen = account(row)
    out.line((clip(seen, ACCOUNT_LENGTH) if finding.diagnosis else seen, ""), indent=4)
    if row.example:
        _print_case(row.example, out)
    out.line()


def _print_case(example: Counterexample, out: Printer) -> None:
    """The case in a line or two where it is small, and the command that runs it again."""
    case = example.minimised
    if case and is_small(case) and len(text := inputs_text(case)) <= CASE_LENGTH:
        out.line(("with ", "dim"), (text, ""), indent=4)
    if example.replay:
        out.command(example.replay, "dim", indent=4)


def _print_loading(notes: Sequence[Note], out: Printer) -> None:
    """What was left out when targets were loaded; statements that were passed over on purpose are only counted."""
    passed_over = [note for note in notes if ": not run (" in note.text]
    told = [note for note in notes if note not in passed_over]
    for note in told[:NOTES]:
        _print_note(note, out, note.layer)
    for layer in dict.fromkeys(note.layer for note in passed_over):
        own = [note.text.partition(",")[0] for note in passed_over if note.layer == layer]
        places = ", ".join(dict.fromkeys(own))
        one = "1 statement that prints, plots or computes was"
        what = one if len(own) == 1 else f"{len(own):,} statements that print, plot or compute were"
        out.line((f"{layer}: ", "dim"), (f"{what} not run ({clip(places, 80)}).", ""))
    if notes:
        out.line()


def _print_note(note: Note, out: Printer, prefix: str = "") -> None:
    # a note on loading begins with its own place, cell and line
    title = prefix if prefix and note.title == "loading" else f"{prefix}, {note.title}" if prefix else note.title
    out.line((f"{title}: ", "dim"), (clip(" ".join(note.text.split()), NOTE_LENGTH), ""), indent=0 if prefix else 2)
