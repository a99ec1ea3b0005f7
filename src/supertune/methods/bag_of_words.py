"""TF-IDF over words and word pairs, then logistic regression: no pretrained model at all.

Scripts that write without spaces are cut into single characters. With few rows there are far
more words than rows, so the regression is solved in the span of the rows, which gives the same
solution (L2 penalties do not change under rotation) in a fraction of the time.

A fitted model knows its terms by hash alone: words and their neighbours, written out, would be
the rows again, and a model folder may have to hold none.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from pydantic import Field

from supertune.contracts import (
    Contribution,
    FloatArray,
    HeadSpec,
    Input,
    IntArray,
    Lens,
    Options,
    Problem,
    Span,
    State,
    fields_of,
)
from supertune.limits import check

_UNSPACED = "\u0e00-\u0e7f\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"
_WORD = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]{{2,}}")


class BagOfWordsOptions(Options):
    """Keys of ``bag_of_words``."""

    ranges: ClassVar[Mapping[str, float]] = {"strength": 10.0}
    strength: float = Field(10.0, gt=0, description="inverse of the L2 penalty")
    pairs: bool = Field(True, description="count pairs of neighbouring words too")


@dataclass(frozen=True, eq=False)
class Words:
    """Term weights: idf (V,), weight (V, C) and bias (C,) over the hashes of V terms."""

    vocabulary: tuple[int, ...]
    idf: FloatArray
    weight: FloatArray
    bias: FloatArray
    pairs: bool

    @property
    def tuned_parameters(self) -> int:
        return int(self.weight.size + self.bias.size)

    def logits(self, inputs: Sequence[Input], lens: Lens | None) -> FloatArray:
        place = {term: i for i, term in enumerate(self.vocabulary)}
        answers = np.tile(np.asarray(self.bias, dtype=np.float64), (len(inputs), 1))
        for row, text in enumerate(inputs):
            found = self._known(text, place)
            if found:
                index = np.fromiter(found, dtype=np.int64)
                answers[row] += np.fromiter(found.values(), float) @ self.weight[index]
        return answers

    def _known(self, text: Input, place: dict[int, int]) -> dict[int, float]:
        """The weight of each known term in a text, together of length 1."""
        counted = ((hashed(t), c) for t, c in terms(text, self.pairs).items())
        counts = {place[term]: count for term, count in counted if term in place}
        if not counts:
            return {}
        index = np.fromiter(counts, dtype=np.int64)
        values = (1.0 + np.log(np.fromiter(counts.values(), float))) * self.idf[index]
        return dict(zip(counts, (values / np.linalg.norm(values)).tolist(), strict=True))

    def ways(self, lens: Lens | None) -> tuple[str, ...]:
        """See `supertune.contracts.Explains`."""
        return ("terms",)

    def contributions(
        self, inputs: Sequence[Input], contrasts: FloatArray, lens: Lens | None, way: str
    ) -> list[Contribution]:
        """A term's share goes in equal parts to the places where it stands, that of a pair to
        its two words."""
        place = {term: i for i, term in enumerate(self.vocabulary)}
        found = []
        for text, contrast in zip(inputs, contrasts, strict=True):
            added = {
                term: value * float(self.weight[term] @ contrast)
                for term, value in self._known(text, place).items()
            }
            standing = [
                (place.get(hashed(term)), spans) for term, spans in _places(text, self.pairs)
            ]
            times = Counter(term for term, _ in standing)
            listed = [
                (span, added[term] / times[term] / len(spans))
                for term, spans in standing
                if term is not None
                for span in spans
            ]
            shares = np.array([share for _, share in listed], dtype=np.float64)
            spans = tuple(span for span, _ in listed)
            found.append(Contribution(spans, shares, float(self.bias @ contrast)))
        return found

    def likeness(
        self, inputs: Sequence[Input], others: Sequence[Input], lens: Lens | None
    ) -> FloatArray:
        """See `supertune.contracts.Comparing`: of the known terms' weights."""
        place = {term: i for i, term in enumerate(self.vocabulary)}
        ours, theirs = ([self._known(t, place) for t in part] for part in (inputs, others))
        return np.array(
            [[sum(v * b.get(t, 0.0) for t, v in a.items()) for b in theirs] for a in ours]
        )

    def state(self) -> State:
        return State(
            {
                "terms": np.array(self.vocabulary, dtype=np.uint64),
                "idf": self.idf,
                "weight": self.weight,
                "bias": self.bias,
            },
            {"pairs": self.pairs},
        )


class BagOfWords:
    """See `supertune.contracts.FoldSolver`."""

    name = "bag_of_words"
    summary = "TF-IDF + logistic regression without a backbone; the free baseline"
    reference = "Spärck Jones 1972; Salton & Buckley 1988"
    needs: frozenset[str] = frozenset()
    modalities = ("text",)
    objectives = frozenset({"classify"})
    simplicity = 5
    options: type[Options] = BagOfWordsOptions

    def fit(self, problem: Problem, options: BagOfWordsOptions) -> Words:
        vocabulary, counts = _count(problem.examples.inputs, options.pairs)
        everyone = np.arange(len(problem.examples))
        idf, weight, bias = _solve(counts, everyone, problem, options.strength)
        used = np.flatnonzero(idf)
        return Words(
            tuple(hashed(vocabulary[i]) for i in used),
            idf[used].astype(np.float32),
            weight[used].astype(np.float32),
            bias.astype(np.float32),
            options.pairs,
        )

    def restore(self, state: State, head: HeadSpec, lens: Lens | None) -> Words:
        return Words(
            tuple(state.arrays["terms"].tolist()),
            state.arrays["idf"],
            state.arrays["weight"],
            state.arrays["bias"],
            bool(state.settings["pairs"]),
        )

    def out_of_fold(
        self,
        problem: Problem,
        options: BagOfWordsOptions,
        folds: Sequence[tuple[IntArray, IntArray]],
    ) -> list[FloatArray]:
        _, counts = _count(problem.examples.inputs, options.pairs)
        answers = []
        for train, test in folds:
            check()
            idf, weight, bias = _solve(counts, train, problem, options.strength)
            answers.append(np.asarray(_weighted(counts[test], idf) @ weight + bias))
        return answers


def terms(text: Input, pairs: bool) -> Counter[str]:
    """Words of a text in lower case and, with ``pairs``, neighbouring words."""
    whole = " ".join(map(str, fields_of(text)))
    words = _WORD.findall(whole.lower())
    counted = Counter(words)
    if pairs:
        counted.update(f"{a} {b}" for a, b in itertools.pairwise(words))
    return counted


def _places(text: Input, pairs: bool) -> list[tuple[str, tuple[Span, ...]]]:
    """Every term where it stands, as `terms` counts them, with the words that it is made of."""
    fields = [str(field) for field in fields_of(text)]
    words: list[tuple[str, Span]] = []
    for number, field in enumerate(fields):
        for found in _WORD.finditer(field):
            # Lower case can be longer than what it is made of, so it is cut again.
            words += [(w, (number, *found.span())) for w in _WORD.findall(found[0].lower())]
    found_pairs = itertools.pairwise(words) if pairs else ()
    return [(word, (span,)) for word, span in words] + [
        (f"{a} {b}", (one, other)) for (a, one), (b, other) in found_pairs
    ]


def hashed(term: str) -> int:
    """64 bits of BLAKE2; of a million terms two are alike once in 30 million models."""
    digest = hashlib.blake2b(term.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little")


def _count(inputs: Sequence[Input], pairs: bool) -> tuple[list[str], Any]:
    """The sorted vocabulary and the rows' counts as a sparse (n, V) matrix, damped by a log."""
    from scipy.sparse import csr_matrix

    counted = [terms(text, pairs) for text in inputs]
    vocabulary = sorted(set().union(*counted))
    place = {term: i for i, term in enumerate(vocabulary)}
    columns = [place[term] for counts in counted for term in counts]
    values = 1.0 + np.log(np.array([c for counts in counted for c in counts.values()], float))
    starts = np.concatenate([[0], np.cumsum([len(counts) for counts in counted])])
    return vocabulary, csr_matrix((values, columns, starts), (len(inputs), len(vocabulary)))


def _weighted(counts: Any, idf: FloatArray) -> Any:
    """Rows of tf-idf scaled to length 1; terms unknown to the training rows have idf 0."""
    from scipy.sparse import diags

    scaled = counts @ diags(idf)
    norms = np.sqrt(np.asarray(scaled.multiply(scaled).sum(axis=1)).ravel())
    return diags(1.0 / np.maximum(norms, 1e-12)) @ scaled


def _solve(
    counts: Any, train: IntArray, problem: Problem, strength: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """idf (V,), weight (V, C), bias (C,) of the rows at ``train``."""
    rows = counts[train]
    frequency = np.asarray((rows > 0).sum(axis=0)).ravel()
    idf = np.where(frequency > 0, np.log((1 + len(train)) / (1 + frequency)) + 1.0, 0.0)
    matrix = _weighted(rows, idf)
    gram = (matrix @ matrix.T).toarray()
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * 1e-10
    root = np.sqrt(values[kept])
    coefficients, bias = _regress(vectors[:, kept] * root, train, problem, strength)
    dual = vectors[:, kept] / root @ coefficients
    return idf, np.asarray(matrix.T @ dual), bias


def _regress(
    z: FloatArray, train: IntArray, problem: Problem, strength: float
) -> tuple[FloatArray, FloatArray]:
    """Coefficients (r, C) and intercepts (C,) of logistic regression on z (n, r)."""
    targets = problem.examples.targets
    assert targets is not None
    given = problem.examples.weights
    weights = None if given is None else given[train]
    outputs = problem.head.outputs
    coefficients, bias = np.zeros((z.shape[1], outputs)), np.full(outputs, -30.0)
    if problem.head.multi_label:
        for label in range(outputs):
            yes = targets[train, label].astype(int)
            if yes.min() == yes.max():
                bias[label] = 5.0 if yes[0] else -5.0
                continue
            found, start = _logistic(z, yes, weights, strength)
            coefficients[:, label], bias[label] = found[0], start[0]
        return coefficients, bias
    seen = np.unique(targets[train])
    if len(seen) == 1:  # a fold that lacks the only row of the other label
        bias[seen] = 0.0
        return coefficients, bias
    found, start = _logistic(z, targets[train], weights, strength)
    if len(seen) == 2:
        found, start = np.vstack([-found[0], found[0]]) / 2, np.array([-start[0], start[0]]) / 2
    coefficients[:, seen], bias[seen] = found.T, start
    return coefficients, bias


def _logistic(
    z: FloatArray, targets: Any, weights: FloatArray | None, strength: float
) -> tuple[FloatArray, FloatArray]:
    """Coefficients (k, r) and intercepts (k,); k is 1 for two classes."""
    from sklearn.linear_model import LogisticRegression

    # Rows of emoji alone have no words; scikit-learn wants a column, one of zeros changes nothing.
    columns = z if z.shape[1] else np.zeros((len(z), 1))
    model = LogisticRegression(C=strength, max_iter=300)
    model.fit(columns, targets, sample_weight=weights)
    return model.coef_[:, : z.shape[1]], model.intercept_


METHOD = BagOfWords()
