"""Where the layers of a run are defined, so that an annotation stands beside the code it speaks of."""

from __future__ import annotations

import ast
import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from oracle.results import LayerInfo, Run
    from reports.annotations import Place

LARGEST = 2**20
"""Bytes of a file that is looked through."""


def places(run: Run, folder: Path) -> dict[str, Place]:
    """Layer -> the file that it comes from, as seen from the root of the repository, and its line where that can be told.

    A relative path is meant from `folder`. Only files of the repository are looked at: a results file may name any. None is run.
    """
    root = Path(os.environ.get("GITHUB_WORKSPACE") or folder).resolve()
    found = {}
    for info in run.header.layers:
        if place := _place(info, folder.resolve(), root):
            found[info.name] = place
    return found


def _place(info: LayerInfo, folder: Path, root: Path) -> Place | None:
    from reports.annotations import Place

    where, name = _written(info)
    try:
        path = (folder / where).resolve()
        if not where or not path.is_relative_to(root) or not path.is_file():
            return None
        return Place(path.relative_to(root).as_posix(), _line(path, name) if path.suffix == ".py" else 0)
    except (OSError, ValueError):
        return None


def _written(info: LayerInfo) -> tuple[str, str]:
    """The path of a layer's file and the layer's name in it. A target is a file, a notebook or a module, a colon and a name, or none."""
    place, colon, name = info.target.rpartition(":")
    where = place if colon and name.isidentifier() else info.target
    if not info.target:
        module, _, name = info.subject.rpartition(".")
        where = module
    if not where.endswith((".py", ".ipynb")):
        where = where.replace(".", "/") + ".py" if where else ""
    return where, (name if not info.target else info.subject).rpartition(".")[2]


def _line(path: Path, name: str) -> int:
    """The line on which `name` is defined, 0 where it is not."""
    if path.stat().st_size > LARGEST:
        return 0
    try:
        tree = ast.parse(path.read_bytes())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return 0
    defined = (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef))
    return next((node.lineno for node in defined if node.name == name), 0)
