"""The README of an export: a few lines of Python that load it without supertune."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune import architectures
from supertune.api import onnx_programs

_POOL = {
    "mean": 'mask = batch["attention_mask"].unsqueeze(-1)\n'
    "vectors = (hidden * mask).sum(1) / mask.sum(1)",
    "cls": "vectors = hidden[:, 0]",
    "last": 'vectors = hidden[torch.arange(len(hidden)), batch["attention_mask"].sum(1) - 1]',
}
_ROWS = "hidden = hidden.flatten(2).transpose(1, 2) if hidden.dim() == 4 else hidden  # of maps"
_SENTENCES = (
    "The vectors that the head reads, by Sentence Transformers:",
    "",
    "```python",
    "from sentence_transformers import SentenceTransformer",
    "",
    'vectors = SentenceTransformer(".").encode(["one text", "another text"])',
    "```",
    "",
)


def page(about: Mapping[str, Any], auto_class: str, *, sentences: bool = False) -> str:
    """Markdown; ``about`` is the content of ``head.json``; ``sentences``: of a folder that
    Sentence Transformers opens too."""
    what = "A transformers model" if about["merged"] else "A PEFT adapter"
    lines = [
        f"# {what} for {about['task'].replace('_', ' ')}",
        "",
        f"Tuned with supertune {about['supertune']}, method {about['method']}, on "
        f"{about['backbone']} (sha256 of its weights: {about['backbone_sha256'][:16]}...).",
        _content(about),
        "",
        "```python",
        *(_merged(about) if about["merged"] else _adapter(about, auto_class)),
        "```",
        "",
        *(_SENTENCES if sentences else ()),
    ]
    return "\n".join([*lines, *_answers(about, auto_class)])


def _content(about: Mapping[str, Any]) -> str:
    head = "`head.safetensors` turns vectors into scores and `head.json` names the labels."
    if not about["merged"]:
        return f"The backbone is not in this folder. {head}"
    if about["changed"]:
        return f"The tuned numbers are merged into the weights, in float32. {head}"
    return (
        f"{about['method']} tunes nothing in the backbone: `model.safetensors` is the backbone "
        f"as it was, in float32, and all that was learned is beside it. {head}"
    )


def _adapter(about: Mapping[str, Any], auto_class: str) -> list[str]:
    return [
        "import torch",
        "from peft import PeftModel",
        *_imports(about, auto_class),
        "",
        f'HERE, BASE = ".", {about["base"]!r}',
        *_tokenizer(about, "BASE"),
        f"base = {auto_class}.from_pretrained(BASE, dtype=torch.float32)"
        f"{_stack(about, auto_class)}",
        "model = PeftModel.from_pretrained(base, HERE).eval()",
    ]


def _merged(about: Mapping[str, Any]) -> list[str]:
    return [
        "import torch",
        *_imports(about, "AutoModel"),
        "",
        'HERE = "."',
        *_tokenizer(about, "HERE"),
        "model = AutoModel.from_pretrained(HERE, dtype=torch.float32)"
        f"{_stack(about, 'AutoModel')}.eval()",
    ]


def _imports(about: Mapping[str, Any], auto_class: str) -> list[str]:
    texts = about["modality"] == "text"
    lines = [f"from transformers import {auto_class}{', AutoTokenizer' if texts else ''}"]
    if about["model_type"] in architectures.KNOWN:
        register = f'architectures.register("{about["model_type"]}")  # transformers lacks it'
        lines += ["from supertune import architectures", "", register]
    return lines


def _tokenizer(about: Mapping[str, Any], place: str) -> list[str]:
    texts = about["modality"] == "text"
    return [f"tokenizer = AutoTokenizer.from_pretrained({place})"] if texts else []


def _stack(about: Mapping[str, Any], auto_class: str) -> str:
    """Of two stacks, the one that was tuned and read."""
    return ".get_encoder()" if (about["family"], auto_class) == ("seq2seq", "AutoModel") else ""


def _hidden(about: Mapping[str, Any], auto_class: str) -> str:
    if about["layer"] is not None:
        return f"model(**batch, output_hidden_states=True).hidden_states[{about['layer']}]"
    if about["merged"] or auto_class == "AutoModel":
        return "model(**batch).last_hidden_state"
    if about["family"] == "seq2seq":
        return "model.get_encoder()(**batch).last_hidden_state"
    return "model(**batch, output_hidden_states=True).hidden_states[-1]"


def _answers(about: Mapping[str, Any], auto_class: str) -> list[str]:
    if about["prompt"] is not None:
        return [
            "Its answers are read from label words in a prompt; `head.json` has both, and "
            "`supertune.load` reads this folder.",
            "",
        ]
    if about["modality"] == "audio":
        return [
            f"The head reads vectors of recordings, pooled by {about['pooling']}; how a recording "
            "is prepared is in `preprocessor_config.json`.",
            "",
        ]
    pictures = about["modality"] == "image"
    several = "[[n for n, s in zip(about['labels'], row) if s >= 0] for row in scores.tolist()]"
    one = "[about['labels'][i] for i in scores.argmax(1).tolist()]"
    return [
        f"Labels of {'pictures' if pictures else 'texts'}:",
        "",
        "```python",
        "import json",
        "from pathlib import Path",
        *(("import numpy as np", "from PIL import Image, ImageOps") if pictures else ()),
        "from safetensors.torch import load_file",
        "",
        'head = load_file(Path(HERE, "head.safetensors"))',
        'about = json.loads(Path(HERE, "head.json").read_text("utf-8"))',
        *(_of_pictures(about, auto_class) if pictures else _of_texts(about, auto_class)),
        *(
            ["vectors = torch.nn.functional.normalize(vectors, dim=-1)"]
            if about["normalize"]
            else []
        ),
        'scores = torch.nn.functional.linear(vectors, head["weight"], head["bias"])',
        f"labels = {several if about['multi_label'] else one}",
        "```",
        "",
    ]


def _of_texts(about: Mapping[str, Any], auto_class: str) -> list[str]:
    virtual = 'hidden = hidden[:, -batch["input_ids"].shape[1] :]  # without virtual tokens'
    return [
        'texts = [about["prefix"] + text for text in ["one text", "another text"]]',
        "tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token",
        'options = {"padding": True, "truncation": True, "max_length": about["max_length"]}',
        'batch = tokenizer(texts, return_tensors="pt", padding_side="right", **options)',
        "with torch.no_grad():",
        f"    hidden = {_hidden(about, auto_class)}",
        *([virtual] if about["virtual_tokens"] else []),
        *_POOL[about["pooling"]].splitlines(),
    ]


def _of_pictures(about: Mapping[str, Any], auto_class: str) -> list[str]:
    pooling, specials = about["pooling"], about["picture"]["specials"]
    first, mean = "hidden[:, 0]", f"hidden[:, {specials}:].mean(1)"
    if pooling == "mean" or not specials:
        vectors = mean
    else:
        vectors = f"torch.cat([{first}, {mean}], 1)" if pooling == "cls_mean" else first
    return [
        'ABOUT = about["picture"]',
        "",
        "",
        *onnx_programs.SQUARES.splitlines(),
        "",
        "",
        'files = ["one picture.jpg", "another picture.png"]',
        'batch = {"pixel_values": torch.from_numpy(pixels(files)), **ABOUT["called_with"]}',
        "with torch.no_grad():",
        f"    hidden = {_hidden(about, auto_class)}",
        *([] if specials else [_ROWS]),
        f"vectors = {vectors}",
    ]
