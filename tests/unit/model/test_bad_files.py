"""What is not a weights file is told in one message each, in words that help."""

import zipfile

import h5py
import numpy as np
import pytest
import tensorflow as tf
from hollow_weights import hollow_weights
from model_builders import two_backbones
from tiny_models import save
from weights_refusals import refusal, resolve

from evalharness.errors import WeightsError
from evalharness.model import resolve_weights
from evalharness.model.stored_weights import open_weights


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", ("got an empty file", "incomplete")),
        (
            b"version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 343001234\n",
            ("got a Git LFS pointer", "git lfs pull"),
        ),
        (b"\n<!DOCTYPE html>\n<html><body>Sign in</body></html>", ("got a web page", "model.save_weights")),
        (b"<html><head></head></html>", ("got a web page",)),
        (b"epoch,loss\n1,0.5\n", ("got a file of another kind", "expected a Keras .h5 or .keras file")),
        (b"\x89HDF\r\n\x1a\n" + bytes(40), ("got a damaged HDF5 file", "incomplete")),
    ],
)
def test_not_an_hdf5_file(content, told, tmp_path):
    path = tmp_path / "weights.h5"
    path.write_bytes(content)
    message = refusal(path, tmp_path)
    assert message.startswith("weights file cannot be read: ")
    assert f"({path})" in message
    for words in told:
        assert words in message


@pytest.mark.parametrize(
    ("layout", "words"),
    [("h5", "a damaged HDF5 file (Unable to "), ("weights.h5", "a damaged HDF5 file"), ("keras", "a damaged archive")],
)
def test_truncated(layout, words, saved, tmp_path):
    content = saved[layout].read_bytes()
    path = tmp_path / saved[layout].name
    path.write_bytes(content[: len(content) // 2])
    message = refusal(path, tmp_path)
    assert words in message
    assert message.endswith("Copy or save the file again: it is incomplete.")


def test_damaged_inside_the_archive(saved, tmp_path):
    content = bytearray(saved["keras"].read_bytes())
    # Inside the member with the weights, which is by far the largest part of the archive.
    content[len(content) // 2] ^= 0xFF
    path = tmp_path / "run.keras"
    path.write_bytes(content)
    message = refusal(path, tmp_path)
    assert message.startswith("weights in the archive cannot be read: ")
    assert str(path) in message
    assert "damaged" in message


def test_member_of_the_archive_is_not_hdf5(tmp_path):
    path = tmp_path / "run.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("model.weights.h5", "not weights")
    assert refusal(path, tmp_path).startswith("weights in the archive cannot be read: ")


def test_archive_without_weights(tmp_path):
    path = tmp_path / "run.keras"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("config.json", "{}")
    message = refusal(path, tmp_path)
    assert message == (f"archive holds no Keras weights: expected a member model.weights.h5, got config.json ({path}).")


def test_npz_as_published_for_vit(tmp_path):
    path = tmp_path / "ViT-B_16.npz"
    np.savez(path, cls=np.zeros(3))
    message = refusal(path, tmp_path)
    assert "archive holds no Keras weights" in message
    assert "got cls.npy" in message


def test_saved_model_folder(tmp_path):
    tf.saved_model.save(tf.Module(), str(tmp_path / "exported"))
    message = refusal(tmp_path / "exported", tmp_path)
    assert message.startswith("weights are in a SavedModel folder, which can run code when loaded: ")
    assert message.endswith("Save them once with model.save_weights('weights.h5').")


def test_no_such_file(tmp_path):
    path = tmp_path / "missing.h5"
    message = refusal(path, tmp_path)
    assert message == f"weights file not found: expected a .h5 or .keras file, got {path} (model.weights)."


def test_hdf5_of_something_else(tmp_path):
    path = tmp_path / "data.h5"
    with h5py.File(path, "w") as file:
        file["table"] = np.zeros(3)
    message = refusal(path, tmp_path)
    assert message == f"HDF5 file holds no Keras weights: expected layers of a Keras model, got table ({path})."


@pytest.mark.parametrize("layout", ["h5", "keras"])
def test_weights_of_another_network(layout, tmp_path):
    layers = tf.keras.layers
    model = tf.keras.Sequential([layers.InputLayer((8, 8, 3)), layers.Conv2D(4, 3), layers.Flatten(), layers.Dense(5)])
    path = save(model, tmp_path, layout)
    message = refusal(path, tmp_path)
    assert message.startswith("weights file holds no vit-keras backbone: expected transformer blocks, got ")
    assert "dense" in message
    assert str(path) in message


@pytest.mark.parametrize("layout", ["h5", "weights.h5", "keras"])
def test_weights_of_two_backbones(layout, tmp_path):
    message = refusal(save(two_backbones(), tmp_path, layout), tmp_path)
    assert message.startswith("weights file holds more than one vit-keras backbone: expected one")


def test_source_of_a_good_file(saved, tmp_path, monkeypatch):
    import hashlib

    monkeypatch.setenv("HOME", str(saved["h5"].parent))
    source = resolve("~/run.h5", tmp_path)
    assert (source.uri, source.path, source.file_format) == ("~/run.h5", saved["h5"], "h5")
    assert source.sha256 == hashlib.sha256(saved["h5"].read_bytes()).hexdigest()
    assert source.source_run_id is None


@pytest.mark.parametrize("layout", ["h5", "h5-model", "weights.h5", "keras"])
def test_format_is_told_from_the_content_not_the_name(layout, saved, tmp_path):
    path = tmp_path / "epoch-20.bin"
    path.write_bytes(saved[layout].read_bytes())
    assert resolve(path, tmp_path).file_format == layout


@pytest.mark.parametrize(
    ("names", "advice"),
    [
        (("b.keras", "a.h5", "log.txt"), "Append the file's name, such as a.h5."),
        ((), "No file in it ends in .h5 or .hdf5 or .keras."),
    ],
)
def test_a_folder_is_called_a_folder(names, advice, tmp_path):
    folder = tmp_path / "folder"
    folder.mkdir()
    for name in names:
        (folder / name).touch()
    told = f"weights are a folder: expected a .h5 or .keras file, got {folder} (model.weights). {advice}"
    assert refusal(folder, tmp_path) == told


@pytest.mark.parametrize("address", ["http://127.0.0.1:9/x.h5", "s3://bucket/x.h5"])
def test_an_address_is_told_as_it_was_given(address, tmp_path):
    message = refusal(address, tmp_path)
    assert f"got {address} (model.weights)" in message
    assert message.endswith("Download the file and name its path.")


def test_the_key_is_that_of_the_other_model(tmp_path):
    with pytest.raises(WeightsError, match=r"gone\.h5 \(model\.reference\)"):
        resolve_weights("gone.h5", tracking_uri="", cache_dir=tmp_path, key="model.reference")


def test_arrays_are_not_read_to_know_their_shapes(tmp_path):
    with open_weights(resolve(hollow_weights(tmp_path / "run.h5"), tmp_path)) as stored:
        assert stored.backbone["encoderblock_0/query/kernel"].shape == (10**6, 10**6)


@pytest.mark.parametrize("config", ["[" * 30_000, '{"config":' * 900 + "1" + "}" * 900, np.arange(3)])
def test_a_config_that_cannot_be_read_says_nothing_of_the_heads(config, tmp_path):
    with open_weights(resolve(hollow_weights(tmp_path / "run.h5", config=config), tmp_path)) as stored:
        assert stored.num_heads == frozenset()


def test_heads_are_found_however_deep_they_stand(tmp_path):
    block = '{"class_name": "vit>TransformerBlock", "config": {"num_heads": 3}}'
    config = '{"config":' * 800 + block + "}" * 800
    with open_weights(resolve(hollow_weights(tmp_path / "run.h5", config=config), tmp_path)) as stored:
        assert stored.num_heads == {3}


def test_a_group_in_the_place_of_an_array(tmp_path):
    path = hollow_weights(tmp_path / "run.h5")
    with h5py.File(path, "a") as file:
        del file["vit/encoderblock_0/query/kernel:0"]
        file.create_group("vit/encoderblock_0/query/kernel:0")
    assert "a group in the place of the array encoderblock_0/query/kernel" in refusal(path, tmp_path)


@pytest.mark.parametrize("content", ["text", [b"a", b"b"], h5py.Empty("f4")])
def test_an_array_without_numbers(content, tmp_path):
    path = hollow_weights(tmp_path / "run.h5")
    with h5py.File(path, "a") as file:
        del file["vit/encoderblock_0/query/kernel:0"]
        file["vit/encoderblock_0/query/kernel:0"] = content
    assert "no numbers in the array encoderblock_0/query/kernel" in refusal(path, tmp_path)


def test_names_of_layers_that_are_none(tmp_path):
    path = hollow_weights(tmp_path / "run.h5")
    with h5py.File(path, "a") as file:
        file.attrs["layer_names"] = 3
    assert refusal(path, tmp_path).startswith("weights file cannot be read: ")


def test_a_link_that_leads_nowhere_in_the_place_of_the_weights(tmp_path):
    path = tmp_path / "model.h5"
    with h5py.File(path, "w") as file:
        file["model_weights"] = h5py.SoftLink("/gone")
    assert refusal(path, tmp_path).startswith("weights file cannot be read: ")


def test_an_archive_whose_list_of_members_is_damaged(saved, tmp_path):
    content = bytearray(saved["keras"].read_bytes())
    at = content.rindex(b"PK\x01\x02")
    content[at : at + 4] = b"XXXX"
    path = tmp_path / "run.keras"
    path.write_bytes(content)
    assert "a damaged archive" in refusal(path, tmp_path)


def test_an_encrypted_archive(saved, tmp_path):
    content = bytearray(saved["keras"].read_bytes())
    for mark, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        at = -1
        while (at := content.find(mark, at + 1)) >= 0:
            content[at + offset] |= 1
    path = tmp_path / "run.keras"
    path.write_bytes(content)
    assert refusal(path, tmp_path).startswith("weights in the archive cannot be read: ")


def test_an_archive_that_unfolds_is_not_unpacked(tmp_path):
    path = tmp_path / "run.keras"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive,
        archive.open("model.weights.h5", "w", force_zip64=True) as member,
    ):
        for _ in range(300):
            member.write(bytes(1 << 20))
    assert "bytes that would unfold to 314,572,800" in refusal(path, tmp_path)
