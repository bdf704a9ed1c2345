"""The walk-through on disk: its two languages, its cells, and what a process of its own makes of them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import nbformat

ROOT = Path(__file__).parents[2]
ENGLISH, KOREAN = (ROOT / "examples" / name for name in ("backprop.ipynb", "backprop.ko.ipynb"))

# The cell tagged `steps` trains for ten thousand: fifteen seconds on two idle cores, more than a minute on busy ones. A test that does not
# take so long runs a bit more than two epochs; as the batches are the same, it prints the first lines of what is stored.
ALL_STEPS, FEW_STEPS = "steps, batch_size, learning_rate = 10_000,", "steps, batch_size, learning_rate = 1_300,"


class Ran(NamedTuple):
    """What a cell printed, and which heavy packages were loaded by then."""

    text: str
    heavy: tuple[str, ...]


def read(path: Path) -> Any:
    return nbformat.read(path, as_version=nbformat.NO_CONVERT)


def code_cells(book: Any) -> list[Any]:
    return [cell for cell in book.cells if cell.cell_type == "code"]


def tags(cell: Any) -> Sequence[str]:
    return cell.metadata.get("tags", ())


def stored(cell: Any) -> str:
    """What the stored outputs of a code cell print; there is no other kind of output."""
    return "".join(output.text for output in cell.outputs)


def run(folder: Path, mnist: str, all_steps: bool = False) -> dict[str, Ran]:
    """Run the English notebook with `mnist` as $MNIST_DIR, in a process without warnings; its copy and its work are in `folder`."""
    text = ENGLISH.read_text(encoding="utf-8")
    assert text.count(ALL_STEPS) == 1, "the training cell is to set its steps in one place"
    copy = folder / ENGLISH.name
    copy.write_text(text if all_steps else text.replace(ALL_STEPS, FEW_STEPS), encoding="utf-8")
    # one thread: on cores that others use as well, more of them wait for one another
    single = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"), "1")
    command = [sys.executable, "-W", "error", "-X", "utf8", str(Path(__file__).with_name("running.py")), str(copy)]
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **single, "MNIST_DIR": mnist}, capture_output=True, text=True, encoding="utf-8"
    )
    assert done.returncode == 0 and not done.stderr, done.stderr
    return {cell["id"]: Ran(cell["text"], tuple(cell["heavy"])) for cell in json.loads(done.stdout)}


def store(ran: dict[str, Ran]) -> None:
    """Write what was printed into both languages."""
    for path in (ENGLISH, KOREAN):
        book = read(path)
        for number, cell in enumerate(code_cells(book), 1):
            text = ran[cell.id].text
            cell.execution_count = number
            cell.outputs = [nbformat.v4.new_output("stream", name="stdout", text=text)] if text else []
        path.write_text(nbformat.writes(book) + "\n", encoding="utf-8", newline="\n")
