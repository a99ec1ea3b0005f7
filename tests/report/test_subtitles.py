"""Subtitles as players read them."""

from __future__ import annotations

import json

from supertune.contracts import Segment, Written
from supertune.report import subtitles

SAID = Written(
    "Hello <you>. " + "word " * 30,
    "en",
    (Segment(0.0, 1.5, "Hello <you>."), Segment(3599.9996, 3610.0, "word " * 30)),
)


def test_subrip_counts_pieces_and_splits_what_is_too_long_for_two_lines() -> None:
    blocks = subtitles.srt(SAID).split("\n\n")
    assert blocks[0] == "1\n00:00:00,000 --> 00:00:01,500\nHello <you>."
    assert blocks[1].startswith("2\n01:00:00,000 --> ")
    assert [block.split("\n")[0] for block in blocks] == ["1", "2", "3"]
    assert all(len(line) <= subtitles.LINE for block in blocks for line in block.split("\n"))
    assert "01:00:10,000" in blocks[2]


def test_webvtt_escapes_what_would_be_a_tag() -> None:
    text = subtitles.vtt(SAID)
    assert text.startswith("WEBVTT\n\n00:00:00.000 --> 00:00:01.500\nHello &lt;you&gt;.\n")


def test_text_and_json_hold_all_that_is_said() -> None:
    assert subtitles.txt(SAID) == f"{SAID.text}\n"
    assert json.loads(subtitles.FORMATS["json"](SAID))["segments"][0]["end"] == 1.5
