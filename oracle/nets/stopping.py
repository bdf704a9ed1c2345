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
    """The first Ctrl-C only asks; a second one raises KeyboardInterrupt at once.

    In other threads than the main one nothing changes, nor where it is ignored, as it is by what a shell runs in the background.
    """
    stop = Stop()
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is signal.SIG_IGN:
        yield stop
        return

    def asked(number: int, frame: Any) -> None:
        if stop.asked:
            raise KeyboardInterrupt
        stop.asked = True

    signal.signal(signal.SIGINT, asked)
    try:
        yield stop
    finally:
        signal.signal(signal.SIGINT, before)
