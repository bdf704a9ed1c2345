"""The corpus: failing cases that were kept, a file each, to be judged again by every gate.

A file is data alone: nothing in it is executed. What cannot be trusted to be the case that was kept is refused, with the reason.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal, NamedTuple

from pydantic import ValidationError

from oracle.core.case import PROTOCOLS
from oracle.core.stored import restored_case
from oracle.results import CaseData, Counterexample, Run
from oracle.results.model import Count, Name, Record, Text

VERSION = 1
"""Of the files. What is newer is not guessed at."""
LARGEST = 16 * 2**20
"""Bytes of a file. The largest case the search draws takes a few MiB, and a case that was made small a few KiB."""
MANIFEST = "manifest.json"
"""Of recorded vectors, which may lie in the same folder."""
_DIGEST = re.compile(r"-([0-9a-f]{16})\.json$")


class CorpusError(Exception):
    """A file that is no case to rely on: which file, why, and what to do."""


class Origin(Record):
    """When and where a case was found."""

    date: Name
    seed: int
    index: Count
    gradconform: Text = ""
    python: Text = ""
    numpy: Text = ""
    torch: Text = ""


class Kept(Record):
    """One stored case: the layer's name in the results, the rows that it failed, and the case. digest: of the case, so that it shows
    when that has been changed."""

    kind: Literal["kept"] = "kept"
    schema_version: int = VERSION
    layer: Name
    rows: tuple[Name, ...]
    digest: Name
    found: Origin
    note: Text = ""
    case: CaseData


class Corpus(NamedTuple):
    """What a folder holds: the cases in the order of their files, and a sentence for each file that is none."""

    cases: tuple[Kept, ...] = ()
    unusable: tuple[str, ...] = ()


def read_corpus(folder: Path) -> Corpus:
    """Every .json file of `folder`, by name; other files, and the manifest of recorded vectors, are no cases.

    Raises CorpusError where there is no folder, or none in it.
    """
    try:
        paths = sorted(path for path in folder.iterdir() if path.name.endswith(".json") and path.name != MANIFEST)
    except OSError as error:
        told = f"cannot read the corpus {folder}: {error.strerror or error}"
        raise CorpusError(f"{told}. Take it out of the configuration until `gradconform keep` has made it.") from error
    if not paths:
        raise CorpusError(f"the corpus {folder} holds no stored case. Take it out of the configuration until there is one.")
    cases, unusable = [], []
    for path in paths:
        try:
            cases.append(read_kept(path))
        except CorpusError as error:
            unusable.append(str(error))
    return Corpus(tuple(cases), tuple(unusable))


def read_kept(path: Path) -> Kept:
    """The case stored in `path`. Raises CorpusError."""
    raw = _bytes(path)
    try:
        version = json.loads(raw).get("schema_version")
        if isinstance(version, int) and version > VERSION:
            raise CorpusError(f"{path} was written by a newer gradconform (version {version} of the format). Update gradconform.")
        kept = Kept.model_validate_json(raw)
        restored_case(kept.case)
    except (ArithmeticError, AttributeError, MemoryError, RecursionError, TypeError, ValueError) as error:
        raise CorpusError(f"{path} is no stored case: {_first(error)}. Restore it, or remove it.") from error
    if not kept.rows:
        raise CorpusError(f"{path} is no stored case: it names no row. Restore it, or remove it.")
    protocols = {case.protocol for case in (kept.case, kept.case.prior) if case is not None}
    if protocols - {*PROTOCOLS, "other-form"}:
        raise CorpusError(f"{path} asks for a protocol that there is none of. Restore it, or remove it.")
    named = _DIGEST.search(path.name)
    for where, digest in (("its digest", kept.digest), ("its name", named.group(1) if named else kept.case.digest)):
        if digest != kept.case.digest:
            raise CorpusError(f"{path} has been changed: {where} is of another case. Restore it, or remove it.")
    return kept


def _bytes(path: Path) -> bytes:
    try:
        if not path.is_file():
            raise CorpusError(f"{path} is no file. Remove it from the corpus.")
        with path.open("rb") as file:
            raw = file.read(LARGEST + 1)
    except OSError as error:
        raise CorpusError(f"cannot read {path}: {error.strerror or error}.") from error
    if len(raw) > LARGEST:
        raise CorpusError(f"{path} is larger than {LARGEST // 2**20} MiB, and so no stored case. Remove it.")
    return raw


def _first(error: Exception) -> str:
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False, include_input=False)[0]
        return f"{'.'.join(map(str, first['loc']))}: {first['msg']}"[:300]
    return str(error)[:300] or type(error).__name__


def finds(run: Run, corpus: Iterable[Kept] = ()) -> list[Kept]:
    """What the search of `run` has newly found, as cases to keep: each once, in the form that was made small.

    Left out are rows that are listed as known or fail in a stored case already, and a case as it was drawn where one that was made
    small stands for it.
    """
    told = {r.key for r in run.results if r.status == "known" or r.n_replay_failed}
    there = {(kept.layer, kept.digest) for kept in corpus}
    small = {(c.layer, c.quantity) for c in run.counterexamples if c.minimised}
    found: dict[tuple[str, str], Kept] = {}
    for c in run.counterexamples:
        case = c.minimised or c.case
        place = (c.layer, case.digest)
        stood_for = c.minimised is None and (c.layer, c.quantity) in small
        if c.lane == "corpus" or stood_for or place in there or (c.layer, c.branch, c.dtype, c.quantity) in told:
            continue
        rows = (*(found[place].rows if place in found else ()), c.quantity)
        found[place] = Kept(layer=c.layer, rows=tuple(dict.fromkeys(rows)), digest=case.digest, found=_origin(run, c), case=case)
    return list(found.values())


def _origin(run: Run, c: Counterexample) -> Origin:
    where = run.header.environment
    return Origin(
        date=run.header.started,
        seed=c.seed,
        index=c.index,
        gradconform=where.gradconform,
        python=where.python,
        numpy=where.numpy,
        torch=where.torch or "",
    )


def file_name(kept: Kept) -> str:
    """The name of the file of a case: layer, first row, digest."""
    layer, row = (re.sub(r"[^A-Za-z0-9._]+", "_", text).strip("._")[-60:] or "x" for text in (kept.layer, kept.rows[0]))
    return f"{layer}-{row}-{kept.case.digest}.json"


def write_kept(kept: Kept, folder: Path) -> Path | None:
    """Store a case as a new file of `folder`, which is made if there is none; None where a file of its name is there already.

    Nothing is overwritten. Raises CorpusError if it cannot be written.
    """
    path = folder / file_name(kept)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with path.open("x", encoding="utf-8", newline="\n") as file:
            file.write(kept.model_dump_json(indent=1) + "\n")
    except FileExistsError:
        if not path.exists():
            raise CorpusError(f"cannot write to {folder}: it is no folder.") from None
        return None
    except OSError as error:
        raise CorpusError(f"cannot write {path}: {error.strerror or error}. Choose another folder.") from error
    return path


def keep(paths: Iterable[Path], folder: Path) -> list[tuple[Path, Path | None]]:
    """Add stored cases to a corpus: for each file the new one, or None where its case was there already. All are read before any is
    written. Raises CorpusError."""
    cases = [(path, read_kept(path)) for path in dict.fromkeys(paths)]
    there: set[tuple[str, str]] = set()
    if folder.is_dir() and any(folder.glob("*.json")):
        corpus = read_corpus(folder)
        if corpus.unusable:
            raise CorpusError(corpus.unusable[0])
        there = {(kept.layer, kept.digest) for kept in corpus.cases}
    done: list[tuple[Path, Path | None]] = []
    for path, kept in cases:
        place = (kept.layer, kept.digest)
        written = None if place in there else write_kept(kept, folder)
        if written is None and place not in there:
            raise CorpusError(f"{folder / file_name(kept)} is there already, with the case of another layer. Rename that file.")
        done.append((path, written))
        there.add(place)
    return done
