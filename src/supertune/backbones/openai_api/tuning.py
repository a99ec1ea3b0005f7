"""A fine-tuning job from rows to the name of a tuned model, once and no more.

Upload, create, follow, clean up; each step is written down before the next (`job_states`) and
looked for at the server before it is taken, so that whoever asks for the same again goes on from
there. Ctrl-C ends the waiting and not the job.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from supertune.backbones.openai_api import job_states
from supertune.backbones.openai_api.chat_file import ChatFile, epochs_for, named_rows
from supertune.backbones.openai_api.client import Unanswered, host
from supertune.backbones.openai_api.counting import Price
from supertune.backbones.openai_api.job_errors import broken, gone, other_epochs, refused, stopped
from supertune.backbones.openai_api.job_states import JobState, key_of, known
from supertune.backbones.openai_api.jobs import ENDED, STAMINA, Jobs
from supertune.backbones.openai_api.sending import Sender
from supertune.catalogue.places import room
from supertune.catalogue.placing import alone
from supertune.contracts import Finding, JobAsked, JobDone, Told
from supertune.contracts.remote import Sent
from supertune.errors import InputError

SOON, SLOWER, LATE = 0.2, 1.5, 15.0  # seconds between two looks: the first, its growth, the most


@dataclass(eq=False)
class Tuning:
    """One job of one fit.

    Attributes:
        files: by what they are for; ``"training"`` and perhaps ``"validation"``.
        price: of a million tokens trained on; None where it is not known.
        sources: of the rows, for the account.
    """

    sender: Sender
    asked: JobAsked
    files: Mapping[str, ChatFile]
    price: Price | None
    sources: tuple[str, ...]
    told: Told | None = None
    _held: float | None = None  # the cost at most, put aside
    _earlier: bool = False  # the job was begun by another run
    _losses: dict[float, float] = field(default_factory=dict)
    _message: str = ""
    _steps: tuple[int, int | None] = (0, None)

    @property
    def epochs(self) -> int:
        return self.asked.epochs or epochs_for(len(self.files["training"]))

    @property
    def tokens(self) -> int:
        """Trained on in all, as estimated."""
        return self.files["training"].tokens * self.epochs

    @property
    def _where(self) -> str:
        return host(self.sender.client.url)

    @property
    def _sent(self) -> Sent:
        name = f"a fine-tuning job of {self.sender.model}"
        one = self.sender.terms.account.of(name, self._where)
        one.priced = "" if self.price is None else self.price.seen
        return one

    @property
    def key(self) -> str:
        said, sender = self.asked, self.sender
        settings = [self.epochs, said.batch_size, said.learning_rate_multiplier, said.seed]
        data = [self.files[name].data for name in sorted(self.files)]
        return key_of(sender.client.url, sender.model, [*settings, said.suffix], *data)

    def done(self) -> JobDone:
        """The tuned model.

        Raises:
            InputError: no consent, a limit that might be passed, a file or settings that the
                server refuses, a job that was cancelled.
            EnvironmentFault: the server or the job failed.
        """
        state, account = known(self.key, self.sender.client.url, self.sender.model), self._sent
        account.how = self._how(state)
        if self.sender.terms.account.dry:
            return self._foreseen(state)
        room(job_states.ROOM)
        jobs = Jobs(self.sender.client)
        try:
            with alone(state.path):
                state = known(self.key, state.server, state.model)
                self._earlier = bool(state.job)
                if not self._earlier:
                    state = self._begun(jobs, state)
            self.sender.terms.account.note(account, self.sources, fresh=not self._earlier)
            if not state.checkpoint:
                state = self._ended(jobs, *self._followed(jobs, state))
            account.how = self._how(state)
            return self._result(jobs, state)
        except Unanswered as error:
            raise broken(error, state, self._where) from None

    def _how(self, state: JobState) -> str:
        training = self.files["training"]
        how = f"{self.epochs} epochs of {len(training)} rows, {training.tokens:,} tokens each"
        if self.price is not None and not state.job:
            most = self.price.training(training.most * self.epochs)
            how += f", and {most:.6f} at most however the server counts"
        if state.job:
            how += f"; job {state.job}" + (", of an earlier run" if self._earlier else "")
        return how

    def _foreseen(self, state: JobState) -> JobDone:
        """What it would take; nothing where it is under way or done already."""
        account, sent = self.sender.terms.account, self._sent
        if not state.job:
            requests = len(self.files) + 1
            for number in range(requests):
                account.begin(sent, None, self.sender.terms)
                tokens = self.tokens if number == requests - 1 else 0
                cost = None if self.price is None else self.price.training(tokens)
                account.end(sent, None, (tokens, 0), cost, estimated=True)
        account.note(sent, self.sources, fresh=not state.job)
        name = state.checkpoint or f"{self.sender.model}, tuned"
        return JobDone(name, state.job, self.epochs, self.tokens, counted=False)

    # --- once ---------------------------------------------------------------------------------

    def _begun(self, jobs: Jobs, state: JobState) -> JobState:
        """Uploaded and created, each written down."""
        self._consent(len(self.sources))
        begun = self._put_aside()
        if not state.begun:
            state = state.written()
        for name, file in self.files.items():
            if name in state.files:
                continue
            self._say(f"upload {len(file)} rows", 0, None)
            called = f"supertune-{self.key}-{name}.jsonl"
            id_ = jobs.upload(called, file.data, begun, since=state.begun)
            state = state.written(files={**state.files, name: id_})
        state = state.written(rows=len(self.files["training"]), epochs=self.epochs)
        created = self._created(jobs, state, begun)
        state = state.written(job=str(created["id"]), status=str(created.get("status", "")))
        self._epochs_are_ours(jobs, state, created)
        return state

    def _consent(self, count: int) -> None:
        if not self.sender.terms.allowed:
            raise InputError(
                "remote_not_allowed",
                f"Rows would leave this machine for {self._where}, and nobody has allowed it.",
                received=f"{count} rows to be uploaded for a fine-tuning job of "
                f"{self.sender.model}",
                allowed="--allow-remote, or SUPERTUNE_ALLOW_REMOTE=1 in the environment",
                next="`supertune plan` with the same options says what would be sent and what it "
                "costs; then add --allow-remote.",
            )

    def _put_aside(self) -> Any:
        """All requests and the cost at most, before the first of them; what counts those that are
        needed beyond."""
        terms, training = self.sender.terms, self.files["training"]
        most = None if self.price is None else self.price.training(training.most * self.epochs)
        needed = len(self.files) + 1
        self._affordable(most, needed)
        for number in range(needed):
            last = number == needed - 1
            terms.account.begin(self._sent, most if last else None, terms)
            if not last:
                terms.account.end(self._sent, None, (0, 0), 0.0)
        self._held, left = most, needed

        def begin() -> None:
            nonlocal left
            left -= 1
            if left < 0:  # another attempt
                terms.account.begin(self._sent, None, terms)
                terms.account.end(self._sent, None, (0, 0), 0.0)

        return begin

    def _affordable(self, most: float | None, needed: int) -> None:
        """Refused in words of its own where the limit stands below what a job may cost."""
        terms = self.sender.terms
        spent, requests = terms.account.cost, terms.account.requests
        if terms.max_requests is not None and requests + needed > terms.max_requests:
            raise InputError(
                "max_requests_reached",
                "A fine-tuning job takes more requests than are left; nothing was uploaded.",
                received=f"{requests} requests sent, {needed} needed",
                allowed=f"at most {terms.max_requests}",
                next="Raise --max-requests. `supertune plan` says how many are needed; looks at "
                "how a job is going are not counted.",
            )
        if terms.max_cost is not None and most is not None and spent + most > terms.max_cost:
            assert self.price is not None
            raise InputError(
                "max_cost_reached",
                "The job might cost more than the limit; nothing was uploaded.",
                received=f"about {self.price.training(self.tokens):.6f} expected, "
                f"{spent + most:.6f} at most, since only the server's tokenizer counts exactly",
                allowed=f"at most {terms.max_cost:.6f}",
                next=f"Raise --max-cost to {spent + most:.6f}, or lower --set epochs=1 or the "
                "number of rows.",
            )

    def _created(self, jobs: Jobs, state: JobState, begun: Any) -> dict[str, Any]:
        """By ``method``, or by ``hyperparameters`` where the server knows only these."""
        asked = self.asked
        numbers = {
            "n_epochs": self.epochs,
            "batch_size": asked.batch_size,
            "learning_rate_multiplier": asked.learning_rate_multiplier,
        }
        numbers = {name: value for name, value in numbers.items() if value is not None}
        body: dict[str, Any] = {
            "model": self.sender.model,
            "training_file": state.files["training"],
            "seed": asked.seed,
        }
        if "validation" in state.files:
            body["validation_file"] = state.files["validation"]
        if asked.suffix:
            body["suffix"] = asked.suffix
        method = {"type": "supervised", "supervised": {"hyperparameters": numbers}}
        self._say("create a fine-tuning job", 0, None)
        try:
            return jobs.create({**body, "method": method}, begun)
        except Unanswered as error:
            if error.status in (400, 422) and "method" in error.what:
                return jobs.create({**body, "hyperparameters": numbers}, begun)
            if error.status in (400, 404, 405, 422):
                self._clean(jobs, state)
                state.gone()
                raise refused(error, self.sender.model, self._where) from None
            raise

    def _epochs_are_ours(self, jobs: Jobs, state: JobState, created: Mapping[str, Any]) -> None:
        """A server that takes no notice of how many epochs are asked for would cost more."""
        said = _epochs_of(created)
        unsaid = said is None and self.sender.terms.max_cost is None
        if unsaid or said == self.epochs:
            return
        jobs.cancel(state.job)
        self._clean(jobs, state)
        state.gone()
        self._paid((0, 0), counted=False)
        raise other_epochs(said, self.epochs, state, self._where)

    # --- until its end ------------------------------------------------------------------------

    def _followed(self, jobs: Jobs, state: JobState) -> tuple[JobState, dict[str, Any]]:
        """The job once it has ended."""
        seen: set[str] = set()
        pause = SOON
        try:
            while True:
                reply = jobs.job(state.job, STAMINA)
                status = str(reply["status"])
                if status != state.status:
                    state = state.written(status=status)
                self._heard(jobs, state, reply, seen)
                if status in ENDED:
                    return state, reply
                time.sleep(pause)
                pause = min(LATE, pause * SLOWER)
        except KeyboardInterrupt as stop:
            stop.add_note(
                f"The job {state.job} goes on at {self._where} and is paid for (`supertune jobs "
                f"cancel {state.job}` ends it)"
            )
            raise
        except Unanswered as error:
            if error.status == 404:
                raise gone(error, state, self._where) from None
            raise

    def _heard(self, jobs: Jobs, state: JobState, reply: Mapping[str, Any], seen: set[str]) -> None:
        """Status, trained tokens and what the server says on the way."""
        try:
            events = jobs.events(state.job, seen)
        except Unanswered:
            events = []  # a server without events tunes as well
        for one in events:
            data = one.get("data")
            if isinstance(data, dict) and "step" in data:
                self._step(data)
            elif one.get("message"):
                self._message = self.sender.client.scrubbed(one["message"], 100)
        tokens = reply.get("trained_tokens")
        trained = f", {tokens:,} tokens trained" if isinstance(tokens, int) else ""
        said = f" ({self._message})" if self._message else ""
        self._say(f"{state.job}: {state.status}{trained}{said}", *self._steps)

    def _step(self, data: Mapping[str, Any]) -> None:
        try:
            step, total = int(data["step"]), data.get("total_steps")
            if data.get("train_loss") is not None:
                self._losses[step] = float(data["train_loss"])
        except (TypeError, ValueError):
            return
        self._steps = (step, total if isinstance(total, int) else None)

    def _ended(self, jobs: Jobs, state: JobState, reply: Mapping[str, Any]) -> JobState:
        """Written down that it succeeded, and what it took; or why it did not."""
        said = reply.get("trained_tokens")
        counted = isinstance(said, int)
        tokens = said if isinstance(said, int) else self.tokens
        name = reply.get("fine_tuned_model")
        succeeded = state.status == "succeeded" and isinstance(name, str)
        if not self._earlier:
            self._paid((tokens if succeeded or counted else 0, 0), counted=counted)
        if succeeded:
            losses = [[step, loss] for step, loss in sorted(self._losses.items())]
            return state.written(
                checkpoint=str(name), tokens=tokens, counted=counted, losses=losses
            )
        self._clean(jobs, state)
        state.gone()
        words = self.sender.client.scrubbed(_said(reply), 300)
        raise stopped(state, words + named_rows(words, self.files["training"]), self._where)

    def _result(self, jobs: Jobs, state: JobState) -> JobDone:
        findings = () if self.asked.keep_file else self._clean(jobs, state)
        losses = tuple((step, loss) for step, loss in state.losses)
        return JobDone(
            state.checkpoint,
            state.job,
            self.epochs,
            state.tokens,
            state.counted,
            losses,
            findings,
        )

    def _paid(self, tokens: tuple[int, int], *, counted: bool) -> None:
        cost = None if self.price is None else self.price.training(tokens[0])
        account = self.sender.terms.account
        account.end(self._sent, self._held, tokens, cost, estimated=not counted)
        self._held = None

    def _clean(self, jobs: Jobs, state: JobState) -> tuple[Finding, ...]:
        """The uploaded rows are deleted at the server."""
        left = {}
        for name, id_ in state.files.items():
            try:
                jobs.delete(id_)
            except Unanswered as error:
                left[name] = f"{id_} ({error.what})"
        if not left:
            if state.files:
                state.written(files={})
            return ()
        message = (
            f"Uploaded rows are still at {self._where}: {', '.join(left.values())}. "
            f"`supertune jobs forget {state.job}` deletes them."
        )
        return (Finding("upload_not_deleted", message),)

    def _say(self, stage: str, done: int, total: int | None) -> None:
        if self.told is not None:
            self.told(stage, done, total)


def _epochs_of(job: Mapping[str, Any]) -> int | None:
    """That a server says it will do; None where it does not say."""
    method = job.get("method")
    inner = method.get("supervised") if isinstance(method, dict) else None
    for held in (inner, job):
        numbers = held.get("hyperparameters") if isinstance(held, dict) else None
        said = numbers.get("n_epochs") if isinstance(numbers, dict) else None
        if isinstance(said, int):
            return said
    return None


def _said(job: Mapping[str, Any]) -> str:
    """Why a job ended, in the server's words."""
    error = job.get("error")
    held = error if isinstance(error, dict) else {}
    return (
        " ".join(str(held[name]) for name in ("code", "message") if held.get(name)) or "no reason"
    )
