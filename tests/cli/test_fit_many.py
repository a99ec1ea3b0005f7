"""``supertune fit-many``: what came of each file, and an exit code for all."""

from __future__ import annotations

from pathlib import Path

TOLD = ("--method", "bag_of_words", "--set", "advice=false", "--set", "repeats=1")


def test_each_file_is_told_and_one_that_is_refused_fails_the_run(supertune, tmp_path: Path) -> None:
    good, short = tmp_path / "good.csv", tmp_path / "short.csv"
    rows = [f"It was the best of {day},yes\nI was bored on {day},no" for day in "ABCDEF"]
    good.write_text("\n".join(["text,label", *rows]) + "\n")
    short.write_text("text,label\nonly one,yes\n")
    place = str(tmp_path / "models")
    done = supertune("fit-many", str(good), str(short), "-o", place, "--json", *TOLD)
    assert done.code == 2
    fitted, refused = done.answer["models"]
    assert (fitted["status"], fitted["method"]) == ("fitted", "bag_of_words")
    assert refused["error"]["code"]
    assert "same command again" in done.answer["next"][0]
    again = supertune("fit-many", str(good), "-o", place, *TOLD)
    assert again.code == 0
    assert "there" in again.out
    assert f"supertune predict {place}/good NEW.csv" in again.out.replace("\n", "")
