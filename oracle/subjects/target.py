"""Where a subject is: a file, a notebook or a module, and the name in it."""

from __future__ import annotations

import difflib
import itertools
import keyword
import os
from dataclasses import dataclass
from typing import Literal

Kind = Literal["file", "notebook", "module"]

_ENDINGS: dict[str, Kind] = {".py": "file", ".ipynb": "notebook"}


class TargetError(Exception):
    """A target that cannot be understood, or whose file is not there: the message says what to write instead."""


@dataclass(frozen=True)
class Target:
    """`where` is an absolute path (file, notebook) or a dotted name (module); `name` what is wanted in it, None for all that fits.

    text: as the user wrote it.
    """

    text: str
    kind: Kind
    where: str
    name: str | None


def parse_target(text: str) -> Target:
    """`path/to/file.py[:Name]`, `path/to/notebook.ipynb[:Name]` or `package.module[:Name]`. Nothing is executed. Raises TargetError."""
    if not text.strip() or "\0" in text:
        raise TargetError("the target is empty; name a file.py, a notebook.ipynb or a package.module")
    where, name = _split(text)
    if name is not None and not _dotted(name):
        raise TargetError(f"{text!r}: {_bad_name(name)}")
    path = os.path.expanduser(where)
    kind = _ENDINGS.get(os.path.splitext(where)[1])
    if kind is None:
        _refuse_path(where, path)
        return Target(text, "module", where, name)
    if os.path.isdir(path):
        raise TargetError(_folder(path))
    if not os.path.isfile(path):
        raise TargetError(f"there is no file {where!r}{_near(path)}")
    return Target(text, kind, os.path.realpath(path), name)


def _split(text: str) -> tuple[str, str | None]:
    """The place and the name after the last colon; a colon before a slash belongs to the path, as in C:\\x.py."""
    where, colon, name = text.rpartition(":")
    if not colon or "/" in name or "\\" in name or os.path.isfile(text):
        return text, None
    if not where:
        raise TargetError(f"{text!r}: nothing stands before the colon; name a file.py, a notebook.ipynb or a package.module")
    if where.endswith(":"):
        raise TargetError(f"{text!r}: one colon goes before the name: {where.rstrip(':')}:{name}")
    return where, name


def _dotted(name: str) -> bool:
    return all(part.isidentifier() and not keyword.iskeyword(part) for part in name.split("."))


def _bad_name(name: str) -> str:
    if not name:
        return "nothing stands after the colon; write the name of a class or function there, or leave the colon out"
    return f"{name!r} cannot be the name of a class or function"


def _refuse_path(where: str, path: str) -> None:
    """Raises TargetError where `where`, which has no ending that we know, is anything but a module's name."""
    if _dotted(where) and not os.path.isfile(path) and not _plain_folder(path):
        return
    for ending in _ENDINGS:
        if os.path.isfile(path + ending):
            raise TargetError(f"{where!r} has no ending; did you mean {where + ending}?")
    if os.path.isdir(path):
        raise TargetError(_folder(path))
    if os.path.isfile(path):
        raise TargetError(f"{where!r} is no Python file; a file.py or a notebook.ipynb can be judged")
    if "/" in where or "\\" in where:
        raise TargetError(f"{where!r} names neither a file.py nor a notebook.ipynb{_near(path)}")
    raise TargetError(f"{where!r} is no module's name; write package.module, or a file with its ending: file.py or notebook.ipynb")


def _plain_folder(path: str) -> bool:
    # a folder with an __init__.py is a package, and its name a module's
    return os.path.isdir(path) and not os.path.isfile(os.path.join(path, "__init__.py"))


def _folder(path: str) -> str:
    inside = sorted(_readable(path))[:3]
    hint = f"name a file in it, such as {os.path.join(path, inside[0])}" if inside else "and there is no .py or .ipynb file in it"
    return f"{path!r} is a folder; {hint}"


def _near(path: str) -> str:
    """The file of the folder that was probably meant, or that there is no such folder."""
    folder, name = os.path.split(path)
    if folder and not os.path.isdir(folder):
        return f": there is no folder {folder!r}"
    folded = {there.lower(): there for there in _readable(folder or ".")}
    close = difflib.get_close_matches(name.lower(), folded, n=1)
    return f"; did you mean {os.path.join(folder, folded[close[0]])}?" if close else ""


def _readable(folder: str) -> list[str]:
    """The Python files and notebooks of a folder; no more than can be looked through at once."""
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in itertools.islice(entries, 10_000)]
    except OSError:
        return []
    return [name for name in names if os.path.splitext(name)[1] in _ENDINGS]
