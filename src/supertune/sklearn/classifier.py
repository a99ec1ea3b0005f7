"""The estimator: parameters, validation and scikit-learn's conventions; see the package."""

# ruff: noqa: N803 - ``X`` is the name that scikit-learn passes it by

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from supertune import config, registry
from supertune.api.unlabelled import MOST
from supertune.config import Recipe
from supertune.contracts import Examples, FloatArray, HeadSpec, Input, IntArray
from supertune.errors import InputError
from supertune.sklearn import rows
from supertune.sklearn.fitted import OnNumbers, OnTexts, fit_numbers, fit_texts

TASK = "text_classification"
# Keys of a recipe that mean something here; the others are parameters, or name columns of a file.
RECIPE_KEYS = (
    "allow_remote", "api", "base_url", "folds", "long_text", "max_candidates", "max_cost",
    "max_length", "max_requests", "metric", "pooling", "prefix", "prices", "repeats",
    "request_timeout", "unlabeled_rows",
)  # fmt: skip


class FewShotClassifier(ClassifierMixin, BaseEstimator):  # type: ignore[misc]  # they are untyped
    """A classifier for few labelled rows: texts, pairs of texts, or 2-D numeric features.

    Equal rows with equal labels count as one row of their summed weight, so that no row is both
    fitted and held out, and a weight of 2 is the same as writing the row twice.

    Args:
        backbone: a name of `supertune models`, a folder, a hub id, or ``"auto"``. Methods that
            take no backbone, and numeric features, leave it unused.
        method: a name of `supertune methods`, or ``"auto"``: candidates are compared by
            cross-validation within ``time_limit``. Numeric features go to ``linear_probe`` as
            if a backbone had made them: they are centred, not standardised.
        options: keys of the method and, of a recipe, ``max_length``, ``long_text``, ``pooling``,
            ``prefix``, ``metric``, ``folds``, ``repeats``, ``max_candidates``, ``unlabeled_rows``;
            with ``backbone="openai:MODEL"`` also ``base_url``, ``api``, ``allow_remote``,
            ``max_cost``, ``max_requests`` (of each fit, and of each prediction), ``prices``. What
            was pickled brings no consent: then SUPERTUNE_ALLOW_REMOTE=1 gives it.
        class_weight: ``"balanced"``, a weight for each class, or None.
        time_limit: seconds for comparing when something is ``"auto"``.
        random_state: an integer, None, or a `numpy.random.RandomState`.
        device, threads: where and how wide a backbone runs.

    Attributes:
        classes_: (C,) the labels, sorted; the columns of `predict_proba`.
        backbone_, method_: what was used; ``backbone_`` is None when none took part.
        n_features_in_, feature_names_in_: of numeric features only.
    """

    def __init__(
        self,
        backbone: str = "minilm",
        method: str = "linear_probe",
        *,
        options: Mapping[str, Any] | None = None,
        class_weight: Any = None,
        time_limit: float = 60.0,
        random_state: Any = 0,
        device: str = "auto",
        threads: int | None = None,
    ) -> None:
        self.backbone = backbone
        self.method = method
        self.options = options
        self.class_weight = class_weight
        self.time_limit = time_limit
        self.random_state = random_state
        self.device = device
        self.threads = threads

    def fit(
        self, X: Any, y: Any, sample_weight: Any = None, unlabeled: Any = None
    ) -> FewShotClassifier:
        """Tune on n rows: texts (a list, array or column), tuples of texts, or (n, d) numbers.

        Args:
            y: (n,) labels of at least two classes.
            sample_weight: (n,) weights, none negative; a row of weight 0 is left out.
            unlabeled: texts without a label, ten or more a class, for the method
                ``semi_supervised`` and for ``"auto"``; of fewer nothing is learned.
                Cross-validation by scikit-learn does not split them, as they are no rows of X.

        Raises:
            InputError: a `ValueError` that says what was received and what is allowed.
        """
        texts = rows.texts(X)
        for name in ("n_features_in_", "feature_names_in_"):  # of an earlier fit on numbers
            self.__dict__.pop(name, None)
        if texts is None:
            if unlabeled is not None:
                rows.refuse_unlabelled_numbers()
            numbers, y = validate_data(self, X, y, dtype=np.float64)
            classes = self._fit_numbers(numbers, y, sample_weight)
        else:
            classes = self._fit_texts(texts, rows.labels(y, len(texts)), sample_weight, unlabeled)
        self.backbone_, self.method_ = self._fitted.backbone, self._fitted.method
        self.classes_ = classes
        return self

    def predict(self, X: Any) -> npt.NDArray[Any]:
        """(n,) labels, of the type that `fit` was given."""
        best = np.argmax(self._logits(X), axis=1)
        return np.asarray(self.classes_[best])

    def predict_proba(self, X: Any) -> FloatArray:
        """(n, C) probabilities, columns in the order of ``classes_``."""
        logits = self._logits(X)
        names = tuple(map(str, self.classes_))
        return registry.task(TASK).decode(logits, names, HeadSpec(len(names))).scored

    def decision_function(self, X: Any) -> FloatArray:
        """(n, C) scores before softmax; with two classes (n,), positive for the second."""
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if logits.shape[1] == 2 else logits

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        # Not one_d_array, true as it is of texts: scikit-learn's checks would then pass nothing
        # but columns, and the (n, d) numbers that are taken too would go unchecked.
        tags.input_tags.string = True
        return tags

    def _fit_numbers(self, numbers: FloatArray, y: Any, sample_weight: Any) -> npt.NDArray[Any]:
        keys = [row.tobytes() for row in numbers + 0.0]  # -0.0 becomes 0.0
        index, targets, weights, classes = self._weighted(keys, y, sample_weight)
        recipe = self._recipe("none")
        self._fitted: OnTexts | OnNumbers = fit_numbers(
            numbers[index], targets, weights, len(classes), recipe
        )
        return classes

    def _fit_texts(
        self, texts: list[Input], y: Any, sample_weight: Any, unlabeled: Any
    ) -> npt.NDArray[Any]:
        index, targets, weights, classes = self._weighted(texts, y, sample_weight)
        examples = Examples(
            inputs=tuple(texts[i] for i in index),
            targets=targets,
            labels=tuple(map(str, classes)),
            rows=index + 1,
            weights=weights,
        )
        named = registry.known("methods", self.method)
        unused = named and not registry.method(self.method).needs
        recipe = self._recipe("none" if unused else self.backbone)
        pool: tuple[Input, ...] = ()
        if unlabeled is not None:
            pool = rows.unlabelled(unlabeled, examples.inputs, recipe.unlabeled_rows or MOST)
        self._fitted = fit_texts(examples, recipe, pool)
        return classes

    def _weighted(
        self, keys: Sequence[object], y: Any, sample_weight: Any
    ) -> tuple[IntArray, IntArray, FloatArray, npt.NDArray[Any]]:
        """Places of the distinct rows, their label indices, weights of mean 1; the classes."""
        check_classification_targets(y)
        classes, targets = np.unique(y, return_inverse=True)
        weights = _check_sample_weight(
            sample_weight, targets, dtype=np.float64, ensure_non_negative=True
        )
        kept = weights > 0
        present = np.unique(targets[kept])
        by_class = np.zeros(len(classes))
        by_class[present] = compute_class_weight(
            self.class_weight,
            classes=classes[present],
            y=classes[targets[kept]],
            sample_weight=weights[kept],
        )
        index, weights = rows.distinct(keys, targets, weights * by_class[targets])
        rows.refuse_one_class(classes[np.unique(targets[index])])
        return index, targets[index], weights / weights.mean(), classes

    def _recipe(self, backbone: str) -> Recipe:
        options = {} if self.options is None else self.options
        if not isinstance(options, Mapping):
            raise InputError(
                "bad_options",
                "options is not a mapping of keys to values.",
                received=repr(options)[:80],
                allowed='e.g. {"max_length": 128}',
                next="Pass a dict, or leave it out.",
            )
        odd = sorted(set(options) & (set(Recipe.model_fields) - set(RECIPE_KEYS)))
        if odd:
            raise InputError(
                "not_an_option",
                "options holds what is a parameter of its own, or names a column of a file.",
                received=", ".join(odd),
                allowed=", ".join(RECIPE_KEYS) + " and the method's own keys",
                next="Set it as a parameter of FewShotClassifier, or leave it out.",
            )
        seed = self.random_state
        if seed is None or isinstance(seed, np.random.RandomState):
            seed = int(check_random_state(seed).randint(2**31 - 1))
        return config.recipe(
            {
                **options,
                "task": TASK,
                "backbone": backbone,
                "method": self.method,
                "seed": seed,
                "time_limit": self.time_limit,
                "device": self.device,
                "threads": self.threads,
            }
        )

    def _logits(self, X: Any) -> FloatArray:
        check_is_fitted(self)
        texts = rows.texts(X)
        if isinstance(self._fitted, OnTexts) == (texts is None):
            kinds = ("numeric features", "texts")
            raise InputError(
                "other_kind_of_rows",
                "The rows are not of the kind that the classifier was fitted on.",
                received=kinds[texts is not None],
                allowed=kinds[texts is None],
                next="Pass the same kind of rows to fit and to predict.",
            )
        if isinstance(self._fitted, OnTexts):
            assert texts is not None
            return self._fitted.logits(texts)
        return self._fitted.logits(validate_data(self, X, reset=False, dtype=np.float64))
