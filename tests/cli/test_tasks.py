"""``supertune tasks`` says what goes in, what comes out and how it is scored."""

from __future__ import annotations

from supertune import registry


def test_every_task_says_its_objective_metrics_and_methods(supertune) -> None:
    done = supertune("tasks", "--json")
    assert (done.code, done.err) == (0, "")
    told = {each["name"]: each for each in done.answer["tasks"]}
    assert set(told) == set(registry.names("tasks"))
    task = told["text_classification"]
    assert (task["objective"], task["modalities"]) == ("classify", ["text"])
    better = {each["name"]: each["better"] for each in task["metrics"]}
    assert better["accuracy"] == "higher"
    assert better["log_loss"] == "lower"
    assert task["default_metric"] in better
    assert {"linear_probe", "lora", "full", "bag_of_words"} <= set(task["methods"])
    assert done.answer["broken"] == []
    assert "supertune methods" in done.answer["next"]


def test_people_see_the_default_metric_and_a_next_step(supertune) -> None:
    done = supertune("tasks")
    assert "text_classification" in done.out
    assert "accuracy (default)" in done.out
    assert "Next\n  supertune methods" in done.out
