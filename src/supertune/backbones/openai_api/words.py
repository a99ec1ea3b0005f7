"""From a prompt to a chat, and from what was answered to how likely each word is.

By ``top_logprobs`` where the server gives them: the log-probabilities of the first token, summed
over the tokens that begin a word. By a structured answer, which is one of the words and nothing
else, where it holds to one; by looking for the words in what was written otherwise. The last two
say which word and not how likely: it gets `SURE`, and the others share the rest.
"""

from __future__ import annotations

import math
import re
from typing import Any, Literal

import numpy as np

from supertune.backbones.openai_api.asking import Spoken
from supertune.contracts import FloatArray, Prompt
from supertune.prompts.template import filled

Way = Literal["top_logprobs", "structured", "parsing"]

SURE = 0.9
SAME_START = 3  # letters that two words share, from which one token may begin both


def told(way: Way, spoken: Spoken) -> str:
    """For the report."""
    said = {
        "top_logprobs": "labels by the server's log-probabilities of the first token",
        "structured": "labels by structured answers, which say which word and not how likely",
        "parsing": "labels by looking for the words in what was written",
    }[way]
    return f"{said}; {spoken.told()}"


def way(spoken: Spoken, words: tuple[str, ...]) -> Way:
    """How to ask for these words at a server of which so much was verified."""
    if spoken.top and not (spoken.structured and _alike(words)):
        return "top_logprobs"
    return "structured" if spoken.structured else "parsing"


def _alike(words: tuple[str, ...]) -> bool:
    starts = [word.strip().lower()[:SAME_START] for word in words]
    return len(set(starts)) < len(set(words))


def messages(prompt: Prompt, fields: tuple[str, ...]) -> list[dict[str, str]]:
    """A row as a chat: which words there are, then the text up to the answer."""
    value = fields[0] if len(fields) == 1 else fields
    mark = "\x00"
    before = filled(prompt.template, value, mark).partition(mark)[0].rstrip()
    words = "; ".join(word.strip() for word in prompt.all_words)
    return [
        {
            "role": "system",
            "content": f"Go on with one of these and nothing else: {words}",
        },
        {"role": "user", "content": prompt.shown + before},
    ]


def schema(words: tuple[str, ...]) -> dict[str, Any]:
    """Of an answer that is one of these words alone."""
    answer = {"type": "string", "enum": [word.strip() for word in words]}
    return {
        "type": "object",
        "properties": {"answer": answer},
        "required": ["answer"],
        "additionalProperties": False,
    }


def by_tokens(top: list[tuple[str, float]], words: tuple[str, ...]) -> FloatArray:
    """(W,) log-likelihoods. A token that may begin several words is shared out among them; a word
    that none begins is less likely than all of them."""
    plain = [word.strip().lower() for word in words]
    shares = np.zeros(len(words))
    for token, value in top:
        start = token.strip().lower()
        begun = [i for i, word in enumerate(plain) if start and word.startswith(start)]
        # "great!" and "great." are the word too, once it stands there as a whole.
        begun = begun or [i for i, word in enumerate(plain) if word and start.startswith(word)]
        for i in begun:
            shares[i] += math.exp(value) / len(begun)
    floor = math.exp(max(min(value for _, value in top), -30.0)) / 2
    return np.log(np.maximum(shares, floor))


def by_word(word: str | None, words: tuple[str, ...]) -> FloatArray:
    """(W,) where one was named; all alike where none was."""
    plain = [each.strip() for each in words]
    if word is None or len(words) == 1:
        return np.full(len(words), -math.log(len(words)))
    rest = (1 - SURE) / (len(words) - 1)
    return np.log([SURE if each == word else rest for each in plain])


def found(text: str, words: tuple[str, ...]) -> str | None:
    """The word that stands first in a text, whole words before parts of others."""
    for pattern in (r"(?<!\w){}(?!\w)", "{}"):
        places = {
            match.start(): word.strip()
            for word in sorted(words, key=len)
            if (match := re.search(pattern.format(re.escape(word.strip())), text, re.IGNORECASE))
        }
        if places:
            return places[min(places)]
    return None
