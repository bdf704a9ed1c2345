"""The stored form of a run: the one thing the judge writes and every reader reads.

Imports nothing else of ours, and neither NumPy nor torch, so that a report can be made where neither is installed.
"""

from oracle.results.codec import ResultsError, ResultsWriter, assembled, read_run
from oracle.results.model import (
    SCHEMA_VERSION,
    ArrayData,
    CaseData,
    ComparisonData,
    ContractInfo,
    Counterexample,
    Depth,
    Environment,
    Expected,
    Footer,
    Header,
    LayerInfo,
    Note,
    Result,
    Run,
    Settings,
)
from oracle.results.verdict import Verdict, verdict

__all__ = [
    "SCHEMA_VERSION",
    "ArrayData",
    "CaseData",
    "ComparisonData",
    "ContractInfo",
    "Counterexample",
    "Depth",
    "Environment",
    "Expected",
    "Footer",
    "Header",
    "LayerInfo",
    "Note",
    "Result",
    "ResultsError",
    "ResultsWriter",
    "Run",
    "Settings",
    "Verdict",
    "assembled",
    "read_run",
    "verdict",
]
