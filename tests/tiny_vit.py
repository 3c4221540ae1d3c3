"""A small photo set and a tiny real ViT with random weights."""

import warnings
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
UNDRAWN = {"report__contact_sheet": [], "report__num_logged_images": 0, "report__html": False}
"""For an evaluation whose pictures nobody looks at."""
TINY_SIZES = {"image_size": 32, "patch_size": 8, "num_layers": 2, "hidden_size": 16, "num_heads": 2, "mlp_dim": 24}


@dataclass(frozen=True)
class TinyRun:
    """Files of a tiny evaluation, and the overrides that name them."""

    weights: Path
    csv: Path
    root: Path

    def overrides(self, runs_dir: Path, **values: object) -> dict[str, object]:
        """Overrides of a run; keyword names use `__` for a dot."""
        given = {key.replace("__", "."): value for key, value in values.items()}
        return {
            "model": "custom",
            **{f"model.{name}": value for name, value in TINY_SIZES.items()},
            "model.preprocessing": "vit",
            "model.weights": str(self.weights),
            "model.probe": 0,
            "dataset.csv": str(self.csv),
            "runs_dir": str(runs_dir),
            "bootstrap.num_resamples": 200,
            "batch_size": 8,
            # Drawing takes longer than the model.
            "report.contact_sheet": ["noisiest"],
            "report.num_pairs": 2,
            "report.num_logged_images": 2,
            **given,
        }


def build_tiny_model(*, num_classes=5, seed=5, **sizes):
    """A ViT of a few thousand weights with the notebook's head, built with Keras alone.

    Equal arguments give the same object, with the weights that it had at first.
    """
    model, weights = _build(num_classes, seed, tuple(sizes.items()))
    model.set_weights(weights)
    return model


@cache
def _build(num_classes, seed, sizes):
    warnings.simplefilter("ignore")
    import tensorflow as tf
    import tensorflow_addons as tfa
    from vit_keras import vit

    tf.keras.utils.set_random_seed(seed)
    backbone = vit.build_model(name="custom", classes=0, include_top=False, **{**TINY_SIZES, **dict(sizes)})
    model = tf.keras.Sequential(
        [
            backbone,
            tf.keras.layers.Flatten(),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Dense(21, activation=tfa.activations.gelu),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Dense(num_classes, "softmax"),
        ],
        name="vision_transformer",
    )
    for variable in model.trainable_variables:
        if "kernel" in variable.name:
            # Spread out, so that verdicts and attention differ between images.
            variable.assign(variable * 3)
    return model, model.get_weights()


def write_photos(root: Path, *, num_per_class: int, size: tuple[int, int] = (44, 36), seed: int = 0) -> pd.DataFrame:
    """Blurred noise around a colour of the class, in the notebook's folders; returns the rows of its CSV."""
    generator = np.random.default_rng(seed)
    rows = []
    for index, name in enumerate(CLASSES):
        (root / "test" / name).mkdir(parents=True, exist_ok=True)
        tint = np.array([40 * index, 255 - 40 * index, (90 * index) % 256])
        for number in range(num_per_class):
            noise = generator.integers(0, 256, (size[1], size[0], 3))
            image = Image.fromarray(((noise + tint) // 2).astype(np.uint8)).filter(ImageFilter.GaussianBlur(2))
            image.save(root / "test" / name / f"{number:04d}.jpg", quality=90)
            rows.append(("test", name, f"{number:04d}.jpg"))
    order = generator.permutation(len(rows))
    return pd.DataFrame(rows, columns=["base_path", "type_dir", "file_name"]).iloc[order]
