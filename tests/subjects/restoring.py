"""Notebooks written and loaded; and as loading changes the process it runs in, how a test puts everything back."""

from __future__ import annotations

import json
import linecache
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from oracle.subjects.loading import Loaded, load
from oracle.subjects.target import parse_target


@contextmanager
def restored() -> Iterator[None]:
    """`sys.path`, `sys.modules`, `sys.argv` and the cached sources are afterwards what they were before."""
    path, modules, argv, bytecode = list(sys.path), set(sys.modules), list(sys.argv), sys.dont_write_bytecode
    try:
        yield
    finally:
        sys.path[:], sys.argv[:], sys.dont_write_bytecode = path, argv, bytecode
        for name in set(sys.modules) - modules:
            del sys.modules[name]
        sys.path_importer_cache.clear()
        linecache.clearcache()


def notebook(tmp_path: Path, *sources: Any, name: str = "chapter_5.ipynb") -> Loaded:
    """A notebook with these code cells, loaded."""
    cells = [{"cell_type": "code", "source": source, "metadata": {}, "outputs": [], "execution_count": None} for source in sources]
    return book(tmp_path, {"nbformat": 4, "nbformat_minor": 5, "metadata": {}, "cells": cells}, name)


def book(tmp_path: Path, content: Any, name: str = "chapter_5.ipynb") -> Loaded:
    """A file with this content, taken for a notebook and loaded."""
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_bytes(content if isinstance(content, bytes) else json.dumps(content).encode())
    return load(parse_target(str(file)))
