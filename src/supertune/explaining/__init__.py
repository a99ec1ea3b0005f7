"""Why a model answers as it does: words, labelled rows, and what would change it."""

from supertune.explaining.aligning import aligned
from supertune.explaining.alignment import Alignment
from supertune.explaining.explanation import Explanation, explained
from supertune.explaining.subject import Subject

__all__ = ["Alignment", "Explanation", "Subject", "aligned", "explained"]
