"""Texts out of an encoder's states, token after token, with keys and values kept.

Greedy decoding takes all clips of a batch at once and lets go of those that have ended; a beam
follows several texts of one clip. `rules` says which tokens may come.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from supertune.backbones.transformers.speech import guarding
from supertune.backbones.transformers.speech.rules import Rules
from supertune.contracts import Clip, Listening, Segment, Written
from supertune.limits import check

if TYPE_CHECKING:
    from supertune.backbones.transformers.speech.model import SpeechBackbone
    from supertune.backbones.transformers.speech.vocabulary import Vocabulary

DENSE, ROOM = 12, 12  # tokens a second at most, and besides


@dataclass(frozen=True)
class Found:
    """The tokens of one text without the last, their mean log-likelihood with it, how likely it is
    that nothing is said, and whether the text came to an end in the room it had."""

    tokens: tuple[int, ...]
    surety: float
    silence: float
    ended: bool


def heard(backbone: SpeechBackbone, states: Any) -> list[str]:
    """(B,) the likeliest language of each."""
    import torch

    words = backbone.vocabulary
    with backbone.lock, torch.inference_mode():
        ids = torch.full((len(states), 1), words.start, device=states.device)
        last = _Run(backbone, states).step(ids)[:, 0]
        wanted = torch.tensor(words.language_tokens, device=last.device)
        best = backbone.model.proj_out(last)[:, wanted].argmax(dim=1).tolist()
    return [words.languages[place] for place in best]


def written(
    backbone: SpeechBackbone,
    states: Any,
    clips: Sequence[Clip],
    languages: Sequence[str],
    how: Listening,
) -> list[Written]:
    """See `supertune.contracts.Transcribing`."""
    import torch

    words = backbone.vocabulary
    prompts = [
        words.prompt(one, timestamps=how.timestamps, hints=how.hints if how.bias else ())
        for one in languages
    ]
    most = [min(words.most - len(prompts[0]), words.most // 2, _room(clip)) for clip in clips]
    with backbone.lock, torch.inference_mode():
        if how.beams > 1:
            found = [
                _beam(backbone, states[i : i + 1], prompts[i], most[i], how)
                for i in range(len(clips))
            ]
        else:
            found = _greedy(backbone, states, prompts, most, how)
    return [
        _told(words, one, clip, language, how)
        for one, clip, language in zip(found, clips, languages, strict=True)
    ]


def _room(clip: Clip) -> int:
    return ROOM + round(DENSE * clip.seconds)


class _Run:
    """A decoder on some states, with what it has read so far."""

    def __init__(self, backbone: SpeechBackbone, states: Any) -> None:
        from transformers.cache_utils import DynamicCache, EncoderDecoderCache

        self.decoder, self.states = backbone.model.get_decoder(), states
        self.past = EncoderDecoderCache(DynamicCache(), DynamicCache())

    def step(self, ids: Any) -> Any:
        """(B, L) further tokens -> (B, L, d)."""
        return self.decoder(
            input_ids=ids,
            encoder_hidden_states=self.states,
            past_key_values=self.past,
            use_cache=True,
        ).last_hidden_state

    def take(self, rows: Any) -> None:
        """Go on with these rows alone, in this order."""
        self.past.batch_select_indices(rows)
        self.states = self.states[rows]


def _started(backbone: SpeechBackbone, run: _Run, prompts: list[list[int]]) -> tuple[Any, Any]:
    """(B, V) logits behind the prompts, and (B,) how likely it is that nothing is said."""
    import torch

    words = backbone.vocabulary
    ids = torch.tensor(prompts, device=run.states.device)
    last = run.step(ids)
    asked = prompts[0].index(words.start)
    silence = torch.softmax(backbone.model.proj_out(last[:, asked]).float(), dim=-1)
    return backbone.model.proj_out(last[:, -1]).float(), silence[:, words.silence]


def _greedy(
    backbone: SpeechBackbone,
    states: Any,
    prompts: list[list[int]],
    most: Sequence[int],
    how: Listening,
) -> list[Found]:
    import torch

    run = _Run(backbone, states)
    logits, silence = _started(backbone, run, prompts)
    rules = Rules(backbone.vocabulary, how)
    count = len(prompts)
    texts: list[list[int]] = [[] for _ in range(count)]
    sums, there = np.zeros(count), np.arange(count)
    ended, whole = np.zeros(count, dtype=bool), np.zeros(count, dtype=bool)
    while True:
        check()
        chances = rules.allowed(logits, [texts[i] for i in there])
        best = chances.argmax(dim=1)
        sure = torch.log_softmax(logits, dim=-1).gather(1, best[:, None])[:, 0]
        for place, (token, chance) in enumerate(zip(best.tolist(), sure.tolist(), strict=True)):
            row = there[place]
            if ended[row]:
                continue
            sums[row] += chance
            if token == backbone.vocabulary.end:
                ended[row] = whole[row] = True
            else:
                texts[row].append(token)
                ended[row] = len(texts[row]) >= most[row]
        if ended.all():
            break
        kept = np.flatnonzero(~ended[there])
        if len(kept) <= 0.75 * len(there):
            rows = torch.from_numpy(kept).to(best.device)
            run.take(rows)
            there, best = there[kept], best[rows]
        logits = backbone.model.proj_out(run.step(best[:, None])[:, -1]).float()
    return [
        Found(tuple(text), float(total / (len(text) + 1)), float(quiet), bool(end))
        for text, total, quiet, end in zip(texts, sums, silence.tolist(), whole, strict=True)
    ]


def _beam(
    backbone: SpeechBackbone, states: Any, prompt: list[int], most: int, how: Listening
) -> Found:
    """The best of several texts by the mean log-likelihood of their tokens, hints preferred."""
    import torch

    end, wide = backbone.vocabulary.end, how.beams
    run = _Run(backbone, states.expand(wide, -1, -1))
    logits, silence = _started(backbone, run, [prompt] * wide)
    rules = Rules(backbone.vocabulary, how)
    texts: list[list[int]] = [[] for _ in range(wide)]
    sums = torch.full((wide,), -torch.inf, device=logits.device)
    sums[0] = 0.0  # at first all are the same
    done: list[tuple[float, list[int]]] = []
    for _ in range(most):
        check()
        # What rules forbid stays impossible; what they prefer is preferred.
        gains = rules.allowed(logits, texts) - logits
        totals = sums[:, None] + torch.log_softmax(logits, dim=-1) + gains
        best, places = totals.flatten().topk(2 * wide)
        following: list[tuple[int, int, float]] = []
        for total, place in zip(best.tolist(), places.tolist(), strict=True):
            row, token = divmod(place, logits.shape[1])
            if total == -np.inf:
                continue
            if token == end:
                done.append((total / (len(texts[row]) + 1), texts[row]))
            elif len(following) < wide:
                following.append((row, token, total))
        if len(done) >= wide or not following:
            break
        following += [following[-1]] * (wide - len(following))
        rows = torch.tensor([row for row, _, _ in following], device=logits.device)
        run.take(rows)
        texts = [[*texts[row], token] for row, token, _ in following]
        sums = torch.tensor([total for *_, total in following], device=logits.device)
        ids = torch.tensor([[token] for _, token, _ in following], device=logits.device)
        logits = backbone.model.proj_out(run.step(ids)[:, -1]).float()
    ended = bool(done)
    if not done:
        done = [(float(sums[0]) / max(1, len(texts[0])), texts[0])]
    surety, text = max(done, key=lambda one: one[0])
    return Found(tuple(text), surety, float(silence[0]), ended)


def _told(words: Vocabulary, found: Found, clip: Clip, language: str, how: Listening) -> Written:
    tokens, doubts = list(found.tokens), []
    if how.guard:
        if guarding.silent(clip, found.silence, found.surety):
            return Written("", language, (), found.surety, ("silence",))
        tokens, repeated = guarding.unrepeated(tokens, ended=found.ended)
        doubts = ["repeats"] if repeated else []
    pieces = _pieces(words, tokens, clip) if how.timestamps else None
    text = words.text(tokens)
    if pieces is None:
        pieces = [Segment(clip.start, clip.end, text)] if text else []
    return Written(text, language, tuple(pieces), found.surety, tuple(doubts))


def _pieces(words: Vocabulary, tokens: Sequence[int], clip: Clip) -> list[Segment]:
    """Pieces between tokens of times; one that is not ended ends with the clip."""
    from supertune.backbones.transformers.speech.vocabulary import SPACING

    found: list[Segment] = []
    begun, held = 0.0, list[int]()
    for token in [*tokens, None]:
        if token is not None and token < words.first_time:
            held.append(token)
            continue
        at = clip.seconds if token is None else (token - words.first_time) * SPACING
        if held:
            first, last = (clip.start + min(one, clip.seconds) for one in (begun, at))
            found.append(Segment(round(first, 3), round(max(first, last), 3), words.text(held)))
        begun, held = at, []
    return [one for one in found if one.text]
