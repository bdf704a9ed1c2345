"""Runs the code cells of a notebook, from the top and in one namespace, and writes what each of them printed as JSON. A script, for
a process of its own: `python tests/examples/running.py NOTEBOOK`.

It does what Jupyter does with such cells, without a kernel: they print, and show nothing else.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import sys
from types import ModuleType

HEAVY = ("oracle", "sklearn", "torch")


def run(path: str) -> list[dict[str, object]]:
    """Of each code cell: its id, what it printed, and which of HEAVY is loaded by then."""
    with open(path, encoding="utf-8") as stream:
        cells = [cell for cell in json.load(stream)["cells"] if cell["cell_type"] == "code"]
    module = sys.modules["__main__"] = ModuleType("__main__")
    done: list[dict[str, object]] = []
    for cell in cells:
        printed = io.StringIO()
        with contextlib.redirect_stdout(printed):
            _execute("".join(cell["source"]), f"<cell {cell['id']}>", vars(module))
        done.append({"id": cell["id"], "text": printed.getvalue(), "heavy": [name for name in HEAVY if name in sys.modules]})
    return done


def _execute(source: str, filename: str, names: dict[str, object]) -> None:
    """Run one cell. What Jupyter would show of its last line has no place here: a stored output is text that was printed."""
    body = ast.parse(source, filename).body
    last = body.pop() if body and isinstance(body[-1], ast.Expr) else None
    exec(compile(ast.Module(body, []), filename, "exec"), names)
    if isinstance(last, ast.Expr):
        shown = eval(compile(ast.Expression(last.value), filename, "eval"), names)
        assert shown is None, f"{filename} ends in a value, which Jupyter shows: print it"


if __name__ == "__main__":
    json.dump(run(sys.argv[1]), sys.stdout)
