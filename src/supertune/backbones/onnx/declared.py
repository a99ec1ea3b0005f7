"""What an ONNX file and the files beside it declare, read without onnxruntime."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supertune.backbones import _sentence_folder as sentence_folder
from supertune.backbones._picture_rows import PIXELS
from supertune.backbones._sentence_folder import read_json
from supertune.backbones._tokenizer import FILE as TOKENIZER
from supertune.backbones.onnx import declared_pictures, header
from supertune.backbones.onnx.header import Header, Port
from supertune.backbones.transformers.preprocessing import Preprocessing
from supertune.contracts import Offer, Pooling
from supertune.errors import InputError

READ = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
PREFERRED = ("model.onnx", "onnx/model.onnx")  # where a folder holds several, as on the hub
# Outputs that hold a vector a text as the model's makers meant it, and a vector a token.
_VECTORS = (
    *("sentence_embedding", "sentence_embeddings", "vectors", "text_embeds", "embeddings"),
    *("image_embeds", "image_features"),
)
_MAPS = (3, 4)  # axes of hidden states of pictures: patches, or maps of a network of convolutions
_STATES = ("last_hidden_state", "token_embeddings", "hidden_states", "encoder_hidden_states")
_LATER = ("pooler_output",)  # was pretrained for something else: read where nothing else is there
POSITIONS = 512  # of a model that says nothing


@dataclass(frozen=True)
class Graph:
    """Which file is run, and what is read of it.

    Attributes:
        path: the file.
        folder: the folder that has the files which say how texts or pictures are read.
        vectors: the output with a vector a row, if any.
        states: the output with a vector a token or a patch, or with maps, if any.
        reading: of pictures, how one becomes pixels.
        patch: of pictures, as of `supertune.backbones._picture_rows.PictureRows`.
    """

    path: Path
    folder: Path
    inputs: tuple[Port, ...]
    vectors: Port | None
    states: Port | None
    beside: tuple[Path, ...]
    offer: Offer
    reading: Preprocessing | None = None
    patch: int = 0

    @property
    def rows(self) -> int:
        """Texts or pictures of a batch, where that is fixed; else 0."""
        return _fixed(self.inputs, 0)

    @property
    def width(self) -> int:
        """Tokens of a text or pixels a side of a picture, where that is fixed; else 0."""
        return _fixed(self.inputs, 1 if self.reading is None else 2)


def knows(path: Path) -> bool:
    """Whether a path is an ONNX file, or a folder whose weights are such."""
    if path.suffix == ".onnx":
        return True
    return path.is_dir() and _in_folder(path) != [] and not any(path.glob("*.safetensors"))


def graph(path: Path, name: str) -> Graph:
    """What is at a path.

    Raises:
        InputError: ``not_onnx``, ``onnx_ambiguous``, ``weights_missing``, ``tokenizer_unreadable``,
            ``image_processor_unreadable``, ``onnx_inputs``, ``onnx_outputs``.
    """
    file = _file(path, name)
    found = header.read(file)
    if declared_pictures.reads_pixels(found):
        return _of_pictures(file, name, found)
    beside = _beside(file, found)
    tokenizer = _holding(file, TOKENIZER)
    if tokenizer is None:
        raise InputError(
            "tokenizer_unreadable",
            f"{name} has no tokenizer.",
            received=", ".join(sorted(each.name for each in file.parent.iterdir())[:12]),
            allowed=f"{TOKENIZER} beside {file.name}",
            next="Save it there with tokenizer.save_pretrained(folder).",
        )
    _check_inputs(name, found)
    vectors, states = _outputs(name, found)
    config = read_json(tokenizer / "config.json") or {}
    made = _offer(tokenizer, config, found, vectors, states)
    if not made.width:
        raise _no_vectors(name, found, "their width is not said")
    return Graph(file, tokenizer, found.inputs, vectors, states, beside, made)


def _of_pictures(file: Path, name: str, found: Header) -> Graph:
    beside = _beside(file, found)
    folder = _holding(file, *declared_pictures.BESIDE) or file.parent
    reading = declared_pictures.reading(folder, name)
    vectors, states = _outputs(name, found, _MAPS)
    made = declared_pictures.offer(folder, found, reading, vectors, states)
    if not made.width:
        raise _no_vectors(name, found, "their width is not said")
    patch = declared_pictures.patch(read_json(folder / "config.json") or {})
    return Graph(file, folder, found.inputs, vectors, states, beside, made, reading, patch)


def _holding(file: Path, *names: str) -> Path | None:
    """The folder of the file, or the one above, that has one of the names."""
    for folder in (file.parent, file.parent.parent):
        if any((folder / name).is_file() for name in names):
            return folder
    return None


def _file(path: Path, name: str) -> Path:
    if not path.is_dir():
        if path.is_file():
            return path
        raise header.not_onnx(path, "no such file")
    held = _in_folder(path)
    if not held:
        raise header.not_onnx(path, "a folder without *.onnx")
    preferred = [path / one for one in PREFERRED if path / one in held]
    if len(held) > 1 and not preferred:
        raise InputError(
            "onnx_ambiguous",
            f"{name} holds several ONNX files.",
            received=", ".join(each.name for each in held),
            allowed=f"one, or one called {PREFERRED[0]}",
            next=f"Name the file itself: --backbone {held[0]}",
        )
    return (preferred or held)[0]


def _in_folder(folder: Path) -> list[Path]:
    return sorted([*folder.glob("*.onnx"), *folder.glob("onnx/*.onnx")])


def _beside(file: Path, found: Header) -> tuple[Path, ...]:
    """The files that hold weights of a graph that keeps them outside."""
    for location in found.beside:
        if Path(location).is_absolute() or ".." in Path(location).parts:
            raise header.not_onnx(file, f"its weights lie outside its folder: {location}")
        if not (file.parent / location).is_file():
            raise InputError(
                "weights_missing",
                f"{file.name} keeps its weights in a file that is not there.",
                received=f"no {location} in {file.parent.name}",
                allowed=f"{location} beside {file.name}",
                next="Copy both files, or export the model into one.",
            )
    return tuple(file.parent / location for location in found.beside)


def _check_inputs(name: str, found: Header) -> None:
    odd = [port.name for port in found.inputs if port.name not in READ or not port.whole]
    missing = READ[0] not in {port.name for port in found.inputs}
    flat = any(port.shape is not None and len(port.shape) != 2 for port in found.inputs)
    if odd or missing or flat:
        raise InputError(
            "onnx_inputs",
            f"{name} reads something that is made neither of texts nor of pictures here.",
            received=", ".join(f"{port.name} {port.shape}" for port in found.inputs),
            allowed=f"{', '.join(READ)}, whole numbers (texts, tokens), {READ[0]} among them; or "
            f"{PIXELS} (pictures, 3, side, side) alone",
            next="Export the encoder alone, with these names.",
        )


def _outputs(
    name: str, found: Header, axes: tuple[int, ...] = (3,)
) -> tuple[Port | None, Port | None]:
    """``axes``: how many hidden states may have."""
    floats = [port for port in found.outputs if port.floats]
    vectors = _first(floats, _VECTORS, (2,))
    states = _first(floats, _STATES, axes)
    if states is None:
        ranked = [port for port in floats if port.shape is not None and len(port.shape) in axes]
        states = next((port for port in ranked if not port.name.startswith("logits")), None)
    if vectors is None and states is None:
        vectors = _first(floats, _LATER, (2,))
    if vectors is None and states is None:
        raise _no_vectors(name, found, "none holds vectors")
    return vectors, states


def _first(ports: list[Port], names: tuple[str, ...], axes: tuple[int, ...]) -> Port | None:
    fitting = {p.name: p for p in ports if p.shape is None or len(p.shape) in axes}
    return next((fitting[name] for name in names if name in fitting), None)


def _no_vectors(name: str, found: Header, why: str) -> InputError:
    return InputError(
        "onnx_outputs",
        f"{name} gives no vectors that could be read: {why}.",
        received=", ".join(f"{port.name} {port.shape}" for port in found.outputs),
        allowed=f"hidden states {_STATES[0]} (texts, tokens, width) or a vector a row, such as "
        f"{_VECTORS[0]} (texts, width)",
        next="Export the encoder without its head, or add such an output.",
    )


def _offer(
    folder: Path, config: dict[str, Any], found: Header, vectors: Port | None, states: Port | None
) -> Offer:
    read = vectors or states
    assert read is not None
    sized = read.shape[-1] if read.shape else 0
    ours = read_json(folder / "labels.json") or {}  # of a graph that `supertune export` wrote
    positions = int(config.get("max_position_embeddings") or ours.get("positions") or POSITIONS)
    if "roberta" in str(config.get("model_type", "")):
        positions -= 2  # the first ones up to padding are kept for it
    fixed = _fixed(found.inputs, 1)
    pooling: Pooling = "projected" if vectors else sentence_folder.pooling(folder)
    return Offer(
        capabilities=frozenset({"features"}),
        family="encoder",
        architecture=str((config.get("architectures") or ["ONNX graph"])[0]),
        width=sized or int(config.get("hidden_size") or config.get("dim") or 0),
        depth=0,
        parameters=found.parameters,
        max_length=min(fixed or positions, sentence_folder.longest(folder, positions)),
        pooling=pooling,
        prefix=str(ours.get("prefix") or sentence_folder.prefix(folder)),
        normalize=vectors is None and sentence_folder.normalizes(folder),
    )


def _fixed(inputs: tuple[Port, ...], axis: int) -> int:
    return max((port.shape[axis] for port in inputs if port.shape), default=0)
