"""Files that people bring, damaged at random: each gives a result or one message, in bounded time and memory.

A short campaign runs with the other tests; the long one is marked: `pytest -m exhaustive tests/fuzz`.
"""

import json
import shutil
import zlib
from copy import deepcopy

import pytest
import tiny_models
from annotated_flowers import WRITERS, dog_mask, write_png, write_yolo
from file_readers import read_cutouts, read_dataset, read_photo, read_regions, read_weights
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image, features

from evalharness.dataset.decode import FORMATS

QUIET = {"deadline": None, "suppress_health_check": list(HealthCheck), "database": None}
ODD_VALUES = [
    *(None, True, 0, -1, 1.5, float("nan"), float("inf"), 10**30, 2**63, 2**32 - 1, 65_535),
    *("", "1", "01", "x" * 1000, "\0", "\ud800", "🌷", "a/../b"),
    *([], [[]], [1], [1, 2, 3, 4], [[1, 2], [3, 4], [5, 6]], [1e308] * 6, [2**31, 2**31]),
    *({}, {"size": [12, 20], "counts": [240]}, {"size": [12, 20], "counts": "0"}),
    *({"size": [2**31, 2**31], "counts": [2**62]}, {"size": [65_535, 65_535], "counts": [65_535**2]}),
]
PIECES = [
    *(b"\0", b'"', b"nan", b"1e999", b"-", b";", b"\n", b",", b"9" * 400, b"\xff\xfe", b"0 " * 7, b"<", b"[[["),
    *(b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff" * 8, b"\0" * 8, b"!!python/object/apply:os.abort []", b"&a [*a,*a]"),
]


def byte_edits():
    place = st.integers(0, 9_999).map(lambda number: number / 10_000)
    piece = st.sampled_from(PIECES) | st.binary(max_size=20)
    gentle = [
        st.tuples(st.just("set"), place, st.binary(min_size=1, max_size=1)),
        st.tuples(st.just("over"), place, piece),
        st.tuples(st.just("insert"), place, piece),
        st.tuples(st.just("delete"), place, st.binary(min_size=1, max_size=8)),
        st.tuples(st.just("double"), place, st.binary(min_size=1, max_size=40)),
    ]
    harsh = [
        st.tuples(st.just("cut"), place, st.just(b"")),
        st.tuples(st.just("replace"), st.just(0.0), st.binary(max_size=300)),
    ]
    return st.lists(st.one_of(*gentle, *gentle, *harsh), min_size=1, max_size=3)


def mutated(content, edits):
    for kind, place, piece in edits:
        at = int(place * len(content))
        if kind == "cut":
            content = content[:at]
        elif kind in ("set", "over"):
            content = content[:at] + piece + content[at + len(piece) :]
        elif kind == "insert":
            content = content[:at] + piece + content[at:]
        elif kind == "delete":
            content = content[:at] + content[at + len(piece) :]
        elif kind == "double":
            content = content[:at] + content[at : at + len(piece)] * 2 + content[at + len(piece) :]
        else:
            content = piece
    return content


def with_right_sums(content):
    """A PNG whose chunks have the check sums of what is in them now: else nothing behind the sums is reached."""
    at, repaired = 8, content[:8]
    while len(content) >= at + 12:
        length = int.from_bytes(content[at : at + 4], "big")
        body = content[at + 4 : at + 8 + length]
        repaired += content[at : at + 4] + body + zlib.crc32(body).to_bytes(4, "big")
        at += 12 + length
    return repaired


def paths_in(value, path=()):
    if path:
        yield path
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in items:
        yield from paths_in(inner, (*path, key))


def put(document, path, value):
    for key in path[:-1]:
        document = document[key]
    document[path[-1]] = value


def campaign(num_examples):
    """A short run for every change, or a long one."""
    long = pytest.param(num_examples, marks=[pytest.mark.exhaustive, pytest.mark.timeout(3600)], id="long")
    return [pytest.param(max(10, num_examples // 150), id="short"), long]


def write_yolo_names(folder):
    """Names as Darknet lists them, and key points."""
    path = write_yolo(folder, text="1 0.35 0.375 0.3 0.4 0.3 0.3 2 0.4 0.4 1\n0 0.5 0.5 0.2 0.2 0.5 0.5 0 0.5 0.5 2\n")
    (path / "data.yaml").write_text("names:\n  0: cat\n  1: 'dog'\nkpt_shape: [2, 3]\ntrain: train.txt\n")
    return path


def write_darknet(folder):
    path = write_yolo(folder)
    (path / "data.yaml").unlink()
    (path / "obj.names").write_text("cat\ndog\n")
    (path / "obj.data").write_text("classes = 2\ntrain = data/train.txt\nnames = data/obj.names\n")
    return path


def write_class_map(folder):
    path = write_png(folder, name="SegmentationClass/1.png", mode="L")
    Image.fromarray(dog_mask().astype("uint8") * 2).save(path / "SegmentationClass" / "1.png")
    (path / "labelmap.txt").write_text("# name:colour:parts:actions\nbackground:0,0,0::\ncat:1,1,1::\ndog:2,2,2::\n")
    return path


ALL_WRITERS = WRITERS | {
    "png rgb": lambda folder: write_png(folder, mode="RGB"),
    "png palette": lambda folder: write_png(folder, mode="P"),
    "png class map": write_class_map,
    "yolo key points": write_yolo_names,
    "yolo darknet": write_darknet,
}


@pytest.mark.parametrize("num_examples", campaign(1500))
@pytest.mark.parametrize("writer", ALL_WRITERS)
def test_annotations_with_other_bytes(writer, num_examples, answer, tmp_path):
    counter = iter(range(10**9))
    assert answer(read_regions, ALL_WRITERS[writer](tmp_path)).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(
        edits=byte_edits(),
        which=st.floats(0, 0.999),
        knows_format=st.booleans(),
        orientation=st.sampled_from([1, 1, 1, 6, 3]),
    )
    def check(edits, which, knows_format, orientation):
        folder = tmp_path / str(next(counter))
        folder.mkdir()
        path = ALL_WRITERS[writer](folder)
        files = [path] if path.is_file() else sorted(file for file in path.rglob("*") if file.is_file())
        chosen = files[int(which * len(files))]
        chosen.write_bytes(mutated(chosen.read_bytes(), edits))
        answer(read_regions, path, writer.split()[0] if knows_format else None, "auto", orientation)
        shutil.rmtree(folder)

    check()


@pytest.mark.parametrize("num_examples", campaign(1500))
@pytest.mark.parametrize("writer", [name for name in WRITERS if name.startswith("coco")])
def test_coco_with_other_values(writer, num_examples, answer, tmp_path):
    path = WRITERS[writer](tmp_path)
    original = path.read_text()
    assert answer(read_regions, path).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(data=st.data())
    def check(data):
        document = json.loads(original)
        for _ in range(data.draw(st.integers(1, 3))):
            place = data.draw(st.sampled_from(list(paths_in(document))))
            put(document, place, deepcopy(data.draw(st.sampled_from(ODD_VALUES))))
        path.write_text(json.dumps(document))
        answer(read_regions, path)

    check()


@pytest.mark.parametrize("num_examples", campaign(1500))
@pytest.mark.parametrize("writer", ["path and label", "notebook"])
def test_the_csv_with_other_bytes(writer, num_examples, answer, tmp_path):
    path = tmp_path / "list.csv"
    for name in ("a/roses/1.jpg", "b,2.jpg", "花.jpg"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (20, 12)).save(tmp_path / name)
    content = {
        "path and label": 'path,label,group\na/roses/1.jpg,roses,x\n"b,2.jpg",tulips,\n花.jpg,daisy,y\n',
        "notebook": "base_path,type_dir,file_name\na,roses,1.jpg\n.,.,花.jpg\n",
    }[writer].encode()
    classes = None if writer == "path and label" else ("roses", "tulips")
    path.write_bytes(content)
    assert answer(read_dataset, path, {"on_error": "skip", "classes": classes}).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits(), on_error=st.sampled_from(["skip", "fail"]))
    def check(edits, on_error):
        path.write_bytes(mutated(content, edits))
        answer(read_dataset, path, {"on_error": on_error, "classes": classes})

    check()


def write_photo(folder, image_format):
    """A photo with noise, an EXIF rotation where the format has them, a palette or 16 bits where they do."""
    image = Image.effect_noise((20, 12), 60).convert("RGB")
    path = folder / f"photo.{image_format.lower()}"
    if image_format in ("JPEG", "PNG", "WEBP", "TIFF", "AVIF"):
        exif = Image.Exif()
        exif[0x0112] = 6
        image.save(path, image_format, exif=exif)
    elif image_format == "GIF":
        image.convert("P").save(path, save_all=True, append_images=[image.rotate(90).convert("P")])
    else:
        image.save(path, image_format)
    return path


PHOTO_FORMATS = [name for name in FORMATS if name not in ("AVIF", "JPEG2000", "WEBP")] + [
    name for name, feature in (("AVIF", "avif"), ("JPEG2000", "jpg_2000"), ("WEBP", "webp")) if features.check(feature)
]


@pytest.mark.parametrize("num_examples", campaign(1000))
@pytest.mark.parametrize("writer", PHOTO_FORMATS)
def test_photos_with_other_bytes(writer, num_examples, answer, tmp_path):
    path = write_photo(tmp_path, writer)
    content = path.read_bytes()
    assert answer(read_photo, path).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits(), is_summed=st.booleans())
    def check(edits, is_summed):
        changed = mutated(content, edits)
        path.write_bytes(with_right_sums(changed) if writer == "PNG" and is_summed else changed)
        answer(read_photo, path)

    check()


@pytest.mark.parametrize("num_examples", campaign(1000))
@pytest.mark.parametrize("writer", ["png", "webp"])
def test_cutouts_with_other_bytes(writer, num_examples, answer, tmp_path):
    path = tmp_path / "cutouts" / f"cat-1.{writer}"
    path.parent.mkdir()
    noise = Image.effect_noise((20, 12), 60)
    Image.merge("RGBA", [noise] * 4).save(path)
    content = path.read_bytes()
    assert answer(read_cutouts, path.parent).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits())
    def check(edits):
        path.write_bytes(mutated(content, edits))
        answer(read_cutouts, path.parent)

    check()


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """One small model in every layout."""
    folder, model = tmp_path_factory.mktemp("saved"), tiny_models.notebook_model(**tiny_models.SMALL)
    return {layout: tiny_models.save(model, folder, layout) for layout in tiny_models.FILES}


@pytest.mark.parametrize("num_examples", campaign(1500))
@pytest.mark.parametrize("writer", tiny_models.FILES)
def test_weights_with_other_bytes(writer, num_examples, saved, answer, tmp_path):
    path = tmp_path / saved[writer].name
    content = saved[writer].read_bytes()
    assert answer(read_weights, saved[writer]).kind == "result"

    @settings(max_examples=num_examples, **QUIET)
    @given(edits=byte_edits())
    def check(edits):
        path.write_bytes(mutated(content, edits))
        answer(read_weights, path)

    check()
