"""A folder of many pictures: memory by their number, and a line that shows how far it is."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import figures
from benchmarks.benchmark import Benchmark, Draw, Item
from benchmarks.figures import Figure
from benchmarks.timing import in_child
from supertune.catalogue.corpora import dataset, few_shot
from supertune.catalogue.picture_formats import packed, unpacked
from supertune.contracts import Picture

FEW, MANY = 2_000, 20_000
DATA, BACKBONE, SIDE = "fashion-mnist", "efficientnet-lite0", 32


def plan(tiny: bool) -> list[Item]:
    numbers = [20, 60] if tiny else [FEW, MANY]
    return [{"what": "memory", "pictures": numbers}, {"what": "line", "pictures": numbers[0]}]


def measure(item: Item) -> dict[str, Any]:
    with tempfile.TemporaryDirectory() as place:
        room = Path(place)
        model = fitted(room / "model")
        if item["what"] == "line":
            source = written(room / "pictures", item["pictures"])
            return {"shown": shown(model, source, room / "answers.csv")}
        peaks: dict[str, list[int]] = {}
        seconds: dict[str, list[float]] = {}
        for number in item["pictures"]:
            source = written(room / str(number), number)
            found = in_child(
                "benchmarks.many_pictures:command",
                model=str(model),
                source=str(source),
                output=str(room / f"{number}.csv"),
            )
            peaks[str(number)] = [found["peak_memory_bytes"]]
            seconds[str(number)] = [found["result"]]
        return {"peak_memory_bytes": peaks, "processor_seconds": seconds}


def fitted(folder: Path) -> Path:
    """A model folder to predict with."""
    import supertune

    rows, _ = few_shot(DATA, per_class=10, test_rows=0, seed=0)
    keys = {"backbone": BACKBONE, "method": "linear_probe", "resolution": SIDE, "advice": False}
    # The limit leaves no time to explain, which this is not about.
    model = supertune.fit(rows, task="image_classification", time_limit=2, **keys)
    return Path(model.save(folder))


def written(folder: Path, count: int) -> Path:
    """So many of Fashion-MNIST's 70,000 pictures as files of a folder."""
    folder.mkdir()
    left = count
    for part in ("train", "test"):
        path = dataset(DATA) / f"{part}.zip"
        names = packed(path)[:left]
        for picture, _ in unpacked(path, names, Picture.of):
            (folder / f"{left:05}.png").write_bytes(picture.read())
            left -= 1
    return folder


def command(model: str, source: str, output: str) -> float:
    """``supertune predict`` as a person calls it, in the process that measures itself."""
    from supertune.cli.main import main

    started = time.process_time()
    code = main(["predict", model, source, "-o", output, "--quiet", "--threads", "1"])
    assert code == 0, code
    with Path(output).open("rb") as stream:
        answers = sum(1 for _ in stream) - 1
    assert answers == len(list(Path(source).iterdir())), answers
    return time.process_time() - started


def shown(model: Path, source: Path, output: Path) -> int:
    """How many different counts of answered pictures a person sees on a terminal meanwhile."""
    import pty
    import re
    import subprocess

    leader, follower = pty.openpty()
    asked = ["predict", str(model), str(source), "-o", str(output), "--threads", "1"]
    process = subprocess.Popen(
        [sys.executable, "-m", "supertune", *asked], stdout=subprocess.DEVNULL, stderr=follower
    )
    os.close(follower)
    text = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # what is left of a terminal whose program has ended
            break
        if not part:
            break
        text += part
    os.close(leader)
    assert process.wait() == 0, text[-2000:]
    counts = re.findall(r"predict.*?(\d+)/(\d+)", text.decode("utf-8", "replace"))
    return len({done for done, _ in counts})


def summarise(draws: Sequence[Draw]) -> list[Figure]:
    found: list[Figure] = []
    for draw in draws:
        if draw["what"] == "line":
            name = f"{draw['pictures']:,} pictures: counts shown by the line on a terminal"
            found.append(figures.median(name, [float(draw["shown"])], "", at_least=3))
            continue
        (few, small), (many, large) = draw["peak_memory_bytes"].items()
        name = f"peak memory for {int(many):,} pictures / for {int(few):,}"
        found.append(figures.median(name, figures.ratios(large, small), "x", at_most=1.15))
        peak = [one / 2**20 for one in large]
        found.append(figures.median(f"peak memory for {int(many):,} pictures", peak, "MiB"))
        each = [1000 * one / int(many) for one in draw["processor_seconds"][many]]
        found.append(figures.median("processor time a picture", each, "ms"))
    return found


BENCHMARK = Benchmark(
    name="many_pictures",
    question="Does memory stay flat while a folder of many pictures is answered, and is there a "
    "line that shows how far it is?",
    how=f"Fashion-MNIST's pictures as PNG files of one folder; a linear head on {BACKBONE} at "
    f"{SIDE} pixels a side. `supertune predict FOLDER -o answers.csv --threads 1`, a fresh process "
    "each, imports included; every picture is answered once. The line is counted on a pseudo "
    "terminal.",
    peers=(),
    plan=plan,
    measure=measure,
    figures=summarise,
)
