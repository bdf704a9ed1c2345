"""The language between the judge and a subject's process.

Requests are pickles: the judge is trusted. Answers never are, because whoever answers is not: an answer is a frame of a JSON head and
the raw bytes of arrays, and nothing in it is believed before it has been checked. Arbitrary bytes raise WireError and nothing else.
"""

from __future__ import annotations

import json
import math
import re
import struct
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from oracle.core.case import Array
from oracle.core.evaluation import Breach, Evaluation
from oracle.core.observe import Observation

SIZES = struct.Struct("<II")
"""What a frame begins with: the bytes of its head, and those of its body."""
MOST_HEAD, MOST_BODY = 2**18, 2**28
MOST_TEXT, MOST_LINES, MOST_ARRAYS, MOST_AXES = 500, 64, 256, 64
KINDS = "biuf"
_DTYPE = re.compile(r"[<>|=][biuf](1|2|4|8|12|16)")


class WireError(Exception):
    """Bytes that are no answer: what is wrong with them."""


class Frame(NamedTuple):
    """An answer as it came: its head, a JSON object, and the bytes of its arrays."""

    head: dict[str, Any]
    body: bytearray


def encode(head: dict[str, Any], arrays: Sequence[Array] = ()) -> bytes:
    """A frame. Raises WireError where it would be larger than the judge accepts."""
    text = json.dumps(head, separators=(",", ":")).encode()
    size = sum([a.nbytes for a in arrays])
    if len(text) > MOST_HEAD or size > MOST_BODY:
        raise WireError(f"an answer of {size + len(text)} bytes is too large: at most {MOST_BODY >> 20} MiB of results")
    return b"".join([SIZES.pack(len(text), size), text, *[a.tobytes() for a in arrays]])


def decode(buffer: bytearray) -> Frame | None:
    """The first frame of `buffer`, which is taken out of it; None while it is not complete. Raises WireError."""
    if len(buffer) < SIZES.size:
        return None
    head, body = SIZES.unpack_from(buffer)
    if head > MOST_HEAD or body > MOST_BODY:
        raise WireError(f"a frame of {head} and {body} bytes")
    start, stop = SIZES.size + head, SIZES.size + head + body
    if len(buffer) < stop:
        return None
    text, rest = bytes(buffer[SIZES.size : start]), buffer[start:stop]
    del buffer[:stop]
    try:
        parsed = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WireError("a head that is not JSON") from error
    if not isinstance(parsed, dict):
        raise WireError("a head that is no object")
    return Frame(parsed, rest)


def observation_frame(seen: Observation) -> bytes:
    """An observation as a frame. Raises WireError where its results are too large."""
    outputs, grads, error = seen.evaluation
    arrays = [*outputs, *grads, *(seen.again or ())]
    head = {
        "error": error,
        "breaches": [[b.contract, b.message[:MOST_TEXT]] for b in list(dict.fromkeys(seen.breaches))[:MOST_LINES]],
        "warned": [text[:MOST_TEXT] for text in seen.warned[:MOST_LINES]],
        "arrays": [[a.dtype.str, a.shape] for a in arrays],
        "counts": [len(outputs), len(grads), -1 if seen.again is None else len(seen.again)],
    }
    return encode(head, arrays)


def observation_of(frame: Frame) -> Observation:
    """The observation in a frame. Raises WireError."""
    head = frame.head
    arrays = arrays_of(head.get("arrays"), frame.body)
    counts = head.get("counts")
    if not (isinstance(counts, list) and len(counts) == 3 and all(type(n) is int and n >= -1 for n in counts)) or min(counts[:2]) < 0:
        raise WireError("counts that are none")
    outputs, grads, again = counts
    if outputs + grads + max(again, 0) != len(arrays):
        raise WireError("counts that do not fit the arrays")
    error = head.get("error")
    evaluation = Evaluation(arrays[:outputs], arrays[outputs : outputs + grads], None if error is None else text_of(error))
    breaches = tuple([Breach(*pair) for pair in pairs_of(head.get("breaches"))])
    return Observation(evaluation, breaches, None if again < 0 else arrays[outputs + grads :], texts_of(head.get("warned")))


def arrays_of(described: Any, body: bytearray) -> tuple[Array, ...]:
    """The arrays of a body, which they must fill exactly. Raises WireError."""
    if not isinstance(described, list) or len(described) > MOST_ARRAYS:
        raise WireError("arrays that are no list")
    arrays = []
    start = 0
    for entry in described:
        dtype, shape = _form(entry)
        stop = start + dtype.itemsize * math.prod(shape)
        if stop > len(body):
            raise WireError("arrays larger than their bytes")
        try:
            # a slice is a copy: aligned memory, and writable as any other result
            arrays.append(np.ndarray(shape, dtype, body[start:stop]))
        except (ValueError, TypeError) as error:
            raise WireError("a shape that NumPy does not have") from error
        start = stop
    if start != len(body):
        raise WireError("bytes that belong to no array")
    return tuple(arrays)


def _form(entry: Any) -> tuple[np.dtype[Any], tuple[int, ...]]:
    if not isinstance(entry, list) or len(entry) != 2 or not isinstance(entry[0], str) or not isinstance(entry[1], list):
        raise WireError("an array without dtype and shape")
    name, shape = entry
    if not _DTYPE.fullmatch(name) or len(shape) > MOST_AXES or not all(type(n) is int and 0 <= n < 2**62 for n in shape):
        raise WireError("an array of no dtype or shape that is accepted")
    try:
        return np.dtype(name), tuple(shape)
    except TypeError as error:
        raise WireError("a dtype that NumPy does not have") from error


def text_of(value: Any, most: int = MOST_TEXT) -> str:
    """A text as it may be shown: cut, and without what a terminal would obey. Raises WireError where it is none."""
    if not isinstance(value, str):
        raise WireError("a text that is none")
    return "".join([c if c.isprintable() else " " for c in value[:most]])


def texts_of(value: Any) -> tuple[str, ...]:
    """A list of texts. Raises WireError."""
    if not isinstance(value, list):
        raise WireError("texts that are no list")
    return tuple([text_of(item) for item in value])


def pairs_of(value: Any) -> Iterable[tuple[str, ...]]:
    """A list of pairs of texts. Raises WireError."""
    if not isinstance(value, list) or not all(isinstance(item, list) and len(item) == 2 for item in value):
        raise WireError("pairs that are none")
    return [texts_of(item) for item in value]
