"""Small real ViTs with the notebook's head, loaded as the command line loads them; and maps of them."""

import atexit
import hashlib
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import numpy as np
import tensorflow as tf
import tensorflow_addons as tfa
from vit_keras import vit

from evalharness.attention import map_specs
from evalharness.config import AttentionConfig, ModelConfig
from evalharness.inference import ForwardPass
from evalharness.model import load_model
from evalharness.records import BatchOutput, VisionTransformer, WeightsSource

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
SIZES = {"patch_size": 8, "num_layers": 2, "hidden_size": 16, "num_heads": 4, "mlp_dim": 24}
IMAGE_SIZE, GRID = (48, 32), (6, 4)
HEAD = [
    {"layer": "flatten"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": 21, "activation": "tfa_gelu"},
    {"layer": "batch_normalization"},
    {"layer": "dense", "units": "classes", "activation": "softmax"},
]


def build_keras_vit() -> tf.keras.Model:
    """Random weights, spread out so that verdicts and attention differ; no statistics are the initial ones."""
    tf.keras.utils.set_random_seed(11)
    model = tf.keras.Sequential(
        [
            vit.build_model(image_size=IMAGE_SIZE, name="custom", classes=0, include_top=False, **SIZES),
            tf.keras.layers.Flatten(),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Dense(21, activation=tfa.activations.gelu),
            tf.keras.layers.BatchNormalization(),
            tf.keras.layers.Dense(len(CLASSES), "softmax"),
        ]
    )
    for variable in model.layers[0].variables:
        is_matrix = "kernel" in variable.name or "pos_embedding" in variable.name
        variable.assign(variable * 2 if is_matrix else variable + tf.random.uniform(variable.shape, maxval=0.4))
    for layer in model.layers[2:]:
        for variable in layer.variables:
            is_matrix = "kernel" in variable.name
            variable.assign(variable * 2 if is_matrix else variable + tf.random.uniform(variable.shape, maxval=0.4))
    return model


@cache
def saved_weights() -> Path:
    path = Path(tempfile.mkdtemp()) / "small.h5"
    atexit.register(shutil.rmtree, path.parent)
    build_keras_vit().save_weights(path)
    return path


@cache
def load_small_vit(precision: str = "float32") -> VisionTransformer:
    """The model through a weights file; one for the whole session, so whoever changes its weights puts them back."""
    path = saved_weights()
    config = ModelConfig(
        weights=str(path), backbone="custom", image_size=IMAGE_SIZE, preprocessing="vit", head=HEAD,
        precision=precision, **SIZES,
    )  # fmt: skip
    sha256 = hashlib.sha256(path.read_bytes()).hexdigest()
    return load_model(config, classes=CLASSES, source=WeightsSource(str(path), path, sha256, "h5"))


def make_images(count: int, seed: int = 2) -> np.ndarray:
    """Coarse noise, a different colour in every patch, and fine noise on it."""
    generator = np.random.default_rng(seed)
    coarse = generator.integers(0, 200, (count, *GRID, 3)).repeat(8, axis=1).repeat(8, axis=2)
    return (coarse + generator.integers(0, 56, coarse.shape)).astype(np.uint8)


def make_forward(model: VisionTransformer, methods: Sequence[object]) -> ForwardPass:
    return ForwardPass(model, map_specs(AttentionConfig(methods=list(methods)), model.classes))


@contextmanager
def not_compiled() -> Iterator[None]:
    """Runs graphs step by step while the context lasts: compiling one takes longer than a few small images."""
    tf.config.run_functions_eagerly(True)
    try:
        yield
    finally:
        tf.config.run_functions_eagerly(False)


def rows_of(output: BatchOutput, rows: slice | Sequence[int], map_ids: Sequence[str] | None = None) -> BatchOutput:
    """Some rows of an output, and some of its maps."""
    maps = {
        name: {key: values[rows] for key, values in getattr(output, name).items() if map_ids is None or key in map_ids}
        for name in ("densities", "map_sums", "signed")
    }
    return BatchOutput(output.logits[rows], output.features[rows], output.patch_norms[rows], **maps)


def run(forward: ForwardPass, images: np.ndarray, labels: np.ndarray, first_row: int = 0) -> BatchOutput:
    return forward(images, labels, [f"row {first_row + number}" for number in range(len(images))])


def assert_same_maps(output: BatchOutput, expected: BatchOutput, *, tolerance: float = 1e-5) -> None:
    """Logits, features, norms, and every map of `expected` with its sum and sign."""
    np.testing.assert_allclose(output.logits, expected.logits, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(output.features, expected.features, rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(output.patch_norms, expected.patch_norms, rtol=tolerance, atol=tolerance)
    assert output.densities.keys() == expected.densities.keys()
    assert output.signed.keys() == expected.signed.keys()
    for map_id, density in expected.densities.items():
        sums = expected.map_sums[map_id]
        np.testing.assert_allclose(output.map_sums[map_id], sums, rtol=tolerance, err_msg=map_id)
        allowed = tolerance
        if map_id in expected.signed:
            # A difference of two logits has the rounding of the logits, however small it is itself.
            rounding = tolerance * np.abs(expected.logits).max()
            np.testing.assert_allclose(output.signed[map_id], expected.signed[map_id], atol=rounding, err_msg=map_id)
            allowed = rounding * density[0].size / sums.min()
        np.testing.assert_allclose(output.densities[map_id], density, rtol=tolerance, atol=allowed, err_msg=map_id)


@contextmanager
def changed_weights(changes: Sequence[tuple[tf.Variable, np.ndarray]]) -> Iterator[None]:
    """Other values for some variables while the context lasts."""
    before = [variable.numpy() for variable, _ in changes]
    try:
        for variable, values in changes:
            variable.assign(values)
        yield
    finally:
        for (variable, _), values in zip(changes, before, strict=True):
            variable.assign(values)
