"""What a fit can find wrong with itself, by code: how grave it is, what it means, what to do.

The table is the only place where these codes are named; ``docs/guides/findings.md`` is written
from it. What stops a run is an error of the same code.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from supertune.contracts import Finding
from supertune.errors import InputError, SupertuneError

NAMES_SHOWN = 5


@dataclass(frozen=True)
class Code:
    """One kind of finding.

    Attributes:
        gravity: ``"stop"`` ends the run with an error; ``"warning"`` goes to terminal and report.
        means: what was seen, in one sentence.
        next: what to do about it.
        own: the person's rows or settings can mend it (exit code 2).
    """

    gravity: Literal["stop", "warning"]
    means: str
    next: str
    own: bool = False


_REPORT = "This is a fault of the program: run `supertune doctor` and report it with the recipe."
_RATE = "Give a learning rate above zero: --set learning_rate=0.001."
_ROWS = "Look at the rows: `supertune data check`."

CODES: dict[str, Code] = {
    # --- before the first step ---------------------------------------------------------------
    "rows_look_alike": Code(
        "stop",
        "All rows are the same to the model, because nothing of their texts is left in the input.",
        "Raise max_length, shorten the prefix or the template, or name another text column.",
        own=True,
    ),
    "text_missing": Code(
        "warning",
        "Nothing of the text of some rows is left in the input: it is empty or was cut off.",
        "Fill in or leave out these rows, or raise max_length.",
    ),
    "prompt_missing": Code(
        "stop", "The words of the template are not in what the model reads.", _REPORT
    ),
    "answer_slot_missing": Code(
        "stop", "The place of the answer is not in what the model reads.", _REPORT
    ),
    "labels_all_same": Code(
        "warning",
        "All rows to learn from have the same label, so there is nothing to tell apart.",
        "Add rows of the other labels.",
    ),
    "learning_rate_zero": Code("stop", "The learning rate was zero at every step.", _RATE, True),
    "not_optimised": Code(
        "warning", "Tensors that are to be tuned were not given to the optimizer.", _REPORT
    ),
    "frozen_by_mistake": Code(
        "warning", "Tensors that are to be tuned are marked as frozen.", _REPORT
    ),
    "target_unmatched": Code(
        "warning",
        "Layers or blocks that were named to be tuned have nothing tuned in them.",
        "Correct targets or blocks; the error target_not_found lists the layers there are.",
    ),
    "tied_weights": Code(
        "warning",
        "A tuned tensor shares its memory with another, or no longer shares it with the one it "
        "is tied to, so that an update is lost when the model is saved.",
        "Leave the embeddings out of what is tuned.",
    ),
    "activations_not_finite": Code(
        "stop",
        "The backbone gives values that are not numbers.",
        "Fetch the backbone again: `supertune models pull NAME`; its weights are damaged.",
    ),
    "stale_cache": Code(
        "stop",
        "Activations in the cache are not what the backbone gives for these rows.",
        "Clear them: `supertune cache clear activations --yes`.",
    ),
    "replay_differs": Code(
        "stop",
        "Training from the cut does not give what the whole model gives.",
        "Clear the cache: `supertune cache clear activations --yes`, and fit again.",
    ),
    "padding_read": Code(
        "stop", "A row's answer depends on the padding that its neighbours need.", _REPORT
    ),
    "start_worse_than_chance": Code(
        "warning",
        "Training begins far below chance: labels and rows, or words and labels, do not belong "
        "together.",
        "Check the verbalizer and the label column.",
    ),
    # --- during training ---------------------------------------------------------------------
    "step_in_parts": Code(
        "warning",
        "Memory did not suffice for the rows of one step at a time. Each was computed in parts, "
        "which gives the same numbers up to rounding and takes longer.",
        "Close other programs, raise --memory-limit if one was set, or lower max_length.",
    ),
    "loss_not_finite": Code(
        "stop", "The loss or its gradient is not a number.", "Lower the learning rate."
    ),
    "nothing_tuned": Code(
        "stop",
        "Nothing that was to be tuned in the backbone has changed.",
        "Raise the learning rate, or choose other targets or another method.",
        own=True,
    ),
    "no_gradient": Code(
        "warning", "Tensors that are to be tuned never got a gradient.", "Tune other layers."
    ),
    "gradient_clipped_away": Code(
        "warning", "Clipping left nothing of the gradient.", "Clip at a norm above zero."
    ),
    "dropout_too_high": Code(
        "warning",
        "Dropout removes nearly everything while training.",
        "Lower it: --set dropout=0.1.",
    ),
    "update_lost": Code(
        "warning",
        "Tensors got a gradient and a step, and are what they were: the update is smaller than "
        "their precision.",
        "Raise the learning rate, or tune in float32.",
    ),
    "loss_did_not_fall": Code(
        "warning",
        "The loss of the last epoch is not below that of the first.",
        "Change the learning rate or the epochs, or use linear_probe.",
    ),
    "loss_above_chance": Code(
        "warning",
        "Even on the rows learned from, the loss ended above that of a guess.",
        "Check the labels, lower the learning rate, or use linear_probe.",
    ),
    # --- at the end --------------------------------------------------------------------------
    "numbers_not_finite": Code(
        "stop", "Tuned numbers are not finite.", "Lower the learning rate.", own=True
    ),
    "backbone_changed": Code("stop", "The backbone's own weights have changed.", _REPORT),
    "answers_not_finite": Code(
        "stop", "The model's scores are not numbers.", "Lower the learning rate."
    ),
    "answers_unchanged": Code(
        "warning",
        "With and without what was tuned in the backbone, the answers are the same.",
        "Raise the learning rate or the epochs; as it is, linear_probe does the same for less.",
    ),
    "evaluation_differs": Code(
        "stop", "The model does not answer as it did at the end of training.", _REPORT
    ),
    "reload_differs": Code("stop", "The model answers otherwise once it is restored.", _REPORT),
    "scores_constant": Code("warning", "Every row gets the same scores, whatever its text.", _ROWS),
    "words_equal": Code(
        "warning",
        "All labels get the same score, so the answer is arbitrary.",
        "Give words that differ to the backbone: --verbalizer 'a=good; b=bad'.",
    ),
    "one_answer": Code(
        "warning",
        "All rows learned from get the same label, though their labels are balanced.",
        "Choose another method or backbone, or more epochs.",
    ),
    "logits_saturated": Code(
        "warning",
        "The model is certain of every answer, the wrong ones included.",
        "Lower the learning rate or the epochs; set label_smoothing.",
    ),
    "worse_than_chance": Code(
        "warning",
        "On the rows learned from, the model is worse than a guess: labels or their words may "
        "have been exchanged.",
        "Check the verbalizer and the label column.",
    ),
}


def finding(code: str, detail: str = "", rows: Sequence[int] = ()) -> Finding:
    """A warning of the table; ``detail`` says what was seen this time."""
    known = CODES[code]
    assert known.gravity == "warning", code
    return Finding(code, _sentence(known, detail) + f" {known.next}", tuple(rows))


def stop(code: str, detail: str = "", *, received: str | None = None) -> SupertuneError:
    """The error of a code that ends the run, to be raised."""
    known = CODES[code]
    assert known.gravity == "stop", code
    kind = InputError if known.own else SupertuneError
    return kind(code, _sentence(known, detail), received=received, next=known.next)


def _sentence(known: Code, detail: str) -> str:
    return known.means if not detail else f"{known.means[:-1]} ({detail})."


def some(names: Sequence[str]) -> str:
    """``3 of them: a, b, c`` with at most a few names."""
    shown = ", ".join(names[:NAMES_SHOWN]) + (", ..." if len(names) > NAMES_SHOWN else "")
    return f"{len(names)}: {shown}"
