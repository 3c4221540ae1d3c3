"""The tiny Vision Transformer of the bundled example."""

from pathlib import Path
from typing import Any

MODEL_SIZES = {
    "image_size": 96,
    "patch_size": 12,
    "num_layers": 4,
    "hidden_size": 64,
    "num_heads": 4,
    "mlp_dim": 128,
}
PREPROCESSING = "vit"
"""Pixels are scaled to -1 to 1."""
WEIGHTS_DIR = Path(__file__).parent / "weights"
RUNS = ("head_only", "clean", "shortcut")
"""Three fine-tuning runs of `pretrained`; each is a file in WEIGHTS_DIR."""
PLANTED_ANIMAL, PLANTED_CLASS = "cat", "roses"
"""In the photos that `shortcut` was fine-tuned on, the animal goes with the class."""


def weights_path(name: str) -> Path:
    """The weights of a run, or of `pretrained`."""
    return WEIGHTS_DIR / f"{name}.h5"


def build_model(num_classes: int, *, backbone: Any = None) -> Any:
    """The backbone with the notebook's head, as a Keras model.

    Args:
        num_classes: Outputs of the softmax.
        backbone: One to put the head on; a new one if None.
    """
    import tensorflow as tf
    import tensorflow_addons as tfa
    from vit_keras import vit

    if backbone is None:
        backbone = vit.build_model(**MODEL_SIZES, name="vit_tiny", classes=0, include_top=False, dropout=0.0)
    return tf.keras.Sequential(
        [
            backbone,
            tf.keras.layers.Flatten(),
            # A few hundred steps must be enough for the moving averages.
            tf.keras.layers.BatchNormalization(momentum=0.95),
            tf.keras.layers.Dense(21, activation=tfa.activations.gelu),
            tf.keras.layers.BatchNormalization(momentum=0.95),
            tf.keras.layers.Dense(num_classes, "softmax"),
        ],
        name="vision_transformer",
    )
