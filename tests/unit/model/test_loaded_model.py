"""What else is done with a loaded model: its hash, the preprocessing probe, its structure, a head for a while."""

import numpy as np
import pytest
import tensorflow as tf
from tiny_models import (
    CLASSES,
    FILES,
    SMALL,
    SOFTMAX_HEAD,
    backbone,
    blocks_of,
    fill,
    freeze,
    images,
    notebook_layers,
    probs_of,
    save,
    scaled,
)

from evalharness.errors import ConfigError
from evalharness.model import (
    ProbeImages,
    build_keras_model,
    describe_model,
    hash_backbone,
    load_model,
    probe_heads,
    probe_preprocessing,
    randomised_head,
    resolve_weights,
)


@pytest.fixture(scope="module")
def shared():
    """One backbone, as two fine-tuning runs freeze it."""
    model = backbone(**SMALL)
    fill(model, seed=21)
    model.trainable = False
    return model


@pytest.fixture(scope="module")
def first_file(shared, tmp_path_factory):
    return save(headed(shared, notebook_layers()), tmp_path_factory.mktemp("first"), "h5")


def headed(vit_model, layers):
    return tf.keras.Sequential([vit_model, *layers])


class TestBackboneHash:
    def test_equal_for_two_heads_on_one_backbone(self, shared, first_file, loader, tmp_path):
        second = headed(shared, [tf.keras.layers.Dense(3, "softmax")])
        one = loader.load(first_file, **SMALL)
        other = loader.load(save(second, tmp_path, "h5"), **SMALL, head=SOFTMAX_HEAD, classes=CLASSES[:3])
        assert one.backbone_sha256 == other.backbone_sha256
        assert one.weights.sha256 != other.weights.sha256

    @pytest.mark.parametrize("name", ["class_token", "Transformer/encoderblock_0"])
    def test_another_after_one_value_changed(self, name, shared, first_file, loader, tmp_path):
        before = loader.load(first_file, **SMALL).backbone_sha256
        variable = shared.get_layer(name).variables[-1]
        values = variable.numpy()
        changed = values.copy()
        changed.flat[0] = np.nextafter(changed.flat[0], np.float32(9))
        variable.assign(changed)
        try:
            path = save(headed(shared, notebook_layers()), tmp_path, "h5")
        finally:
            variable.assign(values)
        assert loader.load(path, **SMALL).backbone_sha256 != before

    def test_another_when_two_layers_of_one_shape_are_swapped(self, shared, first_file, loader, tmp_path):
        before = loader.load(first_file, **SMALL).backbone_sha256
        attention = blocks_of(shared)[0].att
        query, key = attention.query_dense.get_weights(), attention.key_dense.get_weights()
        attention.query_dense.set_weights(key)
        attention.key_dense.set_weights(query)
        try:
            path = save(headed(shared, notebook_layers()), tmp_path, "h5")
        finally:
            attention.query_dense.set_weights(query)
            attention.key_dense.set_weights(key)
        assert loader.load(path, **SMALL).backbone_sha256 != before

    @pytest.mark.parametrize("pattern", ["all trainable", "parts of blocks and of the head frozen"])
    def test_the_same_from_every_layout_and_whatever_was_frozen(self, pattern, shared, first_file, loader, tmp_path):
        model = headed(shared, notebook_layers())
        freeze(model, pattern)
        hashes = {loader.load(save(model, tmp_path, layout), **SMALL).backbone_sha256 for layout in FILES}
        assert hashes == {loader.load(first_file, **SMALL).backbone_sha256}
        assert len(hashes.pop()) == 64

    @pytest.mark.parametrize("layout", FILES)
    def test_of_the_file_alone(self, layout, small_saved, loader):
        model = loader.load(small_saved[layout], **SMALL)
        assert hash_backbone(model.weights, model.image_size) == model.backbone_sha256


def test_backbone_of_a_file_whose_head_is_another(first_file, loader):
    """The head stays at random; what does not depend on it is that of the whole model."""
    whole = loader.load(first_file, **SMALL).trace(tf.constant(images()))
    features, attention = whole.features.numpy(), whole.attentions[0].numpy()
    source = resolve_weights(str(first_file), tracking_uri="", cache_dir=first_file.parent)
    config = loader.config(**SMALL, head=SOFTMAX_HEAD)
    alone = load_model(config, classes=CLASSES[:2], source=source, is_backbone_only=True)
    trace = alone.trace(tf.constant(images()))
    np.testing.assert_allclose(trace.features, features, atol=1e-6)
    np.testing.assert_allclose(trace.attentions[0], attention, atol=1e-6)


@pytest.fixture(scope="module")
def photos():
    """Noise, and labels; five photos occur twice, so that there are fewer than features can tell apart."""
    pixels = np.random.default_rng(0).integers(0, 256, (12, 32, 32, 3), np.uint8)
    which = np.arange(17) % 12
    return pixels[which], which * 3 % 5


SCALED = {
    "raw": lambda pixels: pixels,
    "vit": scaled,
    "rescale": lambda pixels: pixels / 255,
    "imagenet": lambda pixels: (pixels / 255 - np.float32([0.485, 0.456, 0.406])) / np.float32([0.229, 0.224, 0.225]),
}


class TestProbe:
    """A softmax layer solved on the features of photos, of which it then knows every one under that scaling."""

    def solve(self, photos, labels, preprocessing, folder, **sizes):
        vit_model = backbone(**SMALL | sizes)
        fill(vit_model, seed=30)
        pixels = photos.astype(np.float32)
        features = probs_of(vit_model, SCALED[preprocessing](pixels)).astype(np.float64)
        solution = np.linalg.lstsq(np.hstack([features, np.ones((17, 1))]), 10 * np.eye(5)[labels], rcond=None)[0]
        model = headed(vit_model, [tf.keras.layers.Dense(5, "softmax")])
        model.layers[-1].set_weights([solution[:-1], solution[-1]])
        return save(model, folder, "h5")

    @pytest.mark.parametrize(
        ("trained", "other"),
        [("vit", "raw"), ("raw", "vit"), ("rescale", "vit"), ("rescale", "raw"), ("imagenet", "rescale")],
    )
    def test_warns_only_under_the_wrong_preprocessing(self, trained, other, photos, loader, tmp_path):
        path = self.solve(*photos, trained, tmp_path)
        right = probe_preprocessing(load_small(loader, path, trained), ProbeImages(*photos))
        assert right.accuracy[trained] == 1
        assert right.accuracy[other] < 0.9
        assert (right.best, right.warning) == (right.configured, None)
        wrong = probe_preprocessing(load_small(loader, path, other), ProbeImages(*photos))
        assert wrong.accuracy == right.accuracy
        accuracy = right.accuracy[other]
        assert wrong.warning.startswith(
            f"model.preprocessing={other} scores {accuracy:.1%} on 17 images, {trained} scores 100.0%"
        )
        assert wrong.warning.endswith(f"the weights were probably trained with model.preprocessing={trained}")

    def test_numbers_of_the_user_are_scored_beside_every_name(self, photos, loader, tmp_path):
        path = self.solve(*photos, "vit", tmp_path)
        halves = {"mean": [0.5, 0.5, 0.5], "std": [0.5, 0.5, 0.5]}
        result = probe_preprocessing(load_small(loader, path, halves), ProbeImages(*photos))
        assert result.configured.value == "{mean: [0.5, 0.5, 0.5], std: [0.5, 0.5, 0.5]}"
        assert [other.value for other in result.others] == ["raw", "vit", "rescale", "imagenet"]
        assert result.configured.accuracy == result.accuracy["vit"] == 1
        assert result.warning is None

    def test_a_model_that_knows_nothing_is_told(self, photos, loader, tmp_path):
        path = self.solve(*photos, "vit", tmp_path)
        model = load_small(loader, path, "vit")
        # The right answers in another order: under no preprocessing are they right.
        result = probe_preprocessing(model, ProbeImages(photos[0], (photos[1] + 1) % 5))
        assert result.accuracy["vit"] == 0
        assert "check the weights, the head and the order of model.classes" in result.sentence

    def test_one_class_alone_tells_nothing(self, photos, loader, tmp_path):
        """Under a wrong preprocessing a model may answer the same class everywhere."""
        path = self.solve(*photos, "vit", tmp_path)
        verdicts = np.argmax(load_small(loader, path, "raw").predict_probs(photos[0].astype(np.float32)), axis=1)
        always = np.bincount(verdicts).argmax()
        shown = np.flatnonzero((verdicts == always) & (photos[1] != always))
        model = load_small(loader, path, "vit")
        result = probe_preprocessing(
            model, ProbeImages(photos[0][shown].repeat(9, axis=0), np.full(9 * len(shown), always))
        )
        assert result.best.is_better
        assert result.warning is None
        assert "all images are of one class" in result.sentence

    def test_few_images_tell_nothing(self, photos, loader, tmp_path):
        """Five of five against none of five is no proof: three values were tried."""
        path = self.solve(*photos, "vit", tmp_path)
        model = load_small(loader, path, "raw")
        verdicts = np.argmax(model.predict_probs(photos[0].astype(np.float32)), axis=1)
        wrong = np.flatnonzero(verdicts != photos[1])[:5]
        few = probe_preprocessing(model, ProbeImages(photos[0][wrong], photos[1][wrong]))
        assert (few.configured.accuracy, few.best.value, few.best.accuracy) == (0, "vit", 1)
        assert few.warning is None
        assert "5 images do not tell it from raw" in few.sentence

    def test_heads_of_the_wrong_number_are_noticed(self, photos, loader, tmp_path):
        """Weights have the same shapes whatever the number of heads: only the score tells."""
        path = self.solve(*photos, "vit", tmp_path, num_heads=1)
        assert probe_heads(load_small(loader, path, "vit", num_heads=1), ProbeImages(*photos)) is None
        model = load_small(loader, path, "vit", num_heads=4)
        before = model.predict_probs(photos[0].astype(np.float32)).numpy()
        wrong = probe_heads(model, ProbeImages(*photos))
        assert wrong.warning is not None
        assert wrong.warning.endswith("trained with model.num_heads=1")
        np.testing.assert_array_equal(model.predict_probs(photos[0].astype(np.float32)), before)


def load_small(loader, path, preprocessing, **sizes):
    return loader.load(path, **SMALL | sizes, head=SOFTMAX_HEAD, preprocessing=preprocessing)


class TestStructure:
    def test_blocks_are_told_once_and_all_weights_counted(self, saved, loader):
        model = loader.load(saved["h5"])
        lines = describe_model(model)
        assert [line.kind for line in lines if "Transformer" in line.kind] == ["4 x TransformerBlock"]
        assert [line.kind for line in lines][-5:] == [
            "Flatten", "BatchNormalization", "Dense", "BatchNormalization", "Dense",
        ]  # fmt: skip
        assert sum(line.num_params for line in lines) == model.keras_model.count_params()
        shapes = {line.name: line.output_shape for line in lines}
        assert shapes["embedding"] == "4 x 4 x 16"
        assert shapes["class_token"] == "17 x 16"
        assert lines[-1].output_shape == "5"


class TestRandomisedHead:
    def test_shuffles_kernels_and_puts_them_back(self, saved, loader, expected):
        model = loader.load(saved["h5"])
        before = [variable.numpy() for variable in model.keras_model.variables]
        with randomised_head(model, seed=3):
            changed = {
                variable.name
                for variable, values in zip(model.keras_model.variables, before, strict=True)
                if not np.array_equal(variable.numpy(), values)
            }
            assert np.abs(model.predict_probs(images()) - expected).max() > 0.01
            kernels = [layer.kernel for layer in model.keras_model.layers if hasattr(layer, "kernel")]
            assert changed == {kernel.name for kernel in kernels}
        for variable, values in zip(model.keras_model.variables, before, strict=True):
            np.testing.assert_array_equal(variable.numpy(), values)

    def test_head_is_back_after_an_error(self, saved, loader, expected):
        model = loader.load(saved["h5"])
        with pytest.raises(RuntimeError, match="stopped"), randomised_head(model, seed=3):
            raise RuntimeError("stopped")
        np.testing.assert_allclose(model.predict_probs(images()), expected, atol=1e-6)


class TestArchitecture:
    def test_published_backbones_and_sizes_that_do_not_fit(self, loader):
        config = loader.config(backbone="vit_b32", image_size=(64, 40), head=SOFTMAX_HEAD)
        with pytest.raises(ConfigError, match="a multiple of the patch size 32, got 64 x 40"):
            build_keras_model(config, num_classes=5)

    def test_unknown_activation(self, loader):
        head = [{"layer": "dense", "units": "classes", "activation": "softmaxx"}]
        with pytest.raises(ConfigError, match=r"tfa_gelu, .* got softmaxx \(model\.head\[0\]\.activation\)"):
            build_keras_model(loader.config(**SMALL, head=head), num_classes=5)

    def test_every_kind_of_head_layer(self, loader):
        head = [
            {"layer": "flatten"}, {"layer": "layer_normalization", "epsilon": 0.5}, {"layer": "dropout", "rate": 0.25},
            {"layer": "batch_normalization", "epsilon": 0.25}, {"layer": "dense", "units": 7},
            {"layer": "activation", "activation": "relu"}, *SOFTMAX_HEAD,
        ]  # fmt: skip
        model = build_keras_model(loader.config(**SMALL, head=head), num_classes=3)
        kinds = [type(layer).__name__ for layer in model.layers[1:]]
        assert kinds == [
            "Flatten", "LayerNormalization", "Dropout", "BatchNormalization", "Dense", "Activation", "Dense",
        ]  # fmt: skip
        assert (model.layers[2].epsilon, model.layers[3].rate, model.layers[4].epsilon) == (0.5, 0.25, 0.25)
        assert model.output_shape == (None, 3)
