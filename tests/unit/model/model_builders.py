"""Models of a user's own, as `model.builder` names them: `model_builders.<function>`."""

import functools

import tensorflow as tf
from tiny_models import SMALL, backbone
from vit_keras import vit

layers = tf.keras.layers


@functools.cache
def _backbone_of(policy):
    return backbone(**SMALL)


def shared():
    """One backbone under all these models, built once for each policy of precision."""
    return _backbone_of(tf.keras.mixed_precision.global_policy().name)


def rescaled():
    image = layers.Input((32, 32, 3))
    tokens = shared()(layers.Rescaling(1 / 127.5, -1)(image))
    return tf.keras.Model(image, layers.Dense(5, "softmax")(layers.BatchNormalization()(tokens)))


def normalized():
    """The first layer has weights of its own, which it copies."""
    return tf.keras.Sequential(
        [layers.InputLayer((32, 32, 3)), layers.Normalization(), shared(), layers.Dense(5, "softmax")]
    )


def with_top(activation="softmax", representation_size=None):
    return vit.build_model(
        name="vit", classes=5, activation=activation, representation_size=representation_size, **SMALL
    )


def top_behind_rescaling():
    return tf.keras.Sequential([layers.InputLayer((32, 32, 3)), layers.Rescaling(1 / 255), with_top()])


def top_inside(representation_size=16):
    """Layers of vit-keras's own top, of one shape, inside the nested model; the last layer outside."""
    top = vit.build_model(name="vit", classes=16, representation_size=representation_size, **SMALL)
    top.get_layer("pre_logits").trainable = False
    return tf.keras.Sequential([top, layers.Dense(5, "softmax")])


def bare():
    return tf.keras.Sequential([shared(), layers.Dense(5, "softmax")])


def grown():
    """A head on the backbone's own output tensor."""
    vit_model = shared()
    hidden = layers.LayerNormalization()(layers.Dropout(0.2)(vit_model.output))
    return tf.keras.Model(vit_model.input, layers.Dense(5, "softmax")(hidden))


def nested_head():
    head = tf.keras.Sequential(
        [
            layers.BatchNormalization(),
            layers.Dense(16, "tanh"),
            layers.BatchNormalization(),
            layers.Dense(16, "tanh"),
            layers.Dense(5, "softmax"),
        ]
    )
    for layer in head.layers[:2]:
        layer.trainable = False
    return tf.keras.Sequential([shared(), head])


def nested_then_outer():
    """All hidden layers have one shape, so that only their places tell them apart."""
    inner = tf.keras.Sequential([layers.BatchNormalization(), layers.Dense(16, "tanh"), layers.BatchNormalization()])
    outer = [layers.Dense(16, "tanh"), layers.BatchNormalization(), layers.Dense(5, "softmax")]
    return tf.keras.Sequential([shared(), inner, *outer])


def nested_with_own_names():
    inner = tf.keras.Sequential(
        [
            layers.Dense(16, "tanh", name="first"),
            layers.BatchNormalization(name="first_norm"),
            layers.Dense(16, "tanh", name="second"),
            layers.BatchNormalization(name="second_norm"),
        ]
    )
    for layer in inner.layers[:2]:
        layer.trainable = False
    return tf.keras.Sequential([shared(), inner, layers.Dense(5, "softmax")])


def other_layers():
    return tf.keras.Sequential(
        [
            shared(),
            layers.UnitNormalization(),
            layers.Dense(8, use_bias=False),
            layers.PReLU(),
            layers.BatchNormalization(scale=False),
            layers.Dense(5, "softmax", use_bias=False),
        ]
    )


def ending(end, units=5, activation=None):
    """A backbone and one of several last layers."""
    ends = {
        "dense": [layers.Dense(units, activation)],
        "tf.nn.softmax": [layers.Dense(units, tf.nn.softmax)],
        "softmax layer": [layers.Dense(units), layers.Softmax()],
        "activation layer": [layers.Dense(units), layers.Activation(activation)],
        "no bias": [layers.Dense(units, activation, use_bias=False)],
        "normalization": [layers.Dense(units), layers.BatchNormalization()],
        "lambda": [layers.Dense(units), layers.Lambda(lambda values: values * 2)],
        "map": [layers.Reshape((1, 16)), layers.Dense(units, activation)],
    }
    vit_model = shared()
    values = vit_model.output
    for layer in ends[end]:
        values = layer(values)
    return tf.keras.Model(vit_model.input, values)


def raises():
    raise RuntimeError("no such checkpoint")


def returns_nothing():
    return None


def no_backbone():
    return tf.keras.Sequential([layers.InputLayer((32, 32, 3)), layers.Flatten(), layers.Dense(5, "softmax")])


@functools.cache
def two_backbones():
    image = layers.Input((32, 32, 3))
    first, second = backbone(**SMALL), backbone(**SMALL)
    second._name = "other"
    merged = layers.Concatenate()([first(image), second(image)])
    return tf.keras.Model(image, layers.Dense(5, "softmax")(merged))


def around_the_backbone():
    image = layers.Input((32, 32, 3))
    merged = layers.Concatenate()([shared()(image), layers.GlobalAveragePooling2D()(image)])
    return tf.keras.Model(image, layers.Dense(5, "softmax")(merged))


def around_inside():
    vit_model = shared()
    merged = layers.Concatenate()([vit_model.output, layers.GlobalAveragePooling2D()(vit_model.input)])
    return tf.keras.Model(vit_model.input, layers.Dense(5, "softmax")(merged))


def resized():
    return tf.keras.Sequential([layers.InputLayer((64, 64, 3)), layers.Resizing(32, 32), *bare().layers])


class Branch(layers.Layer):
    """Python's `if` on a tensor, which only AutoGraph can put into a graph."""

    def call(self, values):
        if tf.reduce_mean(values) > 0:
            return 2 * values
        return 3 * values


def branching():
    return tf.keras.Sequential([shared(), Branch(), layers.Dense(5, "softmax")])
