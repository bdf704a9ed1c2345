"""Ctrl-C between two steps: what both sides have done is then whole, and can be gone on with."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


class Stop:
    """Whether the user has asked for an end."""

    asked = False


@contextmanager
def stopping() -> Iterator[Stop]:
    """The first Ctrl-C only asks; a second one raises KeyboardInterrupt at once. In other threads than the main one nothing changes."""
    stop = Stop()
    if threading.current_thread() is not threading.main_thread():
        yield stop
        return
    before = signal.getsignal(signal.SIGINT)

    def asked(number: int, frame: Any) -> None:
        if stop.asked or not callable(before):
            raise KeyboardInterrupt
        stop.asked = True

    signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
