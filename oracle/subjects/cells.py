"""The code cells of a notebook: from its JSON to sources, and from a source with IPython's own lines to Python's syntax tree."""

from __future__ import annotations

import ast
import json
import os
import re
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

from oracle.subjects.loaded import LoadError

_PYTHON_MAGICS = ("time", "capture", "prun")
"""Cell magics whose body is run in the notebook itself, so that what it defines stays."""

_SHELL = ("pip", "pip3", "conda", "cd", "ls", "mkdir", "rm", "cp", "cat", "wget", "git")
"""What IPython takes for a magic without its %, where Python cannot read the line."""


class Magic(NamedTuple):
    """A line for IPython and not for Python; `names` are those that it would have assigned."""

    line: int
    text: str
    names: tuple[str, ...]


class Parsed(NamedTuple):
    """A cell as Python: its tree, the IPython lines left out of it, and its source with these lines emptied."""

    tree: ast.Module
    magics: list[Magic]
    source: str


def read_cells(path: str) -> Iterator[str]:
    """The sources of the code cells that are not blank, in order; nbformat 4, and 3 with its worksheets. Raises LoadError."""
    name = os.path.basename(path)
    try:
        with open(path, "rb") as file:
            book = json.loads(file.read())
    except OSError as error:
        raise LoadError(f"{name} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        reason = "it is nested too deep" if isinstance(error, RecursionError) else "it is not JSON"
        raise LoadError(f"{name} is no notebook: {reason}") from error
    for cell in _cells(book, name):
        if isinstance(cell, dict) and cell.get("cell_type") == "code":
            source = cell.get("source", cell.get("input", ""))
            text = "".join(part for part in source if isinstance(part, str)) if isinstance(source, list) else source
            if isinstance(text, str) and text.strip():
                yield text


def _cells(book: Any, name: str) -> list[Any]:
    version = book.get("nbformat") if isinstance(book, dict) else None
    if not isinstance(version, int):
        raise LoadError(f"{name} is no notebook: it has no nbformat")
    language = _language(book)
    if language not in ("python", "ipython", "python3"):
        raise LoadError(f"{name} is a notebook in {language}, not in Python")
    if version == 4:
        cells = book.get("cells")
    elif version == 3:
        sheets = book.get("worksheets")
        cells = [cell for sheet in sheets for cell in sheet["cells"]] if _are_sheets(sheets) else None
    else:
        raise LoadError(f"{name} has nbformat {version}; save it in format 4 (jupyter nbconvert --to notebook)")
    if not isinstance(cells, list):
        raise LoadError(f"{name} is no notebook: it has no list of cells")
    return cells


def _are_sheets(sheets: Any) -> bool:
    return isinstance(sheets, list) and all(isinstance(s, dict) and isinstance(s.get("cells"), list) for s in sheets)


def _language(book: dict[str, Any]) -> str:
    """The language of the code cells; Python where the notebook does not say."""
    metadata = book.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    info = metadata.get("language_info") if isinstance(metadata, dict) else None
    for where, key in ((info, "name"), (kernel, "language")):
        if isinstance(where, dict) and isinstance(where.get(key), str):
            return str(where[key]).lower()
    return "python"


def parse_cell(source: str, filename: str) -> Parsed:
    """A cell as Python. A line is IPython's only where Python cannot read it: `% b` may go on with the line before.

    Raises SyntaxError, or ValueError for characters that Python does not take.
    """
    magics: list[Magic] = []
    # only where Python, too, ends a line: elsewhere the line numbers of a SyntaxError would not fit
    lines = re.split(r"\r\n|\r|\n", source)
    first = next(i for i, line in enumerate(lines) if line.strip()) if source.strip() else 0
    if lines[first].startswith("%%"):
        magics.append(Magic(first + 1, lines[first].strip(), ()))
        python = lines[first][2:].split()[:1] in [[name] for name in _PYTHON_MAGICS]
        lines = ["" if i == first or not python else line for i, line in enumerate(lines)]
    while True:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                return Parsed(ast.parse("\n".join(lines), filename), sorted(magics), "\n".join(lines))
        except SyntaxError as error:
            magic = _take(lines, (error.lineno or 0) - 1)
            if magic is None:
                raise
            magics.append(magic)


def _take(lines: list[str], i: int) -> Magic | None:
    """Put `pass` in the place of the IPython line `i` and of those that a backslash joins to it; None if there is no such line."""
    text = lines[i].strip() if 0 <= i < len(lines) else ""
    names = _assigned(text)
    if not (names or _is_magic(text)):
        return None
    joined = text.endswith("\\")
    lines[i] = lines[i][: len(lines[i]) - len(lines[i].lstrip())] + "pass"
    for j in range(i + 1, len(lines)):
        if not joined:
            break
        joined = lines[j].rstrip().endswith("\\")
        lines[j] = ""
    return Magic(i + 1, text, names)


def _is_magic(text: str) -> bool:
    """`%matplotlib inline`, `!pip install`, `?print`, `print?`, `pip install`."""
    asked = text.rstrip("?")
    return (
        text.startswith(("%", "!", "?"))
        or text.split(maxsplit=1)[:1] in [[word] for word in _SHELL]
        or (asked != text and re.fullmatch(r"[\w.*%]+", asked) is not None)
    )


def _assigned(text: str) -> tuple[str, ...]:
    """The names that `files = !ls` or `a, b = %magic` assigns; none on other lines."""
    left, equals, right = text.partition("=")
    names = [name.strip() for name in left.split(",")]
    magic = equals and right.lstrip().startswith(("%", "!")) and all(name.isidentifier() for name in names)
    return tuple(names) if magic else ()
