"""Weights in other formats, and files that another process has open: what they are and what to do."""

import json
import pickle
import subprocess
import sys
import zipfile

import numpy as np
import pytest
from tiny_models import SMALL, backbone
from weights_refusals import refusal, resolve

from evalharness.model.stored_weights import locked_error, open_weights


@pytest.mark.parametrize("named", ["cp-05.ckpt", "cp-05.ckpt.index", "cp-05.ckpt.data-00000-of-00001", ""])
def test_a_tensorflow_checkpoint_and_the_lines_that_turn_it_into_weights(named, tmp_path):
    folder = tmp_path / "checkpoints"
    model = backbone(**SMALL)
    model.save_weights(folder / "cp-05.ckpt")
    message = refusal(folder / named, tmp_path)
    assert message.startswith("weights are a TensorFlow checkpoint (cp-05.ckpt.index and .data-...): ")
    # The lines do what they say.
    first, _, second = message[message.index("model.load_weights") :].removesuffix(".").partition(", then ")
    target = tmp_path / "cp-05.weights.h5"
    assert second == "model.save_weights('cp-05.weights.h5')"
    exec(first, {"model": model})
    model.save_weights(target)
    with open_weights(resolve(target, tmp_path)) as stored:
        assert stored.num_layers == 1


def torch_zip(path):
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("archive/data.pkl", b"\x80\x02}.")
        archive.writestr("archive/version", "3\n")


def torch_pickle(path):
    path.write_bytes(pickle.dumps({"weight": [1.0]}, protocol=2))


def safetensors(path):
    header = json.dumps({"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(4))


@pytest.mark.parametrize(
    ("name", "write", "kind"),
    [
        ("best.pth", torch_zip, "a PyTorch checkpoint"),
        ("best.pt", torch_zip, "a PyTorch checkpoint"),
        ("epoch=3.ckpt", torch_zip, "a PyTorch checkpoint"),
        ("renamed.h5", torch_zip, "a PyTorch checkpoint"),
        ("old.pth", torch_pickle, "a pickle, as PyTorch writes"),
        ("renamed.weights", safetensors, "a safetensors file"),
        ("ViT-B_16.npz", lambda path: np.savez(path, cls=np.zeros(3)), "NumPy arrays, as the published checkpoints"),
    ],
)
def test_other_formats_are_named(name, write, kind, tmp_path):
    path = tmp_path / name
    write(path)
    message = refusal(path, tmp_path)
    assert kind in message
    cures = {torch_zip: "timm.models.save_for_hf(", torch_pickle: "timm.models.save_for_hf(", safetensors: "model=timm"}
    assert cures.get(write, "model.save_weights('") in message
    assert str(path) in message


def test_files_beside_a_missing_one_are_named(saved, tmp_path):
    for name in ("run1.weights.h5", "run1.keras", "other.h5"):
        (tmp_path / name).write_bytes(b"")
    assert refusal(tmp_path / "Run1.h5", tmp_path).endswith("Beside it: run1.keras, run1.weights.h5.")


def test_a_file_that_a_training_holds_open(saved, tmp_path):
    path = tmp_path / "run.h5"
    path.write_bytes(saved["h5"].read_bytes())
    hold = "import sys, h5py; file = h5py.File(sys.argv[1], 'a'); print('open', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", hold, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        process.stdout.readline()
        message = refusal(path, tmp_path)
        process.stdin.close()
    assert message.startswith("weights file is in use by another process: got a file that is open for writing")
    assert "Wait until it is closed" in message
    assert resolve(path, tmp_path).file_format == "h5"


def test_a_file_that_a_killed_training_left_open(saved, tmp_path):
    path = tmp_path / "run.h5"
    path.write_bytes(saved["h5"].read_bytes())
    leave = (
        "import os, sys, h5py; file = h5py.File(sys.argv[1], 'a', libver='latest'); file.swmr_mode = True; os._exit(0)"
    )
    subprocess.run([sys.executable, "-c", "import os, sys, h5py\n"
        "with h5py.File(sys.argv[1], 'w', libver='latest') as file: file.attrs['layer_names'] = ['a']\n"
        + leave, str(path)], check=True)  # fmt: skip
    message = refusal(path, tmp_path)
    assert message.startswith("weights file was not closed: ")
    assert "h5clear -s" in message


def test_a_file_system_without_locks(tmp_path):
    error = OSError(37, "Unable to synchronously open file (unable to lock file, errno = 37)")
    assert "HDF5_USE_FILE_LOCKING=FALSE" in str(locked_error(tmp_path / "run.h5", error))
