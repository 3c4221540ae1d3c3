"""Opens a Keras model up: one function from images to logits, features and every block's attention."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from evalharness.config import Normalization
from evalharness.errors import ModelError
from evalharness.model.backbone import Backbone, leaves
from evalharness.model.frozen_blocks import pull_back_block, pull_back_norm, replay_block
from evalharness.model.frozen_head import FrozenHead
from evalharness.model.preprocessing import preprocess
from evalharness.model.readout import Readout
from evalharness.records import FrozenGradients, Trace

if TYPE_CHECKING:
    import tensorflow as tf

OUTPUT_KINDS = "a softmax over the classes, one sigmoid, or a linear layer with model.output=logits"


@dataclass(frozen=True)
class Ending:
    """How the last layer turns its input into the model's output."""

    kind: str
    """`softmax`, `sigmoid` or `logits`."""
    layer: "tf.keras.layers.Layer"

    def logits(self, inputs: "tf.Tensor") -> "tf.Tensor":
        """The pre-activation, (B, C) float32; one sigmoid z as (-z/2, z/2)."""
        import tensorflow as tf

        values = tf.cast(inputs, tf.float32)
        if hasattr(self.layer, "kernel"):
            values = tf.matmul(values, tf.cast(self.layer.kernel, tf.float32))
            if self.layer.use_bias:
                values += tf.cast(self.layer.bias, tf.float32)
        return tf.concat([-values / 2, values / 2], axis=1) if self.kind == "sigmoid" else values

    def probs(self, outputs: "tf.Tensor") -> "tf.Tensor":
        """The model's own output as class probabilities (B, C)."""
        import tensorflow as tf

        outputs = tf.cast(outputs, tf.float32)
        if self.kind == "sigmoid":
            return tf.concat([1 - outputs, outputs], axis=1)
        return tf.nn.softmax(outputs) if self.kind == "logits" else outputs


class TracedModel:
    """A model in three parts: up to the backbone, the backbone with its inside, and the head up to the last layer.

    Args:
        model: The whole model.
        backbone: Its backbone.
        preprocessing: What `preprocess` takes.
        output: `auto`, or `logits` where the model ends linearly.

    Raises:
        ModelError: The model's end cannot be read as one label per image, or its parts do not hang together.
    """

    def __init__(
        self, model: "tf.keras.Model", backbone: Backbone, *, preprocessing: str | Normalization, output: str
    ) -> None:
        import tensorflow as tf

        self.model = model
        self.preprocessing = preprocessing
        self.ending = find_ending(model, output)
        self._blocks = backbone.blocks
        ends = [block.output[0] for block in self._blocks]
        starts = [block.input for block in self._blocks]
        self._embed = tf.keras.Model(backbone.model.input, starts[0])
        self._between_blocks = [_between(end, start) for end, start in zip(ends, starts[1:], strict=False)]
        self._encoder_norm = backbone.encoder_norm
        self._num_prefix_tokens = backbone.num_prefix_tokens
        self._readout = backbone.readout
        token = backbone.extract_token.output
        self._before: tf.keras.Model | None = None
        self._heads: list[tf.keras.Model | None] = []
        steps = _steps_to_last_layer(model)
        if backbone.model is not model:
            (_, end), *steps = steps
            entry, exit_ = (end, None) if model.layers[-1] is backbone.model else _call_of(backbone.model, end)
            self._before = _between(model.input, entry)
            if exit_ is not None:
                self._heads = [_between(token, backbone.model.output), _between(exit_, end)]
        for container, end in steps:
            self._heads.append(_between(token if container is backbone.model else container.input, end))

    def trace(self, images: "tf.Tensor") -> Trace:
        """One forward pass, `training=False`.

        Args:
            images: RGB of 0 to 255, float32 (B, height, width, 3); preprocessed inside.
        """
        values = preprocess(images, self.preprocessing)
        if self._before is not None:
            values = self._before(values, training=False)
        tokens, insides, outputs = self._embed(values, training=False), [], []
        for block, before in zip(self._blocks, [None, *self._between_blocks], strict=True):
            tokens, inside = replay_block(block, tokens if before is None else before(tokens, training=False))
            insides.append(inside)
            outputs.append(tokens)
        features = self._readout.features(self._encoder_norm(tokens))
        return Trace(
            logits=self._head_logits(features),
            features=features,
            attentions=tuple(inside.attention for inside in insides),
            block_outputs=tuple(outputs),
            last_normalized=insides[-1].normalized,
            num_prefix_tokens=self._num_prefix_tokens,
            insides=tuple(insides),
            readout_row=self._readout.row,
        )

    def freeze(self) -> "Callable[[Trace, tf.Tensor], FrozenGradients]":
        """The backward pass with every gate held constant, after the head is found to have a rule for each layer.

        Raises:
            ModelError: A layer between the features and the logits, or between two blocks, has no rule.
        """
        if any(self._between_blocks):
            raise ModelError(
                "libra has no rule for a layer between two blocks",
                expected="blocks that follow one another",
                got=", ".join(layer.name for part in self._between_blocks if part for layer in part.layers[1:]),
                where="attention.methods",
                fix="Leave libra out of attention.methods",
            )
        return _FrozenBackward(
            self._blocks,
            self._encoder_norm,
            self._readout,
            FrozenHead([part for part in self._heads if part], self.ending.logits),
        )

    def readout(self, tokens: "tf.Tensor", pool: str) -> "tf.Tensor":
        """Logits (B, C) of the head on any block's output.

        Args:
            tokens: (B, T, D), before the final norm.
            pool: `head` reads what the head reads, `cls` the class token, `mean` the mean of all tokens.
        """
        import tensorflow as tf

        normalized = self._encoder_norm(tokens)
        if pool == "head":
            return self._head_logits(self._readout.features(normalized))
        return self._head_logits(normalized[:, 0] if pool == "cls" else tf.reduce_mean(normalized, axis=1))

    def _head_logits(self, features: "tf.Tensor") -> "tf.Tensor":
        values = features
        for part in self._heads:
            if part is not None:
                values = part(values, training=False)
        return self.ending.logits(values)

    def predict_probs(self, images: "tf.Tensor", preprocessing: str | None = None) -> "tf.Tensor":
        """The model's own output as class probabilities (B, C), from images as for `trace`."""
        inputs = preprocess(images, preprocessing or self.preprocessing)
        return self.ending.probs(self.model(inputs, training=False))


@dataclass(frozen=True)
class _FrozenBackward:
    blocks: Sequence["tf.keras.layers.Layer"]
    encoder_norm: "tf.keras.layers.Layer"
    readout: Readout
    head: FrozenHead

    def __call__(self, trace: Trace, weights: "tf.Tensor") -> FrozenGradients:
        import tensorflow as tf

        at_features, constant = self.head.pull_back(trace.features, weights)
        tokens = trace.block_outputs[-1]
        at_normalized = self.readout.pull_back(at_features)
        gradient, added = pull_back_norm(self.encoder_norm, tokens, tf.cast(at_normalized, tokens.dtype))
        gradients, constants = [], []
        for block, inside in zip(reversed(self.blocks), reversed(trace.insides), strict=True):
            constant = constant + tf.cast(added, constant.dtype)
            gradient, added = pull_back_block(block, inside, gradient)
            gradients.append(gradient)
            constants.append(constant + tf.cast(added, constant.dtype))
        scores = tf.reduce_sum(tf.cast(weights, trace.logits.dtype) * trace.logits, axis=1)
        return FrozenGradients(tuple(reversed(gradients)), tuple(reversed(constants)), scores)


def find_ending(model: "tf.keras.Model", output: str) -> Ending:
    """Reads the last layer: where the logits are, and what the output means.

    Raises:
        ModelError: Not one label per image, or the end cannot be told.
    """
    import tensorflow as tf

    layer, width = [*leaves(model)][-1], model.output_shape
    if not isinstance(width, tuple) or len(width) != 2:
        raise ModelError("model has no single vector of outputs", expected="shape (images, classes)", got=width)
    activation = getattr(layer, "activation", None)
    name = "softmax" if isinstance(layer, tf.keras.layers.Softmax) else getattr(activation, "__name__", None)
    # What tf.nn.softmax calls itself.
    name = "softmax" if name == "softmax_v2" else name
    if not isinstance(layer, tf.keras.layers.Dense | tf.keras.layers.Activation | tf.keras.layers.Softmax):
        raise ModelError(
            "model's last layer is not understood", expected=OUTPUT_KINDS, got=f"{type(layer).__name__} {layer.name!r}"
        )
    if name == "sigmoid" and width[1] > 1:
        raise ModelError(
            "model gives several labels per image", expected="one label per image: " + OUTPUT_KINDS,
            got=f"{width[1]} sigmoids in layer {layer.name!r}",
        )  # fmt: skip
    if name == "softmax" and width[1] == 1:
        raise ModelError("softmax over one output is always 1", expected=OUTPUT_KINDS, got=f"layer {layer.name!r}")
    if name == "linear" and output != "logits":
        raise ModelError(
            "model ends without an activation",
            expected=OUTPUT_KINDS,
            got=f"linear layer {layer.name!r}",
            fix="If its outputs are logits, set model.output=logits",
        )
    if name in ("softmax", "sigmoid") and output == "logits":
        raise ModelError(
            "model.output=logits does not fit",
            expected="a linear last layer",
            got=f"{name} in layer {layer.name!r}",
            fix="Leave model.output=auto",
        )
    if name not in ("softmax", "sigmoid", "linear"):
        raise ModelError(
            "model's last activation is not understood", expected=OUTPUT_KINDS, got=f"{name} in layer {layer.name!r}"
        )
    return Ending("logits" if name == "linear" else name, layer)


def _between(start: "tf.Tensor", end: "tf.Tensor") -> "tf.keras.Model | None":
    """The layers between two symbolic tensors of one model; None if they are the same tensor."""
    import tensorflow as tf

    try:
        return None if start is end else tf.keras.Model(start, end)
    except ValueError as error:
        raise ModelError(
            "model's end does not depend on the backbone's output alone",
            expected="backbone, then a head on its class token",
            got=f"a way around it to {end.name!r}",
            where="model.builder",
        ) from error


def _steps_to_last_layer(model: "tf.keras.Model") -> list[tuple["tf.keras.Model", "tf.Tensor"]]:
    """The model, and each nested model that ends it, with the input of its own last layer."""
    last = model.layers[-1]
    for index in range(len(last.inbound_nodes)):
        if last.get_output_at(index) is model.output:
            break
    inner = _steps_to_last_layer(last) if hasattr(last, "layers") else []
    return [(model, last.get_input_at(index)), *inner]


def _call_of(layer: "tf.keras.Model", end: "tf.Tensor") -> tuple["tf.Tensor", "tf.Tensor"]:
    """Input and output of the call of the backbone that the model's end hangs on."""
    for index in reversed(range(len(layer.inbound_nodes))):
        output = layer.get_output_at(index)
        try:
            _between(output, end)
        except ModelError:
            if index == 0:
                raise
            continue
        return layer.get_input_at(index), output
    raise AssertionError("a layer of a model is called at least once")
