"""Items whose texts are nearest to the mean of those that a person took; nothing is tuned."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import FloatArray
from supertune.methods._recommending import Learnt, RankingMethod, Scorer, Seen


@dataclass(frozen=True, eq=False)
class Nearest:
    """The features (I, d) of the items' texts, of length 1, float16."""

    content: FloatArray
    parameters: int = 0

    def scores(self, seen: Seen) -> FloatArray:
        content = self.content.astype(np.float32)
        means = seen.matrix @ content
        means /= np.maximum(np.linalg.norm(means, axis=1, keepdims=True), 1e-12)
        return np.asarray(means @ content.T)

    def vectors(self) -> FloatArray:
        return np.asarray(self.content, dtype=np.float32)

    def arrays(self) -> Mapping[str, npt.NDArray[Any]]:
        return {"content": self.content}


def _learn(learnt: Learnt, options: Any) -> Scorer:
    assert learnt.content is not None
    return Nearest(learnt.content.astype(np.float16))


METHOD = RankingMethod(
    name="content_mean",
    summary="Items whose texts are nearest to the mean of those that a person took",
    reference="Lops, de Gemmis and Semeraro 2011",
    simplicity=11,
    learn=_learn,
    revive=lambda arrays: Nearest(arrays["content"]),
    needs=frozenset({"features"}),
)
