"""Where a run takes place: versions, platform, BLAS and commit, without importing torch or Hypothesis."""

from __future__ import annotations

import platform
import subprocess
from importlib import metadata
from pathlib import Path

import numpy as np

from oracle.results import Environment


def environment() -> Environment:
    """The environment of this process. Whatever cannot be found out is None, or "unknown"."""
    commit = _git("rev-parse", "HEAD")
    changes = _git("status", "--porcelain", "--untracked-files=no")
    return Environment(
        gradconform=_version("gradconform") or "unknown",
        python=f"{platform.python_implementation()} {platform.python_version()}",
        numpy=np.__version__,
        torch=_version("torch"),
        hypothesis=_version("hypothesis"),
        platform=platform.platform(),
        machine=platform.machine(),
        blas=_blas(),
        commit=commit,
        dirty=None if commit is None or changes is None else bool(changes),
    )


def _version(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _blas() -> str:
    try:
        config = np.show_config(mode="dicts")
        blas = config["Build Dependencies"]["blas"]
        return f"{blas['name']} {blas['version']}"
    except (TypeError, KeyError):
        return "unknown"


def _git(*arguments: str) -> str | None:
    """The output of a git command in the project's own checkout; None outside one."""
    root = Path(__file__).resolve().parents[2]
    if not (root / ".git").exists():
        return None
    try:
        done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True, timeout=10, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()
