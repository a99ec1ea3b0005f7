"""A small server of ours that speaks some routes of the OpenAI API, on loopback, for tests.

It is not OpenAI's and not a product: behind it stand backbones of supertune (`Embeddings` of
minilm, `Chat` of smollm2), or `Hashes` where no weights are needed. It counts what it is asked and
what it would charge, and does wrong what `faults` says, one of them a request.
"""

from __future__ import annotations

import base64
import copy
import hashlib
import json
import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import numpy as np

Reply = dict[str, Any]
Fault = Callable[["Handler", Callable[[], Reply]], None]


class Refused(Exception):
    """An answer with an HTTP status of its own."""

    def __init__(self, status: int, message: str, code: str = "", **headers: str) -> None:
        super().__init__(message)
        self.status, self.message, self.code = status, message, code
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}


class Hashes:
    """Vectors and words by a hash of the text: for what goes on around an answer. ``heeds`` says
    of which fields it takes notice."""

    def __init__(
        self,
        width: int = 8,
        heeds: tuple[str, ...] = ("top_logprobs", "response_format"),
        routes: tuple[str, ...] = ("embeddings", "chat/completions"),
    ) -> None:
        self.width, self.heeds, self.routes = width, heeds, routes

    def embeddings(self, texts: list[str]) -> tuple[np.ndarray, int]:
        rows = [hashlib.sha256(text.encode()).digest()[: self.width] for text in texts]
        found = np.array([list(row) for row in rows], dtype=np.float32) / 255 - 0.5
        return found, sum(len(text.split()) + 2 for text in texts)

    def chat(self, body: Mapping[str, Any]) -> Reply:
        said = str(body["messages"][-1]["content"])
        words = str(body["messages"][0]["content"]).partition(": ")[2].split("; ")
        word = words[len(said) % len(words)] or "hello"
        schema = body.get("response_format") if "response_format" in self.heeds else None
        if schema:
            (held,) = schema["json_schema"]["schema"]["properties"].values()
            word = json.dumps({"answer": held["enum"][len(said) % len(held["enum"])]})
        top = [(word, -0.1), ("the", -3.0)]
        count = int(body.get("top_logprobs") or 0) if "top_logprobs" in self.heeds else 0
        return _chat_reply(word, top[:count], len(said.split()) + 9, 1)


class Counted(Hashes):
    """The same, whose tokens are counted by a real tokenizer."""

    def __init__(self, name: str) -> None:
        from transformers import AutoTokenizer

        from supertune.opening import reference

        super().__init__(32)
        self.tokenizer: Any = AutoTokenizer.from_pretrained(str(reference(name).folder))

    def embeddings(self, texts: list[str]) -> tuple[np.ndarray, int]:
        return super().embeddings(texts)[0], sum(map(len, self.tokenizer(texts)["input_ids"]))

    def chat(self, body: Mapping[str, Any]) -> Reply:
        if not self.tokenizer.chat_template:
            raise Refused(404, "it does not chat")
        reply = super().chat(body)
        said = self.tokenizer.apply_chat_template(
            body["messages"], add_generation_prompt=True, tokenize=False
        )
        count = len(self.tokenizer(said, add_special_tokens=False)["input_ids"])
        return reply | {"usage": {"prompt_tokens": count, "completion_tokens": 1}}


class Echo(Hashes):
    """Says what it was asked once more, as far as there is room; of choices the longest."""

    def chat(self, body: Mapping[str, Any]) -> Reply:
        said = str(body["messages"][-1]["content"]).splitlines()[-1].split()
        most = int(body.get("max_tokens", 99))
        text, read = " ".join(said[:most]), sum(len(one["content"]) for one in body["messages"])
        schema = body.get("response_format") if "response_format" in self.heeds else None
        if schema:
            held = schema["json_schema"]["schema"]["properties"]
            made = {name: max(one.get("enum", [text]), key=len) for name, one in held.items()}
            text = json.dumps(made)
        top = [("a", -0.5)] if body.get("logprobs") and "top_logprobs" in self.heeds else []
        top += [("b", -2.0)] if top and int(body["top_logprobs"]) > 1 else []
        reply = _chat_reply(text, top, read // 4, len(said[:most]))
        if len(said) > most and not schema:
            reply["choices"][0]["finish_reason"] = "length"
        return reply


class Older(Hashes):
    """The same, whose structures have another form, and which fails at the one it does not know,
    as llama-cpp-python's server does."""

    def __init__(self) -> None:
        super().__init__(heeds=("response_format",))

    def chat(self, body: Mapping[str, Any]) -> Reply:
        held = body.get("response_format")
        if held and held["type"] != "json_object":
            raise Refused(500, "1 validation error", "internal_server_error")
        made = {"response_format": {"json_schema": {"schema": held["schema"]}}} if held else {}
        return super().chat({**body, **made})


class Newer(Hashes):
    """The same by /responses alone, which lets no temperature be set, as newer models do."""

    def __init__(self) -> None:
        super().__init__(routes=("responses",))

    def chat(self, body: Mapping[str, Any]) -> Reply:
        if "temperature" in body:
            raise Refused(400, "Unsupported parameter: 'temperature' is not supported")
        return super().chat(body)


class Embeddings:
    """Real vectors: minilm through supertune."""

    def __init__(self) -> None:
        from supertune.config import Recipe
        from supertune.contracts import Encoding
        from supertune.pipeline import open_backbone, reference

        self.backbone = open_backbone(reference("minilm"), Recipe(threads=1, precision="fp32"))
        self.encoding = Encoding(max_length=256)
        self._lock = threading.Lock()

    def embeddings(self, texts: list[str]) -> tuple[np.ndarray, int]:
        with self._lock:
            pieces = self.backbone.tokens(texts, self.encoding)
            found = self.backbone.features(pieces, self.encoding)
        return found, sum(len(piece.ids) for row in pieces for piece in row)


class Chat:
    """Real answers: smollm2 through supertune. A structure is held to by taking the likeliest of
    what it allows; ``heeds`` says of which fields it takes notice."""

    def __init__(self, heeds: tuple[str, ...] = ("logprobs", "response_format")) -> None:
        from supertune.config import Recipe
        from supertune.pipeline import open_backbone, reference

        self.backbone: Any = open_backbone(
            reference("smollm2"), Recipe(threads=1, precision="fp32")
        )
        self.heeds = heeds
        self._lock = threading.Lock()

    def chat(self, body: Mapping[str, Any]) -> Reply:
        import torch

        tokenizer, model = self.backbone.tokenizer, self.backbone.model
        with self._lock, torch.inference_mode():
            text = tokenizer.apply_chat_template(
                body["messages"], add_generation_prompt=True, tokenize=False
            )
            ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
            out = model(ids, use_cache=True)
            first = torch.log_softmax(out.logits[0, -1].float(), 0)
            count = int(body.get("top_logprobs") or 0) if "logprobs" in self.heeds else 0
            best = torch.topk(first, max(1, count))
            pairs = zip(best.indices.tolist(), best.values.tolist(), strict=True)
            top = [(tokenizer.decode([token]), value) for token, value in pairs]
            schema = body.get("response_format") if "response_format" in self.heeds else None
            if schema:
                (held,) = schema["json_schema"]["schema"]["properties"].values()
                said = json.dumps({"answer": self._likeliest(held["enum"], first, out)})
                written = len(tokenizer(said)["input_ids"])
            else:
                said, written = self._going_on(best.indices[:1], out, int(body["max_tokens"]))
        return _chat_reply(said, top if count else [], ids.shape[1], written)

    def _likeliest(self, options: list[str], first: Any, out: Any) -> str:
        import torch

        scores = []
        for option in options:
            ids = self.backbone.tokenizer(option, return_tensors="pt")["input_ids"]
            score = float(first[ids[0, 0]])
            if ids.shape[1] > 1:
                past = copy.deepcopy(out.past_key_values)
                logits = self.backbone.model(ids[:, :-1], past_key_values=past).logits[0].float()
                score += float(
                    torch.log_softmax(logits, 1)[range(ids.shape[1] - 1), ids[0, 1:]].sum()
                )
            scores.append(score / ids.shape[1])
        return options[int(np.argmax(scores))]

    def _going_on(self, token: Any, out: Any, most: int) -> tuple[str, int]:
        import torch

        past, found = out.past_key_values, [int(token)]
        while len(found) < min(most, 6):
            out = self.backbone.model(token.view(1, 1), past_key_values=past)
            token, past = torch.argmax(out.logits[0, -1]).view(1), out.past_key_values
            found.append(int(token))
        return self.backbone.tokenizer.decode(found, skip_special_tokens=True), len(found)


def _chat_reply(text: str, top: list[tuple[str, float]], read: int, written: int) -> Reply:
    held = [{"token": token, "logprob": value, "bytes": None} for token, value in top]
    logprobs = {"content": [{**held[0], "top_logprobs": held}]} if held else None
    choice = {
        "index": 0,
        "finish_reason": "stop",
        "logprobs": logprobs,
        "message": {"role": "assistant", "content": text},
    }
    usage = {"prompt_tokens": read, "completion_tokens": written, "total_tokens": read + written}
    return {
        "id": "1",
        "object": "chat.completion",
        "created": 0,
        "choices": [choice],
        "usage": usage,
    }


def _as_chat(body: Mapping[str, Any]) -> dict[str, Any]:
    """What /responses is asked, as it would be asked by chat."""
    if body["max_output_tokens"] < 16:
        raise Refused(400, "max_output_tokens must be at least 16")
    made = {
        "model": body["model"],
        "messages": body["input"],
        "max_tokens": body["max_output_tokens"],
    }
    made |= {key: body[key] for key in ("temperature",) if key in body}
    if "message.output_text.logprobs" in body.get("include", ()):
        made |= {"logprobs": True, "top_logprobs": body["top_logprobs"]}
    if "text" in body:
        held = dict(body["text"]["format"])
        made["response_format"] = {"type": held.pop("type"), "json_schema": held}
    return made


def _as_response(reply: Reply) -> Reply:
    (choice,) = reply["choices"]
    held = choice["logprobs"]["content"] if choice["logprobs"] else []
    text = choice["message"]["content"]
    part = {"type": "output_text", "text": text, "annotations": [], "logprobs": held}
    output = [
        {"type": "reasoning", "id": "0", "summary": []},
        {"type": "message", "id": "1", "role": "assistant", "content": [part]},
    ]
    used = reply["usage"]
    usage = {"input_tokens": used["prompt_tokens"], "output_tokens": used["completion_tokens"]}
    return {
        "id": "1",
        "object": "response",
        "status": "completed",
        "error": None,
        "output": output,
        "usage": usage,
    }


class Server:
    """``with Server(minilm=Embeddings()) as server: server.url``.

    Attributes:
        requests: of rows and probes alike; ``charged``: texts and chats that were answered, by
            content, how often each; ``tokens``: read and written.
        faults: done to the next requests, one each, first to last; `always` to all.
    """

    def __init__(self, *, key: str | None = None, **models: Any) -> None:
        self.models, self.key = models, key
        self.requests, self.tokens = 0, [0, 0]
        self.asked: Counter[str] = Counter()  # by route
        self.charged: dict[str, int] = {}
        self.faults: deque[Fault] = deque()
        self.always: Fault | None = None
        self.at_once = self.most_at_once = 0
        self.lock = threading.Lock()
        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.http.owner = self  # type: ignore[attr-defined]
        self.url = f"http://127.0.0.1:{self.http.server_port}/v1"

    def __enter__(self) -> Server:
        threading.Thread(target=self.http.serve_forever, args=(0.02,), daemon=True).start()
        return self

    def __exit__(self, *exc: object) -> None:
        self.http.shutdown()
        self.http.server_close()

    def answer(self, route: str, body: Mapping[str, Any]) -> Reply:
        model = self.models.get(body.get("model", ""))
        kind = {"embeddings": "embeddings", "chat/completions": "chat", "responses": "chat"}.get(
            route.removeprefix("/v1/")
        )
        if not hasattr(model, kind or "") or route[4:] not in getattr(
            model, "routes", (route[4:],)
        ):
            raise Refused(404, f"The model {body.get('model')!r} does not exist", "model_not_found")
        if route.endswith("responses"):
            reply: Reply = _as_response(model.chat(_as_chat(body)))
            told = [json.dumps(body["input"])]
        elif kind == "chat":
            reply = model.chat(body)
            told = [json.dumps(body["messages"])]
        else:
            told = list(body["input"])
            vectors, tokens = model.embeddings(told)
            coded = body.get("encoding_format") == "base64"
            data = [
                {
                    "index": i,
                    "object": "embedding",
                    "embedding": _coded(row) if coded else row.tolist(),
                }
                for i, row in enumerate(vectors)
            ]
            usage = {"prompt_tokens": tokens, "total_tokens": tokens}
            reply = {"object": "list", "data": data, "model": body["model"], "usage": usage}
        with self.lock:
            for text in told:
                self.charged[text] = self.charged.get(text, 0) + 1
            used = reply["usage"]
            self.tokens[0] += used.get("prompt_tokens", used.get("input_tokens"))
            self.tokens[1] += used.get("completion_tokens", used.get("output_tokens", 0))
        return reply


def _coded(row: np.ndarray) -> str:
    return base64.b64encode(np.asarray(row, "<f4").tobytes()).decode()


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def owner(self) -> Server:
        return self.server.owner  # type: ignore[attr-defined,no-any-return]

    def log_message(self, *arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        models = [{"id": name, "object": "model"} for name in self.owner.models]
        self.json(200, {"object": "list", "data": models})

    def do_POST(self) -> None:
        owner = self.owner
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        with owner.lock:
            owner.requests += 1
            owner.asked[self.path.removeprefix("/v1/")] += 1
            owner.at_once += 1
            owner.most_at_once = max(owner.most_at_once, owner.at_once)
            fault = owner.faults.popleft() if owner.faults else owner.always
        try:
            if owner.key and self.headers.get("Authorization") != f"Bearer {owner.key}":
                raise Refused(401, f"Incorrect API key: {self.headers.get('Authorization')}")
            if fault is not None:
                fault(self, lambda: owner.answer(self.path, body))
            else:
                self.json(200, owner.answer(self.path, body))
        except Refused as error:
            held = {"message": error.message, "type": "error", "code": error.code}
            self.json(error.status, {"error": held}, **error.headers)
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True
        finally:
            with owner.lock:
                owner.at_once -= 1

    def json(self, status: int, body: Any, **headers: str) -> None:
        self.whole(status, json.dumps(body).encode(), "application/json", **headers)

    def whole(self, status: int, data: bytes, kind: str, **headers: str) -> None:
        self.begin(status, len(data), kind, **headers)
        self.wfile.write(data)

    def begin(self, status: int, length: int, kind: str, **headers: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(length))
        for name, value in headers.items():
            self.send_header(name, value)
        self.end_headers()


# --- faults ------------------------------------------------------------------------------------


def status(code: int, message: str = "no", name: str = "", **headers: str) -> Fault:
    """The request is refused and nothing charged."""

    def fault(handler: Handler, answer: Callable[[], Reply]) -> None:
        raise Refused(code, message, name, **headers)

    return fault


def changed(change: Callable[[Reply], Any]) -> Fault:
    """The answer is charged, and comes otherwise than it should."""

    def fault(handler: Handler, answer: Callable[[], Reply]) -> None:
        reply = answer()
        made = change(reply)
        handler.json(200, reply if made is None else made)

    return fault


def raw(make: Callable[[bytes], bytes], kind: str = "application/json") -> Fault:
    """The same in bytes."""

    def fault(handler: Handler, answer: Callable[[], Reply]) -> None:
        handler.whole(200, make(json.dumps(answer()).encode()), kind)

    return fault


def cut(handler: Handler, answer: Callable[[], Reply]) -> None:
    """The connection ends in the middle of the answer."""
    data = json.dumps(answer()).encode()
    handler.begin(200, len(data), "application/json")
    handler.wfile.write(data[: len(data) // 2])
    handler.close_connection = True


def dropped(handler: Handler, answer: Callable[[], Reply]) -> None:
    """The connection ends before any answer."""
    handler.close_connection = True


def slow(handler: Handler, answer: Callable[[], Reply]) -> None:
    """A byte at a time."""
    data = json.dumps(answer()).encode()
    handler.begin(200, len(data), "application/json")
    for byte in data:
        handler.wfile.write(bytes([byte]))
        handler.wfile.flush()
        time.sleep(0.05)


def silent(handler: Handler, answer: Callable[[], Reply]) -> None:
    """No answer in time."""
    reply = answer()
    time.sleep(1.0)
    handler.json(200, reply)
