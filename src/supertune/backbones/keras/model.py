"""One model of Keras or of TensorFlow: texts or pictures in, pooled vectors out."""

from __future__ import annotations

import os
import threading
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from pathlib import Path
from typing import Any, Literal, Protocol, cast

import numpy as np

from supertune.backbones import _picture_rows as picture_rows
from supertune.backbones import _text_rows as text_rows
from supertune.backbones._picture_rows import PIXELS, PictureRows
from supertune.backbones._text_rows import Numbers, TextRows
from supertune.backbones.keras.cutting import Parts, last
from supertune.backbones.keras.declared import READ, Saved
from supertune.catalogue.weights import digest_of
from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    HeadSpec,
    Injection,
    Input,
    Pace,
    Steps,
    Tunable,
)
from supertune.errors import EnvironmentFault, InputError
from supertune.limits import Splitting

Run = Callable[[Mapping[str, Any]], FloatArray]


class KerasBackbone:
    """See `supertune.contracts.Backbone` and `Stepping`. Its weights are as they were saved.

    Raises:
        InputError: ``keras_unreadable``, ``keras_inputs``, ``tokenizer_unreadable``.
        EnvironmentFault: ``extra_missing``.
    """

    precision: Literal["fp32", "bf16"] = "fp32"

    def __init__(self, ref: BackboneRef, saved: Saved, *, threads: int | None) -> None:
        self.ref, self.saved, self.offer = ref, saved, saved.offer
        self.tensorflow = _tensorflow(threads)
        self.texts: TextRows | None = None
        self.rows: TextRows | PictureRows
        if saved.offer.modality == "image":
            read = picture_rows.declared(saved.reading, ref.name)
            self.rows = PictureRows(ref, saved.offer, read)
        else:
            self.rows = self.texts = TextRows(ref, saved.offer, saved.reading)
        self.lock = threading.RLock()
        self.splitting = Splitting()
        self.tuned: Tuned | None = None  # what is in the model now
        self.kept_top: tuple[str, Any] | None = None  # blocks made to be tuned, last time
        self._taken: tuple[int, dict[Any, FloatArray]] | None = None
        try:
            with quiet():
                self._run = self._opened()
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

    def _opened(self) -> Run:
        if self.saved.path.suffix != ".keras":
            return _saved_model(self.saved, self.tensorflow)
        import keras

        model = keras.saving.load_model(str(self.saved.path), compile=False, safe_mode=True)
        entries = tuple(block.entry for block in self.saved.blocks)
        self.parts = Parts(self.tensorflow, model, self.saved.inputs, entries)
        return self.parts.whole()

    @cached_property
    def sha256(self) -> str:
        """sha256 over the files that hold its weights and its graph."""
        return digest_of(self.saved.files)

    @property
    def converted_from(self) -> str:
        """sha256 of the weights that this very file was made of by a converter of ours; empty
        where there are none."""
        said = self.saved.origin
        ours = isinstance(said, dict) and said.get("into") == self.sha256
        return str(said.get("sha256", "")) if ours else ""

    @property
    def arithmetic(self) -> str:
        """What a vector's bits depend on beside weights, input and `Encoding`."""
        threads = self.tensorflow.config.threading.get_intra_op_parallelism_threads()
        made = f"tensorflow {self.tensorflow.__version__}"
        return f"{made}, {threads} threads, {self.rows.settings}"

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()  # the file says in which numbers it computes

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Any, ...]]:
        """The pieces of each input; see `supertune.contracts.Backbone`."""
        return self.rows.pieces(inputs, encoding)

    def tensors(self, pieces: Sequence[Any], rows: int, width: int) -> Numbers:
        """See `supertune.contracts.Stepping`."""
        assert self.texts is not None  # of pictures there are no blocks to tune
        return _placed(self.texts.batch(pieces, rows, width))

    def features(
        self, tokens: Sequence[tuple[Any, ...]], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) float32; see `supertune.contracts.Backbone`."""
        how = encoding.pooling or self.offer.pooling

        def run(batch: Numbers) -> FloatArray:
            placed = _placed(batch)
            found = self._run(placed) if self.tuned is None else self.tuned.states(placed)
            if found.ndim == 2:
                return found
            hidden = found.transpose(0, 3, 1, 2) if found.ndim == 4 else found  # maps come so
            return self.rows.pooled(hidden, batch, how)

        if self._taken is not None:
            cut, taken = self._taken
            bare = list(dict.fromkeys(piece.bare for pieces in tokens for piece in pieces))
            taken |= dict(zip(bare, self.activations(bare, cut), strict=True))
        return self.rows.vectors(tokens, exact, run)

    def scores(self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True) -> Any:
        raise text_rows.nothing_to_tune(self.ref, "Keras", "scores of words in a prompt")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """See `supertune.contracts.Backbone`; there is no dropout."""
        if not self.saved.blocks or self.texts is None:
            raise text_rows.nothing_to_tune(self.ref, "Keras", "the activations at a cut")
        found: list[Any] = [None] * len(pieces)
        for index, batch in self.texts.batches(pieces, exact=True):
            states = self.parts.below(cut, _placed(batch)).numpy()
            for place, row in zip(index, states, strict=False):
                found[place] = pieces[place].own(row).copy()
        return found

    @contextmanager
    def tapped(self, cut: int) -> Iterator[Mapping[Any, FloatArray]]:
        """See `supertune.contracts.Backbone`. What is below the cut is run twice."""
        self._taken = cut, {}
        try:
            yield self._taken[1]
        finally:
            self._taken = None

    def inject(self, injection: Injection, *, seed: int, numbers: Any = None) -> Tunable:
        """See `supertune.contracts.Backbone`."""
        if not self.saved.blocks:
            raise text_rows.refused_injection(self.ref, "Keras", injection)
        from supertune.backbones.keras.tuning import TunedBlocks

        return TunedBlocks(self, injection, seed, numbers)

    def steps(
        self,
        tunable: Tunable,
        head: HeadSpec,
        start: tuple[FloatArray, FloatArray],
        encoding: Encoding,
        pace: Pace,
    ) -> Steps:
        """See `supertune.contracts.Stepping`."""
        from supertune.backbones.keras.stepping import KerasSteps

        return KerasSteps(cast(Any, tunable), head, start, encoding, pace)


class Tuned(Protocol):
    """What stands in for a backbone's own blocks."""

    def states(self, batch: Mapping[str, Any]) -> FloatArray: ...


def _placed(batch: Numbers) -> Numbers:
    """With the number of each position of texts; pictures with their channels last."""
    if PIXELS in batch:
        return {PIXELS: batch[PIXELS].transpose(0, 2, 3, 1)}
    rows = batch["input_ids"]
    return {**batch, "position_ids": np.broadcast_to(np.arange(rows.shape[1]), rows.shape)}


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
        answer = last(signature(**given))
        return np.asarray(answer.numpy(), dtype=np.float32)

    return run


@contextmanager
def quiet() -> Iterator[None]:
    """Without what numpy 2 says of the arrays of TensorFlow 2.21, which Keras saves and loads."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "__array__ implementation", DeprecationWarning)
        yield


def beside(path: Path) -> tuple[str, ...]:
    """Names of the files by which a model's texts or pictures are read."""
    names = (
        *("tokenizer.json", "tokenizer_config.json", "config.json", "modules.json"),
        *("sentence_bert_config.json", "config_sentence_transformers.json"),
        "preprocessor_config.json",
    )
    return tuple(name for name in names if (path / name).is_file())
