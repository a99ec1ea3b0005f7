"""Text written token after token, and the likelihood of text that is given.

Of a model of one stack the texts of a batch stand on the right, so that what comes next comes at
one place for all of them; positions are counted from each text's own beginning. Keys and values of
what was read are kept. Whether a model gives the same with both is tried out once on two texts:
one that does not (a recurrent one, or one that knows no positions) reads each text anew, alone.
"""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Sequence
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from supertune.backbones.transformers.batching import Piece, sorted_batches
from supertune.backbones.transformers.precision import computing
from supertune.backbones.transformers.tokenizing import whole
from supertune.contracts import Decoding, FloatArray
from supertune.errors import InputError
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.batching import Batch
    from supertune.backbones.transformers.model import TransformersBackbone

_ALIKE = 1e-3  # of the largest logit: far above rounding, far below a wrong position
_TRIES = 3  # steps of the try-out


def generate(
    backbone: TransformersBackbone, texts: Sequence[str], decoding: Decoding, room: int
) -> list[str]:
    """See `supertune.contracts.Generating`."""
    import torch

    pieces = [Piece(prompt_ids(backbone, text, decoding.chat)) for text in texts]
    seq2seq = backbone.offer.family == "seq2seq"
    for number, piece in enumerate(pieces, start=1):
        needed = len(piece.ids) + (0 if seq2seq else decoding.max_new_tokens)
        _check_length(backbone, needed, room, f"text {number}")
    if seq2seq:
        _check_length(backbone, decoding.max_new_tokens + 1, 0, "what is to be written")
    written: list[str] = [""] * len(pieces)
    with backbone.lock, torch.inference_mode():
        backbone.model.eval()
        kept = backbone.keeps_past
        alone = not kept and not seq2seq
        for index, *_ in sorted_batches(pieces, 1 if alone else 1024):
            part = [pieces[i] for i in index]
            for place, text in zip(index, _written(backbone, part, decoding, kept), strict=True):
                written[place] = text
    return written


def sequence_loss(
    backbone: TransformersBackbone,
    prompts: Sequence[str],
    continuations: Sequence[str],
    *,
    rule: Literal["sum", "mean"],
    chat: bool,
    room: int,
) -> FloatArray:
    """See `supertune.contracts.Generating`."""
    if len(prompts) != len(continuations):
        raise InputError(
            "unpaired",
            "Each prompt needs one continuation.",
            received=f"{len(prompts)} prompts, {len(continuations)} continuations",
            next="Give two lists of one length.",
        )
    pieces = [
        _piece(backbone, prompt, continuation, chat, number, room)
        for number, (prompt, continuation) in enumerate(
            zip(prompts, continuations, strict=True), start=1
        )
    ]
    losses = np.zeros(len(pieces), dtype=np.float32)
    for index, found in backbone.batched(pieces, True, lambda batch: _losses(backbone, batch)):
        losses[index] = found
    if rule == "mean":
        losses /= np.array([len(piece.reads) for piece in pieces], dtype=np.float32)
    return losses


def _losses(backbone: TransformersBackbone, batch: Batch) -> Any:
    """(rows,) of a batch that is read one place before each token of the continuation."""
    source = batch.inputs["input_ids"] if batch.answers is None else batch.answers
    wanted = source.gather(1, batch.reads + 1)[..., None]
    return -backbone.log_probabilities(batch).gather(2, wanted)[..., 0].sum(1)


# --- texts as tokens --------------------------------------------------------------------------


def prompt_ids(backbone: TransformersBackbone, text: str, chat: bool) -> tuple[int, ...]:
    """A text as the model is to go on from it, its own opening and closing tokens around it."""
    tokens = backbone.tokenization
    text = whole(text)
    if chat:
        if not backbone.offer.chat:
            raise InputError(
                "no_chat_template",
                f"{backbone.ref.name} brings no chat template.",
                received="chat true",
                next="Leave chat out, and write the prompt as the backbone learned to read it.",
            )
        said = tokens.tokenizer.apply_chat_template(
            [{"role": "user", "content": text}], tokenize=False, add_generation_prompt=True
        )
        return tuple(tokens.code(said))
    closing = tokens.closing if backbone.offer.family == "seq2seq" else []
    # A text of nothing gives some models no token to go on from.
    return (*tokens.opening, *tokens.code(text), *closing) or (tokens.pad,)


def _piece(
    backbone: TransformersBackbone,
    prompt: str,
    continuation: str,
    chat: bool,
    number: int,
    room: int,
) -> Piece:
    """A prompt and what follows it, with the places where its tokens are foretold."""
    bare = prompt if chat else prompt.rstrip(" ")
    after = _following(backbone, bare, prompt[len(bare) :] + continuation, chat)
    if not after:
        raise InputError(
            "continuation_empty",
            f"Continuation {number} holds no token, so it has no likelihood.",
            received=repr(continuation),
            next="Leave the row out.",
        )
    ids = prompt_ids(backbone, bare, chat)
    if backbone.offer.family == "seq2seq":
        _check_length(backbone, len(ids), room, f"prompt {number}")
        _check_length(backbone, len(after) + 1, 0, f"continuation {number}")
        return Piece(ids, reads=tuple(range(len(after))), answer=after)
    _check_length(backbone, len(ids) + len(after), room, f"row {number}")
    start = len(ids) - 1
    return Piece((*ids, *after), reads=tuple(range(start, start + len(after))))


def _following(
    backbone: TransformersBackbone, prompt: str, continuation: str, chat: bool
) -> tuple[int, ...]:
    """Token ids of a continuation as it stands behind the prompt; by itself where the two melt,
    and where the prompt is not in front of it: in a decoder, behind a chat's opening."""
    code = backbone.tokenization.code
    if backbone.offer.family == "seq2seq" or chat:
        return tuple(code(whole(continuation).strip(" ")))
    before, both = code(whole(prompt)), code(whole(prompt + continuation))
    melted = both[: len(before)] != before
    return tuple(code(whole(continuation)) if melted else both[len(before) :])


def _check_length(backbone: TransformersBackbone, needed: int, room: int, what: str) -> None:
    most = backbone.offer.max_length - room
    if needed > most:
        raise InputError(
            "text_too_long",
            f"{what[0].upper()}{what[1:]} does not fit into {backbone.ref.name}.",
            received=f"{needed} tokens, with what is to be written",
            allowed=f"at most {most}",
            next="Shorten the text, or lower max_new_tokens. Nothing is cut here, since nobody "
            "but you knows which part can be spared.",
        )


# --- one token after another ------------------------------------------------------------------


def _written(
    backbone: TransformersBackbone, pieces: Sequence[Piece], decoding: Decoding, kept: bool
) -> list[str]:
    reader = Reader(backbone, pieces, kept)
    ends = end_tokens(backbone)
    drawn = [random_of(decoding, piece) for piece in pieces]
    found: list[list[int]] = [[] for _ in pieces]
    texts: list[str | None] = [None] * len(pieces)  # once ended
    forced = _forced(backbone)
    logits = reader.first()
    for step in range(decoding.max_new_tokens):
        check()
        for row, scores in enumerate(logits.float().cpu().numpy()):
            if texts[row] is None:
                token = forced if step == 0 and forced is not None else None
                token = chosen(scores, decoding, drawn[row]) if token is None else token
                found[row].append(token)
                texts[row] = ended(backbone, found[row], ends, decoding.stop)
        if all(text is not None for text in texts) or step + 1 == decoding.max_new_tokens:
            break
        logits = reader.after([row[step] if step < len(row) else row[-1] for row in found])
    return [
        as_text(backbone, row) if text is None else text
        for row, text in zip(found, texts, strict=True)
    ]


class Reader:
    """Logits (rows, vocabulary) of what comes next, with tokens added one by one.

    Args:
        kept: keys and values are kept, and texts of unlike length share a batch.
    """

    def __init__(self, backbone: TransformersBackbone, pieces: Sequence[Piece], kept: bool) -> None:
        import torch

        self.backbone, self.kept = backbone, kept
        self.seq2seq = backbone.offer.family == "seq2seq"
        given = backbone.tensors(pieces, len(pieces), max(len(piece.ids) for piece in pieces))
        self.batch = given if self.seq2seq else _to_the_right(given)
        self.takes = set(inspect.signature(backbone.model.forward).parameters)
        self.added = torch.zeros((len(pieces), 0), dtype=torch.long, device=backbone.device)
        self.past: Any = None
        self.mask: Any = None  # of everything that keys and values are kept of
        self.encoded: Any = None

    def first(self) -> Any:
        return self._of_decoder() if self.seq2seq else self._of_stack(None)

    def after(self, tokens: Sequence[int]) -> Any:
        import torch

        new = torch.tensor(tokens, device=self.added.device)[:, None]
        self.added = torch.cat([self.added, new], dim=1)
        return self._of_decoder() if self.seq2seq else self._of_stack(new)

    def take(self, rows: Sequence[int]) -> None:
        """Go on with these rows, of which there are as many as before and all of one text."""
        import torch

        chosen = torch.tensor(rows, device=self.added.device)
        self.added = self.added[chosen]
        if self.past is not None and not hasattr(self.past, "reorder_cache"):
            self.kept, self.past = False, None  # read anew from here on
        if self.past is not None:
            self.past.reorder_cache(chosen)

    def _of_stack(self, new: Any) -> Any:
        import torch

        if new is None or not self.kept:
            inputs = self._begun()
            self.mask = inputs["attention_mask"]
        else:
            self.mask = torch.cat([self.mask, torch.ones_like(new)], dim=1)
            inputs = {"input_ids": new, "attention_mask": self.mask, "past_key_values": self.past}
        read = inputs["input_ids" if "input_ids" in inputs else "inputs_embeds"].shape[1]
        if "position_ids" in self.takes:
            inputs["position_ids"] = (self.mask.cumsum(1) - 1).clamp(min=0)[:, -read:]
        return self._called(inputs)

    def _begun(self) -> dict[str, Any]:
        """The whole batch, what was added to its texts and what tuned prompts do to it."""
        import torch

        ids = torch.cat([self.batch.inputs["input_ids"], self.added], dim=1)
        mask = torch.cat([self.batch.mask, torch.ones_like(self.added)], dim=1)
        batch = replace(self.batch, inputs={"input_ids": ids, "attention_mask": mask}, mask=mask)
        if self.backbone.extend is not None:
            batch = self.backbone.extend(batch)
        return dict(batch.inputs)

    def _of_decoder(self) -> Any:
        import torch

        model = self.backbone.model
        if self.encoded is None:
            extend = self.backbone.extend
            inputs = (self.batch if extend is None else extend(self.batch)).inputs
            self.mask = inputs["attention_mask"]
            with computing(self.backbone.precision, self.backbone.device):
                self.encoded = model.get_encoder()(**inputs)
        start = torch.full_like(self.batch.mask[:, :1], model.config.decoder_start_token_id)
        ids = torch.cat([start, self.added], dim=1)
        going_on = self.kept and self.past is not None
        inputs = {
            "encoder_outputs": self.encoded,
            "attention_mask": self.mask,
            "decoder_input_ids": ids[:, -1:] if going_on else ids,
        }
        return self._called({**inputs, "past_key_values": self.past} if going_on else inputs)

    def _called(self, inputs: dict[str, Any]) -> Any:
        if "logits_to_keep" in self.takes:
            inputs["logits_to_keep"] = 1
        with computing(self.backbone.precision, self.backbone.device):
            output = self.backbone.model(**inputs, use_cache=self.kept)
        self.past = output.get("past_key_values") if self.kept else None
        return output.logits[:, -1]


def _to_the_right(batch: Batch) -> Batch:
    """The same with padding on the left."""
    import torch

    shifts = (batch.mask.shape[1] - batch.mask.sum(1)).tolist()

    def moved(rows: Any) -> Any:
        return torch.stack([row.roll(by) for row, by in zip(rows, shifts, strict=True)])

    inputs = {name: moved(rows) for name, rows in batch.inputs.items()}
    return replace(batch, inputs=inputs, mask=inputs["attention_mask"])


def keeps_past(backbone: TransformersBackbone) -> bool:
    """Whether a model says the same of two texts of unlike length side by side, with keys and
    values kept, as of each alone, read anew. What is tuned does not change that, but for prompts,
    which are left out."""
    import torch

    longer = Piece(prompt_ids(backbone, "Does every row stay by itself?", False))
    shorter = Piece(longer.ids[: -(-len(longer.ids) // 2)])
    extend, backbone.extend = backbone.extend, None
    try:
        with torch.inference_mode():
            together = _steps(backbone, [longer, shorter], True)
            alone = [_steps(backbone, [one], False) for one in (longer, shorter)]
    except Exception:  # noqa: BLE001 - whatever a model lacks for it, it is read without
        return False
    finally:
        backbone.extend = extend
    apart = float((together - torch.cat(alone, dim=1)).abs().max())
    return apart <= _ALIKE * max(1.0, float(together.abs().max()))


def _steps(backbone: TransformersBackbone, pieces: Sequence[Piece], kept: bool) -> Any:
    """(steps, rows, vocabulary) with the texts' own first tokens put behind them."""
    import torch

    reader = Reader(backbone, pieces, kept)
    added = [[piece.ids[step % len(piece.ids)] for piece in pieces] for step in range(_TRIES)]
    return torch.stack([reader.first(), *(reader.after(tokens) for tokens in added)]).float()


# --- which token, and when it is enough -------------------------------------------------------


def random_of(decoding: Decoding, piece: Piece) -> np.random.Generator:
    """Of a text's own, so that what is drawn for it does not depend on others."""
    digest = hashlib.sha256(repr((decoding.seed, piece.ids)).encode()).digest()
    return np.random.default_rng(int.from_bytes(digest[:8], "little"))


def chosen(scores: FloatArray, decoding: Decoding, drawn: np.random.Generator) -> int:
    """A token by its scores (vocabulary,)."""
    if not decoding.temperature:
        return int(scores.argmax())
    logits = scores.astype(np.float64) / decoding.temperature
    shares = np.exp(logits - logits.max())
    order = np.argsort(-shares, kind="stable")
    cumulated = np.cumsum(shares[order] / shares.sum())
    allowed = int(np.searchsorted(cumulated, decoding.top_p)) + 1
    cumulated = cumulated[: min(allowed, len(order))]
    return int(order[np.searchsorted(cumulated, drawn.random() * cumulated[-1], side="right")])


def ended(
    backbone: TransformersBackbone, ids: Sequence[int], ends: frozenset[int], stop: Sequence[str]
) -> str | None:
    """What was written, once it is enough."""
    if ids[-1] in ends:
        return as_text(backbone, ids[:-1])
    if stop:
        text = as_text(backbone, ids)
        places = [text.index(one) for one in stop if one and one in text]
        return text[: min(places)] if places else None
    return None


def as_text(backbone: TransformersBackbone, ids: Sequence[int]) -> str:
    return str(backbone.tokenizer.decode(list(ids), skip_special_tokens=True))


def end_tokens(backbone: TransformersBackbone) -> frozenset[int]:
    """Tokens that end a text, by the model's own settings and its tokenizer's."""
    named = getattr(backbone.model.generation_config, "eos_token_id", None)
    listed = named if isinstance(named, list) else [named]
    return frozenset(x for x in (*listed, backbone.tokenizer.eos_token_id) if x is not None)


def _forced(backbone: TransformersBackbone) -> int | None:
    """The token that a model's own settings have first, such as a language's."""
    named = getattr(backbone.model.generation_config, "forced_bos_token_id", None)
    return None if named is None else int(named)
