"""One loaded Transformers model: pooled vectors, and runs between numbered blocks.

Batches for learning have one shape, or one that depends on an input's own length alone: with
equal shapes the arithmetic of a row does not depend on its neighbours, so a vector is the same
bit for bit whatever else is in the file or already in the cache (docs/log.md).
"""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import cached_property
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from supertune.backbones.transformers import (
    answering,
    completing,
    declared,
    generating,
    loading,
    prompting,
)
from supertune.backbones.transformers.batching import Batch, BatchPlan, LayerReader, Reader, packs
from supertune.backbones.transformers.cutting import Cutting
from supertune.backbones.transformers.last_block import LastBlock
from supertune.backbones.transformers.layered import Layered
from supertune.backbones.transformers.packing import Packed, Padded, offset, sizes
from supertune.backbones.transformers.pixels import PixelReader
from supertune.backbones.transformers.pooling import per_input
from supertune.backbones.transformers.precision import Precision, computing, settled
from supertune.backbones.transformers.sounds import SoundReader
from supertune.backbones.transformers.texts import TextReader
from supertune.backbones.transformers.tokenizing import Tokens
from supertune.backbones.transformers.two_towers import TwoTowers, check_pooling, projected_width
from supertune.catalogue.weights import digest_of
from supertune.contracts import (
    Answering,
    Attributing,
    BackboneRef,
    Completed,
    Decoding,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Joined,
    Offer,
    Prompt,
    Tunable,
)
from supertune.limits import Splitting, check, returning_blocks

_TOKENWISE = {"input_ids", "attention_mask", "token_type_ids"}  # one number a token
Arrays = Mapping[str, npt.NDArray[Any]]


class TransformersBackbone:
    """One loaded model; see `supertune.contracts.Backbone`. Weights are float32, no dropout runs.

    While something is tuned or tuned numbers are in the model, other threads wait at ``lock``.

    Args:
        precision: of matrix products, see `precision`.
        packing: whether rows share one long row where the model allows, see `packing`.
    """

    def __init__(
        self,
        ref: BackboneRef,
        offer: Offer,
        *,
        device: str,
        threads: int | None,
        precision: str = "fp32",
        packing: bool = True,
    ) -> None:
        import torch

        returning_blocks()
        if threads is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        self.ref = ref
        self.offer = offer
        self.device = loading.device(device)
        self.model = loading.model(ref, offer).to(self.device)
        self.body = loading.body(self.model, offer)  # gives hidden states; no head in it
        self.extend: Callable[[Batch], Batch] | None = None  # what tuned prompts do to a batch
        self.reader: Reader = _READERS[offer.modality](self)
        self.cutting = Cutting(self)
        self.last_block = LastBlock(self)
        self.lock = threading.RLock()
        self.tuned = False  # tuned numbers are in the model at this moment
        self.splitting = Splitting()  # of batches, once memory has not sufficed
        self.packing = packing
        self.apart = False  # what is tuned at this moment works on whole rows
        self.any_size: dict[tuple[str, int], bool] = {}  # see `packing.sizes`
        self.precision: Precision = "fp32"
        self.precision = settled(self, precision)

    @property
    def _texts(self) -> TextReader:
        """Of a model that reads texts."""
        assert isinstance(self.reader, TextReader)
        return self.reader

    @property
    def tokenization(self) -> Tokens:
        return self._texts.tokens

    _tokens = tokenization

    @property
    def tokenizer(self) -> Any:
        return self._texts.tokens.tokenizer

    @cached_property
    def sha256(self) -> str:
        """sha256 over the safetensors files, in name order."""
        assert self.ref.folder is not None
        return digest_of(declared.weight_files(self.ref.folder))

    @property
    def arithmetic(self) -> str:
        """What a vector's bits depend on beside weights, input and `Encoding`."""
        import torch
        import transformers

        assert self.ref.folder is not None
        made = f"torch {torch.__version__}, transformers {transformers.__version__}"
        where = f"{self.device}, {torch.get_num_threads()} threads"
        how = f"{self.precision}, {'padded' if self.offset is None else 'packed'}"
        if self.offer.resize_mode is not None:  # which an encoding may leave unsaid
            how += f", {self.offer.resize_mode}"
        return f"{made}, {where}, {how}, {declared.settings_hash(self.ref.folder)}"

    @contextmanager
    def at(self, precision: Precision) -> Iterator[None]:
        """Inside, computed in that precision."""
        before, self.precision = self.precision, precision
        try:
            yield
        finally:
            self.precision = before

    @cached_property
    def offset(self) -> int | None:
        """See `packing.offset`; None where rows are never packed."""
        return offset(self) if self.packing else None

    @cached_property
    def layered(self) -> Layered:
        """All layers read in one pass."""
        return Layered(self)

    @cached_property
    def naming(self) -> TwoTowers | None:
        """What reads labels' names, where that is a tower of its own."""
        towers = self.offer.modality != "text" and "names" in self.offer.capabilities
        return TwoTowers(self) if towers else None

    @property
    def attributing(self) -> Attributing:
        """What of a vector comes from which token."""
        return self.reader.attributing

    def fingerprint(self) -> str:
        """sha256 of the weights in memory, to prove that nothing has changed them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
        return digest.hexdigest()

    # --- from inputs to vectors --------------------------------------------------------------

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Any, ...]]:
        """The pieces of each input; see `supertune.contracts.Backbone`."""
        check_pooling(self, encoding)
        return self.reader.pieces(inputs, encoding)

    def features(
        self,
        tokens: Sequence[tuple[Any, ...]],
        encoding: Encoding,
        *,
        exact: bool = True,
    ) -> FloatArray:
        """(n, d) float32. ``exact``: fixed shapes, so that each row stands for itself.

        In a prompt the vector is the one at the answer.
        """
        if encoding.prompt is not None:
            tokens = [pieces[:1] for pieces in tokens]
        flat = [piece for pieces in tokens for piece in pieces]
        runs = self.batched(flat, exact, lambda batch: self.forward(batch, encoding))
        vectors = self.gathered(len(flat), encoding, runs)
        return per_input(vectors, [len(pieces) for pieces in tokens])

    def gathered(
        self, count: int, encoding: Encoding, runs: Iterator[tuple[list[int], Any]]
    ) -> FloatArray:
        """(count, d) of what runs give for some of the rows each."""
        how = encoding.pooling or self.offer.pooling
        width = self.offer.width * (1 + (how == "cls_mean"))
        if how == "projected" and (encoding.layer or self.offer.depth) == self.offer.depth:
            width = projected_width(self)
        vectors = np.zeros((count, width), np.float32)
        for index, found in runs:
            if found.shape[1] != vectors.shape[1]:  # of an inner layer, or of no class token
                vectors = np.zeros((count, found.shape[1]), np.float32)
            vectors[index] = found
        return vectors

    def scores(
        self,
        tokens: Sequence[tuple[Any, ...]],
        encoding: Encoding,
        *,
        exact: bool = True,
    ) -> FloatArray:
        """(n, W) float32, see `supertune.contracts.Backbone`.

        A word of several tokens is scored by the mean (or sum, `Prompt.rule`) of its tokens'
        log-likelihoods over the whole vocabulary; a masked model sees all of them masked.
        """
        assert encoding.prompt is not None
        return answering.scores(self, tokens, encoding, self._frame(encoding.prompt), exact=exact)

    def sequence_loss(
        self,
        prompts: Sequence[str],
        continuations: Sequence[str],
        *,
        rule: Literal["sum", "mean"] = "sum",
        chat: bool = False,
        room: int = 0,
    ) -> FloatArray:
        """See `supertune.contracts.Generating`."""
        return generating.sequence_loss(
            self, prompts, continuations, rule=rule, chat=chat, room=room
        )

    def generate(self, texts: Sequence[str], decoding: Decoding, *, room: int = 0) -> list[str]:
        """See `supertune.contracts.Generating`."""
        return generating.generate(self, texts, decoding, room)

    def requested(self, turns: Sequence[tuple[str, str]], chat: bool, of: Any = None) -> Any:
        """See `supertune.contracts.Completing`."""
        return completing.requested(self, turns, chat)

    def answered(self, request: Any, text: str) -> Any:
        """See `supertune.contracts.Completing`."""
        return completing.answered(self, request, text)

    def answer_losses(
        self, pieces: Sequence[Any], kept: Sequence[FloatArray] | None, cut: int
    ) -> tuple[Any, Any]:
        """See `supertune.contracts.Completing`."""
        return completing.answer_losses(self, pieces, kept, cut)

    def completed(
        self, requests: Sequence[Any], how: Answering, *, room: int = 0
    ) -> list[Completed]:
        """See `supertune.contracts.Completing`."""
        return completing.completed(self, requests, how, room)

    @cached_property
    def keeps_past(self) -> bool:
        """See `generating.keeps_past`."""
        return generating.keeps_past(self)

    def batched(
        self,
        flat: Sequence[Any],
        exact: bool,
        run: Callable[[Batch], Any],
        *,
        whole: bool = True,
    ) -> Iterator[tuple[list[int], Any]]:
        """Indices of the pieces of each batch, and what ``run`` gives for them as an array;
        ``whole``: the pieces are whole and run from the input on."""
        import torch

        with self.lock, torch.inference_mode():
            self.model.eval()
            for plan in self.plan(flat, exact):
                yield plan[0], np.concatenate(self.parts(flat, plan, run, tapped=whole))

    def parts(
        self,
        flat: Sequence[Any],
        plan: BatchPlan,
        run: Callable[[Batch], Any],
        *,
        tapped: bool = False,
    ) -> list[FloatArray]:
        """What ``run`` gives for one batch: in one part, in more where memory does not suffice;
        ``tapped``: `Cutting.tapped` is heeded."""
        index, rows, width, *fill = plan
        # Rows that only fill a batch up stand for themselves, and make no part of their own.
        slots = [*index, *[None] * (rows - len(index))]

        def part(some: Sequence[int | None], rows: int, *fill: int) -> FloatArray:
            check()
            members = [i for i in some if i is not None]
            pieces = [flat[i] for i in members]
            batch = self.tensors(pieces, rows, width, *fill)
            with self.cutting.tapping(pieces, batch) if tapped else nullcontext():
                found = run(batch)
            return np.asarray(found[: len(members)].float().cpu().numpy())

        def whole(parts: list[Sequence[int | None]]) -> list[FloatArray]:
            if len(parts) == 1:
                return [part(slots, rows, *fill)]
            return [part(each, len(each)) for each in parts if each[0] is not None]

        return self.splitting.over(slots, whole)

    def plan(self, flat: Sequence[Any], exact: bool) -> Iterator[BatchPlan]:
        """Batches for these pieces; ``exact``: a row's bits do not depend on the other rows."""
        if self.offset is not None and not self.apart:
            return packs(flat, *sizes(self))
        return self.reader.plan(flat, exact)

    def tensors(self, pieces: Sequence[Any], rows: int, width: int, fill: int = 0) -> Batch:
        """See `supertune.backbones.transformers.batching.Reader`."""
        return self.reader.batch(pieces, rows, width, fill)

    def unlike_rows(self) -> Batch:
        """See `supertune.backbones.transformers.batching.Reader`."""
        return self.reader.unlike_rows()

    @contextmanager
    def running(
        self, batch: Batch, cut: int = 0, hidden: Any | None = None
    ) -> Iterator[Packed | Padded]:
        """Inside, the model may be called with ``inputs`` of what is given; it begins at block
        ``cut`` with ``hidden`` (rows, width, d), and computes in its precision."""
        laid = self.laid(batch)
        entering = None if hidden is None else laid.laid(hidden)
        with (
            laid.attending(self.body.config),
            self.starting_at(cut, entering),
            computing(self.precision, self.device),
        ):
            yield laid

    def laid(self, batch: Batch) -> Packed | Padded:
        """The batch as the model is to read it."""
        alone = self.apart or batch.answers is not None or set(batch.inputs) - _TOKENWISE
        if alone or self.offset is None:
            return Padded(batch)
        return Packed(batch, self.offset, self.offer.family == "causal")

    def forward(
        self,
        batch: Batch,
        encoding: Encoding,
        *,
        words: bool = False,
        cut: int = 0,
        hidden: Any | None = None,
    ) -> Any:
        """Vectors (pieces, d), or with ``words`` scores (inputs, W), with gradients if asked for.

        Args:
            batch: of whole inputs, piece after piece, when ``words`` are asked for.
            hidden: (pieces, width, d) entering block ``cut``; None starts at the input.
        """
        import torch

        if words:
            assert encoding.prompt is not None
            read = self.log_probabilities(batch, cut=cut, hidden=hidden, reuse=encoding.reuse)
            return self._frame(encoding.prompt).words.scores(read)
        if self.extend is not None:
            batch = self.extend(batch)
        if isinstance(self.reader, LayerReader):
            return self.reader.vectors(batch, encoding, cut, hidden)
        places = self.places(batch, encoding)
        if encoding.reuse and places is not None:
            self.last_block.exact()  # before a run that begins in the middle
        with self.running(batch, cut, hidden) as laid:
            if self.offer.family == "seq2seq" and batch.answers is not None:
                return answering.read(self, laid, reuse=encoding.reuse)[1][:, 0].float()
            with self.last_block.only(places if encoding.reuse else None, laid) as short:
                last = self.body(**laid.inputs).last_hidden_state.float()
        if places is None:
            vectors = laid.mean(last)
        else:
            vectors = (last if short else laid.read(last, places))[:, 0]
        if self.offer.normalize and batch.reads is None:
            return torch.nn.functional.normalize(vectors, dim=-1)
        return vectors

    def log_probabilities(
        self, batch: Batch, *, cut: int = 0, hidden: Any | None = None, reuse: bool = True
    ) -> Any:
        """(pieces, R, vocabulary) float32 at each piece's R places that are read."""
        import torch

        if self.extend is not None:
            batch = self.extend(batch)
        if reuse:
            self.last_block.exact()  # before a run that begins in the middle
        with self.running(batch, cut, hidden) as laid:
            logits = answering.read(self, laid, reuse=reuse)[0]
        return torch.log_softmax(logits.float(), dim=-1)

    def places(self, batch: Batch, encoding: Encoding) -> Any:
        """(pieces, 1) the position whose hidden state is the vector; None for a mean over all."""
        how = encoding.pooling or self.offer.pooling
        if batch.reads is not None:
            return batch.reads[:, :1]
        if how == "cls":
            return batch.mask.argmax(1)[:, None]
        if how == "last":
            return (batch.mask.shape[1] - 1 - batch.mask.flip(1).argmax(1))[:, None]
        return None

    def _frame(self, prompt: Prompt) -> prompting.Frame:
        return self._texts.frame(prompt)

    # --- blocks ------------------------------------------------------------------------------

    @property
    def block_name(self) -> str:
        return self.cutting.block_name

    @property
    def blocks(self) -> Any:
        return self.cutting.blocks

    @property
    def decoder_blocks(self) -> Any:
        """Of a decoder that answers prompts, on top of an encoder; else none."""
        return self.cutting.decoder_blocks

    def block(self, number: int) -> Any:
        return self.cutting.block(number)

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        return self.cutting.activations(pieces, cut, dropout=dropout, draw=draw)

    def tapped(self, cut: int) -> AbstractContextManager[dict[Any, FloatArray]]:
        return self.cutting.tapped(cut)

    def entering(self, batch: Batch, cut: int) -> Any:
        return self.cutting.entering(batch, cut)

    def starting_at(self, cut: int, hidden: Any | None) -> AbstractContextManager[None]:
        return self.cutting.starting_at(cut, hidden)

    def resumes(self, cut: int) -> bool:
        return self.cutting.resumes(cut)

    def inject(self, injection: Injection, *, seed: int, numbers: Arrays | None = None) -> Tunable:
        from supertune.backbones.transformers.tuning import inject

        return inject(self, injection, seed, numbers)

    def join(self, tunables: Sequence[Tunable]) -> Joined:
        from supertune.backbones.transformers.tuning.side_by_side import SideBySide

        return SideBySide(self, cast(Any, tunables))


_READERS: Mapping[str, Callable[[TransformersBackbone], Reader]] = {
    "text": TextReader,
    "image": PixelReader,
    "audio": SoundReader,
}
