"""Files that are broken, missing, of another kind or of another architecture: a message, or the right result."""

import json
import re
import shutil

import numpy as np
import pytest
import tensorflow as tf
from checkpoint_files import CHECKPOINTS, composed, images_for, loaded_from, preset_of, reference
from safetensors.numpy import load_file, save_file

from evalharness.errors import ConfigError, EvalHarnessError, WeightsError
from evalharness.model import resolve_weights
from evalharness.model.load import check_format


@pytest.fixture
def copied(tmp_path):
    def copy(name, **changes):
        folder = tmp_path / name
        shutil.copytree(CHECKPOINTS / name, folder)
        config = json.loads((folder / "config.json").read_text())
        (folder / "config.json").write_text(json.dumps(config | changes))
        return folder

    return copy


def message_of(folder, *overrides, preset=None):
    with pytest.raises(EvalHarnessError) as caught:
        loaded_from(folder, *overrides, preset=preset)
    return re.sub(r"\s+", " ", str(caught.value))


def resolve(path):
    return resolve_weights(str(path), tracking_uri="", cache_dir=CHECKPOINTS)


@pytest.mark.parametrize(
    ("name", "changes", "told"),
    [
        ("vit", {"model_type": "swin"}, "models of type swin are not read: its attention is within shifted windows"),
        ("vit", {"model_type": "siglip"}, "siglip are not read: its pooling is an attention of its own"),
        ("vit", {"model_type": "dinov3_vit"}, "dinov3_vit are not read: its positions are rotary"),
        ("vit", {"model_type": "resnet"}, "models of type resnet are not read: expected model_type vit, vit_msn"),
        ("vit", {"hidden_act": "quick_gelu"}, "hidden_act=quick_gelu is not read"),
        ("dinov2", {"use_swiglu_ffn": True}, "use_swiglu_ffn=True is not read"),
        ("vit", {"quantization_config": {"bits": 8}}, "weights are quantised"),
        ("vit", {"problem_type": "multi_label_classification"}, "no single label"),
        ("vit", {"id2label": {"0": "a", "1": "b"}}, "config and weights are of different models: expected 3 names"),
        ("timm-vit", {"architecture": "swin_tiny_patch4_window7_224"}, "swin_tiny.* shifted windows"),
        ("timm-vit", {"architecture": "vit_base_patch16_siglip_224"}, "its pooling is an attention of its own"),
        ("timm-vit", {"architecture": "vit_small_patch16_dinov3"}, "its positions are rotary"),
        ("timm-vit", {"global_pool": "map", "model_args": {}}, "models with global_pool=map are not read"),
        ("timm-vit", {"label_names": ["a"]}, "different models: expected 3 label_names, got 1"),
    ],
)
def test_another_architecture_is_refused_by_name(copied, name, changes, told):
    assert re.search(told, message_of(copied(name, **changes)))


def change_tensors(folder, change):
    tensors = load_file(folder / "model.safetensors")
    save_file(change(tensors), folder / "model.safetensors")


def test_tensors_that_a_plain_vision_transformer_has_not(copied):
    folder = copied("timm-vit")
    change_tensors(folder, lambda tensors: tensors | {"norm_pre.weight": np.ones(16, np.float32)})
    assert "model is no plain Vision Transformer: architecture vit_tiny_patch16_224" in message_of(folder)


def test_a_missing_tensor_is_named(copied):
    folder = copied("vit")
    change_tensors(folder, lambda tensors: {k: v for k, v in tensors.items() if "layer.1.layernorm_before" not in k})
    assert "checkpoint is incomplete" in message_of(folder)
    assert "no tensor for encoderblock_1/LayerNorm_0/weight" in message_of(folder)


def test_integers_are_quantised_weights(copied):
    folder = copied("vit")
    change_tensors(folder, lambda tensors: tensors | {"vit.layernorm.bias": np.zeros(16, np.int8)})
    assert "weights are quantised: expected floats of 16, 32 or 64 bits, got I8 in vit.layernorm.bias" in message_of(
        folder
    )


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (lambda start: start[:-7], "it is damaged or incomplete"),
        (lambda start: start[:40], "it is damaged or incomplete"),
        (lambda start: b"", "an empty file"),
        (lambda start: b"\x80\x02" + start, "a pickle, as PyTorch writes"),
        (lambda start: b"version https://git-lfs.github.com/spec/v1\n" + start[:70], "Git LFS pointer"),
    ],
)
def test_a_damaged_file(copied, content, told):
    folder = copied("vit")
    file = folder / "model.safetensors"
    file.write_bytes(content(file.read_bytes()))
    assert told in message_of(folder)


def test_an_hdf5_file_under_the_name_of_a_checkpoint(copied):
    folder = copied("vit")
    (folder / "model.safetensors").write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(40))
    assert "an HDF5 file, as Keras writes (give its name the ending .h5" in message_of(folder)


@pytest.mark.parametrize("name", ["pytorch_model.bin", "best.pth"])
def test_safetensors_under_the_name_of_a_pickle(copied, name):
    folder = copied("vit")
    (folder / "model.safetensors").rename(folder / name)
    assert "safetensors file under another name" in message_of(folder)
    assert "Rename it to model.safetensors" in message_of(folder)


def test_safetensors_under_the_name_of_keras(copied):
    folder = copied("vit")
    file = (folder / "model.safetensors").rename(folder / "run1.h5")
    told = message_of(file, preset="huggingface")
    assert "weights are a safetensors file" in told
    assert "Give its name the ending .safetensors" in told


def test_another_name_and_a_path_to_a_file_of_the_folder_give_the_same_model(copied):
    folder = copied("vit")
    expected = resolve(folder)
    (folder / "model.safetensors").rename(folder / "flowers best.safetensors")
    paths = [folder, folder / "flowers best.safetensors", folder / "config.json"]
    assert {resolve(path).sha256 for path in paths} == {expected.sha256}


def test_the_index_of_an_earlier_save_beside_whole_weights(copied):
    folder = copied("vit")
    expected = resolve(folder)
    (folder / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model-00001-of-00002.safetensors"}}')
    assert resolve(folder).sha256 == expected.sha256


def test_a_missing_shard(copied):
    folder = copied("deit")
    (folder / "model-00002-of-00003.safetensors").unlink()
    assert "expected 3 files as in its index, got no model-00002-of-00003.safetensors" in message_of(folder)


def test_a_truncated_shard(copied):
    folder = copied("deit")
    file = folder / "model-00002-of-00003.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    told = message_of(folder)
    assert "it is damaged or incomplete" in told
    assert file.name in told


def test_a_shard_of_another_model(copied):
    folder = copied("deit")
    shutil.copy(folder / "model-00001-of-00003.safetensors", folder / "model-00002-of-00003.safetensors")
    assert "expected every tensor of the index" in message_of(folder)


@pytest.mark.parametrize("content", ["[]", "{", "", '{"weight_map": 3}'])
def test_a_damaged_index_or_config(copied, content):
    folder = copied("deit")
    (folder / "model.safetensors.index.json").write_text(content)
    assert "model.safetensors.index.json" in message_of(folder)
    if content != '{"weight_map": 3}':
        (folder / "config.json").write_text(content)
        assert "cannot be read" in message_of(folder)


@pytest.mark.parametrize(("preset", "line"), [("huggingface", "save_pretrained"), ("timm", "timm.models.save_for_hf")])
def test_a_pickle_is_refused_with_the_lines_that_convert(copied, preset, line):
    folder = copied("vit" if preset == "huggingface" else "timm-vit")
    (folder / "model.safetensors").unlink()
    (folder / "pytorch_model.bin").write_bytes(b"\x80\x02nothing")
    told = message_of(folder)
    assert "weights are a pickle" in told
    assert line in told
    assert f"then model={preset} model.weights=" in told


def test_a_pickle_by_its_own_name(tmp_path):
    file = tmp_path / "model_best.pth"
    file.write_bytes(b"\x80\x02nothing")
    told = message_of(file, preset="timm")
    assert "timm.create_model(NAME, num_classes=N, checkpoint_path=" in told


@pytest.mark.parametrize("name", ["vit", "timm-vit"])
def test_the_wrong_preset_is_told_the_right_one(name):
    source = resolve(CHECKPOINTS / name)
    right = preset_of(name)
    check_format(right, source)
    for backbone in {"huggingface", "timm", "vit_b16"} - {right}:
        with pytest.raises(WeightsError, match=f"Choose model={right}"):
            check_format(backbone, source)


def test_a_config_alone_and_an_adapter(copied):
    folder = copied("vit")
    (folder / "model.safetensors").rename(folder / "adapter_model.safetensors")
    assert "adapter (LoRA) without its model" in message_of(folder)
    (folder / "adapter_model.safetensors").unlink()
    assert "folder holds no weights" in message_of(folder)


def test_a_backbone_without_a_head(copied):
    folder = copied("vit")
    change_tensors(folder, lambda tensors: {k: v for k, v in tensors.items() if "classifier" not in k})
    assert "checkpoint has no classifier" in message_of(folder)


def test_what_no_file_tells_is_asked_for(copied):
    folder = copied("vit")
    (folder / "preprocessor_config.json").unlink()
    with pytest.raises(ConfigError, match=r"do not tell everything .*\n  model.preprocessing: as in training"):
        composed(folder)
    assert composed(folder, "model.preprocessing=vit").model.image_size == (16, 16)


def test_a_safetensors_file_of_timm_without_config(tmp_path):
    file = tmp_path / "mine.safetensors"
    shutil.copy(CHECKPOINTS / "timm-mean" / "model.safetensors", file)
    with pytest.raises(ConfigError) as caught:
        composed(file, preset="timm")
    assert "model.preprocessing" in str(caught.value)
    assert "model.num_heads" in str(caught.value)
    model = loaded_from(file, "model.preprocessing=vit", "model.num_heads=2", preset="timm")
    assert model.pooling == "mean"
    logits = model.trace(tf.constant(images_for(model), tf.float32)).logits
    assert model.image_size == (16, 16)
    np.testing.assert_allclose(logits, reference("timm-mean")["logits_images"], atol=1e-4)


def test_a_safetensors_file_of_transformers_needs_its_config(tmp_path):
    file = tmp_path / "model.safetensors"
    shutil.copy(CHECKPOINTS / "vit" / "model.safetensors", file)
    assert "expected a config.json beside them" in message_of(file, preset="huggingface")


def test_what_is_set_stays_and_is_told(capsys):
    config = composed(CHECKPOINTS / "dinov2", "model.image_size=20", "dataset.filter=box", "model.num_heads=4")
    told = re.sub(r"\s+", " ", capsys.readouterr().err)
    assert (config.model.image_size, config.dataset.filter, config.model.num_heads) == ((20, 20), "box", 4)
    assert "model.image_size=20 instead of 16, which the files say" in told
    assert "dataset.filter=box instead of bicubic, which the files say" in told
    assert "model.num_heads=4 instead of 2, which the files say" in told
    assert "positions of 7 x 7 patches are fitted to 5 x 5" in told
    # The size that photos are scaled to was made for another input.
    assert config.dataset.resize_size is None


def test_everything_comes_from_the_files():
    config = composed(CHECKPOINTS / "dinov2")
    assert config.model.classes == ("daisy", "roses", "tulips")
    assert (config.model.image_size, config.dataset.resize, config.dataset.resize_size) == ((16, 16), "crop", (18, 18))
    assert (config.model.pooling, config.model.epsilon, config.dataset.filter) == ("cls_mean", 1e-6, "bicubic")
    assert composed(CHECKPOINTS / "vit").model.epsilon == 1e-12


@pytest.mark.parametrize(("name", "pooling"), [("dinov2", "cls"), ("deit-distilled", "cls"), ("vit", "cls_mean")])
def test_a_pooling_that_the_head_cannot_read(name, pooling):
    with pytest.raises(ConfigError, match="pooling does not fit the head"):
        composed(CHECKPOINTS / name, f"model.pooling={pooling}")


def test_a_head_or_a_size_of_the_config_is_refused():
    with pytest.raises(ConfigError, match=r"model\.head is that of the files"):
        composed(CHECKPOINTS / "vit", "+model.head=[{layer: flatten}]")
    with pytest.raises(ConfigError, match=r"image_size .* must be a multiple of patch_size 4"):
        composed(CHECKPOINTS / "vit", "model.image_size=18")
    with pytest.raises(ConfigError, match=r"resize_size .* must be at least model\.image_size"):
        composed(CHECKPOINTS / "dinov2", "dataset.resize_size=12")
