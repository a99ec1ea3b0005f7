import pytest

from supertune.errors import InputError
from supertune.methods.lora import METHOD
from supertune.training import fitting


@pytest.mark.parametrize(
    ("blocks", "expected"),
    [("upper", (3, 4, 5)), ("all", (0, 1, 2, 3, 4, 5)), ((5, 1), (1, 5))],
)
def test_blocks_are_the_upper_half_all_or_those_named(lens, blocks, expected):
    injection = METHOD.injection(lens.backbone.offer, METHOD.options(blocks=blocks))
    assert injection.blocks == expected  # lowest first: it is the cut


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
