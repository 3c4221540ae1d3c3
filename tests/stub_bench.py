"""A bench with a judge that needs no model, listening on a free port of the loopback."""

import http.client
import io
import json
import threading
import time
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import uvicorn
from PIL import Image

from evalharness.config import ServeConfig
from evalharness.dataset import ImageError, load_photo
from evalharness.serving.access import Access
from evalharness.serving.app import Application
from evalharness.serving.bench import Bench
from evalharness.serving.judging import Judged, NotAPhoto, PhotoJudge
from evalharness.serving.pictures import RecentPictures
from evalharness.serving.pipeline import take_address
from evalharness.serving.verdict_log import NUM_RECENT, VerdictLog
from evalharness.serving.watching import FolderWatch

CLASSES = ("blue", "green", "red")
DATASET = SimpleNamespace(
    max_pixels=4_000_000, exif="apply", resize="squash", resize_size=None, filter="bilinear", verify="full"
)
CONFIG = SimpleNamespace(
    dataset=DATASET,
    model=SimpleNamespace(image_size=(32, 32)),
    report=SimpleNamespace(style="overlay", density_max=12.0),
)
REASONS = {
    "believe": "of believed verdicts at most 2 % are wrong, with 90% confidence (3 of 400 evaluated ones were)",
    "check": "the confidence is low (0.51)",
    "unknown": (
        "unlike anything that was evaluated: of photos like the evaluated ones 0.1% are as far from the others "
        "(unknown: up to 1%)"
    ),
}


def photo(colour=(200, 30, 30), size=(40, 30), file_format="PNG"):
    buffer = io.BytesIO()
    Image.new("RGB", size, colour).save(buffer, file_format)
    return buffer.getvalue()


def judge_colour(path):
    """Red, green or blue; believed if it is clear, unknown if it is grey."""
    try:
        pixels = load_photo(path, config=DATASET)
    except ImageError as error:
        return NotAPhoto(error.reason)
    red, green, blue = (float(value) for value in pixels.reshape(-1, 3).mean(axis=0))
    probs = np.array([blue, green, red]) / max(1.0, blue + green + red)
    first = int(probs.argmax())
    belief = "believe" if probs[first] > 0.6 else "check" if probs[first] > 0.4 else "unknown"
    return Judged(
        belief=belief,
        class_name=None if belief == "unknown" else CLASSES[first],
        confidence=float(probs[first]),
        top=tuple((CLASSES[place], float(probs[place])) for place in np.argsort(-probs)),
        reasons=(REASONS[belief],),
        risk=1 - float(probs[first]),
        density=np.linspace(0, 4, 16, dtype=np.float32).reshape(4, 4),
    )


@contextmanager
def running_bench(folder: Path, judge=judge_colour, token=None, **settings):
    """A bench that answers; `client` asks it."""
    config = ServeConfig(port=0, token=token, **settings)
    listener = take_address(config)
    port = listener.getsockname()[1]
    log = VerdictLog(folder)
    pictures = RecentPictures(folder / "recent", CONFIG, NUM_RECENT)
    bench = Bench("colours", PhotoJudge(CLASSES, judge), log, pictures, config)
    watch = FolderWatch(bench, config.watch, log.watched) if config.watch else None
    app = Access(Application(bench, watch).build(), config, port, token)
    server = uvicorn.Server(uvicorn.Config(app, log_config=None, lifespan="off", server_header=False))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    log.start({"run": "colours", "keep": str(config.keep.absolute()) if config.keep else None})
    if watch:
        watch.start()
    thread.start()
    while not server.started:
        time.sleep(0.005)
    try:
        yield SimpleNamespace(port=port, bench=bench, log=log, watch=watch, client=Client(port, token))
    finally:
        if watch:
            watch.stop()
        server.should_exit = True
        thread.join()
        bench.close()
        log.close()
        listener.close()


class Client:
    """Asks as a program does."""

    def __init__(self, port, token=None):
        self.port, self.token = port, token

    def ask(self, method, address, body=None, **headers):
        """(status, headers, body) of the answer."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        if self.token and "Authorization" not in given:
            given["Authorization"] = f"Bearer {self.token}"
        try:
            connection.request(method, address, body, given)
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()

    def json(self, method, address, body=None, **headers):
        """(status, value) of the answer."""
        status, _, content = self.ask(method, address, body, **headers)
        return status, json.loads(content)

    def inspect(self, content, name="photo.png", **headers):
        return self.json("POST", f"/inspect?name={name}", content, **headers)
