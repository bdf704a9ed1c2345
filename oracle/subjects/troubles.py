"""What went wrong while somebody else's code was executed, in words. The exceptions are theirs: they may misbehave themselves."""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence

MESSAGE_LENGTH = 300


def cut(text: str, length: int = MESSAGE_LENGTH) -> str:
    """One line of at most `length` characters."""
    line = " ".join(text[: 4 * length].split())
    return line if len(line) <= length else line[: length - 3] + "..."


def told(error: BaseException, searched: Sequence[str] = ()) -> str:
    """What happened, without the place. searched: the folders in which a missing module was looked for."""
    try:
        if isinstance(error, ModuleNotFoundError) and isinstance(error.name, str):
            return _no_module(error.name, searched)
        if isinstance(error, SystemExit):
            return f'it ends Python (SystemExit: {cut(str(error.code))}); put what does so under `if __name__ == "__main__":`'
        if isinstance(error, SyntaxError):
            text = f": `{cut(error.text, 80)}`" if error.text and error.text.strip() else ""
            return f"{type(error).__name__}: {cut(str(error.msg))}{text}"
        message = cut(str(error))
        return f"{type(error).__name__}: {message}" if message else type(error).__name__
    except BaseException:
        return f"{type(error).__name__}, whose message cannot be shown"


def place(error: BaseException, own: Callable[[str], bool]) -> tuple[str, int] | None:
    """File name and line at which `error` left the files for which `own` holds; those of a SyntaxError are where it is written."""
    if isinstance(error, SyntaxError) and isinstance(error.filename, str) and isinstance(error.lineno, int):
        return error.filename, error.lineno
    lines = [(frame.f_code.co_filename, line) for frame, line in traceback.walk_tb(error.__traceback__)]
    return next((spot for spot in reversed(lines) if own(spot[0])), None)


def sentence(error: BaseException, file: str, own: Callable[[str], bool], searched: Sequence[str]) -> str:
    """Where and what, as one message; `file` is named where no line of the files for which `own` holds is to blame."""
    spot = place(error, own)
    if spot is None:
        return f"{file}: {told(error, searched)}"
    return f"{os.path.basename(spot[0])}, line {spot[1]}: {told(error, searched)}{_deeper(error, spot[0])}"


def _no_module(name: str, searched: Sequence[str]) -> str:
    top = name.partition(".")[0]
    there = getattr(sys.modules.get(top), "__file__", None) if top != name else None
    shadow = f" ({top} is {there})" if there else ""
    folders = f"{', '.join(searched)} and " if searched else ""
    return f"there is no module {name!r}{shadow}; looked in {folders}the installed packages; install it, or name its folder with --path"


def _deeper(error: BaseException, file: str) -> str:
    """The line of another readable file in which the error was raised, where that is not the one already named."""
    if isinstance(error, SyntaxError) or error.__traceback__ is None:
        return ""
    *_, (frame, line) = traceback.walk_tb(error.__traceback__)
    raised = frame.f_code.co_filename
    return f" (raised in {os.path.basename(raised)}, line {line})" if raised != file and os.path.isfile(raised) else ""
