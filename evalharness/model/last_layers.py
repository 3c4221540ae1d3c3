"""The end of a model: what goes into the layers that can be fitted anew, and a weights file with another one."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from evalharness.config import ModelConfig
from evalharness.errors import ModelError
from evalharness.model.backbone import find_backbone, leaves
from evalharness.model.preprocessing import preprocess
from evalharness.model.tracing import find_ending
from evalharness.records import FloatArray, UInt8Array, VisionTransformer

if TYPE_CHECKING:
    import tensorflow as tf

LayerName = Literal["linear", "last"]
"""`linear`: one dense layer on the class token instead of the whole head; `last`: the last dense layer of the head."""
BEHIND_DENSE = ("Activation", "Softmax")


@dataclass(frozen=True)
class LastLayers:
    """A loaded model, opened at its head."""

    model: VisionTransformer
    config: ModelConfig

    @property
    def keras_model(self) -> Any:
        """The whole model."""
        return self.model.keras_model

    @property
    def names(self) -> tuple[LayerName, ...]:
        """Which layers can be fitted anew; of a head that is one dense layer, `last` is `linear`."""
        return tuple(self._tensors)

    @cached_property
    def owner(self) -> LayerName:
        """The layer that the model's own last weights belong to."""
        return self.names[-1]

    def inputs(self, images: UInt8Array) -> Mapping[LayerName, FloatArray]:
        """What each layer sees of some images (B, height, width, 3), float32 (B, its width)."""
        import tensorflow as tf

        found = self._compiled(tf.constant(images))
        return {name: values.numpy() for name, values in zip(self.names, found, strict=True)}

    def own_logits(self, inputs: FloatArray) -> FloatArray:
        """The model's own logits, float64 (B, C), from the input of its last layer; one sigmoid z as (-z/2, z/2)."""
        kernel = np.asarray(self._dense.kernel, np.float64)
        bias = np.asarray(self._dense.bias, np.float64) if self._dense.use_bias else 0.0
        values: FloatArray = np.asarray(inputs, np.float64) @ kernel + bias
        return np.concatenate([-values / 2, values / 2], axis=1) if self._ending_kind == "sigmoid" else values

    def write(self, name: LayerName, kernel: FloatArray, bias: FloatArray, path: Path) -> None:
        """Writes the model's weights with another layer; the model itself stays as it was.

        Args:
            name: Of the layer.
            kernel: (its width, C).
            bias: (C,).
            path: Ends in `.h5`.
        """
        if name == "linear":
            self._with_linear(kernel, bias).save_weights(path)
            return
        if self._ending_kind == "sigmoid":
            kernel, bias = kernel[:, 1:] - kernel[:, :1], bias[1:] - bias[:1]
        before = self._dense.get_weights()
        try:
            self._dense.set_weights([kernel, bias])
            if self.config.backbone == "from_file":
                self.keras_model.save(path, save_format="h5")
            else:
                self.keras_model.save_weights(path)
        finally:
            self._dense.set_weights(before)

    def _with_linear(self, kernel: FloatArray, bias: FloatArray) -> "tf.keras.Model":
        import tensorflow as tf

        backbone = find_backbone(self.keras_model).model
        dense = tf.keras.layers.Dense(kernel.shape[1], "softmax", dtype="float32", name="head")
        linear = tf.keras.Sequential([backbone, dense], name="vision_transformer")
        dense.set_weights([kernel, bias])
        return linear

    @cached_property
    def _dense(self) -> "tf.keras.layers.Layer":
        layers = [layer for layer in leaves(self.keras_model) if type(layer).__name__ not in BEHIND_DENSE]
        if type(layers[-1]).__name__ != "Dense" or not layers[-1].use_bias:
            raise ModelError(
                "model's last layer cannot be fitted anew",
                expected="a dense layer with a bias",
                got=f"{type(layers[-1]).__name__} {layers[-1].name!r}",
            )
        return layers[-1]

    @cached_property
    def _ending_kind(self) -> str:
        return find_ending(self.keras_model, self.config.output).kind

    @cached_property
    def _tensors(self) -> "dict[LayerName, tf.Tensor]":
        keras_model = self.keras_model
        found: dict[LayerName, tf.Tensor] = {}
        if self.config.is_built_here:
            # Built as a stack of the backbone and the layers of the head.
            found["linear"] = keras_model.layers[1].input
            if keras_model.layers[1] is self._dense:
                return found
        if self._dense not in keras_model.layers:
            raise ModelError(
                "model's last layer cannot be fitted anew",
                expected="a layer of the model itself",
                got=f"{self._dense.name!r} in a model inside it",
                where="model.builder",
            )
        found["last"] = self._dense.input
        return found

    @cached_property
    def _compiled(self) -> "tf.types.experimental.PolymorphicFunction":
        import tensorflow as tf

        opened = tf.keras.Model(self.keras_model.input, list(self._tensors.values()))

        def run(images: "tf.Tensor") -> "list[tf.Tensor]":
            values = preprocess(tf.cast(images, tf.float32), self.config.preprocessing)
            return [tf.cast(found, tf.float32) for found in tf.nest.flatten(opened(values, training=False))]

        images = tf.TensorSpec((None, *self.model.image_size, 3), tf.uint8)
        return tf.function(run, input_signature=[images], autograph=self.model.needs_autograph)
