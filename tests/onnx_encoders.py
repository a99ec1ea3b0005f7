"""Encoders of texts as other people's ONNX files: hidden states out of three inputs, with what the
hub has beside them. Real weights; the older exporter of torch, which takes a second."""

from __future__ import annotations

import shutil
import warnings
from pathlib import Path
from typing import Any

INPUTS = ("input_ids", "attention_mask", "token_type_ids")
BESIDE = ("tokenizer.json", "tokenizer_config.json", "config.json", "modules.json")


def exported(folder: Path, to: Path) -> Path:
    """The folder ``to`` with model.onnx of a transformers folder, and its tokenizer."""
    import torch
    from transformers import AutoModel

    class States(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.body = AutoModel.from_pretrained(
                str(folder), dtype=torch.float32, attn_implementation="eager"
            ).eval()

        def forward(self, input_ids: Any, attention_mask: Any, token_type_ids: Any) -> Any:
            read = {"attention_mask": attention_mask, "token_type_ids": token_type_ids}
            return self.body(input_ids=input_ids, **read).last_hidden_state

    to.mkdir(parents=True)
    ids = torch.ones((2, 6), dtype=torch.int64)
    axes = {name: {0: "texts", 1: "tokens"} for name in (*INPUTS, "last_hidden_state")}
    with warnings.catch_warnings(), torch.no_grad():
        warnings.simplefilter("ignore")  # that there is a newer exporter, which takes ten seconds
        torch.onnx.export(
            States(),
            (ids, ids, torch.zeros_like(ids)),
            str(to / "model.onnx"),
            input_names=list(INPUTS),
            output_names=["last_hidden_state"],
            dynamic_axes=axes,
            dynamo=False,
            opset_version=17,
        )
    for name in BESIDE:
        if (folder / name).is_file():
            shutil.copyfile(folder / name, to / name)
    for path in folder.glob("1_Pooling/config.json"):
        (to / "1_Pooling").mkdir()
        shutil.copyfile(path, to / "1_Pooling" / "config.json")
    return to
