"""Which tokens may come next: none that mean something else, times in order, hints preferred, and
what the field's texts say.

Times follow Radford et al. 2022 (arXiv:2212.04356): they come in pairs but at the ends, never run
backwards, and one is written where all times together are likelier than any word. Hints are
preferred token by token along a tree of their tokens (shallow fusion; Zhao et al. 2019), and what
the texts of a field make likely by `expecting`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from supertune.contracts import Listening

if TYPE_CHECKING:
    from supertune.backbones.transformers.speech.expecting import Prior
    from supertune.backbones.transformers.speech.vocabulary import Vocabulary

FIRST = 0.5  # of the bias for the first token of a hint, which other words begin with too
Tree = dict[int, "Tree"]


class Rules:
    """The rules of one way of listening."""

    def __init__(self, words: Vocabulary, how: Listening) -> None:
        self.words, self.how = words, how
        self.tree = _tree(words, how.hints) if how.hints and how.bias else {}
        told = how.domain_text and how.domain_weight
        self.prior = words.prior(how.domain_text) if told else None
        self._never: Any = None

    def allowed(self, logits: Any, texts: Sequence[Sequence[int]]) -> Any:
        """(B, V) logits with what may not follow at minus infinity and hints raised.

        Args:
            texts: (B,) the tokens so far, without the prompt.
        """
        import torch

        words = self.words
        if self._never is None or self._never.shape[0] != logits.shape[1]:
            never = torch.zeros(logits.shape[1], dtype=torch.bool, device=logits.device)
            never[torch.tensor(words.suppressed, dtype=torch.long)] = True
            never[words.end + 1 : words.first_time] = True
            if not self.how.timestamps:
                never[words.first_time :] = True
            self._never = never
        found = logits.masked_fill(self._never, -torch.inf)
        for row, text in enumerate(texts):
            if not text and words.suppressed_first:
                found[row, torch.tensor(words.suppressed_first)] = -torch.inf
            if self.prior is not None:
                self._expect(self.prior, found[row], text)
            if self.tree:
                self._prefer(found[row], text)
            if self.how.timestamps:
                self._timed(found[row], text)
        return found

    def _expect(self, prior: Prior, row: Any, text: Sequence[int]) -> None:
        """Among words alone: all of them together stay as likely as they were."""
        import torch

        weight, words = self.how.domain_weight, row[: self.words.end]
        before = torch.logsumexp(words, dim=0)
        tokens, raised = prior.raised([token for token in text if token < self.words.end])
        words += weight * torch.from_numpy(prior.alone).to(row)
        words[torch.from_numpy(tokens)] += weight * torch.from_numpy(raised).to(row)
        words += before - torch.logsumexp(words, dim=0)

    def _prefer(self, row: Any, text: Sequence[int]) -> None:
        bias = self.how.bias
        for token in self.tree:
            row[token] += FIRST * bias
        for token in _following(self.tree, text):
            row[token] += bias

    def _timed(self, row: Any, text: Sequence[int]) -> None:
        import torch

        words = self.words
        first, end = words.first_time, words.end
        times = [token for token in text if token >= first]
        if not text:
            row[:first] = -torch.inf
            row[first + words.latest_first + 1 :] = -torch.inf
            return
        last_is = text[-1] >= first
        before_is = len(text) < 2 or text[-2] >= first
        if last_is:
            if before_is:
                row[first:] = -torch.inf
            else:
                row[:end] = -torch.inf
        if times:
            ends = last_is and not before_is
            row[first : times[-1] + (0 if ends else 1)] = -torch.inf
        chances = torch.log_softmax(row, dim=-1)
        if torch.logsumexp(chances[first:], dim=0) > chances[:first].max():
            row[:first] = -torch.inf


def _tree(words: Vocabulary, hints: Sequence[str]) -> Tree:
    """Hints token by token, as they begin a text or follow a word."""
    top: Tree = {}
    for hint in hints:
        for form in {hint, hint[:1].upper() + hint[1:]}:
            place = top
            for token in words.plain(" " + form.strip()):
                place = place.setdefault(token, {})
    return top


def _following(tree: Tree, text: Sequence[int]) -> set[int]:
    """Tokens that go on with a hint that the text ends with a beginning of."""
    found: set[int] = set()
    for start in range(max(0, len(text) - 24), len(text)):
        place: Tree | None = tree
        for token in text[start:]:
            place = None if place is None else place.get(token)
        if place:
            found |= set(place)
    return found
