"""Everything that the command line does, for Python: fit, load, plan, compare."""

from supertune.api.comparing import compare
from supertune.api.fitting import fit
from supertune.api.planning import plan
from supertune.model import Model, load

__all__ = ["Model", "compare", "fit", "load", "plan"]
