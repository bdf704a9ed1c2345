"""Whoever is judged: how an object of each calling convention is made, run forward and run backward."""

from oracle.core.observe import SubjectError
from oracle.subjects.conventions import CONVENTIONS, Subject, subject_of

__all__ = ["CONVENTIONS", "Subject", "SubjectError", "subject_of"]
