"""Shards of one run put together, so that nobody can tell that the run was shared out.

Everything in a results file adds up, but for three things: which cases are distinct, for which a shard says what it has seen; which
failing row is made small, one of those that fail alike; and what belongs to the run as a whole and only its first shard has.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from oracle.results.codec import ResultsError, ResultsWriter, assembled
from oracle.results.gate import entry_for
from oracle.results.model import (
    ComparisonData,
    Counterexample,
    Depth,
    Environment,
    Footer,
    Header,
    Line,
    Note,
    Result,
    Run,
    Sample,
    Seen,
    Worst,
)
from oracle.results.shards import UNLOADED, Shard, in_order

SAMPLES = 2
"""Samples that the sweep keeps of a branch and dtype."""
LONGEST = 4_000
"""Characters of a text that is put together of several."""

Group = tuple[str, str, str]


def merge_shards(shards: Mapping[str, Run]) -> Run:
    """The run that `shards`, by the names of their files, are shares of; equal to the same run without shards.

    A missing, doubled or truncated shard makes it an incomplete run that says which. Raises ResultsError, naming the files, where they
    are shards of different runs, or no shards.
    """
    ordered, problems = in_order(shards)
    runs = [run for _, run in ordered]
    depths, unknown = _depths(ordered)
    records: list[Line] = [*_notes(runs), *_results(runs), *depths, *_counterexamples(runs), *_worsts(runs), *_samples(runs)]
    for run in runs:
        records += [*run.planted, *run.health]
    return assembled(_header(runs), [*records, _footer(runs, [*problems, *unknown])])


def write_run(path: Path, run: Run) -> None:
    """Write `run` to `path` as a results file. Raises ResultsError if that cannot be done."""
    with ResultsWriter(path, run.header) as writer:
        for records in (run.notes, _found(run), run.depths, run.samples, run.worsts, run.planted, run.health, run.counterexamples):
            for record in records:
                writer.write(record)
        if run.footer is not None:
            writer.write(run.footer)


def _header(runs: Sequence[Run]) -> Header:
    """The header of the first shard, with what the others may have instead of it."""
    headers = [run.header for run in runs]
    first = headers[0]
    environment = {name: "; ".join(_distinct(getattr(h.environment, name) for h in headers)) for name in ("platform", "machine", "blas")}
    dirty = next((h.environment.dirty for h in headers if h.environment.dirty), first.environment.dirty)
    return first.model_copy(
        update={
            "started": min(h.started for h in headers),
            "command": _joined("\n", _distinct(h.command for h in headers)),
            "environment": Environment(**{**first.environment.model_dump(), **environment, "dirty": dirty}),
            "settings": first.settings.model_copy(update={"shard": None}),
            "n_planted": next((h.n_planted for h in headers if h.n_planted is not None), None),
            "corpus": tuple(_distinct(digest for h in headers for digest in h.corpus)),
        }
    )


def _distinct(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))


def _joined(between: str, texts: Sequence[str]) -> str:
    """As many of `texts` as a record can hold."""
    told = between.join(texts)
    return told if len(told) <= LONGEST else f"{told[: LONGEST - 3]}..."


def _footer(runs: Sequence[Run], problems: Sequence[str]) -> Footer:
    ends = [run.footer for run in runs if run.footer]
    return Footer(
        finished=max((end.finished for end in ends), default=runs[0].header.started),
        seconds=sum(end.seconds for end in ends),
        outcome="failed" if problems else "complete",
        message=_joined("; ", problems),
    )


def _notes(runs: Sequence[Run]) -> list[Note]:
    """Every shard tells the same of a layer; where they do not, what the first one says is kept."""
    told: set[tuple[str, str]] = set()
    kept = []
    for run in runs:
        kept += [note for note in run.notes if (note.layer, note.title) not in told]
        told |= {(note.layer, note.title) for note in run.notes}
    return kept


def _found(run: Run) -> Iterator[Result]:
    """The rows of `run` as they were found, before a list of known divergences was held against them."""
    for row in run.results:
        raised = row.quantity in ("call.answers", UNLOADED)
        found = {"known": "error" if raised else "failed", "stale": "passed"}.get(row.status, row.status)
        yield row if found == row.status else row.model_copy(update={"status": found})


def _results(runs: Sequence[Run]) -> Iterator[Result]:
    """The rows of all shards, to be summed."""
    unloaded: set[str] = set()
    for run in runs:
        for row in _found(run):
            if row.quantity != UNLOADED or row.layer not in unloaded:
                yield row
            if row.quantity == UNLOADED:
                unloaded.add(row.layer)


def _depths(shards: Sequence[Shard]) -> tuple[list[Depth], list[str]]:
    """What stands behind the rows, distinct over all shards, and which shards do not say what they have seen."""
    cases: defaultdict[Group, set[int]] = defaultdict(set)
    shapes: defaultdict[Group, set[str]] = defaultdict(set)
    found: list[Depth] = []
    unknown = []
    for name, run in shards:
        own: dict[Group, tuple[set[int], set[str]]] = {}
        try:
            for record in run.seen:
                digests, forms = own.setdefault(_group(record), (set(), set()))
                digests |= record.digests()
                forms.update(record.shapes)
        except ValueError:
            raise ResultsError(f"{name} is damaged: what it says it has seen cannot be read. Judge this shard again.") from None
        counted = {group: (len(digests), len(forms)) for group, (digests, forms) in own.items()}
        if any(counted.get(_group(d), (0, 0)) != (d.n_distinct, d.n_shapes) for d in run.depths):
            unknown.append(f"{name} does not tell which cases it has seen, so that distinct ones may be counted twice")
        for group, (digests, forms) in own.items():
            cases[group] |= digests
            shapes[group] |= forms
        found += run.depths
    if unknown:
        return found, unknown
    return [_counted(depth, cases, shapes) for depth in found], []


def _counted(depth: Depth, cases: dict[Group, set[int]], shapes: dict[Group, set[str]]) -> Depth:
    """`depth` with the distinct cases of all shards, which are counted once: the first takes them all."""
    digests, forms = cases.pop(_group(depth), set()), shapes.pop(_group(depth), set())
    return depth.model_copy(update={"n_distinct": len(digests), "n_shapes": len(forms)})


def _group(record: Depth | Seen | Sample) -> Group:
    return (record.layer, record.branch, record.dtype)


def _best(records: Iterable[Any], key: Callable[[Any], object], rank: Callable[[Any], Any]) -> list[Any]:
    """Of the records of one key the one with the least rank; in the order of the keys' first."""
    best: dict[object, Any] = {}
    for record in records:
        other = best.setdefault(key(record), record)
        if rank(record) < rank(other):
            best[key(record)] = record
    return list(best.values())


def _worsts(runs: Sequence[Run]) -> list[Worst]:
    """Of every quantity of a layer the largest margin; of equal ones that of the lowest case."""
    return _best((w for run in runs for w in run.worsts), lambda w: (w.layer, w.quantity), _worse)


def _worse(worst: Worst) -> tuple[float, int]:
    margin = worst.comparison.margin
    return (-1.0 if margin is None else float("-inf") if margin != margin else -margin, worst.index)


def _samples(runs: Sequence[Run]) -> list[Sample]:
    """Of every branch and dtype the samples with the lowest numbers."""
    place = _place(runs[0].header)
    kept: Counter[Group] = Counter()
    lowest = []
    for sample in sorted((s for run in runs for s in run.samples), key=lambda s: (place(s), s.index)):
        kept[_group(sample)] += 1
        if kept[_group(sample)] <= SAMPLES:
            lowest.append(sample)
    return lowest


def _counterexamples(runs: Sequence[Run]) -> list[Counterexample]:
    """Of every row the first failing case. Of rows that fail alike only the first one keeps its small form and its cause: the first of
    those that are not listed as known, if there are any."""
    place, gate = _place(runs[0].header), runs[0].header.gate

    def listed(c: Counterexample) -> bool:
        return entry_for(gate, (c.layer, c.branch, c.dtype, c.quantity)) is not None

    first = _best((c for run in runs for c in run.counterexamples), lambda c: c.id, lambda c: (c.index, not _explained(c)))
    alike: dict[tuple[str, ...], list[Counterexample]] = {}
    for c in sorted(first, key=lambda c: (listed(c), place(c), c.quantity)):
        alike.setdefault((c.lane, c.layer, c.quantity, c.comparison.reason), []).append(c)
    leads = {next(filter(_explained, group), group[0]).id for group in alike.values()}
    return [c if c.id in leads or c.lane == "corpus" else _raw(c) for c in first]


def _place(header: Header) -> Callable[[Sample | Counterexample], tuple[int, int, int]]:
    """The order of the declaration: layer, branch, dtype."""
    layers = {info.name: (at, info.branches) for at, info in enumerate(header.layers)}

    def place(record: Sample | Counterexample) -> tuple[int, int, int]:
        at, branches = layers.get(record.layer, (len(layers), ()))
        return at, _at(branches, record.branch), _at(header.settings.dtypes, record.dtype)

    return place


def _explained(c: Counterexample) -> bool:
    return c.minimised is not None or c.diagnosis is not None


def _raw(c: Counterexample) -> Counterexample:
    """`c` as it is written when it is found, before it is made small and explained."""
    found = c.comparison
    # what a quantity is off by is worked out later
    message = "" if c.role == "quantity" and found.worst_index is not None else found.message
    comparison = ComparisonData(reason=found.reason, message=message, margin=found.margin)
    plain = {"minimised": None, "minimised_comparison": None, "snippet": "", "diagnosis": None}
    return c.model_copy(update={"comparison": comparison, **plain})


def _at(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else len(names)
