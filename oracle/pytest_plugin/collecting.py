"""A marked layer as a collector, and one item for each of its rows."""

from __future__ import annotations

import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from oracle.pytest_plugin.asking import Asked, asked, own_marks, rows
from oracle.pytest_plugin.judging import told


class RowError(Exception):
    """A row that diverges, or that was not judged: the message is all there is to show."""


class LayerCollector(pytest.Collector):
    """A layer with the mark."""

    what: Asked

    def collect(self) -> Iterator[pytest.Item]:
        for branch, row in rows(self.what):
            yield RowItem.from_parent(self, name=f"{branch}-{row}", row=(branch, row))

    @property
    def line(self) -> int | None:
        """The line of its definition, from 0."""
        try:
            return inspect.getsourcelines(self.what.layer)[1] - 1
        except (OSError, TypeError):
            return None


def collector_of(parent: pytest.Module | pytest.Class, name: str, layer: object, mark: pytest.Mark) -> pytest.Collector:
    """The collector of `layer`; skip, xfail and other marks of it go for all of its rows."""
    made: LayerCollector = LayerCollector.from_parent(parent, name=name)
    made.what = asked(layer, mark.args, mark.kwargs, f"{name}: conforms")
    marks = own_marks(layer)
    made.own_markers.extend(marks)
    made.keywords.update({m.name: m for m in marks})
    if parent.config.pluginmanager.hasplugin("xdist"):
        # with --dist loadgroup one worker then judges all rows of a layer
        made.add_marker(pytest.mark.xdist_group(made.nodeid))
    return made


class RowItem(pytest.Item):
    """One row of a layer."""

    parent: LayerCollector

    def __init__(self, *, row: tuple[str, str], **rest: Any) -> None:
        super().__init__(**rest)
        self.row = row

    def runtest(self) -> None:
        found = told(self.parent.what, *self.row)
        if found.state == "skipped":
            pytest.skip(found.text)
        if found.state == "failed":
            raise RowError(found.text)

    def repr_failure(self, excinfo: pytest.ExceptionInfo[BaseException], style: Any = None) -> Any:
        return str(excinfo.value) if isinstance(excinfo.value, RowError) else super().repr_failure(excinfo, style)

    def reportinfo(self) -> tuple[Path, int | None, str]:
        return self.path, self.parent.line, f"{self.parent.name}::{self.name}"
