"""A small server of ours that has fine-tuning jobs, on loopback, for tests.

It is not OpenAI's and not a product. What is tuned is real, and is not a language model: behind
each job supertune fits a linear probe on the vectors of minilm, from the lines of the file that was
uploaded, and chats with the words that it learned there. It counts what is uploaded, created,
trained on and deleted, and does wrong what a test asks for.
"""

from __future__ import annotations

import json
import math
import re
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from tests.openai_server import Counted, Handler, Hashes, Refused, Reply, Server, _chat_reply

ENDED = ("succeeded", "failed", "cancelled")


class Heeding:
    """What both of the following have: no vectors, and an ear for some fields alone."""

    routes = ("chat/completions",)
    heeds: tuple[str, ...] = ("top_logprobs", "response_format")

    def embeddings(self, texts: list[str]) -> tuple[np.ndarray, int]:
        raise Refused(404, "it has no vectors")

    def heeded(self, body: Mapping[str, Any]) -> dict[str, Any]:
        optional = {"top_logprobs", "response_format"} - set(self.heeds)
        return {name: value for name, value in body.items() if name not in optional}


class Untuned(Heeding, Counted):
    """What can be tuned: it chats with words by a hash, of tokens that are really counted."""

    def __init__(self) -> None:
        super().__init__("smollm2")

    def count(self, messages: Any) -> int:
        said = self.tokenizer.apply_chat_template(messages, tokenize=False)
        return len(self.tokenizer(said, add_special_tokens=False)["input_ids"])


class Quick(Heeding, Hashes):
    """The same without any weights, for what goes on around a job."""

    def __init__(self, *heeds: str) -> None:
        super().__init__()
        self.heeds = heeds or Heeding.heeds

    def chat(self, body: Mapping[str, Any]) -> Reply:
        return super().chat(self.heeded(body))

    def count(self, messages: Any) -> int:
        return sum(len(one["content"].split()) + 5 for one in messages)


class Probe(Heeding):
    """A linear probe on minilm, fitted by supertune on (what the user said, what was answered)."""

    def __init__(self, base: Any, chats: list[list[dict[str, str]]]) -> None:
        from supertune import pipeline
        from supertune.config import Recipe
        from supertune.contracts import Examples
        from supertune.pipeline import Candidate, Workshop

        self.base = base
        texts = tuple(chat[1]["content"] for chat in chats)
        said = [chat[2]["content"] for chat in chats]
        self.words = tuple(sorted(set(said)))
        targets = np.array([self.words.index(word) for word in said])
        keys = {"threads": 1, "precision": "fp32", "max_length": 64}
        self.workshop = Workshop(Recipe(method="linear_probe", backbone="minilm", **keys))
        self.examples = Examples(texts, targets, self.words, np.arange(1, len(texts) + 1))
        one = Candidate("minilm", "linear_probe")
        self.tuned = pipeline.tune(self.workshop, one, self.examples)

    def log_shares(self, texts: tuple[str, ...]) -> np.ndarray:
        logits = self.tuned.logits(texts, self.workshop.lens("minilm"))
        return np.asarray(logits - np.logaddexp.reduce(logits, axis=1)[:, None])

    def loss(self) -> float:
        found = self.log_shares(self.examples.inputs)
        targets = self.examples.targets
        assert targets is not None
        return -float(np.mean(found[np.arange(len(targets)), targets]))

    def chat(self, body: Mapping[str, Any]) -> Reply:
        shares = self.log_shares((str(body["messages"][-1]["content"]),))[0]
        order = np.argsort(shares)[::-1]
        top = [(self.words[i], float(shares[i])) for i in order]
        count = int(body.get("top_logprobs") or 0)
        return _chat_reply(top[0][0], top[:count], self.base.count(body["messages"]), 1)


class Dice(Quick):
    """What a job of `Quick` becomes: no weights, and words of its own."""

    def __init__(self, base: Any, chats: list[list[dict[str, str]]]) -> None:
        super().__init__(*base.heeds)

    def loss(self) -> float:
        return math.log(2)


class JobServer(Server):
    """``with JobServer(base=Untuned()) as server``; models named ``fixed-…`` cannot be tuned.

    Attributes:
        files, jobs: by id, as the API shows them, deleted files no more.
        uploads, creations, cancels, deletions, looks: how often each was asked for and done.
        trained: tokens that were trained on, which is what would be charged.
        hold: jobs stay ``running`` while it is cleared.
        ends: how jobs end instead of being done: a status, and the server's words.
        old: jobs are created by ``hyperparameters`` alone; ``deaf``: the number of epochs is not
            heeded.
        looked: done to the next looks (GET), one each.
    """

    def __init__(self, *, key: str | None = None, **models: Any) -> None:
        super().__init__(key=key, **models)
        self.http.RequestHandlerClass = JobHandler
        self.files: dict[str, dict[str, Any]] = {}
        self.data: dict[str, bytes] = {}
        self.jobs: dict[str, dict[str, Any]] = {}
        self.events: dict[str, list[dict[str, Any]]] = {}
        self.uploads = self.creations = self.cancels = self.deletions = self.looks = 0
        self.trained = 0
        self.bodies: list[dict[str, Any]] = []
        self.hold = threading.Event()
        self.hold.set()
        self.ends: tuple[str, dict[str, Any]] | None = None
        self.old = self.deaf = self.jobless = False
        self.looked: deque[Callable[[Any, Callable[[], Reply]], None]] = deque()

    # --- files --------------------------------------------------------------------------------

    def upload(self, name: str, data: bytes) -> Reply:
        self.uploads += 1
        made = {
            "id": f"file-{self.uploads}",
            "object": "file",
            "bytes": len(data),
            "filename": name,
            "purpose": "fine-tune",
        }
        self.files[made["id"]], self.data[made["id"]] = made, data
        return made

    def delete(self, name: str) -> Reply:
        if self.files.pop(name, None) is None:
            raise Refused(404, f"No such File object: {name}")
        self.deletions += 1
        return {"id": name, "object": "file", "deleted": True}

    # --- jobs ---------------------------------------------------------------------------------

    def create(self, body: dict[str, Any]) -> Reply:
        model = self.models.get(body["model"])
        if model is None or body["model"].startswith("fixed"):
            raise Refused(400, f"Model {body['model']} is not available for fine-tuning")
        if self.old and "method" in body:
            raise Refused(400, "Unrecognized request argument supplied: method")
        if body["training_file"] not in self.files:
            raise Refused(400, f"No such File object: {body['training_file']}")
        numbers = body.get("hyperparameters") or body["method"]["supervised"]["hyperparameters"]
        self.creations += 1
        self.bodies.append(body)
        numbers = {**numbers, "n_epochs": 40} if self.deaf else numbers
        job = {
            "id": f"ftjob-{self.creations}",
            "object": "fine_tuning.job",
            "model": body["model"],
            "training_file": body["training_file"],
            "validation_file": body.get("validation_file"),
            "status": "validating_files",
            "hyperparameters": numbers,
            "method": {"type": "supervised", "supervised": {"hyperparameters": numbers}},
            "error": {"code": None, "message": None, "param": None},
            "fine_tuned_model": None,
            "trained_tokens": None,
            "result_files": [],
            "seed": body.get("seed"),
        }
        self.jobs[job["id"]], self.events[job["id"]] = job, []
        shown = json.loads(json.dumps(job))
        threading.Thread(target=self._run, args=(job, model), daemon=True).start()
        return dict(shown)

    def _run(self, job: dict[str, Any], model: Any) -> None:
        name, epochs = job["id"], job["hyperparameters"]["n_epochs"]
        self._tell(name, f"Created fine-tuning job: {name}")
        lines = self.data[job["training_file"]].decode().split("\n")[:-1]
        chats = [json.loads(line)["messages"] for line in lines]
        job["status"] = "running"
        self._tell(name, "Fine-tuning job started")
        self.hold.wait(30)
        if job["status"] in ENDED:
            return
        if self.ends is not None:
            job["error"] = self.ends[1]
            job["status"] = self.ends[0]
            return
        kind = Dice if isinstance(model, Quick) else Probe
        for step, part in enumerate((chats[: len(chats) // 2], chats), 1):
            tuned = kind(model, part)  # what half of the file teaches, then all of it
            data = {"step": step, "total_steps": 2, "train_loss": tuned.loss()}
            self._tell(name, f"Step {step}/2", data)
        tokens = epochs * sum(model.count(chat) for chat in chats)
        with self.lock:
            self.trained += tokens
            made = f"ft:{job['model']}:tests::{name}"
            self.models[made] = tuned
        job |= {"fine_tuned_model": made, "trained_tokens": tokens}
        job["status"] = "succeeded"

    def _tell(self, name: str, message: str, data: Any = None) -> None:
        events = self.events[name]
        kind = "message" if data is None else "metrics"
        events.append(
            {
                "object": "fine_tuning.job.event",
                "id": f"{name}-event-{len(events)}",
                "level": "info",
                "message": message,
                "type": kind,
                "data": data,
            }
        )

    def cancel(self, name: str) -> Reply:
        job = self._job(name)
        if job["status"] in ENDED:
            raise Refused(400, f"Job {name} has already ended")
        self.cancels += 1
        job["status"] = "cancelled"
        return job

    def _job(self, name: str) -> dict[str, Any]:
        if name not in self.jobs:
            raise Refused(404, f"Could not find fine tune: {name}")
        return self.jobs[name]

    def look(self, path: str) -> Reply:
        if self.jobless and "fine_tuning" in path:
            raise Refused(404, "Invalid URL")
        if path == "/v1/files":
            return _listed([*self.files.values()])
        if path == "/v1/fine_tuning/jobs":
            return _listed([*self.jobs.values()][::-1])
        if match := re.fullmatch(r"/v1/fine_tuning/jobs/([^/]+)/events", path):
            self._job(match[1])
            return _listed(self.events[match[1]][::-1])
        if match := re.fullmatch(r"/v1/fine_tuning/jobs/([^/]+)", path):
            return self._job(match[1])
        raise Refused(404, f"Invalid URL (GET {path})")

    def ended(self, count: int = 1) -> bool:
        """Whether so many jobs have, within ten seconds."""
        stop = time.monotonic() + 10
        while time.monotonic() < stop:
            if sum(job["status"] in ENDED for job in self.jobs.values()) >= count:
                return True
            time.sleep(0.01)
        return False


def _listed(data: list[Any]) -> Reply:
    return {"object": "list", "data": data, "has_more": False}


class JobHandler(Handler):
    @property
    def owner(self) -> JobServer:
        return self.server.owner  # type: ignore[attr-defined,no-any-return]

    def do_GET(self) -> None:  # noqa: N802  as http.server calls it
        self.owner.looks += 1
        path = self.path.partition("?")[0]
        fault = self.owner.looked.popleft() if self.owner.looked else None
        self._answered(lambda: self.owner.look(path), fault)

    def do_DELETE(self) -> None:  # noqa: N802  as http.server calls it
        self._answered(lambda: self.owner.delete(self.path.rpartition("/")[2]))

    def do_POST(self) -> None:  # noqa: N802  as http.server calls it
        if not self.path.startswith(("/v1/files", "/v1/fine_tuning")):
            super().do_POST()
            return
        owner, body = self.owner, self.rfile.read(int(self.headers.get("Content-Length") or 0))
        with owner.lock:
            owner.requests += not self.path.endswith("/cancel")
            fault = owner.faults.popleft() if owner.faults else owner.always
        if self.path == "/v1/files":
            self._answered(lambda: owner.upload(*_part(body)), fault)
        elif self.path.endswith("/cancel"):
            self._answered(lambda: owner.cancel(self.path.split("/")[-2]), fault)
        else:
            self._answered(lambda: owner.create(json.loads(body)), fault)

    def _answered(self, answer: Callable[[], Reply], fault: Any = None) -> None:
        owner = self.owner
        try:
            if owner.key and self.headers.get("Authorization") != f"Bearer {owner.key}":
                raise Refused(401, f"Incorrect API key: {self.headers.get('Authorization')}")
            if fault is not None:
                fault(self, answer)
            else:
                self.json(200, answer())
        except Refused as error:
            held = {"message": error.message, "type": "error", "code": error.code}
            self.json(error.status, {"error": held}, **error.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True


def _part(body: bytes) -> tuple[str, bytes]:
    """Name and content of the file in a multipart body."""
    match = re.search(rb'filename="([^"]+)"[^\r\n]*\r\n(?:[^\r\n]+\r\n)*\r\n', body)
    assert match is not None
    end = body.index(b"\r\n--", match.end())
    return match[1].decode(), body[match.end() : end]


def charged_and_dropped(handler: Any, answer: Callable[[], Reply]) -> None:
    """It is done, and the connection ends before the answer."""
    answer()
    handler.close_connection = True
