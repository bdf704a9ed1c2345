"""A run put in order: which rows it declared and which it judged, by layer, branch and dtype."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cached_property
from typing import Literal, NamedTuple

from oracle.results import ContractInfo, Counterexample, Depth, LayerInfo, Note, Result, Run
from reports.words import state_of

Key = tuple[str, str, str, str]


class Row(NamedTuple):
    """One declared or judged row: a quantity or a contract of a layer, branch and dtype."""

    layer: str
    branch: str
    dtype: str
    quantity: str
    role: Literal["quantity", "contract"]
    result: Result | None
    example: Counterexample | None

    @property
    def key(self) -> Key:
        """Identity of the row: layer, branch, dtype, quantity."""
        return (self.layer, self.branch, self.dtype, self.quantity)

    @property
    def state(self) -> str:
        """The status of the result, or ``not-run`` or ``inconclusive``; a counterexample without a result is a failure as well."""
        return "failed" if self.result is None and self.example is not None else state_of(self.result)

    @property
    def margin(self) -> float | None:
        """The worst margin that is known: the result's, else that of the counterexample."""
        if self.result is not None:
            return self.result.margin
        return None if self.example is None else self.example.comparison.margin


class Rows:
    """Every row of a run, in the order in which the layers declare them."""

    def __init__(self, run: Run) -> None:
        self.run = run
        self.contracts: dict[str, ContractInfo] = {c.id: c for c in run.header.contracts}

    @cached_property
    def layers(self) -> tuple[LayerInfo, ...]:
        """The declared layers, then any that only a stray record names: nothing found may go unseen."""
        declared = {info.name: info for info in self.run.header.layers}
        for row in self.all:
            declared.setdefault(row.layer, _stray(row.layer))
        return tuple(declared.values())

    @cached_property
    def all(self) -> tuple[Row, ...]:
        """All rows."""
        run = self.run
        results: dict[Key, Result] = {r.key: r for r in run.results}
        examples: dict[Key, Counterexample] = {}
        for example in run.counterexamples:
            examples.setdefault((example.layer, example.branch, example.dtype, example.quantity), example)
        declared = ((e.layer, e.branch, e.dtype, e.quantity) for e in run.header.expected)
        keys = dict.fromkeys([*declared, *results, *examples])
        return tuple(Row(*key, self._role(key, results, examples), results.get(key), examples.get(key)) for key in self._sorted(keys))

    @cached_property
    def by_layer(self) -> dict[str, tuple[Row, ...]]:
        """Layer name -> its rows."""
        found: dict[str, list[Row]] = {}
        for row in self.all:
            found.setdefault(row.layer, []).append(row)
        return {name: tuple(rows) for name, rows in found.items()}

    def notes(self, layer: str) -> tuple[Note, ...]:
        """What is worth telling of `layer` beside its rows."""
        return tuple(note for note in self.run.notes if note.layer == layer)

    @cached_property
    def other_notes(self) -> tuple[Note, ...]:
        """Notes on what is no layer of this run: a file, say, of which nothing could be judged."""
        names = {info.name for info in self.layers}
        return tuple(note for note in self.run.notes if note.layer not in names)

    def depths(self, layer: str) -> tuple[Depth, ...]:
        """What stands behind the verdict of `layer`, branch by branch and dtype by dtype."""
        return tuple(d for d in self.run.depths if d.layer == layer)

    def _role(self, key: Key, results: dict[Key, Result], examples: dict[Key, Counterexample]) -> Literal["quantity", "contract"]:
        known = results.get(key) or examples.get(key)
        if known is not None:
            return known.role
        return "contract" if key[3] in self.contracts else "quantity"

    def _sorted(self, keys: Iterable[Key]) -> list[Key]:
        """By layer, then branch, then dtype, then quantity, each in the order of its declaration."""
        layers = {info.name: (at, info) for at, info in enumerate(self.run.header.layers)}
        dtypes = self.run.header.settings.dtypes

        def place(key: Key) -> tuple[int, int, int, int]:
            at, info = layers.get(key[0], (len(layers), None))
            branches, quantities = (info.branches, (*info.quantities, *info.contracts)) if info else ((), ())
            return at, _at(branches, key[1]), _at(dtypes, key[2]), _at(quantities, key[3])

        return sorted(keys, key=place)


def _at(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else len(names)


def _stray(name: str) -> LayerInfo:
    return LayerInfo(
        name=name, subject="", torch="", summary="Not declared in the header.", check_version=0, branches=(), quantities=(), contracts=()
    )
