"""Everything that reads files which people bring, each as one function of a path."""

from annotated_flowers import CLASSES, images, samples

from evalharness.annotations import load_annotations
from evalharness.config import DatasetConfig
from evalharness.dataset import load_dataset
from evalharness.dataset.cutouts import load_cutouts
from evalharness.dataset.images import load_image, load_photo
from evalharness.dataset.scan import inspect_file
from evalharness.model.stored_weights import open_weights
from evalharness.model.weights_source import resolve_weights

INPUT = (32, 48)


def read_regions(path, annotations_format=None, frame="auto", orientation=1, size=(12, 20)):
    found = load_annotations(
        path,
        samples=samples(),
        images=images(size=size, orientation=orientation),
        classes=CLASSES,
        annotations_format=annotations_format,
        frame=frame,
    )
    assert all(found.messages)
    assert all(doubt.sentence for doubt in found.doubts)
    for row_id in found.regions:
        assert all(mask.shape == size for mask in found.masks(row_id).values())


def read_dataset(path, settings=None):
    config = DatasetConfig(csv=path, **(settings or {}))
    runs_dir = path.parent / "runs"
    found = load_dataset(config, model_classes=None, runs_dir=runs_dir, limit=None, seed=0, num_workers=1)
    assert found.samples


def read_photo(path, max_pixels=1_000_000):
    for exif in ("ignore", "apply"):
        for resize in ("squash", "crop", "pad"):
            config = DatasetConfig(csv="photos.csv", exif=exif, resize=resize, max_pixels=max_pixels)
            inspect_file(path, config)
            assert load_image(path, image_size=INPUT, config=config).shape == (*INPUT, 3)
            assert load_photo(path, config=config, max_side=64).ndim == 3


def read_weights(path):
    source = resolve_weights(str(path), tracking_uri="", cache_dir=path.parent / "cache")
    with open_weights(source) as stored:
        assert stored.num_layers
        arrays = [*stored.backbone.values(), *(array for layer in stored.head for array in layer.arrays.values())]
        assert all(isinstance(array.shape, tuple) for array in arrays)
        assert all(heads >= 0 for heads in stored.num_heads)


def read_cutouts(folder):
    assert load_cutouts(folder)
