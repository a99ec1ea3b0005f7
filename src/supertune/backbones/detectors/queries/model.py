"""A detector of transformers as a backbone: views to what its decoder reads, and what is tuned
above."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn

from supertune.architectures.detection_loss import overlaps
from supertune.backbones.detectors.head import pair
from supertune.backbones.detectors.pixels import Pixels
from supertune.backbones.detectors.queries import declared, running
from supertune.backbones.detectors.queries.head import QueryHead
from supertune.backbones.detectors.queries.running import Entered
from supertune.backbones.detectors.unfrozen import Unfrozen
from supertune.backbones.transformers import loading
from supertune.catalogue.weights import digest
from supertune.contracts import (
    BackboneRef,
    Encoding,
    FloatArray,
    Injection,
    Input,
    Offer,
    Picture,
    Tunable,
    View,
)
from supertune.data.boxes.sizes import upright
from supertune.errors import InputError

UNREAD = ("denoising_class_embed",)  # of queries that are noised while a detector is pretrained


class QueryDetector:
    """See `supertune.contracts.Backbone` and `supertune.contracts.Detecting`.

    Views are squares, to which pictures are stretched; every view is computed by itself, so that
    its bits do not depend on the others. Batch norm stays as it was learned, and no dropout runs.

    What is put into a model of transformers is put into this one by the same code, which asks for
    ``model``, ``blocks``, ``lock`` and their like.
    """

    precision: Literal["fp32", "bf16"] = "fp32"
    extend = None
    offset: int | None = None

    def __init__(self, ref: BackboneRef, offer: Offer, threads: int | None) -> None:
        if threads is not None:
            torch.set_num_threads(threads)
        self.ref, self.offer = ref, offer
        folder = ref.folder or Path(ref.name)
        self.declared: dict[str, Any] = json.loads((folder / "config.json").read_text("utf-8"))
        kind = str(self.declared["model_type"])
        self.family = declared.FAMILIES[kind]
        self.model = _loaded(ref, offer)
        # What its makers never tune, such as the bins of D-FINE's distances.
        self.fixed = {n for n, p in self.model.named_parameters() if not p.requires_grad}
        self.model.requires_grad_(False)
        self.sha256 = digest(folder)
        mean, spread = declared.scaling(kind, folder)
        self.pixels = Pixels(mean, spread, blue_first=False)
        import transformers

        made = f"torch {torch.__version__}, transformers {transformers.__version__}"
        self.arithmetic = f"{made}, {mean}, {spread}"
        self.device = torch.device("cpu")
        self.lock = threading.RLock()
        self.tuned = self.apart = False
        self.last_block = SimpleNamespace(exact=lambda: False)
        self._shapes: dict[tuple[int, int], list[tuple[int, ...]]] = {}

    @property
    def classes(self) -> tuple[str, ...]:
        return declared.names(self.declared)

    @property
    def module(self) -> nn.Module:
        """The whole model."""
        return cast(nn.Module, self.model)

    def side(self, encoding: Encoding) -> int:
        grain = declared.grain(self.declared)
        wanted = encoding.resolution or self.offer.resolution
        return max(grain, round(wanted / grain) * grain) if grain < wanted else grain

    def size(self, picture: Picture) -> tuple[int, int]:
        return upright(picture)

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[Any]:
        """Of each picture its one piece, a view of the whole."""
        side = self.side(encoding)
        return [
            (View(value, (0, 0, *upright(value)), side),)
            for value in inputs
            if isinstance(value, Picture)
        ]

    def features(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        """(n, d) means of what the decoder reads, for comparing pictures with one another."""
        found = [self.activations([view], self.offer.depth)[0].mean(axis=0) for (view,) in tokens]
        return np.stack(found) if found else np.zeros((0, self.offer.width), np.float32)

    def scores(
        self, tokens: Sequence[Any], encoding: Encoding, *, exact: bool = True
    ) -> FloatArray:
        raise NotImplementedError("a detector is not asked in words")

    def activations(
        self, pieces: Sequence[Any], cut: int, *, dropout: float = 0.0, draw: int = 0
    ) -> list[FloatArray]:
        """What enters block ``cut``, (places, d) a view."""
        found = []
        with self.lock, torch.inference_mode():
            for view in pieces:
                held = running.entering(self.model, self.family, self._read([view]), cut)
                self._shapes[view.side, cut] = [tuple(one.shape[1:]) for one in held]
                found.append(running.flat(held).numpy().copy())
        return found

    def tapped(self, cut: int) -> AbstractContextManager[Mapping[Any, FloatArray]]:
        return nullcontext({})

    def maps(self, arrays: Sequence[FloatArray], cut: int, side: int) -> Entered:
        rows = torch.from_numpy(np.stack(arrays))
        return Entered(running.unflat(rows, self._shape(side, cut)), side, cut)

    def forward(
        self,
        batch: Sequence[View],
        encoding: Encoding,
        *,
        words: bool = False,
        cut: int = 0,
        hidden: Entered | None = None,
    ) -> Entered:
        """What a run begins with: the head runs the model itself, what is tuned being in it."""
        return hidden or Entered((self._read(batch),), batch[0].side, None)

    def detection_head(self, like: Sequence[int | None], *, seed: int = 0) -> QueryHead:
        return QueryHead.begun(self.model, self.family, like, seed)

    def responses(
        self, maps: Iterable[Entered], truths: Sequence[FloatArray], count: int
    ) -> FloatArray:
        """By the chance of a class times the overlap with the box, of the best query each."""
        own = self.detection_head(range(len(self.classes)))
        total, seen = np.zeros((count, len(self.classes))), np.zeros(count)
        for one, boxes in zip(maps, truths, strict=True):
            with torch.inference_mode():
                (chances,), (corners,) = own.said(one)
                shared = overlaps(pair(boxes)[0], corners)  # (m, Q)
                found = (shared[:, :, None] * chances[None]).amax(1).numpy()
            np.add.at(total, boxes[:, 4].astype(int), found)
            np.add.at(seen, boxes[:, 4].astype(int), 1.0)
        return np.asarray(total / np.maximum(seen, 1.0)[:, None])

    def write_onnx(self, head: Any, side: int, path: Path) -> dict[str, Any]:
        """See `supertune.api.detector_exporting.Graphing`."""
        from supertune.backbones.detectors import onnx_graph

        onnx_graph.write_queries(self.model, head, side, path)
        return onnx_graph.reading(self.pixels)

    def at(self, precision: Literal["fp32", "bf16"]) -> AbstractContextManager[None]:
        return nullcontext()

    # --- what is tuned -------------------------------------------------------------------------

    @property
    def blocks(self) -> Any:
        return self.model.get_submodule(self.family.blocks)

    @property
    def decoder_blocks(self) -> Any:
        """None: no decoder stands on top of what is numbered."""
        return nn.ModuleList()

    def block(self, number: int) -> Any:
        return self.blocks[number]

    def resumes(self, cut: int) -> bool:
        """Its own forward is resumed, so wherever it is cut."""
        return True

    def inject(
        self,
        injection: Injection,
        *,
        seed: int,
        numbers: Mapping[str, npt.NDArray[Any]] | None = None,
    ) -> Tunable:
        """Blocks themselves, all of it, or whatever transformers' models take.

        Raises:
            InputError: ``injection_unsupported``, and as
                `supertune.backbones.transformers.tuning.inject`.
        """
        if injection.kind in ("unfreeze", "head"):
            cut, named = self._chosen(injection)
            return Unfrozen(named, cut, self._above, numbers, from_input=injection.blocks is None)
        if injection.kind == "deep_prompts":
            raise InputError(
                "injection_unsupported",
                f"A {self.offer.architecture} cannot be tuned so.",
                received=injection.kind,
                allowed="detection_head, lora, adapter, top_blocks, full, or a type of peft",
                next="Choose one of these.",
            )
        from supertune.backbones.transformers.tuning import inject

        return inject(cast(Any, self), injection, seed, numbers)

    def _chosen(self, injection: Injection) -> tuple[int, dict[str, nn.Parameter]]:
        """The cut, and by name what is tuned below the head."""
        inner = dict(self.model.named_parameters())
        if injection.blocks is None:
            heads = (*self.family.heads, *UNREAD)
            own = [n for n in inner if not any(f"{part}." in f"{n}." for part in heads)]
            return 0, {n: inner[n] for n in own if n not in self.fixed}
        chosen = [number for number in injection.blocks if number < len(self.blocks)]
        starts = tuple(f"{self.family.blocks}.{number}." for number in chosen)
        cut = min(injection.blocks)
        return cut, {n: p for n, p in inner.items() if starts and n.startswith(starts)}

    def _above(self, batch: Any, hidden: Any, cut: int) -> Entered:
        return self.forward(batch, Encoding(), cut=cut, hidden=hidden)

    def _read(self, views: Sequence[View]) -> Tensor:
        """(B, 3, side, side)."""
        return torch.from_numpy(np.stack([self.pixels.of(view) for view in views]))

    def _shape(self, side: int, cut: int) -> list[tuple[int, ...]]:
        """Of what enters ``cut`` for one view of that side; found out once by an empty one."""
        if (side, cut) not in self._shapes:
            with self.lock, torch.inference_mode():
                blank = torch.zeros((1, 3, side, side))
                held = running.entering(self.model, self.family, blank, cut)
            self._shapes[side, cut] = [tuple(one.shape[1:]) for one in held]
        return self._shapes[side, cut]


def _loaded(ref: BackboneRef, offer: Offer) -> Any:
    """The whole model in float32, in evaluation mode.

    Raises:
        InputError: ``backbone_unreadable``, ``weights_incomplete``.
    """
    from transformers import AutoModelForObjectDetection

    try:
        with loading.quiet():
            model, notes = AutoModelForObjectDetection.from_pretrained(
                str(ref.folder),
                local_files_only=True,
                dtype=torch.float32,
                use_safetensors=True,
                output_loading_info=True,
            )
    except Exception as error:
        raise InputError(
            "backbone_unreadable",
            f"The detector {ref.name} does not load.",
            received=(str(error).splitlines() or [type(error).__name__])[0],
            next="Fetch it again, or save it once more with save_pretrained.",
        ) from error
    missing = sorted(name for name in notes["missing_keys"] if not any(u in name for u in UNREAD))
    if missing:
        raise InputError(
            "weights_incomplete",
            f"The weights of {ref.name} do not cover its architecture, {offer.architecture}.",
            received=f"{len(missing)} arrays are missing, e.g. {missing[0]}",
            next="Fetch the folder again, or save it once more with save_pretrained.",
        )
    return model.eval()
