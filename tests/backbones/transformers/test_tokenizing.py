"""How texts become token ids."""

from __future__ import annotations

import time

import pytest

from supertune.backbones.transformers.batching import Piece
from supertune.contracts import Encoding

LONG = " ".join(f"word{i % 97}" for i in range(900))
TEXTS = ["A short text.", "", "日本語のテキスト", "👍🏽 ok", LONG, " spaces   and\ttabs\n"]


@pytest.fixture(scope="module")
def plain():
    """The tokenizer as a person would load it."""
    from transformers import AutoTokenizer

    from supertune.catalogue.resolve import resolve

    def load(name):
        return AutoTokenizer.from_pretrained(str(resolve(name).folder))

    return load


def ids(backbone, inputs, **encoding):
    return [
        [list(p.ids) for p in pieces] for pieces in backbone.tokens(inputs, Encoding(**encoding))
    ]


@pytest.mark.parametrize("limit", [8, 64, 256])
def test_a_text_has_the_tokens_that_its_tokenizer_gives_it(minilm, plain, limit):
    expected = plain("minilm")(TEXTS, truncation=True, max_length=limit)["input_ids"]
    assert ids(minilm, TEXTS, max_length=limit) == [[one] for one in expected]


def test_e5_reads_its_own_prefix_before_each_text(e5, plain):
    expected = plain("e5-small")(["query: " + text for text in TEXTS[:4]])["input_ids"]
    assert ids(e5, TEXTS[:4]) == [[one] for one in expected]


def test_a_prefix_that_is_asked_for_replaces_that_of_the_model(e5, plain):
    tokenizer = plain("e5-small")
    for prefix in ("", "passage: "):
        expected = tokenizer([prefix + "A text"])["input_ids"]
        assert ids(e5, ["A text"], prefix=prefix) == [expected]


def test_no_piece_is_longer_than_the_model_reads(minilm):
    ((piece,),) = minilm.tokens([LONG], Encoding(max_length=4000))
    assert len(piece.ids) == minilm.offer.max_length == 256


def test_a_pair_is_two_texts_with_their_own_types(minilm, plain):
    coded = plain("minilm")("A question?", "An answer.")
    ((piece,),) = minilm.tokens([("A question?", "An answer.")], Encoding())
    assert piece == Piece(tuple(coded["input_ids"]), tuple(coded["token_type_ids"]))


def test_a_long_pair_loses_tokens_of_its_longer_text(minilm, plain):
    coded = plain("minilm")("A question?", LONG, truncation=True, max_length=40)
    for how in ("truncate", "head_tail", "chunk"):
        encoding = Encoding(max_length=40, long_text=how)
        ((piece,),) = minilm.tokens([("A question?", LONG)], encoding)
        assert list(piece.ids) == coded["input_ids"]


def test_texts_and_pairs_of_one_call_do_not_change_one_another(minilm):
    mixed = ["A text.", ("A question?", "An answer."), ("One alone",), LONG]
    for how in ("truncate", "chunk"):
        encoding = Encoding(max_length=32, long_text=how)
        together = minilm.tokens(mixed, encoding)
        assert together == [minilm.tokens([one], encoding)[0] for one in mixed]
        assert together[2] == minilm.tokens(["One alone"], encoding)[0]


def test_a_text_that_fits_is_the_same_however_long_ones_are_read(minilm, e5, tiny):
    for backbone in (minilm, e5, tiny("t5"), tiny("llama"), tiny("gpt2")):
        short = ["a film was good", "the long story"]
        expected = ids(backbone, short)
        assert ids(backbone, short, long_text="head_tail") == expected
        assert ids(backbone, short, long_text="chunk") == expected


@pytest.mark.parametrize("name", ["minilm", "e5", "t5", "llama", "gpt2"])
def test_head_and_tail_are_the_first_and_last_tokens_in_the_models_own_frame(
    name, minilm, e5, tiny
):
    backbone = {"minilm": minilm, "e5": e5}.get(name) or tiny(name)
    words = ["the", "a", "film", "was", "good"] * 9 + ["bad"]
    text = " ".join(words)
    whole = ids(backbone, [text], max_length=64)[0][0]
    opening, closing = backbone._tokens.opening, backbone._tokens.closing
    (cut,) = ids(backbone, [text], max_length=20, long_text="head_tail")[0]
    room = 20 - len(opening) - len(closing)
    content = whole[len(opening) : len(whole) - len(closing)]
    kept = content[: room - room // 2] + content[len(content) - room // 2 :]
    assert cut == [*opening, *kept, *closing]
    assert len(cut) == 20


@pytest.mark.parametrize("family", ["bert", "t5", "llama", "gpt2"])
def test_the_special_tokens_stand_where_the_tokenizer_puts_them(tiny, family):
    framed = {"bert": ([0], [2]), "t5": ([], [2]), "llama": ([0], []), "gpt2": ([], [])}
    tokens = tiny(family)._tokens
    assert (tokens.opening, tokens.closing) == framed[family]


def test_chunks_hold_every_token_once_and_each_has_its_frame(minilm, plain):
    content = plain("minilm")(LONG, add_special_tokens=False, verbose=False)["input_ids"]
    chunks = ids(minilm, [LONG], max_length=50, long_text="chunk")[0]
    assert all((chunk[0], chunk[-1]) == (101, 102) for chunk in chunks)
    assert [token for chunk in chunks for token in chunk[1:-1]] == content
    assert {len(chunk) for chunk in chunks[:-1]} == {50}


@pytest.mark.parametrize("how", ["truncate", "head_tail", "chunk"])
def test_a_text_of_nothing_has_a_token_all_the_same(minilm, tiny, smollm2, how):
    for backbone in (minilm, tiny("gpt2"), smollm2):
        for pieces in backbone.tokens(["", " ", "\n\t"], Encoding(long_text=how)):
            assert [len(piece.ids) >= 1 for piece in pieces] == [True]


def test_nothing_asked_is_nothing_tokenised(minilm):
    assert minilm.tokens([], Encoding()) == []


def test_half_a_surrogate_pair_is_read_as_the_replacement_character(minilm):
    assert minilm.tokens(["a \ud83d b"], Encoding()) == minilm.tokens(["a \ufffd b"], Encoding())


def test_the_first_page_of_megabytes_is_read_in_no_time(minilm):
    text = "A sentence of the usual kind, and so on. " * 150_000
    start = time.perf_counter()
    ((piece,),) = minilm.tokens([text], Encoding())
    assert time.perf_counter() - start < 1
    assert list(piece.ids) == ids(minilm, [text[:20_000]])[0][0]


def test_a_text_of_little_but_blanks_is_read_to_its_end(minilm):
    text = " " * 300_000 + "the end"
    assert minilm.tokens([text], Encoding()) == minilm.tokens(["the end"], Encoding())
    pair = ("the end", text)
    assert minilm.tokens([pair], Encoding()) == minilm.tokens([("the end", "the end")], Encoding())
