"""The stored form of a run: the one thing the judge writes and every reader reads.

Imports nothing else of ours, and neither NumPy nor torch, so that a report can be made where neither is installed.
"""

from oracle.results.codec import ResultsWriter, assembled, read_run
from oracle.results.errors import ResultsError, WritingStopped
from oracle.results.gate import entry_for, entry_name, gated, problems
from oracle.results.held import held
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
    Gate,
    Header,
    Health,
    Known,
    LayerInfo,
    Note,
    Planted,
    Result,
    Run,
    Sample,
    Seen,
    Settings,
    Worst,
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
    "Gate",
    "Header",
    "Health",
    "Known",
    "LayerInfo",
    "Note",
    "Planted",
    "Result",
    "ResultsError",
    "ResultsWriter",
    "Run",
    "Sample",
    "Seen",
    "Settings",
    "Verdict",
    "Worst",
    "WritingStopped",
    "assembled",
    "held",
    "entry_for",
    "entry_name",
    "gated",
    "problems",
    "read_run",
    "verdict",
]
