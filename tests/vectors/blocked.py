"""Runs the command with torch and Hypothesis out of reach: python -m tests.vectors.blocked ARGUMENTS..."""

from __future__ import annotations

import sys

for name in ("torch", "hypothesis"):
    sys.modules[name] = None  # type: ignore[assignment]

from oracle.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
