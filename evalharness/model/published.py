"""The published ImageNet weights of a backbone with their head; fetched only when the config asks for it."""

import warnings
from collections import Counter
from collections.abc import Callable

import numpy as np

from evalharness.errors import ConfigError, WeightsError
from evalharness.records import FloatArray, UInt8Array

PUBLISHED = ("vit_b16", "vit_b32", "vit_l16", "vit_l32")


def imagenet_classes() -> tuple[str, ...]:
    """The thousand names that the published heads were trained on, in the order of their outputs; all different."""
    from vit_keras import utils

    seen: Counter[str] = Counter()
    names = []
    for name in utils.get_imagenet_classes():
        seen[name] += 1
        # A crane is a bird, and a machine.
        names.append(name if seen[name] == 1 else f"{name} ({seen[name]})")
    return tuple(names)


def load_published(backbone: str, image_size: tuple[int, int]) -> Callable[[UInt8Array], FloatArray]:
    """Fetches a backbone's published weights through vit-keras (`tf.keras.utils.get_file`, kept in Keras's cache).

    Args:
        backbone: One of `PUBLISHED`.
        image_size: (height, width) in pixels; position embeddings are resized to it.

    Returns:
        A function from RGB images (n, height, width, 3), 0 to 255, to probabilities (n, 1000).

    Raises:
        ConfigError: There are no published weights of this backbone.
        WeightsError: They cannot be fetched.
    """
    if backbone not in PUBLISHED:
        raise ConfigError(
            "no weights are published for this backbone",
            expected=", ".join(PUBLISHED),
            got=backbone,
            where="what_is_it.download",
            fix="Set what_is_it.weights and what_is_it.classes instead",
        )
    import tensorflow as tf
    from vit_keras import vit

    build = {"vit_b16": vit.vit_b16, "vit_b32": vit.vit_b32, "vit_l16": vit.vit_l16, "vit_l32": vit.vit_l32}[backbone]
    with warnings.catch_warnings():
        # vit-keras tells of every resized position embedding.
        warnings.simplefilter("ignore", UserWarning)
        try:
            model = build(image_size=image_size, pretrained=True, include_top=True, pretrained_top=True)
        except Exception as error:
            raise WeightsError(
                "published weights cannot be fetched",
                got=f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}",
                where=vit.BASE_URL,
                fix="Fetch them where there is a connection, or set what_is_it.weights",
            ) from error

    def predict(images: UInt8Array) -> FloatArray:
        inputs = np.asarray(images, np.float32) / np.float32(127.5) - 1
        probs: FloatArray = tf.nn.softmax(model(inputs, training=False)).numpy()
        return probs

    return predict
