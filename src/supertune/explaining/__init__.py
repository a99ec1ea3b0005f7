"""Why a model answers as it does: words, labelled rows, and what would change it."""

from supertune.explaining.explanation import Explanation, explained
from supertune.explaining.subject import Subject

__all__ = ["Explanation", "Subject", "explained"]
