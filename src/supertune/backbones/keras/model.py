"""One model of Keras or of TensorFlow: texts in, pooled vectors out."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

import numpy as np

from supertune.backbones import _text_rows as text_rows
from supertune.backbones._text_rows import Numbers, TextRows
from supertune.backbones.keras.declared import READ, Saved
from supertune.catalogue.weights import digest_of
from supertune.contracts import BackboneRef, Encoding, FloatArray, Injection, Input, Tunable
from supertune.errors import EnvironmentFault, InputError

Run = Callable[[Mapping[str, Any]], FloatArray]


class KerasBackbone:
    """See `supertune.contracts.Backbone`. Its weights are as they were saved.

    Raises:
        InputError: ``keras_unreadable``, ``keras_inputs``, ``tokenizer_unreadable``.
        EnvironmentFault: ``extra_missing``.
    """

    precision: Literal["fp32", "bf16"] = "fp32"

    def __init__(self, ref: BackboneRef, saved: Saved, *, threads: int | None) -> None:
        self.ref, self.saved, self.offer = ref, saved, saved.offer
        self.tensorflow = _tensorflow(threads)
        self.texts = TextRows(ref, saved.offer, saved.tokenizer)
        opened = _keras if saved.path.suffix == ".keras" else _saved_model
        try:
            with quiet():
                self._run = opened(saved, self.tensorflow)
        except InputError:
            raise
        except Exception as error:  # whatever the libraries stumble over, the file is to blame
            raise InputError(
                "keras_unreadable",
                f"{ref.name} does not load.",
                received=(str(error).splitlines() or [type(error).__name__])[0],
                allowed="a model of Keras 3 made of its own layers",
                next="Save it again with the Keras that is installed here.",
            ) from error

    @cached_property
    def sha256(self) -> str:
        """sha256 over the files that hold its weights and its graph."""
        return digest_of(self.saved.files)

    @property
    def arithmetic(self) -> str:
        """What a vector's bits depend on beside weights, input and `Encoding`."""
        threads = self.tensorflow.config.threading.get_intra_op_parallelism_threads()
        made = f"tensorflow {self.tensorflow.__version__}"
        return f"{made}, {threads} threads, {self.texts.settings}"

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()  # the file says in which numbers it computes

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Any, ...]]:
        """The pieces of each input; see `supertune.contracts.Backbone`."""
        return self.texts.pieces(inputs, encoding)

    def features(
        self, tokens: Sequence[tuple[Any, ...]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32; see `supertune.contracts.Backbone`."""
        how = encoding.pooling or self.offer.pooling

        def run(batch: Numbers) -> FloatArray:
            places = np.broadcast_to(
                np.arange(batch["input_ids"].shape[1]), batch["input_ids"].shape
            )
            found = self._run({**batch, "position_ids": places})
            if found.ndim == 2:
                return found
            return text_rows.pooled(found, batch["attention_mask"], how)

        return self.texts.vectors(tokens, exact, run)

    def scores(self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True) -> Any:
        raise text_rows.nothing_to_tune(self.ref, "Keras", "scores of words in a prompt")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        raise text_rows.nothing_to_tune(self.ref, "Keras", "the activations at a cut")

    def tapped(self, cut: int) -> Any:
        raise text_rows.nothing_to_tune(self.ref, "Keras", "the activations at a cut")

    def inject(self, injection: Injection, *, seed: int, numbers: Any = None) -> Tunable:
        raise text_rows.refused_injection(self.ref, "Keras", injection)


def _tensorflow(threads: int | None) -> Any:
    """TensorFlow, with Keras on top of it."""
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")  # what it says of the processor
    os.environ.setdefault("KERAS_BACKEND", "tensorflow")
    try:
        import tensorflow as tf
    except ImportError as error:
        raise EnvironmentFault(
            "extra_missing",
            "Models of Keras are run by TensorFlow, which is not installed.",
            received="No module named 'tensorflow'",
            next="pip install 'supertune[tensorflow]'",
        ) from error
    if threads is not None:
        try:
            tf.config.threading.set_intra_op_parallelism_threads(threads)
            tf.config.threading.set_inter_op_parallelism_threads(1)
        except RuntimeError:
            pass  # it has computed in this process already, and stays with what it has
    return tf


def _keras(saved: Saved, tensorflow: Any) -> Run:
    import keras

    model = keras.saving.load_model(str(saved.path), compile=False, safe_mode=True)
    called = tensorflow.function(lambda given: model(given, training=False), reduce_retracing=True)

    def run(batch: Mapping[str, Any]) -> FloatArray:
        given = {
            name: tensorflow.constant(np.ascontiguousarray(batch[name]).astype(kind))
            for name, kind in saved.inputs.items()
        }
        return _states(called(given))

    return run


def _saved_model(saved: Saved, tensorflow: Any) -> Run:
    loaded = tensorflow.saved_model.load(str(saved.path))
    signature = loaded.signatures["serving_default"]
    wanted = {name: spec.dtype for name, spec in signature.structured_input_signature[1].items()}
    if READ[0] not in wanted or not wanted.keys() <= set(READ):
        raise InputError(
            "keras_inputs",
            f"{saved.path.name} reads something that is not made of texts here.",
            received=", ".join(wanted),
            allowed=f"{', '.join(READ)}; {READ[0]} among them",
            next="Export it with these names of inputs.",
        )

    def run(batch: Mapping[str, Any], keep: Any = loaded) -> FloatArray:  # it owns the weights
        given = {
            name: tensorflow.cast(tensorflow.constant(np.ascontiguousarray(batch[name])), kind)
            for name, kind in wanted.items()
        }
        return _states(signature(**given))

    return run


def _states(answer: Any) -> FloatArray:
    """Hidden states (rows, tokens, d), or vectors (rows, d), of whatever a model answers with."""
    if isinstance(answer, Mapping):
        answer = answer.get("last_hidden_state", next(iter(answer.values())))
    elif isinstance(answer, list | tuple):
        answer = answer[0]
    return np.asarray(answer.numpy(), dtype=np.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Without what numpy 2 says of the arrays of TensorFlow 2.21, which Keras saves and loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


def beside(path: Path) -> tuple[str, ...]:
    """Names of the files by which a model's texts are read."""
    names = (
        *("tokenizer.json", "tokenizer_config.json", "config.json", "modules.json"),
        *("sentence_bert_config.json", "config_sentence_transformers.json"),
    )
    return tuple(name for name in names if (path / name).is_file())
