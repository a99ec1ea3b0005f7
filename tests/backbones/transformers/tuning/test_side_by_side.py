"""Several LoRA adapters in one model: each row gets what its adapter alone gives it."""

from __future__ import annotations

import numpy as np
import pytest

from supertune.contracts import Encoding, Injection, Prompt

TEXTS = [
    "A short one.",
    "Something longer, about the weather of yesterday and of today.",
    "Prices rose by three percent.",
    "A short one.",
    "The second half was played in heavy rain, and nobody scored.",
    "No.",
]
PLAIN = Encoding()
QUERY = {"r": 4, "lora_alpha": 8}


def lora(backbone, seed, blocks=(3, 4, 5), **settings):
    """An adapter whose numbers all differ from nothing."""
    tunable = backbone.inject(Injection("LORA", blocks, {**QUERY, **settings}), seed=seed)
    rng = np.random.default_rng(seed)
    shifted = {n: a + rng.normal(0, 0.05, a.shape).astype("f4") for n, a in tunable.kept.items()}
    tunable.keep(shifted)
    return tunable


def alone(backbone, tunable, texts, encoding, words=False):
    read = backbone.scores if words else backbone.features
    with tunable:
        return read(backbone.tokens(texts, encoding), encoding, exact=False)


def apart(one, other):
    return np.abs(one - other).max() / np.abs(other).max()


def check(backbone, tunables, which, encoding=PLAIN, texts=TEXTS, words=False):
    with backbone.join(tunables) as joined:
        tokens = backbone.tokens(texts, encoding)
        found = joined.vectors(tokens, which, encoding, words=words)
    expected = [alone(backbone, t, texts, encoding, words) for t in tunables]
    own = np.stack([expected[number][row] for row, number in enumerate(which)])
    assert apart(found, own) < 1e-5
    other = np.stack(
        [expected[(number + 1) % len(tunables)][row] for row, number in enumerate(which)]
    )
    assert apart(found, other) > 1e-3
    return found


def test_each_row_goes_through_its_own_adapter(minilm):
    before = minilm.fingerprint()
    check(minilm, [lora(minilm, seed) for seed in range(4)], [3, 1, 0, 2, 2, 1])
    assert minilm.fingerprint() == before
    assert not minilm.tuned


@pytest.mark.parametrize(
    "changes",
    [
        {"r": 2},
        {"r": 16, "lora_alpha": 3},
        {"use_rslora": True},
        {"blocks": (5,)},
        {"blocks": None},
        {"target_modules": ["key", "dense"]},
    ],
    ids=str,
)
def test_adapters_may_differ_in_rank_scale_and_place(minilm, changes):
    tunables = [lora(minilm, 0), lora(minilm, 1, **changes), lora(minilm, 2)]
    assert {tunable.joins for tunable in tunables} == {"lora"}
    check(minilm, tunables, [0, 1, 2, 1, 0, 1])


def test_a_text_asked_of_several_adapters_is_computed_once_below_them(minilm, monkeypatch):
    rows = []
    entering = minilm.entering
    monkeypatch.setattr(
        minilm,
        "entering",
        lambda batch, cut: rows.append(len(batch.inputs["input_ids"])) or entering(batch, cut),
    )
    texts = [TEXTS[1]] * 4 + [TEXTS[2]] * 2
    check(minilm, [lora(minilm, seed) for seed in range(4)], [0, 1, 2, 3, 2, 1], texts=texts)
    assert rows == [2]


def test_pieces_of_a_long_text_go_through_one_adapter(minilm):
    encoding = Encoding(max_length=8, long_text="chunk")
    check(minilm, [lora(minilm, seed) for seed in range(3)], [0, 1, 2, 0, 1, 2], encoding)


@pytest.mark.parametrize(
    "family", ["bert", "gpt2", "llama", "masked-bert", "electra", "mpnet", "t5"]
)
def test_any_architecture_that_keeps_rows_apart(tiny, family):
    backbone = tiny(family)
    blocks = tuple(range(1, backbone.offer.depth))
    tunables = [lora(backbone, seed, blocks, target_modules="all-linear") for seed in range(3)]
    assert tunables[0].joins == "lora"
    check(backbone, tunables, [0, 1, 2, 0, 1, 2])


def test_layers_that_are_given_the_tokens_of_all_rows_in_one_are_left_alone(tiny):
    opt = tiny("opt")
    attention, both = (
        lora(opt, 0, (2, 3), target_modules=[*names]) for names in (["q_proj"], ["q_proj", "fc1"])
    )
    assert (attention.joins, both.joins) == ("lora", None)


def test_label_words_are_read_through_each_rows_own_adapter(smollm2):
    prompt = Prompt("{text} It was {answer}", (("good",), ("bad", "awful")))
    tunables = [lora(smollm2, seed, (28, 29)) for seed in range(2)]
    check(smollm2, tunables, [0, 1, 1], Encoding(prompt=prompt), TEXTS[:3], words=True)


def test_nothing_is_left_behind_when_a_run_fails(minilm):
    tunables = [lora(minilm, seed) for seed in range(2)]
    expected = alone(minilm, tunables[0], TEXTS, Encoding())
    with pytest.raises(ValueError, match="zip"), minilm.join(tunables) as joined:
        joined.vectors(minilm.tokens(TEXTS, Encoding()), [0], Encoding())
    assert not minilm.tuned
    assert minilm.extend is None
    np.testing.assert_array_equal(alone(minilm, tunables[0], TEXTS, Encoding()), expected)


def test_while_several_are_in_the_model_another_is_refused(minilm):
    tunables = [lora(minilm, seed) for seed in range(2)]
    refused = pytest.raises(RuntimeError, match="has tuned numbers in it")
    with minilm.join(tunables), refused, tunables[0]:
        pass
    with tunables[0], refused, minilm.join(tunables):
        pass


@pytest.mark.parametrize(
    "injection",
    [
        Injection("LORA", (5,), {"use_dora": True}),
        Injection("LORA", (5,), {"init_lora_weights": "pissa"}),
        Injection("LORA", (5,), {"rank_pattern": {"query": 2}}),
        Injection("LORA", (5,), {"bias": "lora_only"}),
        Injection("IA3", (5,), {}),
        Injection("adapter", (5,), {}),
        Injection("unfreeze", (5,), {}),
    ],
    ids=lambda injection: str({injection.kind: dict(injection.settings)}),
)
def test_what_is_more_than_two_factors_goes_in_alone(minilm, injection):
    assert minilm.inject(injection, seed=0).joins is None


# --- taking up numbers that were tuned before ----------------------------------------------------


@pytest.mark.parametrize("changes", [{}, {"use_dora": True}, {"target_modules": "all-linear"}])
def test_numbers_are_taken_up_as_peft_would(minilm, changes):
    first = lora(minilm, 3, **changes)
    again = minilm.inject(first.injection, seed=0, numbers=first.kept)
    assert again.tuned_parameters == first.tuned_parameters
    assert again.config() == first.config()
    encoding = Encoding()
    np.testing.assert_array_equal(
        alone(minilm, again, TEXTS, encoding), alone(minilm, first, TEXTS, encoding)
    )


def test_loading_a_plain_adapter_does_not_take_the_model_apart(minilm, monkeypatch):
    first, odd = lora(minilm, 3), lora(minilm, 3, use_dora=True)
    entered = []
    enter = type(first).__enter__
    monkeypatch.setattr(type(first), "__enter__", lambda own: entered.append(own) or enter(own))
    minilm.inject(first.injection, seed=0, numbers=first.kept)
    assert not entered
    minilm.inject(odd.injection, seed=0, numbers=odd.kept)
    assert len(entered) == 1
