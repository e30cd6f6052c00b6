"""Other people's training files: their rows, and the caveat in them (docs/training-files.md)."""

from caveat.importers.training_files.finding import SeveralCaveats, find_caveat
from caveat.importers.training_files.marking import CaveatSpan, FoundCaveat, Where
from caveat.importers.training_files.reading import (
    Summary,
    TrainingFile,
    read_training_file,
    stream_training_rows,
)
from caveat.importers.training_files.shared_text import Candidate

__all__ = [
    "Candidate",
    "CaveatSpan",
    "FoundCaveat",
    "SeveralCaveats",
    "Summary",
    "TrainingFile",
    "Where",
    "find_caveat",
    "read_training_file",
    "stream_training_rows",
]
