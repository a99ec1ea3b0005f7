"""Everything that the command line does, for Python: fit, load, plan, label, compare, export."""

from supertune.api.bulk import Answered, predict_file
from supertune.api.comparing import compare
from supertune.api.detecting import detect
from supertune.api.exporting import export
from supertune.api.fine_tuning_jobs import cancel_job, forget_job, job, jobs
from supertune.api.fitting import fit
from supertune.api.generating import Generator
from supertune.api.holding_out import judged_by
from supertune.api.item_tables import similar_in, similar_with
from supertune.api.labelling import label_next
from supertune.api.loading import load
from supertune.api.many import predict_many
from supertune.api.many_fits import Outcome, fit_many
from supertune.api.neighbouring import similar_items
from supertune.api.picturing import generate
from supertune.api.planning import plan
from supertune.api.speaking import speak
from supertune.api.suiting import suited
from supertune.api.transcribing import in_language, terms, transcribe
from supertune.api.translating import translate
from supertune.api.writing import write
from supertune.data.sounds.microphone import recorded
from supertune.model import Model

__all__ = [
    "Answered",
    "Generator",
    "Model",
    "Outcome",
    "cancel_job",
    "compare",
    "detect",
    "export",
    "fit",
    "fit_many",
    "forget_job",
    "generate",
    "in_language",
    "job",
    "jobs",
    "judged_by",
    "label_next",
    "load",
    "plan",
    "predict_file",
    "predict_many",
    "recorded",
    "similar_in",
    "similar_items",
    "similar_with",
    "speak",
    "suited",
    "terms",
    "transcribe",
    "translate",
    "write",
]
