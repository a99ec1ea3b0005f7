"""One loaded Transformers model: tokens, pooled vectors, and runs between numbered blocks.

Batches for learning have a shape that depends on an input's own length alone: with equal
shapes the arithmetic of a row does not depend on its neighbours, so a vector is the same bit
for bit whatever else is in the file or already in the cache (docs/log.md has the measurement).
"""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import declared
from supertune.backbones.transformers.batching import Piece, exact_batches, sorted_batches
from supertune.contracts import BackboneRef, Encoding, FloatArray, Injection, Input, Offer, Tunable
from supertune.errors import EnvironmentFault, InputError

if TYPE_CHECKING:
    import torch


def _device(wanted: str) -> torch.device:
    import torch

    if wanted == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(wanted)
        torch.empty(1, device=device)
    except Exception as error:
        raise InputError(
            "device_unavailable",
            f"Device '{wanted}' cannot be used here.",
            received=str(error).splitlines()[0],
            allowed="auto, cpu" + (", cuda" if torch.cuda.is_available() else ""),
            next="Leave --device out; `supertune doctor` shows what this machine has.",
        ) from error
    return device


class TransformersBackbone:
    """One loaded model; see `supertune.contracts.Backbone`. Runs in float32, without dropout."""

    def __init__(self, ref: BackboneRef, offer: Offer, *, device: str, threads: int | None) -> None:
        import torch

        if threads is not None and torch.get_num_threads() != threads:
            torch.set_num_threads(threads)
        self.ref = ref
        self.offer = offer
        self.device = _device(device)
        self.tokenizer = _tokenizer(ref)
        self.model = _model(ref, offer).to(self.device)

    @cached_property
    def sha256(self) -> str:
        """sha256 over the safetensors files, in name order."""
        digest = hashlib.sha256()
        assert self.ref.folder is not None
        for path in declared.weight_files(self.ref.folder):
            with path.open("rb") as stream:
                while chunk := stream.read(1 << 22):
                    digest.update(chunk)
        return digest.hexdigest()

    def fingerprint(self) -> str:
        """sha256 of the weights in memory, to prove that nothing has changed them."""
        digest = hashlib.sha256()
        for name, tensor in sorted(self.model.state_dict().items()):
            digest.update(name.encode())
            digest.update(tensor.detach().cpu().contiguous().view(-1).numpy().tobytes())
        return digest.hexdigest()

    # --- from inputs to tokens ---------------------------------------------------------------

    def tokens(self, inputs: Sequence[Input], encoding: Encoding) -> list[tuple[Piece, ...]]:
        if not inputs:
            return []
        limit = min(encoding.max_length, self.offer.max_length)
        prefix = self.offer.prefix if encoding.prefix is None else encoding.prefix
        first = [prefix + _whole(item if isinstance(item, str) else item[0]) for item in inputs]
        pairs = [None if isinstance(item, str) else _whole(" ".join(item[1:])) for item in inputs]
        if any(pair is not None for pair in pairs) or encoding.long_text == "truncate":
            return [(piece,) for piece in self._truncated(first, pairs, limit)]
        return [self._long(text, limit, encoding.long_text) for text in first]

    def _truncated(self, first: list[str], pairs: list[str | None], limit: int) -> Iterator[Piece]:
        second = [pair or "" for pair in pairs] if any(pair is not None for pair in pairs) else None
        coded = self.tokenizer(first, second, truncation=True, max_length=limit)
        types = coded.get("token_type_ids") or [None] * len(first)
        for ids, type_ids in zip(coded["input_ids"], types, strict=True):
            # Some tokenizers make nothing of a text of blanks; one padding token stands for it.
            kept = tuple(ids) or (self.tokenizer.pad_token_id or 0,)
            yield Piece(kept, tuple(type_ids) if type_ids and any(type_ids) else None)

    def _long(self, text: str, limit: int, how: str) -> tuple[Piece, ...]:
        ids = self.tokenizer(text, add_special_tokens=False, truncation=False, verbose=False)
        content = list(ids["input_ids"])
        frame = self.tokenizer("", add_special_tokens=True)["input_ids"]
        # The frame of an empty text is its special tokens; the closing one, if any, is last.
        opening, closing = frame[: max(1, len(frame) - 1)], frame[max(1, len(frame) - 1) :]
        room = max(1, limit - len(frame))
        if len(content) <= room:
            parts = [content]
        elif how == "head_tail":
            head = room - room // 2
            parts = [content[:head] + content[len(content) - room // 2 :]]
        else:
            parts = [content[start : start + room] for start in range(0, len(content), room)]
        return tuple(Piece((*opening, *part, *closing), None) for part in parts)

    # --- from tokens to vectors --------------------------------------------------------------

    def features(
        self,
        tokens: Sequence[tuple[Piece, ...]],
        encoding: Encoding,
        *,
        exact: bool = True,
    ) -> FloatArray:
        """(n, d) float32. ``exact``: fixed shapes, so that each row stands for itself."""
        import torch

        flat = [piece for pieces in tokens for piece in pieces]
        batches = exact_batches(flat) if exact else sorted_batches(flat)
        vectors = np.zeros((len(flat), self.offer.width), dtype=np.float32)
        self.model.eval()
        with torch.inference_mode():
            for index, rows, width in batches:
                batch = self.tensors([flat[i] for i in index], rows, width)
                hidden = self.model(**batch.inputs).last_hidden_state
                pooled = self.pool(hidden, batch.mask, encoding)[: len(index)]
                vectors[index] = pooled.float().cpu().numpy()
        return _per_input(vectors, [len(pieces) for pieces in tokens])

    def tensors(self, pieces: Sequence[Piece], rows: int, width: int) -> Batch:
        """Pad pieces to (rows, width); rows beyond the pieces repeat the first one."""
        import torch

        pad = self.tokenizer.pad_token_id or 0
        ids = np.full((rows, width), pad, dtype=np.int64)
        mask = np.zeros((rows, width), dtype=np.int64)
        types = np.zeros((rows, width), dtype=np.int64)
        for row in range(rows):
            piece = pieces[row if row < len(pieces) else 0]
            ids[row, : len(piece.ids)] = piece.ids
            mask[row, : len(piece.ids)] = 1
            if piece.types is not None:
                types[row, : len(piece.ids)] = piece.types
        inputs = {"input_ids": ids, "attention_mask": mask}
        if types.any():
            inputs["token_type_ids"] = types
        moved = {name: torch.from_numpy(array).to(self.device) for name, array in inputs.items()}
        return Batch(moved, moved["attention_mask"])

    def pool(self, hidden: Any, mask: Any, encoding: Encoding) -> Any:
        """(rows, width, d) and (rows, width) to (rows, d)."""
        import torch

        how = encoding.pooling or self.offer.pooling
        if how == "cls":
            pooled = hidden[:, 0]
        elif how == "last":
            pooled = hidden[torch.arange(len(hidden), device=hidden.device), mask.sum(1) - 1]
        else:
            weight = mask.unsqueeze(-1).to(hidden.dtype)
            pooled = (hidden * weight).sum(1) / weight.sum(1)
        if self.offer.normalize:
            pooled = torch.nn.functional.normalize(pooled, dim=-1)
        return pooled

    # --- blocks ------------------------------------------------------------------------------

    @cached_property
    def _block_list(self) -> tuple[Any, str]:
        """The module that holds the numbered blocks, and the attribute's name in it."""
        import torch

        best: tuple[int, Any, str] = (0, None, "")
        for module in self.model.modules():
            for name, child in module.named_children():
                if isinstance(child, torch.nn.ModuleList) and len(child) == self.offer.depth:
                    size = sum(p.numel() for p in child.parameters())
                    best = max(best, (size, module, name), key=lambda item: item[0])
        if best[1] is None:
            raise InputError(
                "blocks_not_found",
                f"The numbered blocks of {self.ref.name} were not found.",
                received=self.offer.architecture,
                next="Use a method that needs only features, such as linear_probe.",
            )
        return best[1], best[2]

    @property
    def block_name(self) -> str:
        return self._block_list[1]

    @property
    def blocks(self) -> Any:
        holder, name = self._block_list
        return getattr(holder, name)

    def activations(self, pieces: Sequence[Piece], cut: int) -> list[FloatArray]:
        import torch

        caught: list[FloatArray] = [np.empty(0)] * len(pieces)
        with torch.inference_mode():
            for index, rows, width in exact_batches(pieces):
                hidden = self.entering(self.tensors([pieces[i] for i in index], rows, width), cut)
                for place, i in enumerate(index):
                    caught[i] = hidden[place, : len(pieces[i].ids)].float().cpu().numpy()
        return caught

    def entering(self, batch: Batch, cut: int) -> Any:
        """Hidden states (rows, width, d) entering block ``cut``; nothing above it runs."""
        caught: list[Any] = []

        def stop(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
            caught.append(args[0] if args else kwargs["hidden_states"])
            raise _Reached

        handle = self.blocks[cut].register_forward_pre_hook(stop, with_kwargs=True)
        try:
            self.model(**batch.inputs)
        except _Reached:
            pass
        finally:
            handle.remove()
        return caught[0]

    def resume(self, batch: Batch, cut: int, hidden: Any) -> Any:
        """The last hidden state when ``hidden`` enters block ``cut``.

        The model's own forward builds masks and positions; only its lower blocks are left out.
        """
        import torch

        holder, name = self._block_list
        blocks = getattr(holder, name)

        def replace(_m: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
            if args:
                return (hidden, *args[1:]), kwargs
            return args, {**kwargs, "hidden_states": hidden}

        handle = blocks[cut].register_forward_pre_hook(replace, with_kwargs=True)
        try:
            setattr(holder, name, torch.nn.ModuleList(list(blocks)[cut:]))
            return self.model(**batch.inputs).last_hidden_state
        finally:
            setattr(holder, name, blocks)
            handle.remove()

    def inject(self, injection: Injection, *, seed: int) -> Tunable:
        from supertune.backbones.transformers.injection import inject

        return inject(self, injection, seed)


@dataclass(frozen=True)
class Batch:
    """Model inputs of one padded batch, and its attention mask (rows, width)."""

    inputs: dict[str, Any]
    mask: Any


class _Reached(Exception):
    """Raised inside a forward pass to leave it once the wanted activations are in hand."""


def _whole(text: str) -> str:
    """Text that tokenizers accept: half a surrogate pair, as JSON can hold it, becomes U+FFFD."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def _per_input(vectors: FloatArray, counts: list[int]) -> FloatArray:
    """Mean over the pieces of each input."""
    if all(count == 1 for count in counts):
        return vectors
    starts = np.concatenate([[0], np.cumsum(counts)[:-1]])
    sums = np.add.reduceat(vectors, starts, axis=0)
    return np.asarray(sums / np.asarray(counts, dtype=np.float32)[:, None], dtype=np.float32)


@contextmanager
def quiet() -> Iterator[None]:
    """Progress bars and notices of transformers off, as they were afterwards."""
    from transformers.utils import logging

    before, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.set_verbosity(before)
        if bars:
            logging.enable_progress_bar()


def _tokenizer(ref: BackboneRef) -> Any:
    from transformers import AutoTokenizer

    try:
        with quiet():
            tokenizer = AutoTokenizer.from_pretrained(str(ref.folder), local_files_only=True)
    except Exception as error:
        raise InputError(
            "tokenizer_unreadable",
            f"The tokenizer of {ref.name} does not load.",
            received=str(error).splitlines()[0],
            next="Save it beside the weights with tokenizer.save_pretrained(folder).",
        ) from error
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token
    tokenizer.padding_side = "right"
    return tokenizer


def _model(ref: BackboneRef, offer: Offer) -> Any:
    import torch
    from transformers import AutoModel

    try:
        with quiet():
            model = AutoModel.from_pretrained(
                str(ref.folder), local_files_only=True, dtype=torch.float32, use_safetensors=True
            )
    except MemoryError as error:
        raise EnvironmentFault(
            "out_of_memory",
            f"{ref.name} ({offer.parameters * 4 / 1e9:.1f} GB) does not fit into memory.",
            next="Choose a smaller backbone: `supertune models`.",
        ) from error
    except Exception as error:
        raise InputError(
            "backbone_unreadable",
            f"The backbone {ref.name} does not load.",
            received=str(error).splitlines()[0] if str(error) else type(error).__name__,
            next=f"Fetch it again: `supertune models pull {ref.name}`.",
        ) from error
    model.requires_grad_(False)
    return model.eval()
