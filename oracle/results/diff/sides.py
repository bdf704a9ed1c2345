"""Where the two runs took place and what was asked of them, side by side."""

from __future__ import annotations

from collections.abc import Iterator

from oracle.results.diff.changes import Blinder, Side
from oracle.results.model import Environment, LayerInfo, Run, Settings


def sides(before: Run, after: Run) -> tuple[Side, ...]:
    """Every fact about the runs; those that differ are marked. Of the code of the layers only what differs is told."""
    return (*_run(before, after), *_settings(before, after), *_environment(before, after), *_code(before, after))


def _run(before: Run, after: Run) -> Iterator[Side]:
    for name in ("label", "started", "command", "run_id"):
        mine, theirs = getattr(before.header, name), getattr(after.header, name)
        if mine or theirs:
            yield Side("run", name.replace("_", " "), mine or "-", theirs or "-")


def _settings(before: Run, after: Run) -> Iterator[Side]:
    for name in Settings.model_fields:
        yield Side("settings", name, _text(getattr(before.header.settings, name)), _text(getattr(after.header.settings, name)))
    yield Side("settings", "stored cases replayed", str(len(before.header.corpus)), str(len(after.header.corpus)))


def _environment(before: Run, after: Run) -> Iterator[Side]:
    for name in Environment.model_fields:
        if name != "dirty":
            mine, theirs = (_fact(run.header.environment, name) for run in (before, after))
            yield Side("environment", name, mine, theirs)


def _fact(environment: Environment, name: str) -> str:
    text = _text(getattr(environment, name))
    return text + " with uncommitted changes" if name == "commit" and environment.dirty else text


def _code(before: Run, after: Run) -> Iterator[Side]:
    known = {info.name: info for info in before.header.layers}
    for info in after.header.layers:
        if (old := known.get(info.name)) is None:
            continue
        for name in ("source", "target", "spec", "torch", "convention", "check_version", "not_claimed"):
            mine, theirs = (_text(getattr(i, name)) for i in (old, info))
            if mine != theirs and _was_recorded(old, info, name):
                title = "digest" if name == "source" else name.replace("_", " ")
                yield Side("code", f"{info.name}, {title}", mine, theirs)


def _was_recorded(before: LayerInfo, after: LayerInfo, name: str) -> bool:
    """An older file that does not have a field says nothing about it."""
    return name in ("torch", "check_version", "not_claimed") or bool(getattr(before, name) and getattr(after, name))


def _text(value: object) -> str:
    if isinstance(value, tuple):
        return ", ".join(map(str, value)) or "-"
    return "-" if value is None or value == "" else str(value)


def blinder(before: Run, after: Run) -> Blinder:
    """The planted faults that BEFORE convicted and AFTER did not, and where autograd left its differences only in AFTER."""
    convicted = {(p.layer, p.family, p.name) for p in before.planted if p.convicted}
    well = {(h.layer, h.branch, h.quantity) for h in before.health if not h.n_wrong}
    return Blinder(
        tuple(p for p in after.planted if not p.convicted and (p.layer, p.family, p.name) in convicted),
        tuple(h for h in after.health if h.n_wrong and (h.layer, h.branch, h.quantity) in well),
    )


def reached_its_end(run: Run) -> bool:
    """Whether all that `run` has judged is in its file."""
    return run.footer is not None and run.footer.outcome == "complete" and not run.n_damaged


def incomplete(run: Run, name: str) -> Iterator[str]:
    """What is missing of `run`, a sentence each."""
    if run.footer is None:
        yield f"{name} was cut off before its end."
    elif run.footer.outcome != "complete":
        happened = "was interrupted" if run.footer.outcome == "interrupted" else "broke off"
        yield f"{name} {happened}{': ' + run.footer.message if run.footer.message else ''}."
    if run.n_damaged:
        yield f"{run.n_damaged:,} line{'' if run.n_damaged == 1 else 's'} of {name} could not be read."
    if not any(r.n_judged for r in run.results):
        yield f"Nothing was judged in {name}."
