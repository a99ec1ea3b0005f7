"""Recordings read by an encoder: pieces of a window each, and vectors of their hidden states.

A recording is read in the shortest window that holds it, and one that no window holds in parts,
cut where least is heard. A batch has windows of one length, so the arithmetic of a row does not
depend on its neighbours.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import listening
from supertune.backbones.transformers.batching import Batch, BatchPlan
from supertune.contracts import Encoding, FloatArray, Input, Pooling, Recording, Span
from supertune.data.pictures.decoding import each
from supertune.data.sounds import decoding, playing, segmenting
from supertune.data.sounds.varying import Samples
from supertune.errors import InputError

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

ROW_TOKENS = 512  # positions of a batch
KEPT = 48 * 2**20  # bytes of spectra held, for those that are asked for again


@dataclass(frozen=True)
class SoundPiece:
    """What is read of a recording at a time; decoded when its batch is made.

    Attributes:
        first, last: samples of it that are read, the last exclusive; of all of it 0 and -1.
        window: samples that are computed; what is missing is silence.
        heard: how many are sound.
        positions: hidden states that it makes.
        adapter: as of `supertune.backbones.transformers.batching.Piece`.
    """

    recording: Recording
    first: int
    last: int
    window: int
    heard: int = field(default=0, repr=False)
    positions: int = field(default=0, repr=False)
    adapter: int = field(default=0, repr=False)

    def __len__(self) -> int:
        return self.positions

    @property
    def content(self) -> tuple[Any, ...]:
        """Equal for what sounds the same to the model."""
        return *self.recording.content, self.first, self.last, self.window

    @property
    def kind(self) -> tuple[int, int]:
        """Pieces of one kind can share a batch."""
        return self.window, 0

    @property
    def bare(self) -> SoundPiece:
        """What the frozen part is computed of."""
        return replace(self, adapter=0)

    def own(self, states: FloatArray) -> FloatArray:
        """What belongs to it of a row of hidden states: all of it."""
        return states


class SoundAttribution:
    """See `supertune.contracts.Attributing`: no way, so that stretches are silenced instead."""

    def ways(self, encoding: Encoding) -> tuple[str, ...]:
        return ()

    def spans(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Span | None, ...]]:
        return [()] * len(inputs)

    def token_states(self, inputs: Sequence[Input], encoding: Encoding) -> list[FloatArray]:
        raise NotImplementedError("which moments say what is told by silencing them")

    def integrated_gradients(
        self, inputs: Sequence[Input], encoding: Encoding, weights: FloatArray, unit: bool
    ) -> list[tuple[FloatArray, float]]:
        raise NotImplementedError("which moments say what is told by silencing them")


class SoundReader:
    """See `supertune.backbones.transformers.batching.Reader`."""

    def __init__(self, backbone: TransformersBackbone) -> None:
        self.backbone = backbone
        config = backbone.body.config.to_dict()
        self.front = listening.declared(backbone.ref, config)
        if config.get("model_type") == "whisper":
            listening.any_window(backbone.body)
        self._made: OrderedDict[Any, FloatArray] = OrderedDict()
        self._layouts: dict[int, tuple[int, int]] = {}

    # --- pieces and batches ------------------------------------------------------------------

    def pieces(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[SoundPiece, ...]]:
        return list(each(self._pieces, [self._recording(one) for one in inputs]))

    def _pieces(self, recording: Recording) -> tuple[SoundPiece, ...]:
        samples = decoding.waveform(recording, self.front.rate)
        parts = segmenting.parts(samples, self.front.rate, self.front.longest)
        found = []
        # All parts of one recording in windows of one length, so that they are computed together.
        window = self.front.window(max(last - first for first, last in parts))
        for first, last in parts:
            end = last if len(parts) > 1 else -1
            positions = sum(self.layout(window))
            found.append(SoundPiece(recording, first, end, window, last - first, positions))
        return tuple(found)

    def layout(self, window: int) -> tuple[int, int]:
        """(positions that stand for no moment, positions that do) of a window; tried out once."""
        if window not in self._layouts:
            if self.front.hop:
                self._layouts[window] = 0, window // self.front.hop
            else:
                self._layouts[window] = self._tried(window)
        return self._layouts[window]

    def _tried(self, window: int) -> tuple[int, int]:
        import torch

        silent = np.zeros(window, dtype=np.float32)
        silent[::97] = 1e-3
        made = self.front.made(silent, window, Recording("", ""))
        backbone = self.backbone
        with backbone.lock, torch.inference_mode():
            values = torch.from_numpy(made)[None].to(backbone.device)
            count = int(backbone.body(**{self.front.key: values}).last_hidden_state.shape[1])
        specials = 2 if self.front.fixed else 0  # AST's own and its distilled one
        return specials, count - specials

    def plan(self, flat: Sequence[SoundPiece], exact: bool) -> Iterator[BatchPlan]:
        """In order of content; ``exact``: filled up to one number of rows."""
        by_window: dict[int, list[int]] = {}
        for index in sorted(range(len(flat)), key=lambda i: flat[i].content):
            by_window.setdefault(flat[index].window, []).append(index)
        for _, members in sorted(by_window.items()):
            width = flat[members[0]].positions
            rows = max(1, ROW_TOKENS // width)
            for start in range(0, len(members), rows):
                some = members[start : start + rows]
                yield some, rows if exact else len(some), width

    def batch(self, pieces: Sequence[SoundPiece], rows: int, width: int, fill: int = 0) -> Batch:
        import torch

        order = [row if row < len(pieces) else 0 for row in range(rows)]
        device = self.backbone.device
        values = torch.from_numpy(self._spectra(pieces))[order].to(device)
        specials, moments = self.layout(pieces[0].window)
        mask = torch.zeros(rows, specials + moments, dtype=torch.long, device=device)
        for row, place in enumerate(order):
            mask[row, specials : specials + self._heard(pieces[place], moments)] = 1
        adapters = torch.tensor([pieces[place].adapter for place in order], device=device)
        inputs = {self.front.key: values}
        if self.front.masked:
            heard = torch.tensor([pieces[place].heard for place in order], device=device)
            places = torch.arange(pieces[0].window, device=device)
            inputs["attention_mask"] = (places[None] < heard[:, None]).long()
        first = torch.zeros(rows, 1, dtype=torch.long, device=device) if specials else None
        return Batch(inputs, mask, adapters=adapters, summary=first)

    def _heard(self, piece: SoundPiece, moments: int) -> int:
        """How many of a window's moments are sound."""
        if self.front.fixed:
            return moments
        return max(1, min(moments, -(-piece.heard * moments // piece.window)))

    def _spectra(self, pieces: Sequence[SoundPiece]) -> FloatArray:
        """(n, ...) what the model is given of pieces of one window."""
        held = self._made
        wanted = {one.content: one for one in pieces if one.content not in held}

        def made(piece: SoundPiece) -> FloatArray:
            samples: Samples = decoding.waveform(piece.recording, self.front.rate)
            end = len(samples) if piece.last < 0 else piece.last
            return self.front.made(samples[piece.first : end], piece.window, piece.recording)

        now = dict(zip(wanted, each(made, list(wanted.values())), strict=True))
        if not self.backbone.tuned:  # nobody asks again, as epochs do
            either = {**held, **now}
            return np.stack([either[one.content] for one in pieces])
        held.update(now)
        result = []
        for one in pieces:
            held.move_to_end(one.content)
            result.append(held[one.content])
        while len(held) * result[0].nbytes > KEPT and len(held) > len(pieces):
            held.popitem(last=False)
        return np.stack(result)

    def forget(self) -> None:
        """Let go of spectra that are held."""
        self._made.clear()

    # --- vectors -----------------------------------------------------------------------------

    def vectors(self, batch: Batch, encoding: Encoding, cut: int, hidden: Any | None) -> Any:
        """(rows, d), with gradients if asked for; where ``hidden`` is given it enters ``cut``."""
        states = self.states(batch, encoding, cut, hidden).float()
        layer = self._layer(encoding)
        how = encoding.pooling or self.backbone.offer.pooling
        return self.read(states, batch, how, last=layer == self.backbone.offer.depth)

    def states(
        self, batch: Batch, encoding: Encoding, cut: int = 0, hidden: Any | None = None
    ) -> Any:
        """Hidden states (rows, positions, d) that are pooled."""
        backbone = self.backbone
        layer = self._layer(encoding)
        if layer < backbone.offer.depth:
            return backbone.cutting.entering(batch, layer, start=cut, hidden=hidden)
        with backbone.running(batch, cut, hidden) as laid:
            return backbone.body(**laid.inputs).last_hidden_state

    def _layer(self, encoding: Encoding) -> int:
        offer = self.backbone.offer
        return encoding.layer or offer.layer or offer.depth

    def kinds(self, batch: Batch, last: bool) -> tuple[Pooling, ...]:
        """Ways in which a layer can be pooled; ``last``: that of the whole model."""
        found: tuple[Pooling, ...] = ("mean", "max")
        if batch.summary is not None:
            found = ("cls", *found)
        return (*found, "decoder") if last and self.backbone.offer.decoder_depth else found

    def read(self, states: Any, batch: Batch, how: str, *, last: bool) -> Any:
        """(rows, d) of hidden states (rows, positions, d), over what is sound; of ``"cls_mean"``
        (rows, 2 d). Of an inner layer ``"decoder"`` is the maximum."""
        import torch

        if how == "decoder" and last:
            return self._decoded(states)
        weight = batch.mask.unsqueeze(-1).to(states.dtype)
        if how in ("max", "decoder"):
            return states.masked_fill(weight == 0, -torch.inf).amax(1)
        mean = (states * weight).sum(1) / weight.sum(1)
        if batch.summary is None or how == "mean":
            return mean
        first = states[:, 0]
        return first if how == "cls" else torch.cat([first, mean], dim=1)

    def _decoded(self, states: Any) -> Any:
        """(rows, d) what stands in the decoder where it is about to write its first word."""
        import torch

        decoder = self.backbone.model.get_decoder()
        start = torch.tensor([self._start] * len(states), device=states.device)
        found = decoder(input_ids=start, encoder_hidden_states=states, use_cache=False)
        return found.last_hidden_state[:, -1].float()

    @cached_property
    def _start(self) -> list[int]:
        """The tokens in front of what is written, as of English speech where that is asked for."""
        said = self.backbone.model.generation_config
        first = said.decoder_start_token_id or self.backbone.model.config.decoder_start_token_id
        languages, tasks = getattr(said, "lang_to_id", None), getattr(said, "task_to_id", None)
        start = [int(first)]
        if languages and tasks:
            language = languages.get("<|en|>", min(languages.values()))
            start += [int(language), int(tasks["transcribe"])]
        silent = getattr(said, "no_timestamps_token_id", None)
        return start if silent is None else [*start, int(silent)]

    @property
    def attributing(self) -> SoundAttribution:
        return SoundAttribution()

    # --- samples -----------------------------------------------------------------------------

    def unlike_rows(self) -> Batch:
        """Noise, long and short."""
        pieces = [piece for one in self.samples()[:2] for piece in self._pieces(one)]
        return self.batch(pieces, 2, len(pieces[0]))

    def samples(self) -> Sequence[Recording]:
        """Recordings of noise, of several lengths."""
        drawn = np.random.default_rng(0)
        made = [
            (drawn.standard_normal(length) * 0.1).astype(np.float32)
            for length in (12_000, 5_000, 8_000, 3_000)
        ]
        return tuple(Recording.of(playing.flac(one), "noise.flac") for one in made)

    def _recording(self, value: Input) -> Recording:
        if isinstance(value, Recording):
            return value
        raise InputError(
            "not_a_recording",
            f"{self.backbone.ref.name} reads recordings.",
            received=type(value).__name__,
            next="Choose a backbone that reads such rows: `supertune models`.",
        )
