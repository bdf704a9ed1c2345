"""The stored form of a training: what `gradconform train` writes, and what is said of it."""

from oracle.results.training.codec import TrainingWriter, read_training
from oracle.results.training.model import (
    TRAINING_SCHEMA_VERSION,
    Checkpoint,
    Epoch,
    NetInfo,
    Steps,
    Timing,
    Training,
    TrainingDivergence,
    TrainingHeader,
    TrainingRow,
    TrainingSettings,
)
from oracle.results.training.verdict import TrainingVerdict, training_verdict

__all__ = [
    "TRAINING_SCHEMA_VERSION",
    "Checkpoint",
    "Epoch",
    "NetInfo",
    "Steps",
    "Timing",
    "Training",
    "TrainingDivergence",
    "TrainingHeader",
    "TrainingRow",
    "TrainingSettings",
    "TrainingVerdict",
    "TrainingWriter",
    "read_training",
    "training_verdict",
]
