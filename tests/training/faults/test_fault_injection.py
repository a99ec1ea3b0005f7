"""Each fault breaks one thing of a fit that is healthy without it; the run has to name it.

Faults that go unnoticed stand in `MISSED` with the reason, and nowhere else: one that is caught
one day has to leave the table.
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from supertune.contracts import Prompt

# Of what the fault may be called, any name will do; of several faults at once the first is told.
FAULTS: dict[str, Fault] = {}

MISSED = {
    "labels_permuted_before_reading": "rows and labels that belong together are not to be told "
    "from others by any fit; the score says it, since it is no better than the majority class",
    "vocabulary_permuted": "words exchanged for others everywhere are another language; a fit of "
    "a few rows separates them all the same, and only the score on other rows falls",
}


@dataclass(frozen=True)
class Fault:
    setting: str
    codes: frozenset[str]
    breaks: Callable[[Any, pytest.MonkeyPatch], None]


def fault(setting: str, *codes: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    def register(breaks: Callable[..., None]) -> Callable[..., None]:
        FAULTS[breaks.__name__] = Fault(setting, frozenset(codes), breaks)
        return breaks

    return register


def after(patch: pytest.MonkeyPatch, owner: Any, name: str, change: Callable[..., Any]) -> None:
    """``owner.name`` goes on as before, and then ``change(result, *arguments)`` is its result."""
    real = getattr(owner, name)

    @functools.wraps(real)
    def broken(*args: Any, **kwargs: Any) -> Any:
        return change(real(*args, **kwargs), *args, **kwargs)

    patch.setattr(owner, name, broken)


def optimizer(patch: pytest.MonkeyPatch, change: Callable[..., Any]) -> None:
    """AdamW is made with what ``change(groups, keys)`` gives."""
    import torch

    real = torch.optim.AdamW

    def made(groups: Any, **keys: Any) -> Any:
        groups, keys = change(list(groups), keys)
        return real(groups, **keys)

    patch.setattr(torch.optim, "AdamW", made)


def put(patch: pytest.MonkeyPatch, kind: Any, change: Callable[[Any], None]) -> None:
    """``change(tunable)`` after the tunable's numbers went into the model."""

    def broken(result: Any, tunable: Any) -> Any:
        with no_grad():
            change(tunable)
        return result

    after(patch, kind, "_put", broken)


def no_grad() -> Any:
    import torch

    return torch.no_grad()


def kinds() -> Any:
    from supertune.backbones.transformers.tuning import bottleneck, peft_adapter, unfreeze

    return {
        "lora": peft_adapter.PeftAdapter,
        "unfreeze": unfreeze.UnfrozenWeights,
        "adapter": bottleneck.BottleneckAdapters,
    }


def batches(s: Any, change: Callable[[Any, Any], Any]) -> None:
    """Every padded batch becomes what ``change(batch, pieces)`` makes of it."""
    real = s.backbone.reader.batch
    s.backbone.reader.batch = lambda pieces, *shape: change(real(pieces, *shape), pieces)


def pieces(s: Any, change: Callable[[Any], Any]) -> None:
    """Every tokenised piece becomes what ``change(piece)`` makes of it."""
    real = s.backbone.tokens
    s.backbone.tokens = lambda inputs, encoding: [
        tuple(change(piece) for piece in row) for row in real(inputs, encoding)
    ]


def options(**values: Any) -> Callable[[Any, pytest.MonkeyPatch], None]:
    return lambda s, patch: s.options.update(values)


# --- learning rate and optimizer --------------------------------------------------------------

FAULTS["learning_rate_of_zero"] = Fault(
    "lora", frozenset({"learning_rate_zero"}), options(learning_rate=0.0)
)
FAULTS["learning_rate_infinite"] = Fault(
    "lora", frozenset({"loss_not_finite", "numbers_not_finite"}), options(learning_rate=np.inf)
)
FAULTS["learning_rate_below_precision"] = Fault(
    "top_blocks", frozenset({"update_lost"}), options(learning_rate=1e-30)
)
FAULTS["learning_rate_too_small_to_matter"] = Fault(
    "lora", frozenset({"answers_unchanged"}), options(learning_rate=1e-12)
)
FAULTS["dropout_of_everything"] = Fault(
    "lora",
    frozenset({"dropout_too_high", "nothing_tuned"}),
    lambda s, patch: s.options.update(dropout=1.0, lora_dropout=1.0),
)


@fault("lora", "learning_rate_zero")
def schedule_stuck_at_zero(s, patch):
    import torch

    real = torch.optim.lr_scheduler.LambdaLR
    patch.setattr(
        torch.optim.lr_scheduler, "LambdaLR", lambda optimizer, _rate: real(optimizer, lambda _: 0)
    )


@fault("lora", "nothing_tuned", "gradient_clipped_away")
def gradient_clipped_to_zero(s, patch):
    import torch

    after(
        patch, torch.nn.utils, "clip_grad_norm_", lambda norm, tensors, most: _zero(norm, tensors)
    )


def _zero(norm: Any, tensors: Any) -> Any:
    for tensor in tensors:
        if tensor.grad is not None:
            tensor.grad.zero_()
    return norm


@fault("lora", "nothing_tuned")
def optimizer_step_skipped(s, patch):
    import torch

    patch.setattr(torch.optim.AdamW, "step", lambda self, closure=None: None)


@fault("lora", "nothing_tuned")
def optimizer_without_what_is_tuned(s, patch):
    optimizer(patch, lambda groups, keys: (groups[-1:], keys))


@fault("top_blocks", "not_optimised")
def optimizer_without_some_tensors(s, patch):
    def fewer(groups, keys):
        groups[0]["params"] = groups[0]["params"][3:]
        return groups, keys

    optimizer(patch, fewer)


@fault("lora", "loss_did_not_fall")
def gradient_climbed_instead_of_descended(s, patch):
    optimizer(patch, lambda groups, keys: (groups, {**keys, "maximize": True}))


@fault("top_blocks", "nothing_tuned")
def int8_weights_whose_updates_round_away(s, patch):
    import torch

    grid = 1 / 127

    def rounded(tensors):
        for tensor in tensors:
            tensor.copy_((tensor / grid).round() * grid)

    put(patch, kinds()["unfreeze"], lambda tunable: rounded(tunable.parameters()))
    s.options["learning_rate"] = 1e-5

    def step(result, own, closure=None):
        with no_grad():
            rounded(own.param_groups[0]["params"])
        return result

    after(patch, torch.optim.AdamW, "step", step)


# --- what is tuned, and where -----------------------------------------------------------------

FAULTS["target_name_wrong"] = Fault(
    "lora", frozenset({"target_not_found"}), options(targets=("quary",))
)
FAULTS["target_name_partly_wrong"] = Fault(
    "lora", frozenset({"target_not_found"}), options(targets=("query", "valeu"))
)
FAULTS["block_out_of_range"] = Fault(
    "lora", frozenset({"block_out_of_range"}), options(blocks=(3, 4))
)


@fault("lora", "target_unmatched")
def second_target_left_out(s, patch):
    from supertune.backbones.transformers.tuning import layers

    real = layers.pattern
    patch.setattr(layers, "pattern", lambda own, names, blocks: real(own, names[:1], blocks))
    s.options["targets"] = ("query", "value")


@fault("lora", "target_unmatched")
def second_block_left_out(s, patch):
    from supertune.backbones.transformers.tuning import layers

    real = layers.pattern
    patch.setattr(layers, "pattern", lambda own, names, blocks: real(own, names, blocks[:1]))


@fault("lora", "target_unmatched", "frozen_by_mistake")
def upper_block_frozen_by_mistake(s, patch):
    put(patch, kinds()["lora"], lambda tunable: _freeze(tunable, ".3."))


@fault("lora", "frozen_by_mistake")
def half_of_lora_frozen_by_mistake(s, patch):
    put(patch, kinds()["lora"], lambda tunable: _freeze(tunable, "lora_A"))


@fault("top_blocks", "frozen_by_mistake")
def some_weights_frozen_by_mistake(s, patch):
    put(patch, kinds()["unfreeze"], lambda tunable: _freeze(tunable, "query"))


@fault("top_blocks", "nothing_tuned")
def all_weights_frozen_by_mistake(s, patch):
    put(patch, kinds()["unfreeze"], lambda tunable: _freeze(tunable, ""))


def _freeze(tunable: Any, part: str) -> None:
    for name, tensor in tunable.named().items():
        if part in name:
            tensor.requires_grad_(False)


@fault("lora", "nothing_tuned")
def adapter_scaled_by_zero(s, patch):
    def silence(tunable):
        for module in tunable.backbone.model.modules():
            if isinstance(getattr(module, "scaling", None), dict):
                module.scaling = dict.fromkeys(module.scaling, 0.0)

    put(patch, kinds()["lora"], silence)


@fault("adapter", "nothing_tuned")
def adapters_beside_no_layer(s, patch):
    patch.setattr(kinds()["adapter"], "_after", lambda self, layer, adapter: None)


@fault("full", "no_gradient")
def gradient_cut_below_the_last_block(s, patch):
    s.backbone.blocks[2].register_forward_hook(lambda _module, _inputs, output: _detached(output))


def _detached(output: Any) -> Any:
    return (output[0].detach(), *output[1:]) if isinstance(output, tuple) else output.detach()


@fault("tied", "tied_weights")
def tie_of_the_embeddings_broken(s, patch):
    def untie(tunable):
        import torch

        head = tunable.backbone.model.get_output_embeddings()
        head.weight = torch.nn.Parameter(head.weight.detach().clone(), requires_grad=False)

    put(patch, kinds()["unfreeze"], untie)


@fault("full", "tied_weights")
def two_tensors_in_one_memory(s, patch):
    def tie(tunable):
        own = tunable.named()
        first, second, *_ = (own[name] for name in own if name.endswith("query.weight"))
        second.data = first.data

    put(patch, kinds()["unfreeze"], tie)


@fault("top_blocks", "backbone_changed")
def backbone_not_set_back(s, patch):
    from supertune.backbones.transformers.tuning import snapshot

    patch.setattr(snapshot.Snapshot, "restore", lambda self: None)


@fault("lora", "backbone_changed")
def frozen_weights_written_to(s, patch):
    import torch

    def step(result, own, closure=None):
        with no_grad():
            s.backbone.model.get_input_embeddings().weight.add_(1e-3)
        return result

    after(patch, torch.optim.AdamW, "step", step)


# --- numbers ----------------------------------------------------------------------------------


@fault("lora", "activations_not_finite")
def nan_in_a_weight(s, patch):
    with no_grad():
        s.backbone.model.encoder.layer[1].output.dense.weight[0, 0] = np.nan


@fault("probe", "activations_not_finite")
def infinity_in_an_embedding(s, patch):
    with no_grad():
        s.backbone.model.get_input_embeddings().weight[8] = np.inf


@fault("adapter", "answers_not_finite")
def nan_in_new_numbers(s, patch):
    put(patch, kinds()["adapter"], lambda tunable: tunable.parameters()[0].fill_(np.nan))


@fault("lora", "loss_not_finite")
def a_row_that_weighs_as_good_as_infinitely(s, patch):
    weights = np.ones(len(s.examples))
    weights[0] = 3e38
    s.examples = replace(s.examples, weights=weights * 10)


@fault("lora", "logits_saturated")
def scores_out_of_all_measure(s, patch):
    from supertune.training import readout

    after(
        patch,
        readout.TrainedHead,
        "fixed",
        lambda head, own: replace(head, weight=head.weight * 1e7 * _noise(head.weight)),
    )


def _noise(like: Any) -> Any:
    return np.random.default_rng(0).normal(size=like.shape).astype(np.float32)


# --- labels -----------------------------------------------------------------------------------


@fault("lora", "labels_all_same")
def labels_all_the_same(s, patch):
    s.examples = replace(s.examples, targets=np.zeros(len(s.examples), dtype=int))


@fault("lora", "start_worse_than_chance", "loss_above_chance", "worse_than_chance")
def labels_shifted_in_the_loss(s, patch):
    _targets(patch, lambda targets: (targets + 1) % 2)


@fault("lora", "start_worse_than_chance", "loss_above_chance", "worse_than_chance")
def labels_of_the_row_before(s, patch):
    _targets(patch, lambda targets: targets.roll(1))


def _targets(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    from torch.nn import functional

    real = functional.cross_entropy
    patch.setattr(
        functional,
        "cross_entropy",
        lambda logits, targets, **keys: real(logits, change(targets), **keys),
    )


@fault("lora")
def labels_permuted_before_reading(s, patch):
    order = np.random.default_rng(1).permutation(len(s.examples))
    s.examples = replace(s.examples, targets=s.examples.targets[order])


@fault("probe", "worse_than_chance")
def outputs_in_another_order_of_labels(s, patch):
    from supertune.methods.linear_probe import LinearProbe

    s.options["penalties"] = (1e-4,)  # its own rows are all answered right
    after(
        patch,
        LinearProbe,
        "fit",
        lambda head, *_: replace(head, weight=head.weight[:, ::-1], bias=head.bias[::-1]),
    )


@fault("centroid", "one_answer")
def one_label_far_ahead(s, patch):
    _centroids(patch, lambda found: replace(found, bias=np.float32([99, 0])))


@fault("centroid", "scores_constant")
def scores_without_the_text(s, patch):
    _centroids(
        patch, lambda found: replace(found, weight=found.weight * 0, bias=np.float32([1, 0]))
    )


def _centroids(patch: pytest.MonkeyPatch, change: Callable[[Any], Any]) -> None:
    from supertune.methods.nearest_centroid import NearestCentroid

    after(patch, NearestCentroid, "fit", lambda found, *_: change(found))


# --- cache and cut ----------------------------------------------------------------------------


def _activations(patch: pytest.MonkeyPatch, change: Callable[[Any, Any, Any], Any]) -> None:
    from supertune.training.lens import CachedLens

    after(patch, CachedLens, "activations", lambda found, lens, own, cut: change(found, own, cut))


@fault("lora", "replay_differs")
def states_at_the_cut_in_another_order(s, patch):
    def other(found, own, cut):
        return [np.resize(found[i - 1], found[i].shape) for i in range(len(found))]

    _activations(patch, other)


@fault("lora", "replay_differs")
def states_at_the_cut_of_another_backbone(s, patch):
    other = s.opened("bert", 7)
    _activations(patch, lambda found, own, cut: other.activations(own, cut))


@fault("lora", "replay_differs")
def states_of_the_block_above_the_cut(s, patch):
    _activations(patch, lambda found, own, cut: s.backbone.activations(own, cut + 1))


@fault("lora", "stale_cache")
def features_of_another_backbone_while_training(s, patch):
    _features(s, patch, s.opened("bert", 7))


@fault("probe", "stale_cache")
def features_of_another_backbone_while_solving(s, patch):
    _features(s, patch, s.opened("bert", 7))


def _features(s: Any, patch: pytest.MonkeyPatch, other: Any) -> None:
    from supertune.training.lens import CachedLens

    real = CachedLens.features

    def stale(lens: Any, inputs: Any, *, prediction: bool = False) -> Any:
        if prediction:
            return real(lens, inputs, prediction=True)
        return other.features(other.tokens(inputs, lens.encoding), lens.encoding)

    patch.setattr(CachedLens, "features", stale)


@fault("probe")
def vocabulary_permuted(s, patch):
    order = list(range(len(s.backbone.tokenizer)))
    order[5:] = order[:4:-1]
    pieces(s, lambda piece: replace(piece, ids=tuple(order[i] for i in piece.ids)))


# --- padding ----------------------------------------------------------------------------------


@fault("top_blocks", "padding_read", "replay_differs")
def padding_on_the_left_of_the_ids_alone(s, patch):
    def left(batch, own):
        for row, piece in enumerate(own):
            ids = batch.inputs["input_ids"]
            ids[row] = ids[row].roll(ids.shape[1] - len(piece.ids))
        return batch

    batches(s, left)


@fault("full", "padding_read")
def mask_of_ones_everywhere(s, patch):
    batches(s, lambda batch, own: _filled(batch, 1))


@fault("full", "activations_not_finite")
def mask_of_zeros_everywhere(s, patch):
    batches(s, lambda batch, own: _filled(batch, 0))


def _filled(batch: Any, value: int) -> Any:
    batch.inputs["attention_mask"].fill_(value)
    return batch


@fault("causal", "scores_constant")
def answer_read_at_position_zero(s, patch):
    pieces(s, lambda piece: replace(piece, reads=(0,) * len(piece.reads)))


# --- prompts and texts ------------------------------------------------------------------------


def prompt(template: str, words: Any = (("good",), ("bad",))) -> Callable[..., None]:
    def ask(s: Any, patch: pytest.MonkeyPatch) -> None:
        s.prompts = (Prompt(template, words),)

    return ask


FAULTS["template_whose_text_is_behind_the_answer"] = Fault(
    "causal", frozenset({"template_hides_text"}), prompt("it was {answer} {text}")
)
FAULTS["label_words_the_same"] = Fault(
    "words",
    frozenset({"verbalizer_collides"}),
    prompt("{text} it was {answer}", (("good",), ("good",))),
)
FAULTS["label_words_unknown"] = Fault(
    "words",
    frozenset({"word_unreadable"}),
    prompt("{text} it was {answer}", (("splendid",), ("bad",))),
)


@fault("words", "rows_look_alike")
def template_without_text(s, patch):
    s.prompts = (Prompt("it was {answer}", (("good",), ("bad",))),)


@fault("words", "prompt_missing")
def prompt_cut_away(s, patch):
    pieces(s, lambda piece: _without(piece, len(piece.ids) - 4, len(piece.ids) - 2))


def _without(piece: Any, start: int, end: int) -> Any:
    """The piece without two of its tokens; its reads move along."""
    kept = [i for i in range(len(piece.ids)) if not start - 1 <= i < end - 1]
    reads = tuple(kept.index(place) for place in piece.reads)
    return replace(piece, ids=tuple(piece.ids[i] for i in kept), reads=reads)


@fault("words", "answer_slot_missing", "prompt_missing")
def answer_slot_cut_away(s, patch):
    def cut(piece):
        return replace(piece, ids=piece.ids[:-2], reads=(len(piece.ids) - 3,))

    pieces(s, lambda piece: cut(piece) if piece.reads else piece)


@fault("asked", "answer_slot_missing")
def answer_read_beside_the_mask(s, patch):
    pieces(s, lambda piece: replace(piece, reads=tuple(place - 1 for place in piece.reads)))


@fault("asked", "words_equal")
def words_of_equal_scores(s, patch):
    after(patch, s.backbone, "scores", lambda found, *_, **__: found[:, :1].repeat(2, axis=1))


@fault("words", "worse_than_chance", "reload_differs")
def words_exchanged_at_the_end(s, patch):
    from supertune.training import readout

    after(
        patch,
        readout.TrainedWords,
        "fixed",
        lambda found, own: replace(found, owners=found.owners[::-1], bias=found.bias[::-1].copy()),
    )


@fault("lora", "rows_look_alike")
def prefix_that_leaves_no_room(s, patch):
    s.encoding = replace(s.encoding, max_length=6, prefix="the long story of two " * 3)


@fault("probe", "text_missing")
def some_texts_empty(s, patch):
    s.examples = replace(s.examples, inputs=("", "", *s.examples.inputs[2:]))


@fault("lora", "text_missing")
def all_texts_empty(s, patch):
    s.examples = replace(s.examples, inputs=("",) * len(s.examples))


# --- evaluation and loading -------------------------------------------------------------------


@fault("lora", "evaluation_differs")
def adapters_off_at_evaluation(s, patch):
    from supertune.training.loop import TunedBackbone

    def frozen(own, inputs, lens):
        values = lens.backbone.features(lens.backbone.tokens(inputs, lens.encoding), lens.encoding)
        return own.readout.apply(values)

    patch.setattr(TunedBackbone, "logits", frozen)


@fault("top_blocks", "evaluation_differs", "stale_cache")
def dropout_on_at_evaluation(s, patch):
    import torch

    for module in s.backbone.model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.3
    s.backbone.model.eval = s.backbone.model.train


@fault("lora", "evaluation_differs")
def tuned_numbers_lost_at_exit(s, patch):
    kind = kinds()["lora"]
    real = kind.state
    patch.setattr(kind, "state", lambda own: {n: a * 0 for n, a in real(own).items()})


@fault("lora", "reload_differs")
def adapter_not_loaded(s, patch):
    from supertune.backbones.transformers.tuning.base import TunableModel

    patch.setattr(TunableModel, "keep", lambda self, state: setattr(self, "_kept", dict(state)))


@fault("top_blocks", "reload_differs")
def numbers_of_another_fit_loaded(s, patch):
    from supertune.backbones.transformers.tuning.base import TunableModel

    real = TunableModel.keep
    patch.setattr(
        TunableModel,
        "keep",
        lambda self, state: real(self, {n: a + 0.1 * _noise(a) for n, a in state.items()}),
    )


@fault("lora", "reload_differs")
def head_made_anew_at_load(s, patch):
    from supertune.training import readout

    after(
        patch,
        readout,
        "restored",
        lambda head, *_: replace(head, weight=_noise(head.weight)),
    )


@fault("probe", "reload_differs")
def head_saved_without_its_bias(s, patch):
    from supertune.methods.linear_probe import LinearProbe

    after(patch, LinearProbe, "restore", lambda head, *_: replace(head, bias=np.float32([0.5, 0])))


# --- the suite --------------------------------------------------------------------------------


@pytest.fixture
def broken(setting, opened, monkeypatch):
    """``broken("learning_rate_of_zero")``: what the run with this fault says of itself."""

    def run(name: str) -> set[str]:
        one = FAULTS[name]
        made = setting(one.setting)
        made.opened = opened
        one.breaks(made, monkeypatch)
        found: set[str] = made.run()
        return found

    return run


@pytest.mark.parametrize("name", sorted(FAULTS.keys() - MISSED.keys()))
def test_a_fault_is_named(broken, name):
    found = broken(name)
    assert found & FAULTS[name].codes, found


@pytest.mark.parametrize("name", sorted(MISSED))
def test_a_fault_that_is_listed_as_missed_is_missed(broken, name):
    assert broken(name) == set()


def test_at_least_forty_faults_are_tried_and_all_but_two_caught():
    assert len(FAULTS) >= 40
    assert MISSED.keys() <= FAULTS.keys()
    assert len(MISSED) <= 2
