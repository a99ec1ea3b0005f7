"""The programs that lie beside an exported graph: they need neither supertune nor torch."""

from __future__ import annotations

import inspect

from supertune.data.boxes import tiles


def of_boxes() -> str:
    """Python source of what finds boxes. How pictures are cut into parts and what is found on them
    put together is the model's own code."""
    parts = (tiles.parts, tiles.starts, tiles.merged, tiles.alike, tiles.area, tiles.inside)
    own = "\n\n".join(inspect.getsource(part) for part in parts)
    program = _OF_BOXES.replace("OPENED\n", _OPENED).replace("OWN\n", own)
    return program.replace("SIMILAR", f"{tiles.SAME:g}")


def program(modality: str, shares: str | None) -> str:
    """Python source; ``shares``: what makes probabilities of scores, None where values are
    answered."""
    output = "scores" if shares is None else "probabilities"
    return _PROGRAMS[modality].replace("OUTPUT", output).replace("SAID", _SAID[shares])


_SAID = {
    None: "float(row[0])",
    "softmax": 'ABOUT["labels"][row.argmax()]',
    "sigmoid": '[name for name, share in zip(ABOUT["labels"], row) if share >= 0.5]',
}
_OPENED = """HERE = Path(__file__).parent
ABOUT = json.loads((HERE / "labels.json").read_text("utf-8"))
OPTIONS = onnxruntime.SessionOptions()
OPTIONS.add_session_config_entry("session.disable_quant_qdq", "1")  # unpacks 8-bit weights once
SESSION = onnxruntime.InferenceSession(
    HERE / "model.onnx", OPTIONS, providers=["CPUExecutionProvider"]
)
"""
# From files of pictures to what a model reads, by what `ABOUT` says of it.
SQUARES = '''def placed(width, height):
    """Where a picture lies in its square: left, top, width, height."""
    side, edge, how = ABOUT["side"], ABOUT["edge"], ABOUT["resize"]
    if how == "stretch":
        return 0, 0, side, side
    if how == "pad":
        width, height = (max(1, round(side * one / max(width, height))) for one in (width, height))
        return (side - width) // 2, (side - height) // 2, width, height
    if how == "squeeze":
        width = height = 1
    shorter = min(width, height)
    width, height = int(edge * width / shorter), int(edge * height / shorter)
    return -((width - side) // 2), -((height - side) // 2), width, height


def square(file):
    """(side, side, 3) pixels: upright, opaque, resized."""
    side, image = ABOUT["side"], Image.open(file)
    least, shorter = 4 * side, max(1, min(image.size))
    image.draft(None, tuple(max(1, one * least // shorter) for one in image.size))
    image = ImageOps.exif_transpose(image)
    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, (*ABOUT["beneath"], 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    left, top, width, height = placed(*image.size)
    seen = np.asarray(image.convert("RGB").resize((width, height), ABOUT["resample"]))
    seen = seen[max(0, -top) :, max(0, -left) :][:side, :side]
    found = np.empty((side, side, 3), np.uint8)
    found[:] = ABOUT["margin"]
    found[max(0, top) :, max(0, left) :][: len(seen), : seen.shape[1]] = seen
    return found


def pixels(files):
    """(n, 3, side, side) float32."""
    scaled = np.stack([square(file) for file in files]) * np.float64(ABOUT["scale"])
    mean, spread = (np.array(ABOUT[name], np.float32) for name in ("mean", "spread"))
    normalised = (scaled.astype(np.float32) - mean) / spread
    return np.ascontiguousarray(normalised.transpose(0, 3, 1, 2))
'''
_OF_TEXTS = '''"""Answers to texts, one a line of standard input or an argument each.

pip install numpy onnxruntime tokenizers
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from tokenizers import Tokenizer

HERE = Path(__file__).parent
ABOUT = json.loads((HERE / "labels.json").read_text("utf-8"))
TOKENIZER = Tokenizer.from_file(str(HERE / "tokenizer.json"))
TOKENIZER.enable_truncation(ABOUT["max_length"])
TOKENIZER.enable_padding()
SESSION = onnxruntime.InferenceSession(HERE / "model.onnx", providers=["CPUExecutionProvider"])


def answered(texts):
    """(n, C) OUTPUT."""
    read = TOKENIZER.encode_batch([ABOUT["prefix"] + text for text in texts])
    batch = {
        "input_ids": np.array([one.ids for one in read], np.int64),
        "attention_mask": np.array([one.attention_mask for one in read], np.int64),
    }
    return SESSION.run(["OUTPUT"], batch)[0]


if __name__ == "__main__":
    for text in sys.argv[1:] or map(str.strip, sys.stdin):
        row = answered([text])[0]
        print(json.dumps({"text": text, "answer": SAID, "OUTPUT": row.round(4).tolist()}))
'''
_OF_PICTURES = '''"""Answers to pictures, whose files are the arguments.

pip install numpy onnxruntime pillow
"""

import json
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

OPENED


SQUARES

def answered(files):
    """(n, C) OUTPUT."""
    return SESSION.run(["OUTPUT"], {"pixel_values": pixels(files)})[0]


if __name__ == "__main__":
    for file in sys.argv[1:]:
        row = answered([file])[0]
        print(json.dumps({"file": file, "answer": SAID, "OUTPUT": row.round(4).tolist()}))
'''
_OF_BOXES = '''"""Boxes on pictures, whose files are the arguments.

pip install numpy onnxruntime pillow
"""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path

import numpy as np
import onnxruntime
from PIL import Image, ImageOps

OPENED
SAME = SIMILAR


def upright(file):
    image = ImageOps.exif_transpose(Image.open(file))
    if image.has_transparency_data:
        below = Image.new("RGBA", image.size, (255, 255, 255, 255))
        image = Image.alpha_composite(below, image.convert("RGBA"))
    return image.convert("RGB")


def said(image, part):
    """Chances (P, K) and corners (P, 4) of a part that is stretched to a square."""
    square = image.crop(part).resize((ABOUT["side"], ABOUT["side"]), Image.Resampling.BILINEAR)
    values = np.asarray(square, np.float32)[:, :, :: -1 if ABOUT["blue_first"] else 1]
    mean, spread = (np.array(ABOUT[name], np.float32) for name in ("mean", "spread"))
    pixels = np.ascontiguousarray(((values - mean) / spread).transpose(2, 0, 1))
    scores, corners = SESSION.run(["scores", "boxes"], {"pixel_values": pixels[None]})
    return scores[0], corners[0]


def chosen(scores, corners):
    """(k, 6) boxes, the surest first, without those that repeat a surer one."""
    place, name = np.nonzero(scores > ABOUT["least"])
    found = np.column_stack([corners[place], scores[place, name], name])
    found = found[np.argsort(-found[:, 4], kind="stable")][: ABOUT["many"]]
    left, kept = np.ones(len(found), bool), []
    for row in range(len(found)):
        if left[row]:
            kept.append(row)
            left &= (overlaps(found[row], found) <= ABOUT["same"]) | (found[:, 5] != found[row, 5])
    return found[kept][: ABOUT["boxes"]].astype(float)


def overlaps(one, others):
    """Intersection over union."""
    low, high = np.maximum(one[:2], others[:, :2]), np.minimum(one[2:4], others[:, 2:4])
    shared = np.clip(high - low, 0, None).prod(axis=1)
    return shared / np.maximum(area(one[None]) + area(others) - shared, 1e-12)


OWN

def answered(files):
    """Of each picture (BOXES, 6): x0, y0, x1, y1, score, place of the label; -1 where none is."""
    table = np.full((len(files), ABOUT["boxes"], 6), -1.0)
    for row, image in enumerate(map(upright, files)):
        found = []
        for part in parts(*image.size, ABOUT["tile"], ABOUT["overlap"]):
            boxes = chosen(*said(image, part))
            stretched = [(part[2] - part[0]) / ABOUT["side"], (part[3] - part[1]) / ABOUT["side"]]
            boxes[:, :4] = boxes[:, :4] * (stretched * 2) + part[:2] * 2
            found.append(boxes)
        boxes = inside(merged(found, ABOUT["boxes"]), image.size)
        table[row, : len(boxes)] = boxes
    return table


if __name__ == "__main__":
    for file in sys.argv[1:]:
        rows = [row for row in answered([file])[0].tolist() if row[4] >= ABOUT["threshold"]]
        found = [
            {"label": ABOUT["labels"][int(name)], "score": round(score, 4), "box": box}
            for *box, score, name in rows
        ]
        print(json.dumps({"file": file, "boxes": found}))
'''
_PROGRAMS = {
    "text": _OF_TEXTS,
    "image": _OF_PICTURES.replace("OPENED\n", _OPENED).replace("SQUARES\n", SQUARES + "\n"),
}
