"""Fine-tuning jobs at a server that does wrong: one upload, one job, and an error that says what.

What the jobs make has no weights (`Quick`): what is tested is what goes on around a job.
tests/methods/test_fine_tuning_job.py has jobs that tune.
"""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.openai_jobs import JobServer, Quick, charged_and_dropped
from tests.openai_server import Fault, Refused, cut, dropped, raw, status

from supertune.backbones.openai_api import job_states, jobs, sending, tuning
from supertune.config import Recipe
from supertune.contracts import Encoding, JobAsked, JobDone, Prompt, fine_tuning_of
from supertune.errors import SupertuneError
from supertune.pipeline import Workshop

KEY = "sk-planted-0123456789abcdef"
PROMPT = Prompt("{text} It was {answer}.", (("great",), ("terrible",)))
PRICES = {"input": 1.0, "output": 1.0, "training": 1000.0, "tuned": {"input": 2.0, "output": 2.0}}
_numbers = iter(range(10_000))


@pytest.fixture(autouse=True)
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sending, "FIRST", 0.01)
    monkeypatch.setattr(jobs, "FIRST", 0.01)
    monkeypatch.setattr(tuning, "SOON", 0.005)
    monkeypatch.setattr(tuning, "LATE", 0.02)


@pytest.fixture
def server() -> Iterator[JobServer]:
    with JobServer(base=Quick(), **{"fixed-base": Quick()}) as one:
        yield one


@pytest.fixture
def prices(tmp_path: Path) -> str:
    path = tmp_path / "prices.json"
    path.write_text(json.dumps({"base": PRICES}), "utf-8")
    return str(path)


def asked(count: int = 12, **changes: Any) -> JobAsked:
    """Rows that nobody has asked about before."""
    number = next(_numbers)
    texts = tuple(f"film {number} of a series, part {part}" for part in range(count))
    answers = tuple(("great", "terrible")[part % 2] for part in range(count))
    rows = tuple(range(1, count + 1))
    return JobAsked(PROMPT, texts, answers, rows, ("review",), epochs=2, **changes)


def tune(server: JobServer, rows: JobAsked, model: str = "base", **keys: Any) -> JobDone:
    """By a workshop of its own, as another process would."""
    recipe = Recipe(base_url=server.url, threads=1, **{"allow_remote": True, **keys})
    workshop = Workshop(recipe)
    lens = workshop.lens(f"openai:{model}")
    assert lens is not None
    server.account = workshop.account  # type: ignore[attr-defined]
    return fine_tuning_of(lens.backbone).fine_tune(rows, lens.encoding, None)


def counted(server: JobServer) -> tuple[int, int]:
    return server.uploads, server.creations


def test_a_job_is_uploaded_created_followed_and_its_file_deleted(server: JobServer) -> None:
    done = tune(server, asked())
    assert done.checkpoint == "ft:base:tests::ftjob-1"
    assert (done.epochs, done.tokens, done.counted) == (2, server.trained, True)
    assert len(done.losses) == 2
    assert counted(server) == (1, 1)
    assert not server.files
    assert server.bodies[0]["method"]["supervised"]["hyperparameters"] == {"n_epochs": 2}


def test_the_same_again_asks_for_no_second_job_and_another_setting_does(server: JobServer) -> None:
    rows = asked()
    first = tune(server, rows)
    looks = server.looks
    again = tune(server, rows)
    assert {**vars(again)} == {**vars(first)}
    assert (*counted(server), server.looks) == (1, 1, looks)  # nobody is asked at all
    tune(server, JobAsked(**{**vars(rows), "epochs": 3}))
    tune(server, JobAsked(**{**vars(rows), "seed": 1}))
    assert counted(server) == (3, 3)


def well(handler: Any, answer: Callable[[], Any]) -> None:
    """No fault: so that the upload is answered and the creation is not."""
    handler.json(200, answer())


PASSING: dict[str, list[Fault]] = {
    "429 at the upload": [status(429)],
    "500 at the upload": [status(500)] * 2,
    "dropped before the upload was answered": [dropped],
    "uploaded, and dropped": [charged_and_dropped],
    "uploaded, and cut": [cut],
    "uploaded, and broken": [raw(lambda data: data[:-9])],
    "created, and dropped": [well, charged_and_dropped],
    "created, and cut": [well, cut],
    "503 at the creation": [well, status(503)],
    "created too early": [well, status(400, "File is being processed and not ready to be used.")],
}


@pytest.mark.parametrize("name", PASSING)
def test_whatever_passes_there_is_one_upload_and_one_job(server: JobServer, name: str) -> None:
    rows = asked()
    tune(server, asked())  # so that nothing else is asked of this server
    server.faults.extend(PASSING[name])
    done = tune(server, rows)
    assert done.checkpoint
    assert not server.faults
    assert counted(server) == (2, 2)


def test_errors_on_the_way_are_waited_out(server: JobServer) -> None:
    rows = asked()
    tune(server, asked())
    passing = [status(429), status(500), dropped, cut, status(503, Retry_After="0.01")]
    server.looked.extend([*passing, well, *passing, well, *passing])
    assert tune(server, rows).checkpoint
    assert not server.looked
    assert counted(server) == (2, 2)


ENDS: dict[str, tuple[str, dict[str, Any], str, str]] = {
    "a file that the server refuses": (
        "failed",
        {"code": "invalid_training_file", "message": "Line 3 of the file has an empty message."},
        "training_file_refused",
        "row 3 of the source",
    ),
    "a job that fails": (
        "failed",
        {"code": "server_error", "message": f"Something broke. Bearer {KEY}"},
        "job_failed",
        "server_error",
    ),
    "a job that is cancelled elsewhere": (
        "cancelled",
        {"code": None, "message": None},
        "job_cancelled",
        "ftjob-1",
    ),
}


@pytest.mark.parametrize("name", ENDS)
def test_a_job_that_ends_without_a_model_says_why_and_leaves_no_rows_there(
    server: JobServer, name: str
) -> None:
    ended, said, code, shown = ENDS[name]
    server.ends = ended, said
    rows = asked()
    with pytest.raises(SupertuneError) as caught:
        tune(server, rows)
    assert (caught.value.code, caught.value.exit_code) == (code, 2)
    assert shown in str(caught.value)
    assert KEY not in str(caught.value)
    assert not server.files
    server.ends = None
    assert tune(server, rows).job == "ftjob-2"  # begun anew


def test_a_tuned_model_that_was_deleted_is_missed_by_name(server: JobServer) -> None:
    rows = asked()
    recipe = Recipe(base_url=server.url, threads=1, allow_remote=True)
    lens = Workshop(recipe).lens("openai:base")
    assert lens is not None
    done = tune(server, rows)
    del server.models[done.checkpoint]
    with pytest.raises(SupertuneError) as caught:
        lens.under(Encoding(prompt=PROMPT, checkpoint=done.checkpoint)).scores(rows.inputs)
    assert caught.value.code == "checkpoint_missing"
    assert "supertune jobs forget" in str(caught.value.next)


def test_a_file_that_could_not_be_deleted_is_told_and_deleted_later(server: JobServer) -> None:
    rows, delete = asked(), server.delete

    def refuse(name: str) -> Any:
        raise Refused(403, "no")

    server.delete = refuse  # type: ignore[method-assign]
    (finding,) = tune(server, rows).findings
    assert finding.code == "upload_not_deleted"
    assert "file-1" in finding.message
    server.delete = delete  # type: ignore[method-assign]
    assert tune(server, rows).findings == ()
    assert not server.files


def test_what_a_server_will_not_tune_is_refused_and_its_file_deleted(server: JobServer) -> None:
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked(), "fixed-base")
    assert caught.value.code == "job_refused"
    assert (server.uploads, server.deletions, server.creations) == (1, 1, 0)


def test_a_server_of_the_older_form_is_asked_in_it(server: JobServer) -> None:
    server.old = True
    assert tune(server, asked()).checkpoint
    assert server.bodies[0]["hyperparameters"] == {"n_epochs": 2}


def test_a_server_that_trains_longer_than_it_was_asked_is_stopped(server: JobServer) -> None:
    server.deaf = True
    server.hold.clear()
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked())
    assert caught.value.code == "job_differs"
    assert (server.creations, server.cancels, server.trained) == (1, 1, 0)
    assert not server.files


def test_a_server_without_jobs_does_not_offer_them(server: JobServer) -> None:
    server.jobless = True
    offer = Workshop(Recipe(base_url=server.url)).offer("openai:base")
    assert "fine_tuning" not in offer.capabilities
    assert "score_text" in offer.capabilities


def test_a_model_that_may_not_be_asked_for_vectors_is_asked_in_words(server: JobServer) -> None:
    server.faults.append(status(403, "You are not allowed to generate embeddings from this model"))
    offer = Workshop(Recipe(base_url=server.url)).offer("openai:base")
    assert {"score_text", "fine_tuning"} <= offer.capabilities
    assert "features" not in offer.capabilities


def test_nothing_is_uploaded_without_consent(server: JobServer) -> None:
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked(), allow_remote=False)
    assert caught.value.code == "remote_not_allowed"
    assert counted(server) == (0, 0)


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"max_requests": 5}, "max_requests_reached"),  # four find out what the server does
        ({"max_cost": 0.5}, "max_cost_reached"),
    ],
)
def test_a_limit_that_might_be_passed_uploads_nothing(
    server: JobServer, prices: str, keys: dict[str, Any], code: str
) -> None:
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked(), prices=prices, **keys)
    assert caught.value.code == code
    assert counted(server) == (0, 0)


def test_a_limit_holds_by_what_the_server_counts(server: JobServer, prices: str) -> None:
    rows = asked()
    with pytest.raises(SupertuneError) as caught:
        tune(server, rows, prices=prices, max_cost=0.01)
    needed = float(str(caught.value.next).split("--max-cost to ")[1].split(",")[0])
    tune(server, rows, prices=prices, max_cost=needed)
    assert 0 < server.trained * 1000 / 1e6 <= needed
    assert server.account.cost == pytest.approx(  # type: ignore[attr-defined]
        server.trained * 1000 / 1e6, rel=0.01
    )


def test_a_limit_of_costs_without_a_price_of_training_is_refused(
    server: JobServer, tmp_path: Path
) -> None:
    (tmp_path / "p.json").write_text('{"base": {"input": 1}}', "utf-8")
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked(), prices=str(tmp_path / "p.json"), max_cost=9)
    assert caught.value.code == "price_unknown"
    assert "training" in str(caught.value)
    assert counted(server) == (0, 0)


def test_rows_that_cannot_be_learned_from_are_named_before_anything_is_sent(
    server: JobServer,
) -> None:
    rows = asked()
    texts = (*rows.inputs[:3], "  ", *rows.inputs[4:])
    with pytest.raises(SupertuneError) as caught:
        tune(server, JobAsked(**{**vars(rows), "inputs": texts}))
    assert caught.value.code == "rows_not_trainable"
    assert "row 4, column 'review': no text" in str(caught.value)
    with pytest.raises(SupertuneError) as caught:
        tune(server, asked(9))
    assert "9 rows to learn from, of which 10 are needed" in str(caught.value)
    assert counted(server) == (0, 0)


def test_rows_of_a_validation_file_are_not_in_the_other(server: JobServer) -> None:
    tune(server, asked(14, held=(2, 7)))
    assert counted(server) == (2, 1)
    learned, held = (
        [json.loads(line)["messages"][1]["content"] for line in data.decode().splitlines()]
        for data in server.data.values()
    )
    assert (len(learned), len(held)) == (12, 2)
    assert not set(learned) & set(held)
    assert server.bodies[0]["validation_file"] == "file-2"


@pytest.fixture
def interruptible() -> Iterator[None]:
    """Ctrl-C raises, also where a shell started the tests behind it and has it ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interruptible")
def test_an_interrupted_wait_says_that_the_job_goes_on_and_finds_it_again(
    server: JobServer,
) -> None:
    rows = asked()
    tune(server, asked())

    def interrupt(handler: Any, answer: Callable[[], Any]) -> None:
        import _thread

        handler.json(200, answer())
        _thread.interrupt_main()

    server.hold.clear()
    server.looked.extend([well, well, interrupt])  # behind two looks for what is there already
    with pytest.raises(KeyboardInterrupt) as caught:
        tune(server, rows)
    assert "ftjob-2 goes on" in caught.value.__notes__[0]
    assert "supertune jobs cancel ftjob-2" in caught.value.__notes__[0]
    there = dict(server.jobs)
    server.jobs.clear()
    with pytest.raises(SupertuneError) as missed:
        tune(server, rows)
    assert missed.value.code == "job_missing"
    assert "supertune jobs forget ftjob-2" in str(missed.value.next)
    server.jobs.update(there)
    for path in (Path(os.environ["SUPERTUNE_CACHE"]) / job_states.ROOM).glob("*.json"):
        path.unlink()  # nor does it take what is known here, as on another machine
    server.hold.set()
    assert tune(server, rows).job == "ftjob-2"
    assert counted(server) == (2, 2)


def test_no_key_and_no_row_is_in_what_is_known_of_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with JobServer(base=Quick(), key=KEY) as server:
        rows = asked()
        tune(server, rows)
        server.ends = "failed", {"code": "x", "message": f"key {KEY} Bearer {KEY}"}
        with pytest.raises(SupertuneError) as caught:
            tune(server, asked())
    folder = Path(os.environ["SUPERTUNE_CACHE"]) / job_states.ROOM
    said = [path.read_text("utf-8") for path in folder.glob("*.json")]
    assert any("ftjob-1" in text for text in said)
    said += [str(caught.value), repr(caught.value)]
    assert not [text for text in said if KEY in text or KEY[3:] in text]
    assert not [text for text in said if rows.inputs[0] in text]


WAYS = {
    "log-probabilities": Quick("top_logprobs"),
    "structured answers": Quick("response_format"),
    "looking for the words": Quick("nothing"),
}


@pytest.mark.parametrize("how", WAYS)
def test_a_tuned_model_is_asked_as_its_server_allows(how: str) -> None:
    rows = asked()
    with JobServer(base=WAYS[how]) as server:
        recipe = Recipe(base_url=server.url, threads=1, allow_remote=True)
        workshop = Workshop(recipe)
        lens = workshop.lens("openai:base")
        assert lens is not None
        done = fine_tuning_of(lens.backbone).fine_tune(rows, lens.encoding, None)
        under = lens.under(Encoding(prompt=PROMPT, checkpoint=done.checkpoint))
        scores = under.scores(rows.inputs, prediction=True)
        before = server.requests
        np.testing.assert_array_equal(under.scores(rows.inputs), scores)
    assert server.requests == before
    assert scores.shape == (12, 2)
    assert len(np.unique(scores)) > 1
    sent = workshop.account.of(done.checkpoint, server.url[7:-3])
    assert how in sent.how
    assert sent.requests == 12


def test_a_tuned_model_that_answers_otherwise_than_its_backbone_is_looked_at_anew(
    server: JobServer,
) -> None:
    rows = asked()
    lens = Workshop(Recipe(base_url=server.url, threads=1, allow_remote=True)).lens("openai:base")
    assert lens is not None
    done = fine_tuning_of(lens.backbone).fine_tune(rows, lens.encoding, None)
    server.models[done.checkpoint] = Quick("response_format")
    under = lens.under(Encoding(prompt=PROMPT, checkpoint=done.checkpoint))
    assert under.scores(rows.inputs).shape == (12, 2)
    assert "structured" in lens.backbone._tuned[done.checkpoint].sender.sent.how  # type: ignore[attr-defined]


@pytest.mark.parametrize(("model", "costs"), [("gpt-4o-mini", True), ("gpt-4.1", False)])
def test_a_tuned_model_has_no_price_where_nobody_knows_it(model: str, costs: bool) -> None:
    with JobServer(**{model: Quick()}) as server:
        recipe = Recipe(base_url=server.url, threads=1, allow_remote=True)
        lens = Workshop(recipe).lens(f"openai:{model}")
        assert lens is not None
        sender = lens.backbone.sender.of_tuned(f"ft:{model}:tests::1")  # type: ignore[attr-defined]
    assert (sender.price is not None) == costs
