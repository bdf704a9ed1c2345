"""Gold files: what an output looked like when somebody last looked at it. GOLD=write takes the present output for the new gold."""

from __future__ import annotations

import os
from pathlib import Path

FOLDER = Path(__file__).parent / "gold"


def assert_gold(name: str, text: str) -> None:
    """`text` is what the gold file `name` holds."""
    path = FOLDER / name
    if os.environ.get("GOLD") == "write":
        path.write_text(text, encoding="utf-8", newline="\n")
    assert path.is_file(), f"there is no {path}; look at the output, then run again with GOLD=write"
    assert text == path.read_text(encoding="utf-8"), f"{name} has changed; if it was meant to, run again with GOLD=write"
