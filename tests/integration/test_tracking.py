"""Uploads to a real MLflow: a SQLite store, and a server that goes away."""

import json
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from urllib.error import URLError
from urllib.request import ProxyHandler, build_opener

import pandas as pd
import psutil
import pytest
from mlflow.exceptions import MlflowException
from mlflow.protos.databricks_pb2 import ENDPOINT_NOT_FOUND
from tracking_results import with_package, write_results

from evalharness.config import TrackingConfig
from evalharness.errors import TrackingError
from evalharness.tracking import open_store, results_upload, serve_ui, start_run, upload_results
from evalharness.tracking.client import connect
from evalharness.tracking.runs import COLOURS

CONFIG = TrackingConfig()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return open_store(CONFIG, tmp_path_factory.mktemp("runs"))


@pytest.fixture(scope="module")
def client(store):
    return connect(store.uri)


def log(store, folder, **tracking):
    with start_run(store, name=folder.name, config=TrackingConfig(**tracking)) as run_id:
        upload_results(store, run_id, folder)
    return run_id


def artifacts(client, run_id, path=None):
    """All files of a run, by path."""
    found = []
    for entry in client.list_artifacts(run_id, path):
        found += artifacts(client, run_id, entry.path) if entry.is_dir else [entry.path]
    return sorted(found)


@pytest.fixture
def load_table(store, client, monkeypatch):
    """Reads the samples of a run as MLflow's own reader does, which asks the global store."""
    monkeypatch.setenv("MLFLOW_TRACKING_URI", store.uri)
    return lambda run_id: client.load_table(store.experiment_id, "samples.json", [run_id])


def contents(client, run_id):
    """What a reader sees of a run."""
    run = client.get_run(run_id)
    inputs = [(entry.dataset.name, entry.dataset.digest) for entry in run.inputs.dataset_inputs]
    models = [entry.model_id for entry in run.inputs.model_inputs]
    points = {name: len(client.get_metric_history(run_id, name)) for name in run.data.metrics}
    return run.data.metrics, run.data.params, run.data.tags, inputs, models, points, artifacts(client, run_id)


def test_everything_of_an_evaluation_is_logged(store, client, tmp_path):
    folder = write_results(tmp_path / "results", num_rows=12)
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    run_id = log(store, folder)
    run, names = client.get_run(run_id), artifacts(client, run_id)

    assert run.info.status == "FINISHED"
    for name, value in manifest["metrics"].items():
        assert value == 0 or run.data.metrics[name] == value
    assert run.data.params["model.weights"] == "run1.h5"
    assert run.data.tags["fingerprint"] == manifest["fingerprint"]
    assert run.data.tags["mlflow.note.content"].startswith("**accuracy ")
    (dataset,) = run.inputs.dataset_inputs
    assert (dataset.dataset.name, dataset.dataset.digest) == ("flowers", "d" * 12)
    assert [(tag.key, tag.value) for tag in dataset.tags] == [("mlflow.data.context", "evaluation")]
    stored = sorted(f"results/{path.relative_to(folder).as_posix()}" for path in folder.rglob("*") if path.is_file())
    assert [name for name in names if name.startswith("results/")] == [n for n in stored if not n.endswith(".png")]
    assert "results/maps/rollout.npy" in names
    assert [name for name in names if name.startswith("figures/")] == [
        f"figures/{name}.png" for name in ("confusion_matrix", "per_class", "prediction_grid", "reliability")
    ]
    config = Path(client.download_artifacts(run_id, "config.yaml", str(tmp_path))).read_text(encoding="utf-8")
    assert "preprocessing: raw" in config


def test_the_samples_are_a_table_of_the_ui(store, load_table, tmp_path):
    folder = write_results(tmp_path / "results", num_rows=12)
    table = load_table(log(store, folder))
    samples = pd.read_parquet(folder / "samples.parquet")
    assert list(table.columns[:5]) == ["row_id", "pred_label", "label", "correct", "confidence"]
    assert list(table["row_id"]) == list(samples["row_id"])
    assert table["confidence"].to_numpy() == pytest.approx(samples["confidence"].to_numpy(), abs=1e-6)


def test_a_long_table_keeps_the_confident_mistakes(store, load_table, tmp_path, monkeypatch):
    monkeypatch.setattr(results_upload, "MAX_TABLE_ROWS", 4)
    folder = write_results(tmp_path / "results", num_rows=40)
    table = load_table(log(store, folder))
    samples = pd.read_parquet(folder / "samples.parquet")
    mistakes = samples[~samples["correct"]].sort_values("confidence", ascending=False)
    assert list(table["row_id"]) == list(mistakes["row_id"][:4])


def test_uploading_again_changes_nothing(store, client, load_table, tmp_path):
    folder = write_results(tmp_path / "results", num_rows=6)
    run_id = log(store, folder)
    before = contents(client, run_id)
    assert set(before[5].values()) == {1}
    upload_results(store, run_id, folder)
    assert contents(client, run_id) == before
    assert len(load_table(run_id)) == 6


def test_image_keys_line_up_across_runs_and_methods(store, client, tmp_path):
    keys = []
    for seed in (0, 1):
        folder = write_results(tmp_path / str(seed), seed=seed, weights=f"run{seed}.h5", num_overlays=2)
        names = [path for path in artifacts(client, log(store, folder)) if path.startswith("images/")]
        keys.append({name.split("+")[0].removeprefix("images/").replace("~", "/") for name in names})
        assert len(names) == 2 * 2 * 2  # images x maps x (picture and thumbnail)
    assert keys[0] == keys[1]
    assert {key.rsplit("/", 1)[0] for key in keys[0]} == {"overlay/grad_attention", "overlay/rollout"}


def test_names_that_are_not_ascii_or_long(store, client, tmp_path):
    folder = write_results(
        tmp_path / "結果",
        classes=("バラ", "チューリップ" * 20),
        weights="重み/run 1 'a'.weights.h5",
        dataset_name="花",
        map_ids=("rollout", "grad_attention." + "very_long_name_" * 6),
        row_name="{label}/写真 {number}.jpg",
    )
    run_id = log(store, folder)
    run = client.get_run(run_id)
    assert run.data.tags["dataset"] == "花"
    assert run.data.tags["weights"] == "run 1 'a'.weights.h5"
    images = [path for path in artifacts(client, run_id) if path.startswith("images/")]
    assert len(images) == 3 * 2 * 2
    assert all(path.isascii() for path in images)
    (model,) = run.inputs.model_inputs
    assert client.get_logged_model(model.model_id).name == "run 1 _a__weights"


def test_runs_of_one_weights_file_share_a_logged_model(store, client, tmp_path):
    models = []
    for number, weights in enumerate(["one/final.h5", "one/final.h5", "two/final.h5"]):
        run = client.get_run(log(store, write_results(tmp_path / str(number), weights=weights, seed=number)))
        models += [entry.model_id for entry in run.inputs.model_inputs]
    assert models[0] == models[1] != models[2]
    metrics = client.get_logged_model(models[0]).metrics
    assert {(metric.dataset_name, metric.dataset_digest) for metric in metrics} == {("flowers", "d" * 12)}
    assert len([metric for metric in metrics if metric.key == "accuracy"]) == 2


def test_a_server_without_logged_models_gets_the_rest(store, client, tmp_path, monkeypatch):
    def not_there(*_, **__):
        raise MlflowException("no such endpoint", error_code=ENDPOINT_NOT_FOUND)

    monkeypatch.setattr("mlflow.MlflowClient.search_logged_models", not_there)
    run = client.get_run(log(store, write_results(tmp_path / "results")))
    assert run.inputs.model_inputs == []
    assert "accuracy" in run.data.metrics


def test_a_password_in_the_uri_stays_here(store, client, tmp_path):
    folder = write_results(tmp_path / "results")
    manifest = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    manifest["config"]["tracking"]["uri"] = "postgresql://me:secret@host/mlflow"
    (folder / "manifest.json").write_text(json.dumps(manifest), encoding="utf-8")
    run_id = log(store, folder)
    config = Path(client.download_artifacts(run_id, "config.yaml", str(tmp_path))).read_text(encoding="utf-8")
    assert "postgresql://me:***@host/mlflow" in config


CREATION = """
import sys
from pathlib import Path
from evalharness.config import TrackingConfig
from evalharness.tracking import open_store, start_run, upload_results

sys.stdin.readline()
store = open_store(TrackingConfig(), Path(sys.argv[1]))
for _ in range(3):
    with start_run(store, name="a", config=TrackingConfig()) as run_id:
        upload_results(store, run_id, Path(sys.argv[2]))
print(store.experiment_id)
"""


@pytest.mark.exhaustive  # test_sweeps.py fills one store from two processes
def test_four_processes_create_and_fill_one_store(tmp_path):
    folder = write_results(tmp_path / "results", num_overlays=1)
    command = [sys.executable, "-c", CREATION, str(tmp_path / "runs"), str(folder)]
    processes = [
        subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=with_package())
        for _ in range(4)
    ]
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()
    outputs = [process.communicate()[0] for process in processes]
    assert [process.returncode for process in processes] == [0] * 4
    assert len(set(outputs)) == 1
    store = open_store(CONFIG, tmp_path / "runs")
    client = connect(store.uri)
    runs = client.search_runs([store.experiment_id], order_by=["attributes.start_time ASC"])
    assert [run.info.status for run in runs] == ["FINISHED"] * 12
    # The processes start their first runs together.
    assert len({run.data.tags["mlflow.runColor"] for run in runs[: len(COLOURS)]}) == len(COLOURS)
    assert all("accuracy" in run.data.metrics for run in runs)
    assert len(client.search_logged_models([store.experiment_id])) == 1


def free_port():
    with closing(socket.socket()) as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address, path=""):
    """Waits until the page is served; returns it."""
    opener = build_opener(ProxyHandler({}))
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        try:
            with opener.open(f"{address}{path}", timeout=5) as page:
                return page.read().decode()
        except (URLError, OSError):
            time.sleep(0.2)
    raise AssertionError(f"{address} does not answer")


class Server:
    """An MLflow server on the loopback."""

    def __init__(self, folder):
        self.folder, self.port = folder, free_port()
        self.address = f"http://127.0.0.1:{self.port}"

    def start(self):
        uri = f"sqlite:///{self.folder.as_posix()}/server.db"
        options = ["--backend-store-uri", uri, "--artifacts-destination", (self.folder / "artifacts").as_uri()]
        command = [sys.executable, "-m", "mlflow", "server", "--workers", "1", "--port", str(self.port), *options]
        settings = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}
        self.process = subprocess.Popen(
            command,
            cwd=self.folder,
            env=with_package() | settings,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(self.address, "/health")

    def kill(self):
        """Ends the server as a crash would."""
        family = [psutil.Process(self.process.pid), *psutil.Process(self.process.pid).children(recursive=True)]
        for member in family:
            member.kill()
        self.process.wait()
        psutil.wait_procs(family)


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_server_that_goes_away_in_the_middle_loses_nothing(tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    folder = write_results(tmp_path / "results")
    server = Server(tmp_path)
    server.start()
    try:
        config = TrackingConfig(uri=server.address)
        store = open_store(config, tmp_path / "runs")
        log_files = results_upload._log_files

        def log_files_without_server(*arguments):
            server.kill()
            log_files(*arguments)

        monkeypatch.setattr(results_upload, "_log_files", log_files_without_server)
        with start_run(store, name="a", config=config) as run_id:
            pass
        with pytest.raises(TrackingError, match=r"complete in .*results: repeat .*`evalharness log .*results`"):
            upload_results(store, run_id, folder)
        assert (folder / "manifest.json").is_file()

        server.start()
        monkeypatch.setattr(results_upload, "_log_files", log_files)
        upload_results(store, run_id, folder)
        again = log(store, folder)
        client = connect(store.uri)
        metrics, params, _, *rest = contents(client, run_id)
        expected_metrics, expected_params, _, *expected_rest = contents(client, again)
        assert (metrics, params, rest[:3]) == (expected_metrics, expected_params, expected_rest[:3])
        assert len(rest[3]) == len(expected_rest[3])
        assert not (tmp_path / "runs").exists()
    finally:
        server.kill()


def test_ui_of_an_empty_store_says_what_to_do(tmp_path):
    with pytest.raises(TrackingError, match=r"no run was logged yet.*`evalharness run"):
        serve_ui(CONFIG, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_ui_of_an_unknown_experiment_names_the_others(store):
    with pytest.raises(TrackingError, match="expected one of evalharness, got flowrs"):
        serve_ui(TrackingConfig(uri=store.uri, experiment="flowrs"), Path("unused"))


UI = """
import sys
from pathlib import Path
from evalharness.config import TrackingConfig
from evalharness.tracking import serve_ui

sys.exit(serve_ui(TrackingConfig(uri=sys.argv[1]), Path("unused"), port=int(sys.argv[2])))
"""


@pytest.mark.slow
@pytest.mark.exhaustive
def test_ui_serves_the_store_and_ends_with_its_server(store, tmp_path):
    log(store, write_results(tmp_path / "results"))
    with closing(socket.socket()) as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        process = subprocess.Popen(
            [sys.executable, "-c", UI, store.uri, str(port)],
            stderr=subprocess.PIPE,
            text=True,
            env=with_package(),
            # A shell that runs the tests in the background lets its children ignore Ctrl-C.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),  # noqa: PLW1509
        )
        lines = [process.stderr.readline() for _ in range(3)]
    address = lines[1].removeprefix("MLflow UI: ").split("/#/")[0]
    assert lines[0].startswith(f"port {port} is taken, using ")
    assert f"/#/experiments/{store.experiment_id}/runs?" in lines[1]
    assert "<title>MLflow</title>" in wait_for(address, "/")
    children = psutil.Process(process.pid).children(recursive=True)
    assert {entry.laddr.ip for child in children for entry in child.net_connections() if entry.status == "LISTEN"} == {
        "127.0.0.1"
    }
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=60) == 0
    assert psutil.wait_procs(children, timeout=10)[1] == []
    process.stderr.close()
