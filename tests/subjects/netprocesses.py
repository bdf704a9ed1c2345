"""Nets in processes of their own that misbehave."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from oracle.subjects.isolated_net import IsolatedNet, Limits
from oracle.subjects.target import parse_target

HERE = Path(__file__).parent
QUICK = Limits(case_seconds=1.0, load_seconds=20.0, total_seconds=60.0, memory_mb=512, output_bytes=1 << 20)
PATIENT = QUICK._replace(case_seconds=20.0)

NET = """
import ctypes, os, sys, time
import numpy as np
from somenets import BookNet

class Net(BookNet):
    calls = 0

    def {method}(self, x, t):
        Net.calls += 1
        if Net.calls == {call}:
{body}
        return BookNet.{method}(self, x, t)
"""


@contextmanager
def misbehaving(folder: Path, body: str, method: str = "gradient", limits: Limits = PATIENT, call: int = 2) -> Iterator[IsolatedNet]:
    """A right net that does something else the second time its gradient is asked for."""
    path = folder / "net.py"
    path.write_text(NET.format(method=method, call=call, body="\n".join(" " * 12 + line for line in body.splitlines())))
    with IsolatedNet(parse_target(str(path)), "Net", search_path=(str(HERE),), limits=limits) as net:
        yield net
