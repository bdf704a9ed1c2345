"""The words and number formats that every report shares, so that the page and the terminal never say the same thing twice differently."""

from __future__ import annotations

import math
import struct
import unicodedata

from oracle.results import Result

# Control, format (bidi marks, zero-width), surrogate, private, unassigned; line and paragraph separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})

STATES = {
    "passed": "conforms",
    "failed": "diverges",
    "known": "known divergence",
    "stale": "listed as known, yet conforms",
    "error": "error",
    "skipped": "skipped",
    "inconclusive": "inconclusive",
    "not-run": "not run",
    "not-claimed": "not claimed",
}
"""State of a row -> the word a reader sees."""

LOADS = "subject.loads"
"""The contract that stands for a subject which could not be judged at all."""

NOT_LOADED = "not loaded"

FAILING = frozenset({"failed", "stale", "error"})

REASONS = {
    "value": "the values differ",
    "nan": "NaN or infinity on one side only",
    "shape": "the shape differs",
    "dtype": "the dtype differs",
    "error": "an error was raised",
    "contract": "a contract is broken",
    "died": "its process did not survive",
}


def visible(text: str, *, lines: bool = False) -> str:
    """`text` with every character that cannot be seen, or that moves what is seen, written as an escape such as ``\\u202e``.

    Names and messages come from other people's code: a terminal escape could hide a failure, a right-to-left mark turn a path round.
    `lines` keeps line feeds and tabs, for text that is shown as a block.
    """
    if text.isascii() and text.isprintable():
        return text
    kept = "\n\t" if lines else ""
    return "".join(c if c in kept or unicodedata.category(c) not in _INVISIBLE else _escape(c) for c in text)


def _escape(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def shorten(text: str, limit: int) -> str:
    """`text`, its middle cut out when it is longer than `limit` characters, and the cut named."""
    if len(text) <= limit:
        return text
    head, tail = limit * 2 // 3, limit // 3
    return f"{text[:head]} … {len(text) - head - tail:,} characters … {text[len(text) - tail :]}"


def margin_text(margin: float | None) -> str:
    """A margin in a few characters: ``0`` when bitwise equal, ``0.27``, ``3.2e+05 ×`` when over the edge.

    Rounds away from the edge of 1, so that what is shown never contradicts the verdict.
    """
    if margin is None:
        return "-"
    if math.isnan(margin):
        return "NaN"
    if math.isinf(margin):
        return "∞ ×"
    if margin == 0:
        return "0"
    if margin <= 1:
        return "<0.01" if margin < 0.01 else "1.00" if margin == 1 else f"{math.floor(margin * 100) / 100:.2f}"
    if margin < 100:
        return f"{max(margin, 1.01):.3g} ×"
    return f"{margin:.0f} ×" if margin < 999.5 else f"{margin:.1e} ×"


def beyond(margin: float | None) -> bool:
    """Whether `margin` is over the edge; one that is not a number is."""
    return margin is not None and not margin <= 1


def margin_order(margin: float | None) -> float:
    """What margins are sorted by: none below all, NaN above all."""
    if margin is None:
        return -1.0
    return math.inf if math.isnan(margin) else margin


def clip(text: str, width: int) -> str:
    """`text` in at most `width` characters, what is beyond it cut off."""
    return text if len(text) <= width else text[: max(width - 1, 0)].rstrip() + "…"


def count(n: int, noun: str, plural: str | None = None) -> str:
    """``1 case``, ``2,000 cases``."""
    return f"{n:,} {noun if n == 1 else plural or noun + 's'}"


def share(part: int, whole: int) -> str:
    """`part` of `whole` in percent; anything above zero shows as more than zero, anything short of all as less than all."""
    if not whole:
        return "-"
    percent = 100 * part / whole
    if part == 0:
        return "0 %"
    if percent < 0.1:
        return "<0.1 %"
    return f"{min(percent, 99.9) if part < whole else percent:.1f} %"


def duration(seconds: float) -> str:
    """``0.4 s``, ``2 min 5 s``, ``1 h 3 min``."""
    if seconds < 60:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def index_text(index: tuple[int, ...] | None) -> str:
    """Where in an array: ``[0, 2]``; empty when there is no place to name."""
    return "" if not index else f"[{', '.join(str(i) for i in index)}]"


def number(value: bool | int | float, dtype: str = "float64") -> str:
    """`value` in the fewest digits that give it back exactly in `dtype`, integers whole; NaN, infinities and -0.0 as such."""
    if not isinstance(value, float):
        return str(value)
    code, least = {"float16": ("<e", 3), "float32": ("<f", 6)}.get(dtype, ("<d", 17))
    if code == "<d" or not math.isfinite(value) or (value.is_integer() and abs(value) < 2**53):
        return repr(value)
    try:
        wanted = struct.pack(code, value)
        for digits in range(least, 10):
            if struct.pack(code, short := float(f"{value:.{digits}g}")) == wanted:
                return repr(short)
    except OverflowError:
        pass  # rounding up to fewer digits left the dtype's range: show what was stored
    return repr(value)


def brief(value: float) -> str:
    """`value` in four digits, for sentences."""
    return repr(value) if not math.isfinite(value) or value == 0 else f"{value:.4g}"


def apart(actual: float, expected: float) -> tuple[str, str]:
    """Both values in as few digits as tell them apart, four at least: ``0.25`` against ``0.25`` would explain nothing."""
    sides = brief(actual), brief(expected)
    if not (math.isfinite(actual) and math.isfinite(expected)):
        return sides
    digits = 5
    while sides[0] == sides[1] and actual != expected and digits <= 17:
        sides = f"{actual:.{digits}g}", f"{expected:.{digits}g}"
        digits += 1
    return sides


def state_of(result: Result | None) -> str:
    """The state of a row: its status, or ``not-run`` / ``inconclusive`` where nothing of it was decided."""
    if result is None:
        return "not-run"
    if result.status == "passed" and not result.n_judged:
        return "inconclusive" if result.n_inconclusive else "not-run"
    return result.status
