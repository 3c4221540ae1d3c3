"""TensorFlow, set up once: silent, deterministic, and sharing a GPU's memory."""

import gc
import sys
import warnings

from evalharness.collector import collection_held, leave_alone


def configure_tensorflow(seed: int) -> None:
    """Imports TensorFlow without its notices, fixes every seed and makes operations deterministic.

    A GPU's memory is taken as it is needed, so that several runs can share one.

    Args:
        seed: Of Python's, NumPy's and TensorFlow's generators.
    """
    # vit-keras imports pkg_resources, which announces its own.
    warnings.filterwarnings("ignore", message="pkg_resources is deprecated", category=UserWarning)
    # tensorflow-addons announces its end of life at every import.
    warnings.filterwarnings("ignore", message=r"\s*TensorFlow Addons", category=UserWarning)
    is_first = "tensorflow" not in sys.modules
    with collection_held():
        import tensorflow as tf

    if is_first:
        leave_alone()
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, enable=True)
    # What earlier runs of this process left behind: a sweep would otherwise hold the graph of every member.
    tf.keras.backend.clear_session()
    gc.collect()
    tf.keras.utils.set_random_seed(seed)
    tf.config.experimental.enable_op_determinism()


def device_name() -> str:
    """The device that TensorFlow computes on, such as `CPU` or a GPU's model name."""
    import tensorflow as tf

    gpus = tf.config.list_physical_devices("GPU")
    if not gpus:
        return "CPU"
    return str(tf.config.experimental.get_device_details(gpus[0]).get("device_name", "GPU"))
