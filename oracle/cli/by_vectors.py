"""`gradconform replay --corpus`: layers judged by recorded vectors."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, NoReturn

from oracle.cli.entering import convention_name, entered, nothing_in, spec_name
from oracle.cli.outputs import Outputs, alone, conclude, written_to
from oracle.cli.shared import DTYPES, PAGE, RESULTS, command_line, progress_bar, usage, write_page

if TYPE_CHECKING:
    from oracle.search.declaration import Plan
    from oracle.search.introduce import Introduced
    from oracle.vectors.manifest import Manifest


class Asked(NamedTuple):
    """The command line: the target, as what and how it is judged, and where to. Without a target our own layers are judged."""

    target: str | None
    like: str | None
    convention: str | None
    not_claimed: tuple[str, ...]
    label: str
    out: Path


def by_vectors(corpus: str, asked: Asked, outputs: Outputs) -> NoReturn:
    """Judge by the vectors in the folder `corpus`, by ours where it is empty, and end the command."""
    from oracle.vectors.judging import judge_by_vectors
    from oracle.vectors.reading import VectorsError, read_manifest

    folder, asked = _places(corpus, asked)
    try:
        manifest = read_manifest(folder)
        plan = _plan(asked, manifest)
        with alone(asked.out):
            path = asked.out / RESULTS
            with progress_bar(plan.settings.layers, plan.settings.examples) as advance:
                found, trouble = written_to(path, lambda: judge_by_vectors(plan, folder, manifest, path, advance))
            page = asked.out / PAGE
            writings = [("Report", lambda: write_page(found, page)), ("Results", lambda: path)]
            conclude(found, "check" if asked.target else "summary", outputs, writings, trouble)
    except VectorsError as error:
        raise usage(str(error)) from error


def _places(corpus: str, asked: Asked) -> tuple[Path, Asked]:
    """The folder of vectors, and what is asked. `--corpus TARGET` is understood, though an option takes what follows it."""
    from oracle.vectors.reading import shipped

    if not corpus:
        return shipped(), asked
    if asked.target is None and not Path(corpus).is_dir():
        return shipped(), asked._replace(target=corpus)
    return Path(corpus), asked


def _plan(asked: Asked, manifest: Manifest) -> Plan:
    from oracle.results import Settings
    from oracle.search.declaration import Plan
    from oracle.search.entrant import own
    from oracle.search.environment import environment
    from oracle.search.introduce import Introduced
    from oracle.vectors.judging import n_vectors

    recorded = {case.dtype for layer in manifest.layers for case in layer.cases}
    dtypes = tuple(dtype for dtype in DTYPES if dtype in recorded)
    found = _introduced(asked, dtypes) if asked.target else Introduced(own([layer.layer for layer in manifest.layers]), (), (), ())
    settings = Settings(
        layers=tuple(e.label for e in found.entrants),
        examples=max((n_vectors(entrant, manifest, dtypes) for entrant in found.entrants), default=0),
        seed=manifest.seed,
        dtypes=dtypes,
        workers=1,
    )
    return Plan(found.entrants, settings, environment(), command_line(), found.rejected, found.notes, asked.label, vetted=False)


def _introduced(asked: Asked, dtypes: tuple[str, ...]) -> Introduced:
    from oracle.search.introduce import Request
    from oracle.subjects.target import TargetError, parse_target

    try:
        target = parse_target(asked.target or "")
    except TargetError as error:
        raise usage(str(error)) from error
    places = (str(Path.cwd()),)
    request = Request(target, spec_name(asked.like), convention_name(asked.convention), places, asked.not_claimed)
    found = entered([request], 1, dtypes)
    if not found.entrants and not found.rejected:
        raise usage(nothing_in((target.text,), found))
    return found
