"""How many planted faults and right layers the vectors convict. Run as `python -m tests.mutants.by_vectors [FOLDER [STORED]]`.

Of every fault that they miss, the smallest case on which the search convicts it is written to the folder STORED, for
`gradconform record --add`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from oracle.core.case import Case
from oracle.core.expected import answered_by
from oracle.core.judge import decide, judge
from oracle.core.observe import observe, watching
from oracle.core.stored import stored_case
from oracle.search.corpus import Kept, Origin, write_kept
from oracle.search.minimise import Minimiser
from oracle.search.numbered import case_at
from oracle.specs import spec_named
from oracle.subjects import subject_of
from oracle.vectors.judging import Answers
from oracle.vectors.reading import Vector, read_manifest, read_vectors, shipped
from tests.mutants.hunt import DTYPES, SEED, hunt
from tests.mutants.registry import Planted, planted_faults, right_layers

Vectors = dict[str, tuple[list[Vector], Answers]]


class Missed(NamedTuple):
    """A fault that is not convicted on all its rows, and the rows on which it is."""

    fault: Planted
    rows: set[str]


def vectors_of(folder: Path) -> Vectors:
    """Layer -> its vectors, and their answers."""
    found = {layer.layer: list(read_vectors(folder, layer)) for layer in read_manifest(folder).layers}
    return {name: (vectors, Answers(vectors)) for name, vectors in found.items()}


def convicted(vectors: Vectors, spec_name: str, layer: Callable[..., Any], dtypes: tuple[str, ...] = (*DTYPES, "float16")) -> set[str]:
    """The rows on which the vectors convict `layer`."""
    spec = spec_named(spec_name)
    subject = subject_of(spec, layer)
    known, answers = vectors[spec_name]
    rows: set[str] = set()
    with watching(), answered_by(answers), np.errstate(all="ignore"):
        for v in known:
            if v.case.dtype in dtypes:
                found = decide(spec, subject, v.case, v.expected, observe(subject, v.case), True)
                rows |= {f.name for f in found.findings}
    return rows


def missed(vectors: Vectors) -> list[Missed]:
    """The planted faults that are not convicted on each of their rows."""
    found = ((fault, convicted(vectors, fault.spec, fault.layer)) for fault in planted_faults())
    return [Missed(fault, rows) for fault, rows in found if not set(fault.on) <= rows]


def smallest(fault: Planted, row: str) -> tuple[int, Case]:
    """The number of the first case on which the search convicts `fault` on `row`, and that case made small."""
    spec = spec_named(fault.spec)
    subject = subject_of(spec, fault.layer)
    index = hunt(fault.spec, fault.layer, (row,)).first[row]
    case = case_at(spec, SEED, DTYPES, index)
    finding = next(f for f in judge(spec, subject, case).findings if f.name == row)
    return index, Minimiser(spec, subject, finding.key).smaller(case)


def main(folder: str = "", stored: str = "") -> None:
    vectors = vectors_of(Path(folder) if folder else shipped())
    left = missed(vectors)
    for fault, rows in left:
        print(f"{'elsewhere' if rows else 'MISSED   '}  {fault.spec} {fault.name}: {', '.join(fault.on)}; convicted on {sorted(rows)}")
        for row in set(fault.on) - rows if stored else ():
            index, case = smallest(fault, row)
            data = stored_case(case)
            origin = Origin(date="-", seed=SEED, index=index)
            note = f"convicts {fault.name} on {row}"
            kept = Kept(layer=fault.spec, rows=(row,), digest=data.digest, found=origin, note=note, case=data)
            print("           ", write_kept(kept, Path(stored)))
    n = len(planted_faults())
    print(f"{n - len(left)} of {n} planted faults are convicted on all their rows, {n - sum(not m.rows for m in left)} at all.")
    blamed = {r.name: rows for r in right_layers() if (rows := convicted(vectors, r.spec, r.layer, DTYPES))}
    print(f"{len(right_layers()) - len(blamed)} of {len(right_layers())} right layers are left alone. {blamed or ''}")


if __name__ == "__main__":
    main(*sys.argv[1:3])
