"""What can be wrong with results, for the user to set right."""


class ResultsError(Exception):
    """A results file or folder that cannot be used, with the reason and what to do."""


class WritingStopped(ResultsError):  # noqa: N818 - it says what happened
    """Results could be written no further, because the disk is full, say. What was written before can be read."""
