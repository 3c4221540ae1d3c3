"""The Keras graph of a checkpoint, from vit-keras's own transformer blocks."""

from typing import TYPE_CHECKING

from evalharness.config import ModelConfig
from evalharness.model.checkpoints import ModelDescription

if TYPE_CHECKING:
    import tensorflow as tf


def build_checkpoint_model(config: ModelConfig, described: ModelDescription, *, num_classes: int) -> "tf.keras.Model":
    """Builds the model with fresh weights, under the global precision policy; its head stays in float32.

    Args:
        config: The `model` section, completed from the files.
        described: What the files say.
        num_classes: Outputs of the classifier.
    """
    import tensorflow as tf

    epsilon = float(config.epsilon or described.epsilon)
    layers = [_backbone(config, described, epsilon)]
    if described.is_normed_before_head:
        layers.append(tf.keras.layers.LayerNormalization(epsilon=epsilon, name="fc_norm", dtype="float32"))
    layers.append(tf.keras.layers.Dense(num_classes, activation="softmax", name="head", dtype="float32"))
    return tf.keras.Sequential(layers, name="vision_transformer")


def _backbone(config: ModelConfig, described: ModelDescription, epsilon: float) -> "tf.keras.Model":
    import tensorflow as tf
    from vit_keras.layers import AddPositionEmbs, TransformerBlock

    from evalharness.model.token_layers import PrefixTokens, ReadTokens

    height, width = config.image_size
    patch, num_prefix = described.patch_size, described.num_prefix_tokens
    num_patches = (height // patch) * (width // patch)
    inputs = tf.keras.layers.Input((height, width, 3))
    embedding = tf.keras.layers.Conv2D(described.hidden_size, patch, patch, padding="valid", name="embedding")
    tokens = tf.keras.layers.Reshape((num_patches, described.hidden_size))(embedding(inputs))
    tokens = PrefixTokens(num_prefix, name="class_token")(tokens)
    tokens = AddPositionEmbs(name="Transformer/posembed_input")(tokens)
    for index in range(described.num_layers):
        block = TransformerBlock(
            num_heads=config.num_heads, mlp_dim=described.mlp_dim, dropout=0.0, name=f"Transformer/encoderblock_{index}"
        )
        tokens, _ = block(tokens)
        for norm in (block.layernorm1, block.layernorm2):
            norm.epsilon = epsilon
    if described.is_normed_before_head:
        normed = tf.keras.layers.Identity(name="Transformer/encoder_norm")(tokens)
    else:
        normed = tf.keras.layers.LayerNormalization(epsilon=epsilon, name="Transformer/encoder_norm")(tokens)
    read = ReadTokens(
        config.pooling or described.pooling, num_prefix_tokens=num_prefix, num_patches=num_patches, name="ReadTokens"
    )
    return tf.keras.Model(inputs, read(normed), name=config.backbone)
