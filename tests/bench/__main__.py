"""Speed and memory as ratios, side by side in one run: `make bench`.

Random weights of ViT-B/16 and photos made on the spot: the arithmetic is the same as for real ones. Machines are shared
and drift, so every repeat times the base right before what is compared with it, in the same process and with the same
threads, once both are warm; told are the median ratio and the quartiles.
"""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from PIL import Image, ImageFilter

CLASSES = ("daisy", "dandelion", "roses", "sunflowers", "tulips")
VIT_B16 = {"model": "notebook"}
OCCLUDED_IMAGES = 2
SMALL_VIT = {
    "model": "custom", "model.image_size": 224, "model.patch_size": 16, "model.num_layers": 3, "model.hidden_size": 96,
    "model.num_heads": 3, "model.mlp_dim": 192, "model.preprocessing": "raw",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=32, help="images of the ratios to model.predict")
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--notebook-images", type=int, default=200)
    parser.add_argument("--notebook-maps", type=int, default=12, help="maps timed of the notebook's way, per image")
    parser.add_argument("--run-images", type=int, default=1000, help="images of the run whose overhead is measured")
    parser.add_argument(
        "--only", choices=["methods", "bfloat16", "notebook", "overhead", "batch-memory", "memory", "start"]
    )
    parser.add_argument("--memory-child", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--batch-child", help=argparse.SUPPRESS)
    parser.add_argument("--folder", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    if arguments.memory_child:
        return report_memory(arguments.folder, arguments.memory_child)
    if arguments.batch_child:
        return report_batch_memory(arguments.folder, arguments.batch_child)
    print(f"{platform.machine()}, {cpu_name()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sections: dict[str, Callable[[], None]] = {
            "methods": lambda: bench_methods(folder, arguments.images, arguments.repeats),
            "bfloat16": lambda: bench_bfloat16(folder, arguments.images, arguments.repeats),
            "notebook": lambda: bench_notebook(folder, arguments.notebook_images, arguments.notebook_maps),
            "overhead": lambda: bench_overhead(folder, arguments.run_images),
            "batch-memory": lambda: bench_batch_memory(folder),
            "memory": lambda: bench_memory(folder),
            "start": lambda: bench_start(folder, arguments.repeats),
        }
        for section, run in sections.items():
            if arguments.only in (None, section):
                run()
    return None


def cpu_name() -> str:
    """The processor's name, where the system tells it."""
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), platform.processor())


def has_bfloat16() -> bool:
    """Whether the processor says that it multiplies bfloat16."""
    info = Path("/proc/cpuinfo")
    return info.exists() and bool({"avx512_bf16", "amx_bf16", "bf16"} & set(info.read_text().split()))


def write_photos(folder: Path, count: int, size: tuple[int, int] = (800, 600)) -> Path:
    """JPEGs of blurred noise in the notebook's layout; returns the CSV."""
    csv = folder / f"photos_{count}.csv"
    if csv.exists():
        return csv
    generator = np.random.default_rng(0)
    rows = []
    for number in range(count):
        name = CLASSES[number % len(CLASSES)]
        path = folder / "photos" / name / f"{number}.jpg"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            noise = generator.integers(0, 256, (size[1] // 8, size[0] // 8, 3), np.uint8)
            Image.fromarray(noise).resize(size).filter(ImageFilter.GaussianBlur(2)).save(path, quality=85)
        rows.append(("photos", name, f"{number}.jpg"))
    pd.DataFrame(rows, columns=["base_path", "type_dir", "file_name"]).to_csv(csv, index=False)
    return csv


def write_weights(folder: Path, preset: dict[str, object]) -> Path:
    """Random weights of the preset's model."""
    from evalharness.config.compose import compose_config, overrides_from
    from evalharness.model import build_keras_model

    path = folder / f"{preset['model']}.h5"
    if not path.exists():
        config = compose_config(overrides_from({**preset, "model.weights": "-", "dataset.csv": "-"}))
        build_keras_model(config.model, num_classes=len(CLASSES)).save_weights(path)
    return path


def overrides(folder: Path, preset: dict[str, object], csv: Path, **values: object) -> dict[str, object]:
    """A run of the preset on the photos."""
    return {
        **preset,
        "model.weights": str(write_weights(folder, preset)),
        "model.probe": 0,
        "dataset.csv": str(csv),
        "runs_dir": str(folder / "runs"),
        "resume": False,
        **{key.replace("__", "."): value for key, value in values.items()},
    }


def open_session(values: dict[str, object]):
    """An evaluation before its model is loaded."""
    from evalharness.config.compose import compose_config, overrides_from
    from evalharness.evaluating.inputs import gather_inputs
    from evalharness.evaluating.session import Session
    from evalharness.evaluating.stopwatch import Stopwatch

    clock = Stopwatch()
    return Session(gather_inputs(compose_config(overrides_from(values)), clock), clock)


def predict_and_store(config_values: dict[str, object], folder: Path) -> Callable[[], float]:
    """Prepares prediction, maps, storing and metrics of one run; the function times them."""
    from scipy.special import softmax

    from evalharness import results
    from evalharness.evaluating.predict import predict
    from evalharness.metrics import evaluate_predictions

    session = open_session(config_values)
    inputs = session.inputs
    layout = results.ArrayLayout.of(
        session.model_properties, num_rows=len(inputs.labels), classes=inputs.classes, specs=inputs.specs
    )

    def run() -> float:
        start = time.perf_counter()
        with results.ResultsWriter.open(
            folder / "timed", inputs.recipe, inputs.fingerprint, layout, resume=False
        ) as writer:
            predict(session, writer)
            probs = softmax(np.asarray(writer.array("logits.npy"), np.float64), axis=1)
            evaluate_predictions(
                inputs.labels, probs, class_names=inputs.classes, groups=None, num_resamples=2000, confidence=0.95,
                seed=123,
            )  # fmt: skip
        return time.perf_counter() - start

    return run


def bench_methods(folder: Path, count: int, repeats: int) -> None:
    """Prediction with maps, metrics and storing, to `model.predict` alone over the same images."""
    from evalharness.attention import METHODS
    from evalharness.config.compose import compose_config, overrides_from
    from evalharness.dataset import load_image
    from evalharness.model import build_keras_model

    csv = write_photos(folder, count)
    config = compose_config(overrides_from(overrides(folder, VIT_B16, csv)))
    keras_model = build_keras_model(config.model, num_classes=len(CLASSES))
    rows = pd.read_csv(csv, dtype=str)
    paths = [folder / row.base_path / row.type_dir / row.file_name for row in rows.itertuples()]
    images = np.stack([load_image(path, image_size=(224, 224), config=config.dataset) for path in paths])
    images = images.astype(np.float32)

    def plain() -> float:
        start = time.perf_counter()
        keras_model.predict(images, verbose=0, batch_size=32)
        return time.perf_counter() - start

    timed = {"model.predict": plain}
    sharing = [name for name, method in METHODS.items() if method.needs not in ("perturbation", "nothing")]
    for name in sharing:
        timed[name] = predict_and_store(overrides(folder, VIT_B16, csv, attention__methods=[name]), folder)
    everything = overrides(folder, VIT_B16, csv, attention__methods=[*sharing, "random", "center"])
    timed["all of these"] = predict_and_store(everything, folder)
    interleaved(timed, "model.predict", repeats, f"ViT-B/16, {count} images, prediction + map + metrics + storing")
    bench_occlusion(folder, images[:OCCLUDED_IMAGES], keras_model)


def bench_occlusion(folder: Path, images: np.ndarray, keras_model: object) -> None:
    """Occlusion of a few images to `model.predict` on the same ones: one pass per group of patches."""
    csv = write_photos(folder, len(images))
    forward = open_session(overrides(folder, VIT_B16, csv, attention__methods=["occlusion"])).forward
    labels, row_ids = np.zeros(len(images), np.int32), [""] * len(images)

    def seconds(run: Callable[[], object]) -> float:
        start = time.perf_counter()
        run()
        return time.perf_counter() - start

    timed = {
        "model.predict": lambda: seconds(lambda: keras_model.predict(images, verbose=0)),
        "occlusion": lambda: seconds(lambda: forward(images.astype(np.uint8), labels, row_ids)),
    }
    title = f"ViT-B/16, {len(images)} images, {forward.num_forward_passes} forward passes an image"
    interleaved(timed, "model.predict", 3, title)


def bench_bfloat16(folder: Path, count: int, repeats: int) -> None:
    """bfloat16 to float32, and how often they agree."""
    if not has_bfloat16():
        print("\nbfloat16: not measured, this processor has no instructions for it")
        return
    csv = write_photos(folder, count)
    timed, verdicts = {}, {}
    for precision in ("float32", "bfloat16"):
        values = overrides(folder, VIT_B16, csv, attention__methods=["rollout"], model__precision=precision)
        timed[precision] = predict_and_store(values, folder)
        timed[precision]()
        verdicts[precision] = np.load(folder / "timed" / "logits.npy").argmax(axis=1)
    interleaved(timed, "bfloat16", repeats, f"ViT-B/16, {count} images, time as a multiple of bfloat16's")
    print(f"  verdicts that agree: {(verdicts['float32'] == verdicts['bfloat16']).mean():.1%} (random weights)")


def interleaved(timed: dict[str, Callable[[], float]], base: str, repeats: int, title: str) -> None:
    """Prints the median ratio of each function's seconds to those of the base right before it, and its quartiles."""
    for run in timed.values():
        run()
    print(f"\n{title} ({repeats} repeats)")
    for name, run in timed.items():
        if name == base:
            continue
        pairs = np.array([(timed[base](), run()) for _ in range(repeats)])
        ratios = pairs[:, 1] / pairs[:, 0]
        low, middle, high = np.quantile(ratios, [0.25, 0.5, 0.75])
        print(
            f"  {name:<16} {np.median(pairs[:, 1]):8.2f} s   ratio to {base}: {middle:.2f} "
            f"(quartiles {low:.2f} to {high:.2f}, all {ratios.min():.2f} to {ratios.max():.2f})"
        )


def bench_notebook(folder: Path, count: int, num_maps: int) -> None:
    """Whole runs, loading and figures included, to the notebook's procedure."""
    import evalharness

    csv = write_photos(folder, count)
    notebook_s = notebook_seconds(folder, csv, num_maps)
    print(f"\nnotebook's procedure on {count} images (maps timed on {num_maps} of them): {notebook_s:.1f} s")
    for method in ("rollout", "grad_attention"):
        start = time.perf_counter()
        evalharness.evaluate(overrides(folder, VIT_B16, csv, attention__methods=[method]))
        seconds = time.perf_counter() - start
        print(f"  evaluate() with {method:<16} {seconds:8.1f} s   {notebook_s / seconds:.1f} x faster")


def notebook_seconds(folder: Path, csv: Path, num_maps: int) -> float:
    """The notebook's steps: one array grown row by row, predict, then a map and a figure an image."""
    import matplotlib as mpl
    from matplotlib import pyplot as plt
    from vit_keras import visualize

    from evalharness.config.compose import compose_config, overrides_from
    from evalharness.model import build_keras_model

    mpl.use("Agg")
    start = time.perf_counter()
    config = compose_config(overrides_from(overrides(folder, VIT_B16, csv)))
    model = build_keras_model(config.model, num_classes=len(CLASSES))
    images = np.zeros((0, 224, 224, 3), np.uint8)
    for row in pd.read_csv(csv, dtype=str).itertuples():
        with Image.open(folder / row.base_path / row.type_dir / row.file_name) as image:
            pixels = np.asarray(image.convert("RGB").resize((224, 224), Image.Resampling.BILINEAR))
        images = np.concatenate([images, pixels[None]])
    model.predict(images, verbose=0)
    once_s = time.perf_counter() - start
    start = time.perf_counter()
    for image in images[:num_maps]:
        heatmap = visualize.attention_map(model=model.layers[0], image=image)
        figure, (left, right) = plt.subplots(ncols=2)
        left.imshow(image)
        right.imshow(heatmap)
        figure.savefig(folder / "figure.png")
        plt.close(figure)
    return once_s + (time.perf_counter() - start) / num_maps * len(images)


def bench_overhead(folder: Path, count: int) -> None:
    """The share of a whole run that is not the model, scan and loading of the model apart."""
    import evalharness

    csv = write_photos(folder, count)
    start = time.perf_counter()
    values = overrides(folder, VIT_B16, csv, attention__methods=["rollout"])
    result = evalharness.evaluate(values)
    total_s = time.perf_counter() - start
    scan_s, load_s, predict_s = (result.metrics[f"time/{stage}_s"] for stage in ("scan", "load_model", "predict"))
    model_s = forward_only(values, count)
    print(f"\nwhole run of {count} images with ViT-B/16 and rollout: {total_s:.1f} s, scan {scan_s:.1f} s")
    print(f"  predicting with decoding and storing {predict_s:.1f} s, the forward passes alone {model_s:.1f} s")
    apart_s = total_s - scan_s - load_s
    stages = {name: round(value, 1) for name, value in result.metrics.items() if name.startswith("time/")}
    print(f"  stages, in seconds: {stages}")
    rest_s = apart_s - model_s
    print(f"  not the model: {rest_s:.1f} s, {rest_s / apart_s:.1%} of the run without scan and load")


def forward_only(values: dict[str, object], count: int) -> float:
    """Seconds of the forward passes alone, on images in memory."""
    forward = open_session(values).forward
    images, labels, row_ids = np.zeros((32, 224, 224, 3), np.uint8), np.zeros(32, np.int32), [""] * 32
    forward(images, labels, row_ids)
    batches_s = []
    for _ in range(8):
        start = time.perf_counter()
        forward(images, labels, row_ids)
        batches_s.append(time.perf_counter() - start)
    return float(np.median(batches_s)) / 32 * count


def bench_batch_memory(folder: Path) -> None:
    """Peak memory of ViT-B/16 on batches of 32, each method in a process of its own, beside `model.predict`."""
    write_weights(folder, VIT_B16)
    write_photos(folder, 32)
    print("\npeak memory of the process, ViT-B/16, batches of 32")
    for name in ("model.predict", "rollout", "libra", "grad_attention", "legrad"):
        command = [sys.executable, "-m", "tests.bench", "--batch-child", name, "--folder", str(folder)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks = json.loads(output.splitlines()[-1])
        print(f"  {name:<16} {peaks['peak_mb']:8.0f} MB, {peaks['loaded_mb']:.0f} MB of it before the first batch")


def report_batch_memory(folder: Path, name: str) -> None:
    """Runs two batches in this process and prints its peak memory."""
    import resource

    def peak_mb() -> float:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024

    methods = ["random"] if name == "model.predict" else [name]
    forward = open_session(overrides(folder, VIT_B16, write_photos(folder, 32), attention__methods=methods)).forward
    images = np.random.default_rng(0).integers(0, 256, (32, 224, 224, 3), np.uint8)
    loaded_mb = peak_mb()
    for _ in range(2):
        if name == "model.predict":
            forward.model.keras_model.predict(images.astype(np.float32), verbose=0, batch_size=32)
        else:
            forward(images, np.zeros(32, np.int32), [""] * 32)
    print(json.dumps({"peak_mb": peak_mb(), "loaded_mb": loaded_mb}))


def bench_start(folder: Path, repeats: int) -> None:
    """One photo inspected by the bundled example's tiny ViT, to importing TensorFlow alone, each a new process."""
    import evalharness
    from evalharness.example.model import weights_path
    from evalharness.example.photos import generate_photos

    photos = generate_photos(folder / "example", num_photos=100)
    values = {
        "model": "example", "model.weights": str(weights_path("clean")), "dataset.csv": str(photos.table_csv),
        "attention.methods": ["grad_attention"], "model.probe": 0, "runs_dir": str(folder / "runs"),
    }  # fmt: skip
    result = evalharness.evaluate(values)
    photo = photos.root / result.samples["path"][0]
    inspect = ["-m", "evalharness", "inspect", str(photo), "--run", str(result.folder), "--to", str(folder / "seen")]

    def seconds(arguments: list[str]) -> float:
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
        return time.perf_counter() - start

    timed = {"import tensorflow": lambda: seconds(["-c", "import tensorflow"]), "inspect": lambda: seconds(inspect)}
    interleaved(timed, "import tensorflow", repeats, "one photo, bundled tiny ViT, with its map and its judge")


def bench_memory(folder: Path) -> None:
    """Peak memory at two sizes of the dataset, each in a process of its own. A small model hides the least."""
    write_weights(folder, SMALL_VIT)
    peaks = {}
    for count in (200, 2000):
        write_photos(folder, count)
        command = [sys.executable, "-m", "tests.bench", "--memory-child", str(count), "--folder", str(folder)]
        output = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        peaks[count] = json.loads(output.splitlines()[-1])["peak_mb"]
    print("\npeak memory of a whole run, small ViT with grad_attention")
    for count, peak in peaks.items():
        print(f"  {count:>5} images {peak:8.0f} MB")
    print(f"  ratio {peaks[2000] / peaks[200]:.3f}")


def report_memory(folder: Path, count: int) -> None:
    """Evaluates in this process and prints its peak memory."""
    import resource

    import evalharness

    evalharness.evaluate(overrides(folder, SMALL_VIT, write_photos(folder, count)))
    print(json.dumps({"peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024}))


if __name__ == "__main__":
    main()
