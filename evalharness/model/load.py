"""From a config and a weights file to a loaded, checked vision transformer."""

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

import numpy as np

from evalharness.collector import collection_held
from evalharness.config import CHECKPOINTS, ModelConfig, preprocessing_text
from evalharness.errors import ModelError, WeightsError
from evalharness.model.architecture import build_keras_model, precision_policy
from evalharness.model.backbone import Backbone, find_backbone, leaves
from evalharness.model.checkpoint_architecture import build_checkpoint_model
from evalharness.model.checkpoints import Checkpoint, read_checkpoint
from evalharness.model.stored_weights import StoredWeights, open_weights
from evalharness.model.tensorflow_setup import device_name
from evalharness.model.tracing import TracedModel
from evalharness.model.weights_matching import match_weights
from evalharness.records import VisionTransformer, WeightsSource

if TYPE_CHECKING:
    import h5py
    import tensorflow as tf

MAX_DEVIATION = 1e-5


@collection_held()
def load_model(
    config: ModelConfig, *, classes: Sequence[str], source: WeightsSource, is_backbone_only: bool = False
) -> VisionTransformer:
    """Builds the model, fills it from the file, and checks the traced logits against the model's own output.

    Args:
        config: The `model` section.
        classes: In the order of the outputs.
        source: The weights file.
        is_backbone_only: Takes no head from the file: the model's is left at random, and only what does not depend on
            it has a meaning.

    Raises:
        WeightsError: The file does not fit; the model is not touched then.
        ModelError: The model's end or its structure cannot be evaluated.
        ConfigError: The builder or an activation cannot be found.
    """
    if config.backbone == "from_file":
        model = _load_whole(source)
        backbone = find_backbone(model)
    else:
        check_format(config.backbone, source)
        is_checkpoint = config.backbone in CHECKPOINTS
        checkpoint = read_checkpoint(source.path, architecture=config.architecture) if is_checkpoint else None
        model = _build(config, classes, checkpoint)
        backbone = find_backbone(model)
        with opened_weights(source, config.image_size, checkpoint) as stored:
            pairs = match_weights(model, backbone, stored, source, is_backbone_only=is_backbone_only)
            for variable, array in pairs:
                variable.assign(np.asarray(array))
        for layer in leaves(model):
            if hasattr(layer, "finalize_state"):
                # A Normalization layer computes with a copy of its weights.
                layer.finalize_state()
    if backbone.image_size != config.image_size:
        raise ModelError(
            "model's input has another size",
            expected=f"{config.image_size} as in model.image_size",
            got=backbone.image_size,
            where="model.image_size",
        )
    if None not in (sides := model.input_shape[1:3]) and sides != config.image_size:
        raise ModelError(
            "model resizes its images before the backbone",
            expected=f"an input of {config.image_size}, as the backbone has",
            got=sides,
            where="model.builder",
            fix="Leave resizing to dataset.resize",
        )
    traced = TracedModel(model, backbone, preprocessing=config.preprocessing, output=config.output)
    num_outputs = 2 if traced.ending.kind == "sigmoid" else int(model.output_shape[1])
    if num_outputs != len(classes) and not is_backbone_only:
        raise ModelError(
            "model's outputs do not fit the classes",
            expected=f"{len(classes)} ({', '.join(classes)})",
            got=num_outputs,
            where="model.classes",
        )
    _check_logits(traced, config.image_size)
    return VisionTransformer(
        trace=traced.trace,
        readout=traced.readout,
        freeze=traced.freeze,
        predict_probs=traced.predict_probs,
        classes=tuple(classes),
        preprocessing=preprocessing_text(config.preprocessing),
        image_size=config.image_size,
        patch_size=backbone.patch_size,
        num_layers=len(backbone.blocks),
        num_heads=int(backbone.blocks[0].num_heads),
        hidden_size=backbone.hidden_size,
        weights=source,
        backbone_sha256=hash_variables(backbone.variables()),
        architecture=_architecture(config, model, backbone),
        device=device_name(),
        keras_model=model,
        num_prefix_tokens=backbone.num_prefix_tokens,
        pooling=backbone.readout.pooling,
        feature_size=len(backbone.readout.weights) * backbone.hidden_size,
        needs_autograph=not config.is_built_here,
    )


@contextmanager
def opened_weights(
    source: WeightsSource, image_size: tuple[int, int], checkpoint: Checkpoint | None = None
) -> Iterator[StoredWeights]:
    """The weights of a file of Keras, or of a checkpoint with its positions fitted to (height, width) pixels.

    Args:
        source: The file or folder.
        image_size: Of the model's input.
        checkpoint: What was read of it already.

    Raises:
        WeightsError: The file holds no backbone that is understood.
    """
    if source.file_format in CHECKPOINTS:
        yield (checkpoint or read_checkpoint(source.path)).weights(image_size)
        return
    with open_weights(source) as stored:
        yield stored


def check_format(backbone: str, source: WeightsSource) -> None:
    """Refuses a checkpoint for a model of vit-keras, and the other way round.

    Raises:
        WeightsError: The preset and the weights do not belong together.
    """
    is_checkpoint = source.file_format in CHECKPOINTS
    if backbone == source.file_format or (backbone not in CHECKPOINTS and not is_checkpoint):
        return
    libraries = {"huggingface": "transformers", "timm": "timm"}
    raise WeightsError(
        "weights are of another kind than the preset",
        expected=f"a checkpoint of {libraries[backbone]}" if backbone in CHECKPOINTS else "a Keras .h5 or .keras file",
        got=f"a checkpoint of {libraries[source.file_format]}"
        if is_checkpoint
        else f"a Keras file ({source.file_format})",
        where=source.path,
        fix=f"Choose model={source.file_format}" if is_checkpoint else "Choose model=notebook or a backbone's preset",
    )


def hash_backbone(source: WeightsSource, image_size: tuple[int, int]) -> str:
    """What `backbone_sha256` of a model with these weights is, from the file alone.

    Args:
        source: The weights.
        image_size: (height, width) in pixels of the model's input, which the positions of a checkpoint are fitted to.

    Raises:
        WeightsError: The file holds no vit-keras backbone.
    """
    with opened_weights(source, image_size) as stored:
        return hash_variables(stored.backbone)


def hash_variables(variables: "Mapping[str, tf.Variable | h5py.Dataset]") -> str:
    """SHA-256 over names, shapes and float32 values, in the order of names."""
    digest = hashlib.sha256()
    for name in sorted(variables):
        values = np.ascontiguousarray(variables[name], np.float32)
        digest.update(f"{name} {values.shape}\n".encode())
        digest.update(values.tobytes())
    return digest.hexdigest()


def _build(config: ModelConfig, classes: Sequence[str], checkpoint: Checkpoint | None) -> "tf.keras.Model":
    import tensorflow as tf

    if checkpoint is None and config.is_built_here:
        # None of the layers has control flow that AutoGraph would have to convert, and looking for it takes seconds.
        return tf.autograph.experimental.do_not_convert(build_keras_model)(
            config, num_classes=_num_outputs(config, classes)
        )
    if checkpoint is None:
        return build_keras_model(config, num_classes=_num_outputs(config, classes))
    with precision_policy(config.precision):
        return build_checkpoint_model(config, checkpoint.description, num_classes=len(classes))


def _num_outputs(config: ModelConfig, classes: Sequence[str]) -> int:
    """Width of the last layer: one sigmoid stands for two classes."""
    last = config.head[-1] if config.head else None
    is_sigmoid = last is not None and last.activation == "sigmoid"
    return 1 if is_sigmoid and len(classes) == 2 else len(classes)


def _load_whole(source: WeightsSource) -> "tf.keras.Model":
    """Deserialises a whole saved model, which the config has allowed."""
    import tensorflow as tf
    import tensorflow_addons as tfa
    from vit_keras import layers

    if source.file_format not in ("h5-model", "keras"):
        raise WeightsError(
            "file holds weights without an architecture",
            expected="a whole model (.h5 or .keras)",
            got=source.file_format,
            where=source.path,
            fix="Choose model=custom or a backbone's preset",
        )
    known = (layers.ClassToken, layers.AddPositionEmbs, layers.MultiHeadSelfAttention, layers.TransformerBlock)
    objects = {layer.__name__: layer for layer in known} | {"gelu": tfa.activations.gelu}
    arguments = {"custom_objects": objects, "compile": False}
    if source.file_format == "keras":
        arguments["safe_mode"] = False
    try:
        return tf.keras.models.load_model(source.path, **arguments)
    except Exception as error:
        raise WeightsError(
            "saved model cannot be loaded",
            got=": ".join([type(error).__name__, *str(error).splitlines()[:1]]),
            where=source.path,
            fix="Choose model=custom or a backbone's preset, which read the weights alone",
        ) from error


def _check_logits(traced: TracedModel, image_size: tuple[int, int]) -> None:
    """One seeded batch of noise: softmax(logits) must be what the model itself says."""
    import tensorflow as tf

    noise = np.random.default_rng(123).integers(0, 256, (2, *image_size, 3)).astype(np.float32)
    own = traced.predict_probs(tf.constant(noise))
    ours = tf.nn.softmax(traced.trace(tf.constant(noise)).logits)
    deviation = float(np.max(np.abs(np.asarray(own) - np.asarray(ours)), initial=0.0))
    allowed = MAX_DEVIATION if traced.ending.layer.compute_dtype == "float32" else 2.0**-8
    if deviation > allowed:
        raise ModelError(
            "logits do not give the model's own output",
            expected=f"a deviation of at most {allowed:g}",
            got=f"{deviation:g}",
            fix="The model's last layer does something that the harness does not know",
        )


def _architecture(config: ModelConfig, model: "tf.keras.Model", backbone: Backbone) -> dict[str, object]:
    return {
        "backbone": "builder" if config.builder else config.backbone,
        "patch_size": backbone.patch_size,
        "num_layers": len(backbone.blocks),
        "num_heads": int(backbone.blocks[0].num_heads),
        "hidden_size": backbone.hidden_size,
        "num_prefix_tokens": backbone.num_prefix_tokens,
        "pooling": backbone.readout.pooling,
        "mlp_dim": int(backbone.blocks[0].mlp_dim),
        "head": [type(layer).__name__ for layer in model.layers if layer is not backbone.model],
        "num_params": int(model.count_params()),
    }
