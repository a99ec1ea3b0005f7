"""The same encoder under ONNX Runtime, its weights and products in int8 (dynamic quantisation)."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks import supertune_side

MAX_LENGTH, BATCH = 256, 32


class Int8Encoder:
    """Exported and quantised as ONNX Runtime's guide has it; threads are those of torch."""

    def __init__(self, folder: Path) -> None:
        import onnxruntime
        import torch
        from onnxruntime.quantization import QuantType, quantize_dynamic
        from transformers import AutoModel, AutoTokenizer

        source = str(supertune_side.folder())
        self.tokenizer = AutoTokenizer.from_pretrained(source)
        model = AutoModel.from_pretrained(source, attn_implementation="eager").eval()
        plain, small = folder / "encoder.onnx", folder / "encoder-int8.onnx"
        some = dict(self.tokenizer(["one text", "another"], return_tensors="pt", padding=True))
        names = list(some)
        with warnings.catch_warnings(), torch.inference_mode():
            warnings.simplefilter("ignore")
            torch.onnx.export(
                _states(model, names),
                tuple(some.values()),
                str(plain),
                input_names=names,
                output_names=["states"],
                dynamic_axes={name: {0: "batch", 1: "length"} for name in [*names, "states"]},
                dynamo=False,
            )
        quantize_dynamic(plain, small, weight_type=QuantType.QInt8)
        settings = onnxruntime.SessionOptions()
        settings.intra_op_num_threads = torch.get_num_threads()
        self.session: Any = onnxruntime.InferenceSession(
            str(small), settings, providers=["CPUExecutionProvider"]
        )

    def encode(self, texts: Sequence[str]) -> Any:
        """(n, d) means over the tokens, in batches of texts of like length."""
        order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
        found: Any = None
        for start in range(0, len(order), BATCH):
            part = order[start : start + BATCH]
            made = self.tokenizer(
                [texts[i] for i in part],
                truncation=True,
                max_length=MAX_LENGTH,
                padding=True,
                return_tensors="np",
            )
            (states,) = self.session.run(None, {k: v.astype(np.int64) for k, v in made.items()})
            mask = made["attention_mask"][:, :, None]
            pooled = (states * mask).sum(axis=1) / mask.sum(axis=1)
            found = np.empty((len(texts), pooled.shape[1]), np.float32) if found is None else found
            found[part] = pooled
        return found


def _states(model: Any, names: Sequence[str]) -> Any:
    import torch

    class States(torch.nn.Module):
        """The last states alone, its inputs by place."""

        def __init__(self) -> None:
            super().__init__()
            self.model = model

        def forward(self, *values: Any) -> Any:
            return self.model(**dict(zip(names, values, strict=True))).last_hidden_state

    return States()
