"""What our client adds to the bare `openai` client at one server, and how near a plan comes.

The server is the small one of our tests, on loopback. What is held against a bound is the processor
time of both sides together where minilm or smollm2 answers; beside it stands what a request costs
where the answer is a hash, after 20 ms, from a process of its own: there nothing but the client
counts. For plans, tokens are counted by the real tokenizers.
"""

from __future__ import annotations

import itertools
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure, median, ratios
from benchmarks.timing import ROOT, Laps, interleaved, lap, processor_lap

AT_ONCE, TEXTS = 8, 64
DELAY = 0.02  # seconds that the server takes for an answer: little, for a language model
CORPORA = ("pang-lee", "bbc-news")
SERVE = """
import sys, time
from tests.openai_server import Hashes, Server
class Later(Hashes):
    def chat(self, body):
        time.sleep(float(sys.argv[1]))
        return super().chat(body)
    def embeddings(self, texts):
        time.sleep(float(sys.argv[1]))
        return super().embeddings(texts)
with Server(hashes=Later(384)) as server:
    print(server.url, flush=True)
    sys.stdin.read()
"""
_fresh = itertools.count()


def plan(tiny: bool) -> list[Item]:
    size = {"requests": 8 if tiny else 200, "repeats": 1 if tiny else 7}
    real = {"requests": 4 if tiny else 8, "repeats": 1 if tiny else 5}
    return [
        {"what": "embeddings", "model": "minilm", **real},
        {"what": "chat", "model": "smollm2", **real},
        {"what": "chat", "model": "hashes", **size},
        {"what": "embeddings", "model": "hashes", **size},
        *({"what": "plan", "data": name, "seed": 0} for name in CORPORA[: 1 if tiny else 2]),
    ]


def measure(item: Item) -> dict[str, Any]:
    if item["what"] == "plan":
        return planned(item["data"], item["seed"])
    with served(item["model"]) as url, own_cache():
        both = {"bare": bare(url, item), "ours": ours(url, item)}
        return {"seconds": interleaved(both, item["repeats"])}


@contextmanager
def own_cache() -> Iterator[None]:
    """Answers of this run are kept apart, on disk all the same."""
    before = os.environ.get("SUPERTUNE_CACHE")
    with tempfile.TemporaryDirectory() as cache:
        os.environ["SUPERTUNE_CACHE"] = cache
        try:
            yield
        finally:
            os.environ.pop("SUPERTUNE_CACHE")
            if before is not None:
                os.environ["SUPERTUNE_CACHE"] = before


@contextmanager
def served(model: str) -> Iterator[str]:
    if model != "hashes":  # in this process, so that its processor time counts
        from tests.openai_server import Chat, Embeddings, Server

        with Server(**{model: Embeddings() if model == "minilm" else Chat()}) as server:
            yield server.url
        return
    command = [sys.executable, "-c", SERVE, str(DELAY)]
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen(command, cwd=ROOT, **pipes) as process:
        assert process.stdout is not None
        assert process.stdin is not None
        yield process.stdout.readline().strip()
        process.stdin.close()


def _texts(count: int) -> list[str]:
    return [
        f"the film number {next(_fresh)} of this year, and what it was like" for _ in range(count)
    ]


def _both(name: str, action: Callable[[list[str]], Any], count: int) -> Callable[[], Laps]:
    def once() -> Laps:
        own = {f"{name}, by the clock": lap(lambda: action(_texts(count)))}
        return own | {f"{name}, of the processor": processor_lap(lambda: action(_texts(count)))}

    return once


def bare(url: str, item: Item) -> Callable[[], Laps]:
    """The same requests by the official client and eight threads."""
    import openai

    client: Any = openai.OpenAI(api_key="none", base_url=url, max_retries=0)

    def chat(text: str) -> Any:
        messages = [
            {"role": "system", "content": "Go on with one of these and nothing else: great; bad"},
            {"role": "user", "content": f"{text} It was"},
        ]
        keys: Any = {"logprobs": True, "top_logprobs": 2, "max_tokens": 1, "temperature": 0}
        reply = client.chat.completions.create(
            model=item["model"], messages=messages, seed=0, **keys
        )
        return [
            (one.token, one.logprob) for one in reply.choices[0].logprobs.content[0].top_logprobs
        ]

    def embed(texts: list[str]) -> Any:
        return [
            one.embedding for one in client.embeddings.create(model=item["model"], input=texts).data
        ]

    def all_(texts: list[str]) -> None:
        chats = item["what"] == "chat"
        parts: Any = texts if chats else [texts[i : i + TEXTS] for i in range(0, len(texts), TEXTS)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(chat if chats else embed, parts))

    return _both("bare", all_, _count(item))


def ours(url: str, item: Item) -> Callable[[], Laps]:
    """The engine with its checks, its account and answers kept on disk."""
    from supertune.config import Recipe
    from supertune.contracts import Encoding, Prompt
    from supertune.pipeline import Workshop

    shop = Workshop(Recipe(base_url=url, allow_remote=True, max_requests=10**9, threads=1))
    lens = shop.lens(f"openai:{item['model']}")
    assert lens is not None
    asked = lens.under(Encoding(prompt=Prompt("{text} It was {answer}.", (("great",), ("bad",)))))
    run = asked.scores if item["what"] == "chat" else lens.features
    return _both("ours", run, _count(item))


def _count(item: Item) -> int:
    """Texts: one a request of a chat, 64 one of vectors, of which there are a quarter as many."""
    return int(item["requests"]) * (1 if item["what"] == "chat" else TEXTS // 4)


def planned(data: str, seed: int) -> dict[str, Any]:
    """The cost that a plan says beside the one that the server counts, by method."""
    from tests.openai_server import Counted, Server

    import supertune
    from supertune.catalogue.corpora import few_shot

    rows, held = few_shot(data, per_class=10, test_rows=60, seed=seed)
    found: dict[str, Any] = {}
    with (
        tempfile.TemporaryDirectory() as folder,
        Server(minilm=Counted("minilm"), smollm2=Counted("smollm2")) as server,
    ):
        prices = os.path.join(folder, "prices.json")
        with open(prices, "w", encoding="utf-8") as stream:
            stream.write('{"minilm": {"input": 1}, "smollm2": {"input": 1, "output": 4}}')
        for backbone, method in (
            ("openai:minilm", "linear_probe"),
            ("openai:smollm2", "zero_shot_prompt"),
            ("openai:smollm2", "in_context"),
        ):
            keys: dict[str, Any] = {
                "backbone": backbone,
                "method": method,
                "folds": 3,
                "repeats": 1,
            }
            keys |= {"base_url": server.url, "prices": prices, "threads": 1, "advice": False}
            (said,) = supertune.plan(rows, test=held, **keys).data["remote"]
            model = supertune.fit(rows, test=held, allow_remote=True, **keys)
            (sent,) = model.report.data["remote"]
            found[f"{method} on {backbone}"] = {
                "planned": said["cost"],
                "counted": sent["cost"],
                "requests": [said["requests"], sent["requests"]],
            }
    return {"costs": found}


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    figures: list[Figure] = []
    for draw in draws:
        if draw["what"] == "plan":
            for name, one in draw["costs"].items():
                error = abs(one["planned"] / one["counted"] - 1) * 100
                title = f"cost of {name}, {draw['data']}: error of the plan"
                figures.append(median(title, [error], "%", at_most=5))
            continue
        seconds, what = draw["seconds"], f"{draw['what']} by {draw['model']}"
        if draw["model"] == "hashes":
            count = _count(draw)
            for how in ("by the clock", "of the processor"):
                pairs = zip(seconds[f"ours, {how}"], seconds[f"bare, {how}"], strict=True)
                more = [(a - b) / count * 1e6 for a, b in pairs]
                figures.append(median(f"{what}: ours - bare a text, {how}", more, "µs"))
            continue
        both = ratios(seconds["ours, of the processor"], seconds["bare, of the processor"])
        title = f"{what}: ours / bare, of the processor, the server's too"
        figures.append(median(title, both, "times", at_most=1.05))
    return figures


BENCHMARK = Benchmark(
    name="remote",
    question="What does our client add to the bare `openai` client, and is a plan's cost right?",
    how=f"A server of ours on loopback; {AT_ONCE} requests at a time on both sides, interleaved. "
    "Ours checks limits before each request and keeps each answer on disk. Held against a bound "
    "where minilm (64 texts a request) or smollm2 answers; where hashes do, the difference. "
    "Costs: the plan against what the server counts by the tokenizers of minilm and smollm2.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
