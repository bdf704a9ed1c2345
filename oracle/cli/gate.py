"""What `gradconform run --gate` judges: the layers, known divergences and stored cases that the configuration names."""

from __future__ import annotations

import os
import re
import secrets
import shlex
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from oracle.cli.entering import convention_name, entered, nothing_in, spec_name
from oracle.cli.shared import DTYPES, command_line, processors, usage

if TYPE_CHECKING:
    from oracle.config import Config
    from oracle.results import Settings
    from oracle.search.corpus import Corpus, Kept
    from oracle.search.declaration import Plan
    from oracle.search.introduce import Introduced, Request

FINDS = "finds"
SHOWN = 5
"""Files that the command to keep them names one by one."""
_SEEDS = 2**32


class Gated(NamedTuple):
    """A run of a gate: what it does, and the corpus that its finds would be added to."""

    plan: Plan
    corpus: Corpus
    folder: Path | None


def gated(layers: tuple[str, ...], settings: dict[str, Any], label: str) -> Gated:
    """The plan of the gate that holds here. `settings` are those given on the command line: they override the configuration.

    Of the known divergences and stored cases those of other layers are left out where LAYERs are named on the command line.
    """
    config, path = _config()
    named = layers or config.layers
    if not named:
        raise usage(f'{path}: layers is missing. It says what the gate judges: layers = ["layers.py:MyDense"].')
    if settings["shard"] and settings["seed"] is None and config.seed is None:
        raise usage(f"--shard: the shards of a gate need the same seed. Give one with --seed, or as seed in {path}.")
    dtypes = settings["dtypes"] or tuple(dict.fromkeys(config.dtypes)) or DTYPES[:2]
    corpus, folder = _corpus(config, path.parent)
    own, found = _entrants(tuple(dict.fromkeys(named)), config, path, settings["workers"] or processors(), dtypes)
    labels = [*own, *(e.label for e in found.entrants), *(r.label for r in found.rejected)]
    gate = config.gate(os.path.relpath(path))
    if layers:
        gate = gate.model_copy(update={"known": tuple(entry for entry in gate.known if entry.layer in labels)})
        corpus = corpus._replace(cases=tuple(kept for kept in corpus.cases if kept.layer in labels))
    return Gated(_plan(own, found, config, corpus, gate, labels, _settings(labels, config, dtypes, settings), label), corpus, folder)


def _plan(
    own: Sequence[str], found: Introduced, config: Config, corpus: Corpus, gate: Any, labels: Sequence[str], settings: Settings, label: str
) -> Plan:
    from oracle.search.declaration import Plan
    from oracle.search.entrant import own as entrants_of
    from oracle.search.environment import environment
    from oracle.search.lanes import strays

    return Plan(
        (*(entrants_of(own) if own else ()), *found.entrants),
        settings,
        environment(),
        command_line(),
        tuple(found.rejected),
        (*found.notes, *strays(corpus, labels)),
        label,
        vetted=config.planted,
        gate=gate,
        kept=tuple(kept for kept in corpus.cases if kept.layer in labels),
    )


def _settings(labels: Sequence[str], config: Config, dtypes: tuple[str, ...], given: dict[str, Any]) -> Settings:
    from oracle.results import Settings

    drawn = config.seed if config.seed is not None else secrets.randbelow(_SEEDS)
    return Settings(
        layers=tuple(labels),
        examples=given["examples"] or config.examples or 2_000,
        seed=drawn if given["seed"] is None else given["seed"],
        dtypes=dtypes,
        workers=given["workers"] or processors(),
        shard=given["shard"],
    )


def _config() -> tuple[Config, Path]:
    from oracle.config import FILE, OWN_FILE, ConfigError, find_config

    try:
        config, path = find_config(Path.cwd())
    except ConfigError as error:
        raise usage(str(error)) from error
    if path is None:
        raise usage(f"--gate: neither a {FILE} with [tool.gradconform] nor a {OWN_FILE} is here or above. See docs/gate.md.")
    return config, path


def corpus_folder() -> Path:
    """The corpus of the configuration that holds here."""
    config, path = _config()
    if config.corpus is None:
        raise usage(f"{path} names no corpus: say with --corpus where the cases are to go.")
    return Path(os.path.relpath(path.parent / config.corpus))


def _corpus(config: Config, folder: Path) -> tuple[Corpus, Path | None]:
    from oracle.search.corpus import Corpus, CorpusError, read_corpus

    if config.corpus is None:
        return Corpus(), None
    where = Path(os.path.relpath(folder / config.corpus))
    try:
        return read_corpus(where), where
    except CorpusError as error:
        raise usage(str(error)) from error


def _entrants(
    named: tuple[str, ...], config: Config, path: Path, workers: int, dtypes: tuple[str, ...]
) -> tuple[tuple[str, ...], Introduced]:
    """Our own layers by name, and the user's, loaded from the folder of the configuration whatever the current one is."""
    from oracle.search.introduce import Introduced
    from oracle.specs import UnknownLayerError, spec_named

    targets = [text for text in named if re.search(r"[.:/\\]", text)]
    try:
        own = tuple(dict.fromkeys(spec_named(text).name for text in named if text not in targets))
    except UnknownLayerError as error:
        raise usage(f"layers of the gate: {error}. A layer of your own is named with its file: layers.py:MyDense.") from error
    if not targets:
        return own, Introduced((), (), (), ())
    requests = {text: _request(text, config, path.parent) for text in targets}
    found = entered(list(requests.values()), workers, dtypes)
    for text, request in requests.items():
        there = {e.target for e in found.entrants}, {r.target for r in found.rejected}
        if request.target not in there[0] and request.target.text not in there[1]:
            raise usage(nothing_in([text], found))
    return own, _as_written(found, requests)


def _request(text: str, config: Config, folder: Path) -> Request:
    from oracle.search.introduce import Request
    from oracle.subjects.target import TargetError, parse_target

    is_file = re.search(r"\.(py|ipynb)(:[^/\\]*)?$", text) is not None and not text.startswith("~")
    try:
        target = parse_target(os.path.join(*_from_here(folder), text) if is_file else text)
    except TargetError as error:
        raise usage(f"layers of the gate: {error}") from error
    like = spec_name(config.like(text), f"{text}, as")
    convention = convention_name(config.convention(text), f"{text}, convention")
    return Request(target, like, convention, (str(folder),), config.not_claimed_by(text))


def _from_here(folder: Path) -> tuple[str, ...]:
    """The way to a folder from the current one; nothing where it is the same."""
    way = os.path.relpath(folder)
    return () if way == os.curdir else (way,)


def _as_written(found: Introduced, requests: dict[str, Request]) -> Introduced:
    """The layers under the names that the configuration gives them, which lists and stored cases use, whatever the current folder is."""
    from oracle.search.introduce import label_of

    written = {request.target.text: replace(request.target, text=text) for text, request in requests.items()}
    entrants = tuple(e if e.target is None else replace(e, label=label_of(written[e.target.text], e.name)) for e in found.entrants)
    rejected = tuple(r._replace(label=r.label.replace(*_places(r.target, written[r.target].text), 1)) for r in found.rejected)
    labels = [*(e.label for e in entrants), *(r.label for r in rejected)]
    # of two layers whose names would be the same each keeps the one that tells it from the other
    return found if len(set(labels)) < len(labels) else found._replace(entrants=entrants, rejected=rejected)


def _places(here: str, written: str) -> tuple[str, str]:
    """What a label begins with, seen from the current folder, and what it is to begin with."""
    return tuple(Path(text.rpartition(":")[0] or text).as_posix() for text in (here, written))  # type: ignore[return-value]


def offered(new: Sequence[Kept], corpus: Path | None, folder: Path) -> Path:
    """Write cases that were newly found to files of `folder`, and print the command that adds them to the corpus."""
    from oracle.results import ResultsError
    from oracle.search.corpus import CorpusError, file_name, write_kept

    try:
        for kept in new:
            write_kept(kept, folder)
    except CorpusError as error:
        raise ResultsError(str(error)) from error
    names = [str(folder / file_name(kept)) for kept in new]
    files = shlex.join(names) if len(names) <= SHOWN else f"{shlex.quote(str(folder))}/*.json"
    click.echo(f"To have {'this case' if len(new) == 1 else f'these {len(new)} cases'} judged by every gate from now on:")
    click.echo(f"  gradconform keep {files} --corpus {shlex.quote(str(corpus or 'FOLDER'))}")
    return folder
