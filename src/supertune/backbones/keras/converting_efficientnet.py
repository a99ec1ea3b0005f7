"""EfficientNet-Lite as a model of plain Keras layers, channels last.

Its convolutions pad as TensorFlow's do under ``SAME``, which is what torch's imitate
(`supertune.architectures.efficientnet_lite`).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from supertune.backbones._picture_rows import PIXELS


def built(config: Mapping[str, Any], arrays: Mapping[str, Any]) -> Any:
    """The model of a configuration and of torch's arrays by name."""
    import keras
    from keras import layers

    set_to: list[tuple[Any, list[Any]]] = []

    def part(name: str, entered: Any, stride: int = 1, *, active: bool = True) -> Any:
        """Convolution, normalisation and, if ``active``, ReLU6."""
        weight = arrays[f"{name}.convolution.weight"]  # (out, in, kernel, kernel)
        alone = name.endswith("depthwise")
        size = weight.shape[2]
        how = {"padding": "same", "strides": stride, "use_bias": False}
        how["name"] = f"{name}.convolution"
        if alone:
            made = layers.DepthwiseConv2D(size, **how)
            set_to.append((made, [weight.transpose(2, 3, 0, 1)]))
        else:
            made = layers.Conv2D(len(weight), size, **how)
            set_to.append((made, [weight.transpose(2, 3, 1, 0)]))
        epsilon = float(config["batch_norm_eps"])
        norm = layers.BatchNormalization(epsilon=epsilon, name=f"{name}.normalization")
        kept = ("weight", "bias", "running_mean", "running_var")
        set_to.append((norm, [arrays[f"{name}.normalization.{one}"] for one in kept]))
        found = norm(made(entered))
        return layers.ReLU(max_value=6.0)(found) if active else found

    pixels = keras.Input(shape=(None, None, 3), name=PIXELS)
    hidden = part("stem", pixels, 2)
    for number, (_, stride, expansion, entering, leaving) in enumerate(config["block_args"]):
        at, before = f"blocks.{number}", hidden
        if expansion > 1:
            hidden = part(f"{at}.expand", hidden)
        hidden = part(f"{at}.depthwise", hidden, stride)
        hidden = part(f"{at}.project", hidden, active=False)
        if stride == 1 and entering == leaving:
            hidden = layers.Add()([hidden, before])
    last = layers.Identity(name="last_hidden_state")(part("head", hidden))
    model = keras.Model({PIXELS: pixels}, last)
    for layer, values in set_to:
        layer.set_weights(values)
    return model
