"""An answer of a net on its way between its process and the judge's: named arrays and broken contracts, in a frame of `wire`."""

from __future__ import annotations

from typing import NamedTuple

from oracle.core.case import Array
from oracle.core.evaluation import Breach
from oracle.subjects.wire import MOST_LINES, MOST_TEXT, Frame, WireError, arrays_of, encode, pairs_of, text_of, texts_of

_CONTRACTS = ("inputs.unchanged", "params.unchanged")
_LONG = 2000


class Answer(NamedTuple):
    """What a net answered. names: of its parameters, where they are asked for."""

    names: tuple[str, ...] = ()
    arrays: tuple[Array, ...] = ()
    breaches: tuple[Breach, ...] = ()


class Refusal(NamedTuple):
    """Why there is no answer: a sentence."""

    text: str


def frame_of(answer: Answer | Refusal) -> bytes:
    """The answer as a frame; one that is too large becomes a refusal."""
    if isinstance(answer, Refusal):
        return encode({"refused": answer.text[:_LONG]})
    head = {
        "names": answer.names,
        "arrays": [[a.dtype.str, a.shape] for a in answer.arrays],
        "breaches": [[b.contract, b.message[:MOST_TEXT]] for b in answer.breaches[:MOST_LINES]],
    }
    try:
        return encode(head, answer.arrays)
    except WireError as error:
        return encode({"refused": str(error)})


def answer_of(frame: Frame) -> Answer | Refusal:
    """The answer in a frame. Raises WireError."""
    if "refused" in frame.head:
        return Refusal(text_of(frame.head["refused"], _LONG))
    names = texts_of(frame.head.get("names"))
    breaches = tuple([Breach(*pair) for pair in pairs_of(frame.head.get("breaches"))])
    if any(breach.contract not in _CONTRACTS for breach in breaches):
        raise WireError("a broken contract that no net can break")
    return Answer(names, arrays_of(frame.head.get("arrays"), frame.body), breaches)
