"""What can be wrong with a data set, each of it for the caller to set right."""


class DatasetMissingError(FileNotFoundError):
    """Files of a data set are not where they were looked for: which, where, and the ways to get them."""


class DatasetDamagedError(ValueError):
    """A file of a data set is not what its name promises: what was found, what was expected, and what to do."""


class DownloadError(OSError):
    """A data set could not be downloaded: the reason of each mirror, or what stood in the way on this machine."""
