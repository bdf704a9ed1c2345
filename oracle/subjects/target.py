"""Where a subject is: a file, a notebook or a module, and the name in it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal


class TargetError(Exception):
    """A target that cannot be understood, or whose file is not there: the message says what to write instead."""


@dataclass(frozen=True)
class Target:
    """`where` is an absolute path (file, notebook) or a dotted name (module); `name` what is wanted in it, None for all that fits.

    text: as the user wrote it.
    """

    text: str
    kind: Literal["file", "notebook", "module"]
    where: str
    name: str | None


def parse_target(text: str) -> Target:
    """`path/to/file.py[:Name]`, `path/to/notebook.ipynb[:Name]` or `package.module[:Name]`. Raises TargetError."""
    where, _, name = text.partition(":")
    kind: Literal["file", "notebook", "module"] = "file" if where.endswith(".py") else "notebook" if where.endswith(".ipynb") else "module"
    if kind == "module":
        return Target(text, kind, where, name or None)
    path = Path(where)
    if not path.is_file():
        raise TargetError(f"there is no file {where!r}")
    return Target(text, kind, str(path.resolve()), name or None)
