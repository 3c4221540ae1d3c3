"""Every command of the README, run on the bundled example in place of the reader's own files."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from in_process import run_here

from evalharness.example.model import weights_path
from evalharness.example.photos import generate_photos

README = Path(__file__).parents[2] / "README.md"
FINE_TUNED = Path(__file__).parents[1] / "fixtures" / "fine-tuned"
# The reader's ViT-B/16 is the example's tiny ViT here, and few images are enough to see that a command works.
STAND_IN = ("model=notebook", "model=example")
FEWER = [
    "limit=25",
    "bootstrap.num_resamples=200",
    "report.contact_sheet=[noisiest]",
    "report.num_pairs=1",
    "report.num_logged_images=1",
]


def commands(language="sh"):
    blocks = re.findall(rf"```{language}\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    lines = [line.split("  #")[0].strip() for block in blocks for line in block.splitlines()]
    return [line for line in lines if line]


# Those of the first hour run on what the demo left: test_example.py.
EVALHARNESS = [
    line
    for line in commands()
    if line.startswith("evalharness ") and "runs/cache/example" not in line and "runs/results" not in line
]
(SWEEP,) = (line for line in EVALHARNESS if " -m " in line and "output_dir" in line)
# As the reader's are. `run`, `run -m` and `compare` are processes in the tests of each, and run in this one here.
PROCESSES = ("check", "inspect")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("readme")
    photos = generate_photos(root, num_photos=30)
    for number, run in enumerate(("clean", "shortcut"), start=1):
        shutil.copy(weights_path(run), photos.root / f"run{number}.h5")
    shutil.copy(photos.annotations, photos.root / "regions.json")
    shutil.copytree(FINE_TUNED, photos.root / "flowers-vit")
    shutil.copy(photos.table_csv, photos.root / "test.csv")
    shutil.copy(photos.root / "photos" / "roses" / "0000.jpg", photos.root / "photo.jpg")
    return photos.root


def test_the_readme_has_the_commands_that_are_tested_here():
    assert len(EVALHARNESS) >= 5
    assert {"make demo", "make test"} <= set(commands())


# `evalharness ui` is opened in test_tracking.py and in Chromium.
@pytest.mark.parametrize("line", [line for line in EVALHARNESS if line != "evalharness ui"])
def test_command(line, folder):
    words = line.replace(*STAND_IN).split()[1:]
    fewer = [word.replace("32", "3") if word.startswith("faithfulness") else word for word in words]
    limits = FEWER if words[0] in ("run", "check") else []
    if words[0] in PROCESSES:
        command = [sys.executable, "-m", "evalharness", *fewer, *limits]
        process = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    else:
        process = run_here(*fewer, *limits, cwd=folder)
    assert process.returncode == 0, process.stderr


def test_python_example(folder, monkeypatch):
    (block,) = re.findall(r"```python\n(.*?)```", README.read_text(encoding="utf-8"), re.DOTALL)
    monkeypatch.chdir(folder)
    names = {}
    # Of the sweep among the commands above, in whatever order they are tested.
    assert (folder / "sweep1" / "1").is_dir() or run_here(*SWEEP.replace(*STAND_IN).split()[1:], *FEWER, cwd=folder)
    exec(block.replace('"model": "notebook"', '"model": "example", "limit": 25'), names)
    assert 0 <= names["result"].metrics["accuracy"] <= 1
    assert names["found"].sentence
