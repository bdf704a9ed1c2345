"""Whoever is judged: where it is, how it is loaded, how it is called, and the process it runs in."""

from oracle.core.observe import SubjectError
from oracle.subjects.conventions import CONVENTIONS, SCALAR_FUNCTIONS, Subject, subject_of

__all__ = ["CONVENTIONS", "SCALAR_FUNCTIONS", "Subject", "SubjectError", "subject_of"]
