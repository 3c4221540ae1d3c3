"""What pixels come out of a file, mode by mode."""

import warnings
from itertools import product

import numpy as np
import pytest
from PIL import Image, ImageOps

from evalharness.dataset import ImageError, load_image, load_photo
from evalharness.dataset.decode import TRANSPOSITIONS

EXIF_ORIENTATION = 0x0112
WHOLE = (16, 24)


@pytest.fixture
def pixels():
    return np.random.default_rng(5).integers(0, 256, (16, 24, 3), np.uint8)


@pytest.fixture
def load(bench):
    """Loads at the stored size, so that resizing changes nothing."""

    def load_whole(path, image_size=WHOLE, **fields):
        return load_image(path, image_size=image_size, config=bench.config(**fields))

    return load_whole


def make_exif(orientation):
    exif = Image.Exif()
    exif[EXIF_ORIENTATION] = orientation
    return exif


def as_rgb(path):
    with warnings.catch_warnings(), Image.open(path) as image:
        warnings.simplefilter("ignore")
        return np.asarray(image.convert("RGB"))


@pytest.mark.parametrize(("suffix", "size"), list(product(["jpg", "png"], [(227, 227), (640, 427), (100, 333)])))
def test_squash_equals_the_plain_procedure(bench, load, suffix, size):
    path = bench.photo(f"a.{suffix}", size=size)
    expected = Image.open(path).convert("RGB").resize((224, 224), Image.Resampling.BILINEAR)
    image = load(path, (224, 224))
    np.testing.assert_array_equal(image, np.asarray(expected))
    assert image.dtype == np.uint8
    assert image.flags.writeable


@pytest.mark.parametrize("name", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
def test_filters_on_a_canvas_that_is_not_square(bench, load, name):
    path = bench.photo("a.png", size=(60, 50))
    expected = Image.open(path).resize((40, 20), Image.Resampling[name.upper()])
    np.testing.assert_array_equal(load(path, (20, 40), filter=name), np.asarray(expected))


def test_crop_keeps_the_centre(bench, load):
    path = bench.photo("a.png", size=(60, 20))
    scaled = np.asarray(Image.open(path).resize((30, 10), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(load(path, (10, 10), resize="crop"), scaled[:, 10:20])


@pytest.mark.parametrize("size", [(60, 20), (20, 60), (33, 31)])
def test_pad_equals_pillows(bench, load, size):
    path = bench.photo("a.png", size=size)
    expected = ImageOps.pad(Image.open(path), (32, 32), Image.Resampling.BILINEAR, color="black")
    np.testing.assert_array_equal(load(path, (32, 32), resize="pad"), np.asarray(expected))


def test_crop_of_a_thread_is_refused(bench, load):
    path = bench.photo("a.png", size=(1, 4000))
    with pytest.raises(ImageError, match=r"sides \(1 x 4000\) are too unequal for dataset\.resize=crop"):
        load(path, (224, 224), resize="crop", max_pixels=1_000_000)


@pytest.mark.parametrize(
    ("mode", "file_name"),
    [
        ("1", "a.png"),
        ("1", "a.tif"),
        ("L", "a.png"),
        ("L", "a.jpg"),
        ("LA", "a.png"),
        ("P", "a.png"),
        ("P", "a.gif"),
        ("RGB", "a.bmp"),
        ("RGB", "a.ppm"),
        ("RGB", "a.webp"),
        ("RGB", "a.tif"),
        ("RGBA", "a.png"),
        ("RGBA", "a.webp"),
        ("CMYK", "a.jpg"),
        ("CMYK", "a.tif"),
        ("YCbCr", "a.tif"),
        ("LAB", "a.tif"),
    ],
)
def test_modes_that_pillow_converts(bench, load, pixels, mode, file_name):
    path = bench.folder / file_name
    image = Image.fromarray(pixels)
    if mode == "LAB":
        image = Image.merge("LAB", image.split())
    (image if mode == "LAB" else image.convert(mode)).save(path)
    if file_name not in {"a.webp", "a.gif"}:
        assert Image.open(path).mode == mode
    np.testing.assert_array_equal(load(path), as_rgb(path))


def test_cmyk_jpeg_is_near_its_colours(bench, load):
    path = bench.folder / "a.jpg"
    Image.new("RGB", (24, 16), (200, 30, 90)).convert("CMYK").save(path, quality=95)
    np.testing.assert_allclose(load(path).reshape(-1, 3).mean(axis=0), (200, 30, 90), atol=4)


def test_alpha_is_dropped_not_composited(bench, load, pixels):
    path = bench.folder / "a.png"
    alpha = np.zeros((16, 24, 1), np.uint8)
    Image.fromarray(np.concatenate([pixels, alpha], axis=2)).save(path)
    np.testing.assert_array_equal(load(path), pixels)


@pytest.mark.parametrize("transparency", [3, bytes(range(255, -1, -1))])
@pytest.mark.filterwarnings("error")
def test_transparent_palette_drops_alpha_without_a_warning(bench, load, pixels, transparency):
    path = bench.folder / "a.png"
    Image.fromarray(pixels).quantize(256).save(path, transparency=transparency)
    with Image.open(path) as image:
        assert image.mode == "P"
    np.testing.assert_array_equal(load(path), as_rgb(path))


@pytest.mark.parametrize("name", ["a.png", "a.tif", "big.tif", "a.pgm"])
def test_sixteen_bit_grey_is_scaled_not_saturated(bench, load, name):
    values = np.array([[0, 1, 128, 129, 257, 386, 32768, 65406, 65407, 65535]], np.uint16)
    path = bench.folder / name
    image = Image.fromarray(values)
    if name == "big.tif":
        image = Image.frombytes("I;16B", (10, 1), values.astype(">u2").tobytes())
    image.save(path)
    expected = [0, 0, 0, 1, 1, 2, 128, 254, 255, 255]
    image = load(path, (1, 10))
    np.testing.assert_array_equal(image[0, :, 0], expected)
    np.testing.assert_array_equal(image[..., 0], image[..., 2])


@pytest.mark.parametrize("mode", ["I", "F"])
def test_pixels_without_a_range_are_refused(bench, load, mode):
    path = bench.folder / "a.tif"
    Image.new(mode, (24, 16), 7).save(path)
    with pytest.raises(
        ImageError, match=rf"pixels \(TIFF, mode {mode}\) have no defined range: save it with 8 or 16 bits"
    ):
        load(path)


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
def test_first_frame_of_an_animation(bench, load, suffix):
    path = bench.folder / f"a.{suffix}"
    frames = [Image.new("RGB", (24, 16), colour) for colour in ("red", "blue", "lime")]
    frames[0].save(path, save_all=True, append_images=frames[1:], **({"lossless": True} if suffix == "webp" else {}))
    np.testing.assert_array_equal(load(path), np.broadcast_to(np.uint8([255, 0, 0]), (16, 24, 3)))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("suffix", ["jpg", "png", "webp"])
def test_exif_rotation(bench, load, suffix, orientation):
    path = bench.photo(f"a.{suffix}", exif=make_exif(orientation))
    stored = as_rgb(path)
    upright = np.asarray(ImageOps.exif_transpose(Image.open(path)).convert("RGB"))
    np.testing.assert_array_equal(load(path, exif="ignore"), stored)
    np.testing.assert_array_equal(load(path, upright.shape[:2], exif="apply"), upright)
    assert (orientation in TRANSPOSITIONS) == (orientation != 1)
    assert upright.shape[:2] == (WHOLE if orientation < 5 else WHOLE[::-1])


@pytest.mark.parametrize("exif", ["ignore", "apply"])
def test_tiff_is_upright_as_in_pillow(bench, load, exif):
    path = bench.photo("a.tif", exif=make_exif(6))
    upright = as_rgb(path)
    assert upright.shape == (24, 16, 3)
    np.testing.assert_array_equal(load(path, (24, 16), exif=exif), upright)


def test_rotation_comes_before_the_crop(bench, load):
    path = bench.photo("a.jpg", size=(60, 20), exif=make_exif(6))
    upright = ImageOps.exif_transpose(Image.open(path))
    scaled = np.asarray(upright.resize((10, 30), Image.Resampling.BILINEAR))
    np.testing.assert_array_equal(load(path, (10, 10), resize="crop", exif="apply"), scaled[10:20])


@pytest.mark.filterwarnings("ignore:Corrupt EXIF data:UserWarning")
@pytest.mark.parametrize("exif", [b"Exif\0\0broken", b"Exif\0\0II*\0\xff\xff\xff\xff"])
def test_broken_exif_is_upright(bench, load, exif):
    path = bench.photo("a.jpg", exif=exif)
    np.testing.assert_array_equal(load(path, exif="apply"), as_rgb(path))


def test_orientation_out_of_range_is_upright(bench, load):
    path = bench.photo("a.jpg", exif=make_exif(9))
    np.testing.assert_array_equal(load(path, exif="apply"), as_rgb(path))


class TestPhoto:
    def test_keeps_size_and_pixels(self, bench):
        path = bench.photo("a.png", size=(60, 20))
        np.testing.assert_array_equal(load_photo(path, config=bench.config(resize="crop")), as_rgb(path))

    @pytest.mark.parametrize(("max_side", "shape"), [(30, (10, 30, 3)), (60, (20, 60, 3)), (500, (20, 60, 3))])
    def test_is_scaled_down_never_up(self, bench, max_side, shape):
        path = bench.photo("a.png", size=(60, 20))
        assert load_photo(path, config=bench.config(), max_side=max_side).shape == shape

    def test_rotation_as_configured(self, bench):
        path = bench.photo("a.jpg", size=(60, 20), exif=make_exif(6))
        assert load_photo(path, config=bench.config()).shape == (20, 60, 3)
        assert load_photo(path, config=bench.config(exif="apply")).shape == (60, 20, 3)
