import pytest

from supertune.errors import InputError
from supertune.methods.lora import METHOD
from supertune.training import fitting


def test_rank_alpha_and_targets_reach_peft(lens, news, problem_of):
    options = METHOD.options(rank=2, alpha=6, targets=("query",), blocks=(5,), epochs=1)
    tuned = fitting.fit(METHOD, problem_of(news.take(range(8)), lens), options)
    state = tuned.state()
    assert {key: state.adapter_config[key] for key in ("r", "lora_alpha")} == {
        "r": 2, "lora_alpha": 6,
    }  # fmt: skip
    assert sorted(array.shape for array in state.adapter.values()) == [(2, 384), (384, 2)]
    assert all("layer.5" in name and "query" in name for name in state.adapter)
    assert tuned.tuned_parameters == 2 * 2 * 384 + 384 * 5 + 5


@pytest.mark.parametrize("block", [6, -1])
def test_a_block_that_the_backbone_lacks_is_refused_with_those_it_has(
    lens, news, problem_of, block
):
    with pytest.raises(InputError) as caught:
        fitting.fit(METHOD, problem_of(news, lens), METHOD.options(blocks=(block,)))
    assert caught.value.code == "block_out_of_range"
    assert caught.value.allowed == "0 to 5"


def test_a_target_that_the_backbone_lacks_is_refused(lens, news, problem_of):
    before = lens.backbone.fingerprint()
    with pytest.raises(InputError) as caught:
        fitting.fit(METHOD, problem_of(news, lens), METHOD.options(targets=("q_prod",)))
    assert caught.value.code == "target_not_found"
    assert lens.backbone.fingerprint() == before


def test_the_family_of_lora_is_options(lens):
    options = METHOD.options(
        rank=4, alpha=8, lora_dropout=0.1, use_rslora=True, use_dora=True, init="pissa"
    )
    assert METHOD.injection(lens.backbone.offer, options).settings == {
        "r": 4, "lora_alpha": 8, "lora_dropout": 0.1, "use_rslora": True, "use_dora": True,
        "init_lora_weights": "pissa", "target_modules": None,
    }  # fmt: skip
    plain = METHOD.injection(lens.backbone.offer, METHOD.options()).settings
    assert plain["init_lora_weights"] is True


@pytest.mark.parametrize("init", ["gaussian", "orthogonal", "pissa", "olora"])
def test_however_it_starts_it_is_restored_bit_for_bit(lens, news, problem_of, init):
    options = METHOD.options(init=init, epochs=1, blocks=(5,))
    part = news.take(range(8))
    before = lens.backbone.fingerprint()
    tuned = fitting.fit(METHOD, problem_of(part, lens), options)
    expected = tuned.logits(part.inputs, lens)
    again = fitting.restore(METHOD, tuned.state(), options, problem_of(part).head, lens)
    assert again.logits(part.inputs, lens).tobytes() == expected.tobytes()
    assert lens.backbone.fingerprint() == before
