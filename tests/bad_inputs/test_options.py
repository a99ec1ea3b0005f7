"""Options, settings, recipes and outputs that are refused before anything is trained."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.bad_inputs.conftest import GOOD, ROWS, Bad, Make, Refused, both, file, good

QUICK = ("--method", "bag_of_words")


def asked(code: str, *options: str, said: str = "") -> Bad:
    """The good rows with options that are not."""
    return Bad(code, good, ("rows.csv", *options), said)


def setting(code: str, *pairs: str, said: str = "", method: str = "auto") -> Bad:
    given = [part for pair in pairs for part in ("--set", pair)]
    return asked(code, "--method", method, *given, said=said)


def recipe(code: str, content: str | bytes, said: str = "") -> Bad:
    make = both(good, file(content, "recipe.yaml"))
    return Bad(code, make, ("rows.csv", "--recipe", "recipe.yaml"), said)


def occupied(name: str) -> Make:
    """A folder at ``name`` that holds a letter."""

    def make(here: Path) -> None:
        good(here)
        (here / name).mkdir()
        (here / name / "letter.txt").write_text("dear")

    return make


TWO_TEXTS = "title,body,label\n" + "".join(f"t{i},{text},{y}\n" for i, (text, y) in enumerate(ROWS))

OPTIONS = {
    "no data at all": Bad("no_data", arguments=()),
    "an unknown option": asked("no_such_option", "--methood", "lora", said="methood"),
    "an unknown method": asked("unknown_method", "--method", "lorra", said="'lora'"),
    "an unknown task": asked("unknown_task", "--task", "text_clasification", said="Did you mean"),
    "an unknown metric": asked("unknown_metric", "--metric", "acuracy", said="'accuracy'"),
    "a metric of several labels": asked("metric_does_not_fit", "--metric", "micro_f1"),
    "a label column that is near another": asked(
        "label_column_missing", "--label", "lable", said="'label'"
    ),
    "a text column that is not there": asked("text_column_missing", "--text", "review"),
    "a group column that is not there": asked("group_column_missing", "--group", "customer"),
    "a slice column that is not there": asked("slice_column_missing", "--slice", "shop"),
    "a column as text and label": asked("column_twice", "--text", "label", "--label", "label"),
    "a text column twice": asked("column_twice", "--text", "text", "--text", "text"),
    "a pair of one column": asked("pair_needs_two_columns", "--text", "text", "--pair"),
    "a pair with a template": Bad(
        "pair_needs_two_columns",
        file(TWO_TEXTS),
        (
            *("rows.csv", "--text", "title", "--text", "body", "--pair"),
            *("--template", "{title} {body}"),
        ),
    ),
    "a template of an unknown column": asked(
        "template_column_missing", "--template", "{txet}", said="text"
    ),
    "a template with an open brace": asked("bad_template", "--template", "{text"),
    "a template without a column": asked("bad_template", "--template", "hello"),
    "a template that leaves a column out": Bad(
        "template_leaves_out",
        file(TWO_TEXTS),
        ("rows.csv", "--text", "title", "--text", "body", "--template", "{title}"),
    ),
    "a prompt that hides the text": asked(
        "template_hides_text", "--template", "It was {answer}.", said="{text}"
    ),
    "a prompt of two answers": asked(
        "template_answers_twice", "--template", "{text} {answer} {answer}", said="character"
    ),
    "a prompt of an unknown column": asked(
        "template_column_missing", "--template", "{txet} was {answer}", said="text"
    ),
    "a prompt of two texts for rows of one": asked(
        "unknown_template_field", "--template", "{text1} or {text2}: {answer}", said="{text}"
    ),
    "a prompt with an open brace": asked(
        "bad_template", "--template", "{text} was {answer", said="character 12"
    ),
    "a pair whose prompt shows one column": Bad(
        "unknown_template_field",
        file(TWO_TEXTS),
        (
            *("rows.csv", "--text", "title", "--text", "body", "--pair"),
            *("--template", "{text} {answer}"),
        ),
        "{text1} and {text2}",
    ),
    "words for an unknown label": asked(
        "unknown_label", "--verbalizer", "god=great; bad=awful", said="'good'"
    ),
    "words for one label of two": asked("label_without_words", "--verbalizer", "good=great"),
    "the same word for two labels": asked(
        "verbalizer_collides", "--verbalizer", "good=so,fine; bad=FINE", said="for bad and for good"
    ),
    "an empty word": asked("empty_word", "--verbalizer", "good=great,; bad=awful", said="good"),
    "words without a label": asked("bad_verbalizer", "--verbalizer", "great", said="JSON"),
    "words in broken JSON": asked("bad_verbalizer", "--verbalizer", '{"good": ', said="JSON"),
    "words that are numbers in a list": asked(
        "bad_verbalizer", "--verbalizer", '{"good": [1], "bad": "x"}', said="'good'"
    ),
    "an unknown preset": asked("unknown_preset", "--preset", "sentimant", said="'sentiment'"),
    "a preset of an unknown language": asked("unknown_preset", "--preset", "spam/xx"),
    "a preset with an unknown number": asked("unknown_preset", "--preset", "spam/fr/9"),
    "an instruction that shows the text": setting(
        "instruction_shows_text", "instruction=Is {text} good?"
    ),
    "a recipe whose words are true": recipe(
        "bad_recipe", "verbalizer: {good: yes, bad: no}\n", "quotes"
    ),
    "rows with answers of which one is written otherwise": Bad(
        "marker_missing",
        file("".join(f"Text: {t} Label: {y}\n" for t, y in ROWS) + "Txt: x Label: good\n"),
        said="row 9",
    ),
    "rows with answers that differ by one": Bad(
        "one_class",
        file("".join(f"Text: {t} Label: good\n" for t, _ in ROWS)),
    ),
    "an empty separator": asked("bad_separator", "--separator", ""),
    "a time limit of nothing": asked("bad_parameter", "--time-limit", "0"),
    "a negative time limit": asked("bad_parameter", "--time-limit", "-5"),
    "a time limit in parsecs": asked("bad_parameter", "--time-limit", "3parsecs", said="2m"),
    "a time limit of nothing in a setting": setting("bad_recipe", "time_limit=0"),
    "no candidates": asked("bad_parameter", "--max-candidates", "0"),
    "a seed that is a word": asked("bad_parameter", "--seed", "lucky"),
    "a negative seed": asked("bad_recipe", "--seed", "-1", said="seed"),
    "no threads": asked("bad_parameter", "--threads", "0"),
    "an unknown device": asked("device_unavailable", "--device", "abacus", "--method", "lora"),
    "a device that is not there": asked(
        "device_unavailable", "--device", "cuda:7", "--method", "linear_probe"
    ),
    "a setting without a value": setting("bad_setting", "rank"),
    "a setting without a key": setting("bad_setting", "=4"),
    "an unknown setting": setting("bad_recipe", "rnak=4", method="lora", said="rnak"),
    "a method's setting without the method": setting("bad_recipe", "rank=4", said="--method"),
    "negative epochs": setting("bad_option", "epochs=-3", method="lora", said="epochs"),
    "epochs that are a word": setting("bad_option", "epochs=many", method="lora"),
    "a rank of nothing": setting("bad_option", "rank=0", method="lora", said="rank"),
    "blocks that the backbone lacks": setting(
        "bad_option", "blocks=99", "backbone=minilm", method="lora", said="99"
    ),
    "a learning rate of nothing": setting("bad_option", "learning_rate=0", method="full"),
    "one fold": setting("bad_recipe", "folds=1", said="folds"),
    "an unknown way with long texts": setting("bad_recipe", "long_text=shorten"),
    "a cost matrix of the wrong shape": setting(
        "bad_cost_matrix", "cost_matrix=[[0, 1, 2], [1, 0, 2], [1, 2, 0]]", said="2 x 2"
    ),
    "a ragged cost matrix": setting("bad_cost_matrix", "cost_matrix=[[0, 1], [1]]"),
    "a cost matrix of words": setting("bad_recipe", "cost_matrix=[[0, dear], [1, 0]]"),
    "the metric cost without costs": asked("metric_does_not_fit", "--metric", "cost"),
    "a class weight of an unknown label": setting(
        "unknown_label", 'class_weights={"god": 2}', said="'good'"
    ),
    "a negative class weight": setting("bad_class_weight", 'class_weights={"good": -2}'),
    "a method that needs a backbone, without": asked(
        "nothing_fits", "--method", "lora", "--backbone", "none"
    ),
    "a backbone that is an empty folder": Bad(
        "not_a_backbone", occupied("bb"), ("rows.csv", "--backbone", "./bb"), "bb"
    ),
    "a recipe that is not there": asked("recipe_missing", "--recipe", "none.yaml"),
    "a recipe that is a folder": Bad(
        "recipe_unreadable", occupied("r"), ("rows.csv", "--recipe", "r")
    ),
    "a recipe that is no YAML": recipe("recipe_unreadable", "folds: [1, 2"),
    "a recipe that is a list": recipe("recipe_unreadable", "- folds\n- 3\n"),
    "a recipe of bytes": recipe("recipe_unreadable", b"\xff\xfe\x00\x01"),
    "a recipe with an unknown key": recipe("bad_recipe", "fold: 3\n", "folds"),
    "a recipe with several mistakes": recipe(
        "bad_recipe", "folds: 0\nrepeats: many\nmax_length: 2\n", "repeats"
    ),
    "a recipe of an unknown data set": Bad(
        "unknown_data_set",
        file("data: {dataset: bbc-newz}\n", "recipe.yaml"),
        ("--recipe", "recipe.yaml"),
        "bbc-news",
    ),
    "a recipe with an unreadable draw": Bad(
        "bad_recipe",
        file("data: {dataset: bbc-news, per_class: many}\n", "recipe.yaml"),
        ("--recipe", "recipe.yaml"),
    ),
    "an output that is a file": Bad(
        "output_is_file", good, ("rows.csv", *QUICK, "-o", "rows.csv", "--overwrite")
    ),
    "an output without its folder": asked(
        "output_parent_missing", *QUICK, "-o", "not/there", said="mkdir"
    ),
    "an output below a file": asked("output_parent_missing", *QUICK, "-o", "rows.csv/model"),
    "an output that is the folder one is in": asked("output_is_current_folder", "-o", "."),
    "an output that holds something else": Bad(
        "output_exists", occupied("m"), ("rows.csv", *QUICK, "-o", "m")
    ),
    "an output that is no model, to overwrite": Bad(
        "output_not_a_model", occupied("m"), ("rows.csv", *QUICK, "-o", "m", "--overwrite")
    ),
    "an output where nothing can be written": asked(
        "output_unwritable", *QUICK, "-o", "/proc/model"
    ),
    "an output with a NUL in its name": asked("bad_parameter", *QUICK, "-o", "mo\0del"),
    "going on from nowhere": asked("model_missing", "--from", "no-model"),
    "going on from a file": asked("not_a_model", "--from", "rows.csv"),
}


@pytest.mark.parametrize("name", OPTIONS)
def test_a_bad_option_is_refused(refused: Refused, here: Path, name: str) -> None:
    bad = OPTIONS[name]
    bad.make(here)
    output = () if "-o" in bad.arguments else ("-o", "model")
    refused("fit", *bad.arguments, *output, code=bad.code, said=bad.said)


def test_the_good_rows_are_good(supertune, here: Path) -> None:
    """Otherwise everything above might be refused for another reason."""
    (here / "rows.csv").write_text(GOOD)
    done = supertune("fit", "rows.csv", *QUICK, "--set", "repeats=1", "-o", "model", "--json")
    assert done.code == 0, done.out


@pytest.mark.slow
def test_a_target_that_the_backbone_lacks_is_refused(refused: Refused, here: Path) -> None:
    # Only peft can tell, and importing it takes longer than all refusals together.
    pytest.importorskip("peft")
    pytest.importorskip("transformers")
    good(here)
    options = ("--method", "lora", "--backbone", "minilm", "--set", 'targets=["nowhere"]')
    arguments = ("rows.csv", *options, "-o", "model")
    refused("fit", *arguments, code="target_not_found", said="nowhere")
