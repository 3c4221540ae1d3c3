"""Weights files that claim terabytes and hold nothing."""

import h5py


def hollow_weights(path, names=("encoderblock_0/query/kernel:0",), *, config=None, **storage):
    """A backbone whose weights have shapes and no values.

    Args:
        path: Of the file.
        names: Of its weights.
        config: Of the whole model, as an attribute; None: weights alone.
        storage: Of each dataset, such as `compression="gzip"`.
    """
    with h5py.File(path, "w") as file:
        root = file if config is None else file.create_group("model_weights")
        root.attrs["layer_names"] = [b"vit"]
        group = root.create_group("vit")
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name in names:
            group.create_dataset(name, (10**6, 10**6), "f4", chunks=(1000, 1000), **storage)
        if config is not None:
            file.attrs["model_config"] = config
    return path
