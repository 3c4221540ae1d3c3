"""What the scan says about good and bad files, and when it reads them."""

import hashlib
import os
import shutil
import sqlite3
import struct
import threading
import unicodedata
import warnings
import zlib
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress

import numpy as np
import pytest
from PIL import Image, PngImagePlugin

from evalharness import console
from evalharness.dataset import ImageError, load_image, load_photo, scan
from evalharness.dataset.decode import open_header
from evalharness.dataset.scan import inspect_file
from evalharness.dataset.scan_cache import FILE_NAME, ScanCache, ScannedImage, Stamp
from evalharness.errors import DatasetError
from evalharness.records import ImageInfo


def png_header(width, height):
    """A PNG that declares a size and holds no pixels."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    data = b"IDAT" + zlib.compress(b"")
    chunks = [struct.pack(">I", len(c) - 4) + c + struct.pack(">I", zlib.crc32(c)) for c in (header, data, b"IEND")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunks)


def reason_of(bench, path, **fields):
    with pytest.raises(ImageError) as raised:
        inspect_file(path, bench.config(**fields))
    assert str(path) in str(raised.value)
    return raised.value.kind, raised.value.reason


class TestGoodFiles:
    def test_everything_that_is_recorded(self, bench):
        exif = Image.Exif()
        exif[0x0112] = 8
        path = bench.photo("a.jpg", size=(40, 30), exif=exif)
        assert inspect_file(path, bench.config()).info == ImageInfo(
            sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
            width=40,
            height=30,
            mode="RGB",
            image_format="JPEG",
            exif_orientation=8,
            num_frames=1,
        )

    @pytest.mark.parametrize("verify", ["full", "header"])
    @pytest.mark.parametrize("suffix", ["gif", "png", "webp", "tif"])
    def test_frames_are_counted(self, bench, suffix, verify):
        path = bench.folder / f"a.{suffix}"
        frames = [Image.new("RGB", (8, 8), colour) for colour in ("red", "blue", "lime")]
        frames[0].save(path, save_all=True, append_images=frames[1:])
        assert inspect_file(path, bench.config(verify=verify)).info.num_frames == 3

    @pytest.mark.parametrize(
        ("mode", "suffix"),
        [("L", "png"), ("P", "png"), ("I;16", "png"), ("CMYK", "jpg"), ("RGBA", "png"), ("LA", "png")],
    )
    def test_modes(self, bench, mode, suffix):
        path = bench.folder / f"a.{suffix}"
        Image.new(mode, (8, 8)).save(path)
        assert inspect_file(path, bench.config()).info.mode == mode

    def test_orientation_behind_the_pixels_of_a_png(self, bench):
        exif = Image.Exif()
        exif[0x0112] = 3
        path = bench.photo("a.png", exif=exif)
        assert inspect_file(path, bench.config()).info.exif_orientation == 3

    @pytest.mark.parametrize("verify", ["full", "header"])
    def test_a_tiff_is_upright_already(self, bench, verify):
        exif = Image.Exif()
        exif[0x0112] = 6
        info = inspect_file(bench.photo("a.tif", size=(40, 30), exif=exif), bench.config(verify=verify)).info
        assert (info.width, info.height, info.exif_orientation) == (30, 40, 1)


class TestBadFiles:
    @pytest.mark.parametrize(
        ("name", "content", "kind", "words"),
        [
            ("empty.jpg", b"", "empty file", "0 bytes"),
            ("text.jpg", b"not an image at all", "not an image", "JPEG, PNG, TIFF"),
            ("page.jpg", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "not an image", "JPEG, PNG, TIFF"),
            ("phone.jpg", b"\0\0\0\x18ftypheic\0\0\0\0mif1heic", "not an image", "HEIC image, which cannot be read"),
            (
                "pointer.jpg",
                b"version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n",
                "Git LFS pointer",
                "run `git lfs pull`",
            ),
            (
                "huge.png",
                png_header(20_000, 20_000),
                "too many pixels",
                "20000 x 20000 pixels, more than dataset.max_pixels",
            ),
            ("hollow.png", png_header(10, 10), "damaged image", "cannot be decoded completely"),
        ],
    )
    def test_content(self, bench, name, content, kind, words):
        path = bench.folder / name
        path.write_bytes(content)
        found_kind, reason = reason_of(bench, path)
        assert found_kind == kind
        assert words in reason

    def test_missing(self, bench):
        assert reason_of(bench, bench.folder / "gone.jpg") == ("missing file", "no such file")

    def test_missing_under_another_form_of_unicode(self, bench):
        bench.photo(unicodedata.normalize("NFD", "バラ.png"))
        _, reason = reason_of(bench, bench.folder / unicodedata.normalize("NFC", "バラ.png"))
        assert reason == "no such file; there is one whose name looks the same, written in Unicode's NFD"

    def test_missing_with_backslashes(self, bench):
        bench.photo("roses/a.png")
        assert "write the path with /" in reason_of(bench, bench.folder / "roses\\a.png")[1]

    def test_dangling_link(self, bench):
        path = bench.folder / "link.jpg"
        path.symlink_to("nowhere.jpg")
        assert reason_of(bench, path)[1] == "it is a symbolic link to a file that is not there (nowhere.jpg)"

    def test_path_through_a_file_and_too_long_a_name(self, bench):
        bench.photo("a.png")
        assert reason_of(bench, bench.folder / "a.png/b.png")[0] == "unreadable file"
        assert "File name too long" in reason_of(bench, bench.folder / ("x" * 300))[1]

    def test_folder(self, bench):
        (bench.folder / "a.jpg").mkdir()
        assert reason_of(bench, bench.folder / "a.jpg") == ("not a file", "it is a folder")

    @pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="named pipes are POSIX")
    def test_pipe_does_not_block(self, bench):
        os.mkfifo(bench.folder / "pipe.jpg")
        assert reason_of(bench, bench.folder / "pipe.jpg") == ("not a file", "it is neither a file nor a folder")

    def test_no_permission(self, bench, monkeypatch):
        path = bench.photo("a.png")

        def refuse(*_):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(type(path), "open", refuse)
        assert reason_of(bench, path) == ("unreadable file", "the file cannot be read: Permission denied")

    def test_a_file_larger_than_any_such_image_is_not_read(self, bench, monkeypatch):
        path = bench.photo("a.png")
        monkeypatch.setattr("evalharness.dataset.decode.METADATA_BYTES", 0)
        assert reason_of(bench, path, max_pixels=16)[0] == "too large"

    @pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "bmp", "tif", "gif"])
    def test_truncated_is_found_by_a_full_decode(self, bench, suffix):
        path = bench.photo(f"a.{suffix}", size=(200, 200))
        content = path.read_bytes()
        path.write_bytes(content[: len(content) // 2])
        kind, reason = reason_of(bench, path)
        assert kind == "damaged image"
        assert reason.startswith(("it cannot be decoded completely: ", "its header cannot be read: "))

    def test_truncated_passes_the_header_and_surfaces_on_loading(self, bench):
        path = bench.photo("a.jpg", size=(200, 200))
        path.write_bytes(path.read_bytes()[:4000])
        config = bench.config(verify="header")
        assert inspect_file(path, config).info.width == 200
        with pytest.raises(ImageError, match="cannot be decoded completely"):
            load_image(path, image_size=(8, 8), config=config)
        with pytest.raises(ImageError, match="cannot be decoded completely"):
            load_photo(path, config=config)

    def test_header_does_not_decode(self, bench, monkeypatch):
        path = bench.photo("a.png")
        monkeypatch.setattr(PngImagePlugin.PngImageFile, "load", lambda _: pytest.fail("decoded"))
        assert inspect_file(path, bench.config(verify="header")).info.width == 24

    def test_one_read_per_file(self, bench, count_reads):
        path = bench.photo("a.jpg")
        before = len(count_reads())
        inspect_file(path, bench.config())
        assert count_reads()[before:] == ["a.jpg"]


@pytest.mark.filterwarnings("error")
class TestPixelLimit:
    @pytest.mark.parametrize("side", [10_000, 14_000])
    def test_the_configured_limit_replaces_pillows(self, bench, side):
        """100 Mpixel would make Pillow warn, and 196 Mpixel raise."""
        path = bench.folder / "a.png"
        path.write_bytes(png_header(side, side))
        limit = Image.MAX_IMAGE_PIXELS
        assert "pixels, more than" in reason_of(bench, path)[1]
        info = inspect_file(path, bench.config(verify="header", max_pixels=side * side)).info
        assert (info.width, info.height) == (side, side)
        assert limit == Image.MAX_IMAGE_PIXELS

    def test_pillows_limit_is_restored_after_many_threads(self, bench):
        content = bench.photo("a.png").read_bytes()
        broken = b"\x89PNG\r\n\x1a\n" + b"x" * 40
        limit = Image.MAX_IMAGE_PIXELS
        gate = threading.Barrier(8)

        def open_many(number):
            gate.wait()
            for _ in range(50):
                with suppress(ImageError):
                    open_header(content if number % 2 else broken, bench.folder / "a.png", 1000).close()

        with ThreadPoolExecutor(8) as pool:
            list(pool.map(open_many, range(8)))
        assert limit == Image.MAX_IMAGE_PIXELS
        assert limit is not None

    def test_exactly_at_the_limit(self, bench):
        path = bench.photo("a.png", size=(10, 10))
        assert inspect_file(path, bench.config(max_pixels=100)).info.width == 10
        assert reason_of(bench, path, max_pixels=99)[0] == "too many pixels"


class TestCache:
    @pytest.fixture
    def csv(self, bench):
        for seed, name in enumerate(("a.png", "b.jpg", "写真.png")):
            bench.photo(name, seed=seed)
        return bench.csv(("a.png", "x"), ("b.jpg", "y"), ("写真.png", "x"))

    @pytest.fixture
    def reads(self, count_reads):
        """Returns the files read since the last call."""
        seen = []

        def since():
            new = count_reads()[len(seen) :]
            seen.extend(new)
            return sorted(new)

        return since

    def test_second_scan_reads_nothing(self, bench, csv, reads):
        first = bench.load(csv)
        assert reads() == ["a.png", "b.jpg", "写真.png"]
        second = bench.load(csv)
        assert reads() == []
        assert second == first

    def test_a_changed_file_is_read_again(self, bench, csv, reads):
        first = bench.load(csv)
        reads()
        stamp = (bench.folder / "a.png").stat()
        bench.photo("a.png", seed=9)
        os.utime(bench.folder / "a.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns + 1))
        second = bench.load(csv)
        assert reads() == ["a.png"]
        assert second.images["a.png"].sha256 == hashlib.sha256((bench.folder / "a.png").read_bytes()).hexdigest()
        assert second.digest != first.digest

    def test_a_removed_file_is_missing(self, bench, csv):
        bench.load(csv)
        (bench.folder / "a.png").unlink()
        with pytest.raises(DatasetError, match="no such file"):
            bench.load(csv)

    def test_levels_of_verification(self, bench, csv, reads):
        bench.load(csv, verify="header")
        assert len(reads()) == 3
        bench.load(csv, verify="full")
        assert len(reads()) == 3
        bench.load(csv, verify="header")
        assert reads() == []

    def test_a_full_scan_serves_header_scans(self, bench, csv, reads):
        bench.load(csv, verify="full")
        reads()
        bench.load(csv, verify="header")
        assert reads() == []

    def test_the_limit_applies_to_remembered_images_too(self, bench, csv, reads):
        bench.load(csv)
        reads()
        with pytest.raises(DatasetError, match=r"too many pixels \(3\)"):
            bench.load(csv, max_pixels=24 * 16 - 1)
        assert reads() == []

    def test_bad_files_are_not_remembered(self, bench, reads):
        bench.photo("a.png")
        content = (bench.folder / "a.png").read_bytes()
        (bench.folder / "a.png").write_bytes(b"x" * len(content))
        stamp = (bench.folder / "a.png").stat()
        csv = bench.csv(("a.png", "x"))
        with pytest.raises(DatasetError, match="not an image"):
            bench.load(csv)
        (bench.folder / "a.png").write_bytes(content)
        os.utime(bench.folder / "a.png", ns=(stamp.st_atime_ns, stamp.st_mtime_ns))
        assert bench.load(csv).images["a.png"].width == 24

    @pytest.mark.parametrize("damage", ["text", "half", "zeros", "other version"])
    def test_a_damaged_cache_is_rebuilt(self, bench, csv, reads, damage, monkeypatch):
        monkeypatch.setattr(console, "warn", pytest.fail)
        first = bench.load(csv)
        file = bench.folder / "runs/cache" / FILE_NAME
        content = file.read_bytes()
        if damage == "other version":
            with sqlite3.connect(file) as connection:
                connection.execute("DROP TABLE images")
                connection.execute("CREATE TABLE images (something_else TEXT)")
                connection.execute("PRAGMA user_version = 99")
            connection.close()
        else:
            damaged = {
                "text": b"this is no database" * 100,
                "half": content[: len(content) // 2],
                "zeros": content[:100] + bytes(5000),
            }
            file.write_bytes(damaged[damage])
        reads()
        assert bench.load(csv) == first
        assert len(reads()) == 3
        assert bench.load(csv) == first
        assert reads() == []

    @pytest.mark.parametrize("obstacle", ["file in place of the folder", "folder in place of the file"])
    def test_a_cache_that_cannot_be_used_is_told_once_and_not_fatal(self, bench, csv, obstacle, monkeypatch):
        messages = []
        monkeypatch.setattr(console, "warn", messages.append)
        first = bench.load(csv)
        shutil.rmtree(bench.folder / "runs")
        if obstacle.startswith("file"):
            (bench.folder / "runs").write_text("")
        else:
            (bench.folder / "runs/cache" / FILE_NAME).mkdir(parents=True)
        assert bench.load(csv) == first
        assert len(messages) == 1
        assert "images are read again" in messages[0]

    def test_writers_in_threads_lose_nothing(self, tmp_path):
        info = ImageInfo("0" * 64, 1, 1, "RGB", "PNG", 1, 1)

        def write(worker):
            with ScanCache(tmp_path, is_decoded=True) as cache:
                for number in range(20):
                    cache.add([ScannedImage(tmp_path / f"{worker}-{number}.png", Stamp(number, worker), info)])

        with ThreadPoolExecutor(4) as pool:
            list(pool.map(write, range(4)))
        paths = [tmp_path / f"{worker}-{number}.png" for worker in range(4) for number in range(20)]
        with ScanCache(tmp_path, is_decoded=True) as cache:
            found = cache.find(paths)
        assert [len(found[path]) for path in paths] == [1] * 80
        assert found[tmp_path / "3-7.png"][0].stamp == Stamp(7, 3)

    def test_what_was_read_before_an_interruption_is_kept(self, bench, reads, monkeypatch):
        names = [f"{number}.png" for number in range(9)]
        for name in names:
            bench.photo(name)
        monkeypatch.setattr(scan, "IMAGES_PER_COMMIT", 100)
        stream = scan._scan_files(
            [bench.folder / name for name in names],
            bench.config(),
            ScanCache(bench.folder / "runs/cache", is_decoded=True),
            num_workers=1,
        )
        read = {next(stream)[0].name for _ in range(5)}
        stream.close()
        reads()
        bench.load(bench.csv(*[(name, "x") for name in names]))
        assert not read & set(reads())


def test_progress_counts_each_file_once(bench, monkeypatch):
    shown = []

    @contextmanager
    def record(description, total):
        shown.append((description, total))
        yield shown.append

    monkeypatch.setattr(console, "progress_bar", record)
    for name in ("a.png", "b.png"):
        bench.photo(name)
    bench.load(bench.csv(("a.png", "x"), ("b.png", "x"), ("gone.png", "x")), on_error="skip")
    assert shown == [("Checking images", 3), 1, 1, 1]


def test_damaged_files_never_escape_as_other_exceptions(bench):
    """Flips bytes and cuts ends of real files in every format: the outcome is an ImageError or a result."""
    rng = np.random.default_rng(0)
    config = bench.config(exif="apply")
    exif = Image.Exif()
    exif[0x0112] = 6
    num_read, reasons = 0, []
    for suffix in ("jpg", "png", "webp", "bmp", "tif", "gif", "ppm", "jp2", "avif"):
        options = {"exif": exif} if suffix in {"jpg", "png", "webp", "tif"} else {}
        content = bench.photo(f"a.{suffix}", size=(40, 30), **options).read_bytes()
        for _ in range(60):
            damaged = bytearray(content[: rng.integers(1, len(content) + 1) if rng.random() < 0.3 else None])
            for position in rng.integers(0, min(len(damaged), 400), rng.integers(1, 6)):
                damaged[position] = rng.integers(256)
            path = bench.folder / f"damaged.{suffix}"
            path.write_bytes(damaged)
            try:
                with warnings.catch_warnings():
                    # Pillow's own remarks on damaged metadata.
                    warnings.simplefilter("ignore")
                    inspect_file(path, config)
                    load_image(path, image_size=(8, 8), config=config)
            except ImageError as error:
                reasons.append(error.reason)
            else:
                num_read += 1
    assert num_read > 50
    assert len(reasons) > 50
    assert all(reasons)
