"""Answers to requests: their tokens, their likelihood while something is tuned, and writing them.

A model that was taught to chat reads a request through its own template. Marks such as
``<|im_end|>`` in what a person says lose their brackets, so that no text ends its own turn.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers import beam_search, generating
from supertune.backbones.transformers.batching import Piece, sorted_batches
from supertune.backbones.transformers.precision import Precision
from supertune.backbones.transformers.tokenizing import whole
from supertune.contracts import Answering, Completed, FloatArray
from supertune.errors import InputError
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.model import TransformersBackbone

TOKENS = 2048  # of requests that are answered at a time
BETWEEN = "\n\n"


def requested(
    backbone: TransformersBackbone, turns: Sequence[tuple[str, str]], chat: bool
) -> Piece:
    """See `supertune.contracts.Completing`."""
    plain = [(role, _unmarked(backbone, whole(text))) for role, text in turns]
    if chat:
        messages = [{"role": role, "content": text} for role, text in plain]
        tokens = backbone.tokenization
        said = tokens.tokenizer.apply_chat_template(
            messages, tokenize=False, add_generation_prompt=True
        )
        return Piece(tuple(tokens.code(said)))
    if len(plain) == 1:
        return Piece(generating.prompt_ids(backbone, plain[0][1] + BETWEEN, False))
    lines = BETWEEN.join(f"{role.capitalize()}: {text}" for role, text in plain)
    return Piece(generating.prompt_ids(backbone, f"{lines}{BETWEEN}Assistant:", False))


def _unmarked(backbone: TransformersBackbone, text: str) -> str:
    for mark in backbone.tokenizer.all_special_tokens:
        if mark in text:
            text = text.replace(mark, mark.strip("<>|[]"))
    return text


def answered(backbone: TransformersBackbone, request: Piece, text: str) -> Piece:
    """See `supertune.contracts.Completing`."""
    end = backbone.tokenizer.eos_token_id
    after = [*backbone.tokenization.code(_unmarked(backbone, whole(text)))]
    after += [] if end is None else [int(end)]
    if backbone.offer.family == "seq2seq":
        return Piece(request.ids, reads=tuple(range(len(after))), answer=tuple(after))
    start = len(request.ids) - 1
    return Piece((*request.ids, *after), reads=tuple(range(start, start + len(after))))


def answer_losses(
    backbone: TransformersBackbone,
    pieces: Sequence[Piece],
    kept: Sequence[FloatArray] | None,
    cut: int,
) -> tuple[Any, Any]:
    """See `supertune.contracts.Completing`."""
    import torch

    counts = torch.tensor([len(piece.reads) for piece in pieces], device=backbone.device)
    width = max(map(len, pieces))
    batch = backbone.tensors(pieces, len(pieces), width)
    hidden = None
    if kept is not None:
        table = np.zeros((len(pieces), width, kept[0].shape[1]), dtype=np.float32)
        for row, each in enumerate(kept):
            table[row, : len(each)] = each
        hidden = torch.from_numpy(table).to(backbone.device)
    source = batch.inputs["input_ids"] if batch.answers is None else batch.answers
    wanted = source.gather(1, batch.reads + 1)[..., None]
    chances = backbone.log_probabilities(batch, cut=cut if hidden is not None else 0, hidden=hidden)
    losses = -chances.gather(2, wanted)[..., 0]
    # The shorter answers repeat their last place.
    own = torch.arange(losses.shape[1], device=losses.device)[None] < counts[:, None]
    return (losses * own).sum(1), counts


def completed(
    backbone: TransformersBackbone, requests: Sequence[Piece], how: Answering, room: int
) -> list[Completed]:
    """See `supertune.contracts.Completing`."""
    import torch

    from supertune.backbones.transformers.constraining import constraint

    allowed = constraint(backbone, how.structure)
    seq2seq = backbone.offer.family == "seq2seq"
    most = backbone.offer.max_length - room
    for number, piece in enumerate(requests, 1):
        needed = len(piece.ids) + (0 if seq2seq else how.max_new_tokens)
        if needed > most:
            raise InputError(
                "text_too_long",
                f"Text {number} does not fit into {backbone.ref.name}.",
                received=f"{needed} tokens, {how.max_new_tokens} of them to be written",
                allowed=f"at most {most}",
                next="Shorten the text, or lower max_new_tokens. Nothing is cut here.",
            )
    written: list[Completed] = [Completed("")] * len(requests)
    # One token at a time, a processor takes longer to round all weights than to multiply by them.
    precision: Precision = "fp32" if backbone.device.type == "cpu" else backbone.precision
    with backbone.lock, backbone.at(precision), torch.inference_mode():
        backbone.model.eval()
        if how.beams > 1:
            return [beam_search.searched(backbone, one, how, allowed) for one in requests]
        alone = not backbone.keeps_past and not seq2seq
        for index, *_ in sorted_batches(requests, 1 if alone else TOKENS):
            part = [requests[i] for i in index]
            for place, one in zip(index, _written(backbone, part, how, allowed), strict=True):
                written[place] = one
    return written


def _written(
    backbone: TransformersBackbone, pieces: Sequence[Piece], how: Answering, allowed: Any
) -> list[Completed]:
    reader = generating.Reader(backbone, pieces, backbone.keeps_past)
    ends = generating.end_tokens(backbone)
    drawn = [generating.random_of(how, piece) for piece in pieces]
    masks = [None if allowed is None else allowed.begun() for _ in pieces]
    found: list[list[int]] = [[] for _ in pieces]
    sure = [0.0] * len(pieces)
    texts: list[str | None] = [None] * len(pieces)  # once ended
    logits = reader.first()
    for step in range(how.max_new_tokens):
        check()
        for row, scores in enumerate(logits.float().cpu().numpy()):
            if texts[row] is not None:
                continue
            scores = penalised(scores, found[row], how.repetition_penalty)
            follows = masks[row]
            if follows is not None:
                scores = follows.masked(scores)
            token = generating.chosen(scores, how, drawn[row])
            found[row].append(token)
            sure[row] += float(scores[token] - log_sum(scores))
            texts[row] = generating.ended(backbone, found[row], ends, how.stop)
            if texts[row] is None and follows is not None and follows.over(token):
                texts[row] = generating.as_text(backbone, found[row])
        if all(text is not None for text in texts) or step + 1 == how.max_new_tokens:
            break
        logits = reader.after([row[step] if step < len(row) else row[-1] for row in found])
    return [
        Completed(
            (generating.as_text(backbone, row) if text is None else text).strip(),
            chance / max(1, len(row)),
            text is not None,
        )
        for row, text, chance in zip(found, texts, sure, strict=True)
    ]


def penalised(scores: FloatArray, tokens: Sequence[int], penalty: float) -> FloatArray:
    """(vocabulary,) with those of ``tokens`` nearer to being unlikely."""
    if penalty == 1 or not tokens:
        return scores
    seen = np.unique(tokens)
    changed = scores.copy()
    changed[seen] = np.where(scores[seen] > 0, scores[seen] / penalty, scores[seen] * penalty)
    return changed


def log_sum(scores: FloatArray) -> float:
    top = float(scores.max())
    return top + float(np.log(np.exp(scores - top).sum()))
