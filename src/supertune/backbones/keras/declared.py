"""What a .keras file or a SavedModel, and the files beside it, declare; read without TensorFlow."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from supertune.backbones import _sentence_folder as sentence_folder
from supertune.backbones._picture_rows import PIXELS, PROCESSOR
from supertune.backbones._picture_rows import declared as declared_picture
from supertune.backbones._sentence_folder import read_json
from supertune.backbones._tokenizer import FILE as TOKENIZER
from supertune.backbones.keras.graph import TUNED, TUNES, Block, blocks
from supertune.contracts import Offer
from supertune.errors import InputError

READ = ("input_ids", "attention_mask", "token_type_ids", "position_ids")
SAVED_MODEL = "saved_model.pb"
POSITIONS = 512  # of a model that says nothing


@dataclass(frozen=True)
class Saved:
    """Which file or folder is opened.

    Attributes:
        path: a .keras file, or a folder of a SavedModel.
        files: those that hold its weights and its graph.
        reading: the folder that has tokenizer.json, or preprocessor_config.json of pictures.
        inputs: types by name, of a .keras file.
        blocks: between which a .keras file can be cut.
        origin: what config.json says of the weights that it was converted from.
    """

    path: Path
    files: tuple[Path, ...]
    reading: Path
    inputs: dict[str, str]
    offer: Offer
    blocks: tuple[Block, ...] = ()
    origin: Any = None


def knows(path: Path) -> bool:
    """Whether a path is a .keras file, or a folder whose weights are such or a SavedModel."""
    if path.suffix == ".keras":
        return True
    if not path.is_dir() or any(path.glob("*.safetensors")):
        return False
    return (path / SAVED_MODEL).is_file() or any(path.glob("*.keras"))


def saved(path: Path, name: str) -> Saved:
    """What is at a path.

    Raises:
        InputError: ``not_keras``, ``keras_code``, ``keras_inputs``, ``keras_width``,
            ``tokenizer_unreadable``.
    """
    path = _found(path, name)
    inputs: dict[str, str] = {}
    cut: tuple[Block, ...] = ()
    files: tuple[Path, ...] = (path,)
    places: tuple[Path, ...] = (path.parent,)
    if path.suffix == ".keras":
        described = _described(path, name)
        inputs, cut = _inputs(described, name), blocks(described)
    else:
        files = tuple(sorted(one for one in path.rglob("*") if one.is_file() and _weighs(one)))
        places = (path, path.parent, path / "assets")
    pictures = PIXELS in inputs
    reading = _reading(path, places, pictures, name)
    weights = sum(file.stat().st_size for file in files) // 4
    config = read_json(reading / "config.json") or {}
    offer = _offer(config, reading, name)
    offer = replace(offer, parameters=weights, depth=len(cut))
    if pictures:
        side = declared_picture(reading, name).side
        most = max(8, (side // 16) ** 2 + 1)
        offer = replace(offer, modality="image", max_length=most, resolution=side)
        offer = replace(offer, resize_mode=config.get("resize_mode"))
    if cut:
        offer = replace(offer, capabilities=TUNED, tunes=TUNES)
    return Saved(path, files, reading, inputs, offer, cut, config.get("converted_from"))


def _reading(path: Path, places: tuple[Path, ...], pictures: bool, name: str) -> Path:
    wanted = PROCESSOR if pictures else TOKENIZER
    found = next((place for place in places if (place / wanted).is_file()), None)
    if found is not None:
        return found
    raise InputError(
        "image_processor_unreadable" if pictures else "tokenizer_unreadable",
        f"{name} does not say how it wants its {'pictures' if pictures else 'texts'}.",
        received=f"no {wanted} beside {path.name}",
        allowed=f"{wanted} as transformers saves it",
        next="Save it there with save_pretrained(folder).",
    )


def _found(path: Path, name: str) -> Path:
    if path.is_file() or (path / SAVED_MODEL).is_file():
        return path
    held = sorted(path.glob("*.keras")) if path.is_dir() else []
    if len(held) != 1:
        said = ", ".join(one.name for one in held) or "no such file or folder of one"
        raise _not_keras(name, said)
    return held[0]


def _weighs(path: Path) -> bool:
    return path.name == SAVED_MODEL or path.name.startswith("variables.")


def _not_keras(name: str, why: str) -> InputError:
    return InputError(
        "not_keras",
        f"{name} is no model of Keras.",
        received=why,
        allowed="a .keras file, a folder of one, or a folder with saved_model.pb",
        next="Save it with model.save('model.keras'), and name that file.",
    )


def _described(path: Path, name: str) -> dict[str, Any]:
    try:
        with zipfile.ZipFile(path) as archive:
            return dict(json.loads(archive.read("config.json")))
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        raise _not_keras(name, f"{type(error).__name__}: {error}") from None


def _inputs(described: dict[str, Any], name: str) -> dict[str, str]:
    """Types of inputs by name."""
    layers = list(_layers(described))
    strange = [
        one["class_name"]
        for one in layers
        if one["class_name"] == "Lambda" or not str(one.get("module") or "").startswith("keras")
    ]
    if strange:
        raise InputError(
            "keras_code",
            f"{name} brings program code of its own, which supertune never runs.",
            received=", ".join(sorted(set(strange))),
            allowed="layers of Keras itself, without Lambda",
            next="Build it of such layers, or export it: model.export(folder) makes a SavedModel.",
        )
    first = [one["config"] for one in layers if one["class_name"] == "InputLayer"]
    found = {str(one["name"]): str(one.get("dtype", "int32")) for one in first}
    texts = READ[0] in found and found.keys() <= set(READ)
    if not texts and found.keys() != {PIXELS}:
        raise InputError(
            "keras_inputs",
            f"{name} reads something that is made neither of texts nor of pictures here.",
            received=", ".join(found) or "no inputs by name",
            allowed=f"{', '.join(READ)}, (texts, tokens) each; {READ[0]} among them; or "
            f"{PIXELS} (pictures, side, side, 3) alone",
            next="Name the inputs so: keras.Input(shape=(None,), name='input_ids', dtype='int32').",
        )
    return found


def _layers(value: Any) -> Iterator[dict[str, Any]]:
    """Every layer of a description, those inside of others too."""
    if isinstance(value, dict):
        config = value.get("config")
        if "class_name" in value and isinstance(config, dict) and "name" in config:
            yield value
        for part in value.values():
            yield from _layers(part)
    elif isinstance(value, list):
        for part in value:
            yield from _layers(part)


def _offer(config: Mapping[str, Any], folder: Path, name: str) -> Offer:
    width = int(config.get("hidden_size") or config.get("dim") or 0)
    if not width:
        raise InputError(
            "keras_width",
            f"{name} does not say how long its vectors are.",
            received="no hidden_size in a config.json beside it",
            allowed='{"hidden_size": 384, "max_position_embeddings": 512}',
            next="Put a config.json with these beside the model.",
        )
    positions = int(config.get("max_position_embeddings") or POSITIONS)
    return Offer(
        capabilities=frozenset({"features"}),
        family="encoder",
        architecture=str((config.get("architectures") or ["Keras model"])[0]),
        width=width,
        depth=0,
        parameters=0,
        max_length=sentence_folder.longest(folder, positions),
        pooling=sentence_folder.pooling(folder),
        prefix=sentence_folder.prefix(folder),
        normalize=sentence_folder.normalizes(folder),
    )
