"""Label words as token ids, and what has to be read of a model to score them.

A model answers in places: a causal one after the prompt and after each beginning of a word of
several tokens, a masked one at as many masks as a word has tokens. `Words` lists the places and
says which token's log-likelihood at which place belongs to which word.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.contracts import Prompt
from supertune.errors import InputError

Ids = tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Words:
    """W words and their S places.

    Attributes:
        runs: what follows the prompt in each sequence to be run, and after how many of its
            tokens it is read; ``((), (0,))`` alone for words of one token. For masked models
            the number of masks stands as that many zeros, and each is read.
        places: (W, L) index of the place where each token of a word is scored, padded with 0.
        tokens: (W, L) its token id, padded with 0.
        shares: (W, L) what it counts for; padding counts nothing.
    """

    runs: tuple[tuple[Ids, Ids], ...]
    places: npt.NDArray[np.int64]
    tokens: npt.NDArray[np.int64]
    shares: npt.NDArray[np.float32]

    def scores(self, read: Any) -> Any:
        """(n, W) from log-likelihoods (n times runs, R, vocabulary); tensors with gradients.

        Of the R places read of a sequence, those beyond its own repeat its last.
        """
        import torch

        most = read.shape[1]
        own = [run * most + i for run, (_, ends) in enumerate(self.runs) for i in range(len(ends))]
        log_probabilities = read.reshape(-1, len(self.runs) * most, read.shape[-1])[:, own]
        device = read.device
        places = torch.from_numpy(self.places).to(device)
        tokens = torch.from_numpy(self.tokens).to(device)
        shares = torch.from_numpy(self.shares).to(device)
        return (log_probabilities[:, places, tokens] * shares).sum(-1)


def after_prefixes(ids: Sequence[Ids], prompt: Prompt) -> Words:
    """For models that read from left to right: one sequence for each longest beginning."""
    beginnings = sorted({word[:end] for word in ids for end in range(len(word))})
    longest = [
        each
        for each in beginnings
        if not any(other[: len(each)] == each and other != each for other in beginnings)
    ]
    place: dict[Ids, int] = {}
    runs = []
    for run in longest:
        fresh = tuple(end for end in range(len(run) + 1) if run[:end] not in place)
        for end in fresh:
            place[run[:end]] = len(place)
        runs.append((run, fresh))
    where = [[place[word[:end]] for end in range(len(word))] for word in ids]
    return _words(runs, where, ids, prompt)


def at_masks(ids: Sequence[Ids], prompt: Prompt) -> Words:
    """For masked models: one sequence for each length of word."""
    first: dict[int, int] = {}
    runs = []
    for length in sorted({len(word) for word in ids}):
        first[length] = sum(first)  # as many places as all shorter words have
        runs.append(((0,) * length, tuple(range(length))))
    where = [[first[len(word)] + number for number in range(len(word))] for word in ids]
    return _words(runs, where, ids, prompt)


def _words(
    runs: list[tuple[Ids, Ids]], where: list[list[int]], ids: Sequence[Ids], prompt: Prompt
) -> Words:
    most = max(map(len, ids))
    places, tokens = (np.zeros((len(ids), most), dtype=np.int64) for _ in range(2))
    shares = np.zeros((len(ids), most), dtype=np.float32)
    for number, word in enumerate(ids):
        places[number, : len(word)] = where[number]
        tokens[number, : len(word)] = word
        shares[number, : len(word)] = 1.0 / len(word) if prompt.rule == "mean" else 1.0
    return Words(tuple(runs), places, tokens, shares)


def word_ids(tokenizer: Any, prompt: Prompt, lead: str, space: str) -> list[Ids]:
    """Token ids of every word as they stand after ``lead`` and ``space``.

    Raises:
        InputError: ``word_unreadable`` for a word the tokenizer does not know,
            ``verbalizer_collides`` when words of two labels are the same to the model.
    """

    def code(text: str) -> Ids:
        return tuple(tokenizer(text, add_special_tokens=False)["input_ids"])

    probe = lead[-12:] if lead and not lead.endswith("}") else "a"
    base = code(probe)
    found = []
    for word in prompt.all_words:
        whole = code(probe + space + word)
        # Where the word melts into what stands before it, it is coded by itself.
        apart = whole[len(base) :] if whole[: len(base)] == base else code(space + word)
        if not apart or tokenizer.unk_token_id in apart:
            raise InputError(
                "word_unreadable",
                f"The backbone's tokenizer has no tokens for the label word '{word}'.",
                received=word,
                allowed="words of a script that the backbone was trained on",
                next="Give another word with --verbalizer, or choose another backbone.",
            )
        found.append(apart)
    _no_collision(found, prompt)
    return found


def _no_collision(ids: Sequence[Ids], prompt: Prompt) -> None:
    owner: dict[Ids, int] = {}
    labels = [label for label, words in enumerate(prompt.words) for _ in words]
    for word, label, text in zip(ids, labels, prompt.all_words, strict=True):
        if owner.setdefault(word, label) != label:
            other = next(t for i, t in zip(ids, prompt.all_words, strict=True) if i == word)
            raise InputError(
                "verbalizer_collides",
                "Two labels have the same word, so no answer could tell them apart.",
                received=f"'{other}' and '{text}' are the same {len(word)} tokens to the backbone",
                next="Give different words with --verbalizer.",
            )
