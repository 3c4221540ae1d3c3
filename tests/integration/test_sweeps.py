"""Sweeps as a user starts them: every launcher gives the same numbers, and nothing is lost when something dies."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time

import mlflow
import numpy as np
import pytest
from in_process import run_here
from tiny_vit import UNDRAWN, build_tiny_model

from evalharness.cli.launchers import (
    GB_PER_WORKER,
    THREAD_VARIABLES,
    Workers,
    missing_launcher,
    num_cores,
    plan_workers,
)
from evalharness.cli.sweep import what_sets_apart
from evalharness.config.compose import overrides_from
from evalharness.results import StoredResult

NUM_ROWS = 15


def sweep_command(tiny_run, *settings, weights):
    """The command line of a sweep over weights, with runs in `runs` below where the command is started."""
    values = {"limit": NUM_ROWS, "batch_size": 1, "attention__methods": ["rollout"], **UNDRAWN}
    shared = tiny_run.overrides("runs", **values)
    del shared["model.weights"]
    swept = "model.weights=" + ",".join(f"'{path}'" for path in weights)
    return [sys.executable, "-m", "evalharness", "run", "-m", *settings, *overrides_from(shared), swept]


def run_sweep(command, cwd):
    """Runs it with one thread for sums: their number changes how float32 sums round, on machines with many cores."""
    cwd.mkdir(exist_ok=True)
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    return subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)


def finished(runs_dir):
    """Complete results by the name of their folder, which the recipe gives."""
    return {path.parent.name: StoredResult(path.parent) for path in runs_dir.glob("results/*/manifest.json")}


def runs_of(runs_dir):
    client = mlflow.MlflowClient(f"sqlite:///{runs_dir / 'mlflow.db'}")
    return client.search_runs([client.get_experiment_by_name("evalharness").experiment_id])


def assert_same_numbers(ours, theirs):
    assert ours.keys() == theirs.keys()
    for name, one in ours.items():
        other = theirs[name]
        np.testing.assert_array_equal(one.logits, other.logits)
        for map_id in one.map_ids:
            np.testing.assert_array_equal(one.maps(map_id), other.maps(map_id))
        timeless = [key for key in one.metrics if not key.startswith(("throughput/", "time/", "memory/"))]
        assert len(timeless) > 10
        assert {key: one.metrics[key] for key in timeless} == {key: other.metrics[key] for key in timeless}


def assert_consistent(runs_dir):
    with sqlite3.connect(runs_dir / "mlflow.db") as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture(scope="module")
def second_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "second.h5"
    build_tiny_model(seed=6).save_weights(path)
    return path


@pytest.fixture(scope="module")
def sequential(tiny_run, second_weights, tmp_path_factory):
    """Three members, one after the other; the second fails."""
    return sweep_of_three(tiny_run, second_weights, tmp_path_factory.mktemp("sequential"))


def sweep_of_three(tiny_run, second_weights, folder, *settings):
    weights = [tiny_run.weights, folder / "none.h5", second_weights]
    process = run_sweep(sweep_command(tiny_run, *settings, weights=weights), folder / "cwd")
    return process, folder / "cwd" / "runs"


def assert_sweep_of_three(process, runs_dir, sequential):
    """One member has no weights: the others ran, have the numbers of the sequential sweep, and all is told."""
    assert process.returncode == 1, process.stderr
    assert "Traceback" not in process.stderr
    assert "1 of 3 runs failed" in process.stderr
    assert "none.h5" in process.stderr
    assert len(finished(runs_dir)) == 2
    assert_same_numbers(finished(runs_dir), finished(sequential[1]))
    assert_consistent(runs_dir)
    runs = runs_of(runs_dir)
    assert [run.info.status for run in runs] == ["FINISHED"] * 2
    (sweep,) = {run.data.tags["sweep"] for run in runs}
    (command,) = {run.data.tags["sweep_command"] for run in runs}
    assert command.startswith("evalharness run -m ")
    assert "none.h5" in command
    assert not any("mlflow.parentRunId" in run.data.tags for run in runs)
    assert f"`evalharness ui`, then http://127.0.0.1:5000/#/experiments/{runs[0].info.experiment_id}/" in process.stderr
    assert f"viewStateShareKey={sweep}" in process.stderr
    # Nothing beside the runs folder: no outputs/, no multirun/, no log.
    assert [path.name for path in runs_dir.parent.iterdir()] == ["runs"]


@pytest.mark.slow
def test_a_sequential_sweep_tells_what_ran_and_what_failed(sequential):
    assert_sweep_of_three(*sequential, sequential)


def threads_of_members(process):
    (line,) = [line for line in process.stderr.splitlines() if line.startswith("sweep of 3 runs, ")]
    return int(line.rpartition(" ")[2])


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_process_pool_gives_the_sequential_numbers(tiny_run, second_weights, sequential, tmp_path):
    settings = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2")
    process, runs_dir = sweep_of_three(tiny_run, second_weights, tmp_path, *settings)
    assert_sweep_of_three(process, runs_dir, sequential)
    assert threads_of_members(process) == max(1, num_cores() // 2)
    assert len({run.data.tags["pid"] for run in runs_of(runs_dir)}) == 2
    assert "accuracy" in next(runs_dir.glob("sweeps/*/0/output.log")).read_text()


@pytest.mark.cluster
@pytest.mark.parametrize("launcher", ["submitit_local", "ray"])
def test_an_engine_for_clusters_gives_the_sequential_numbers(launcher, tiny_run, second_weights, sequential, tmp_path):
    process, runs_dir = sweep_of_three(tiny_run, second_weights, tmp_path, f"hydra/launcher={launcher}")
    assert_sweep_of_three(process, runs_dir, sequential)
    assert threads_of_members(process) >= 1
    assert os.getpid() not in {int(run.data.tags["pid"]) for run in runs_of(runs_dir)}


SLOW_COMMAND = """\
import sys, time
from pathlib import Path
import evalharness.inference.forward as forward
call = forward.ForwardPass.__call__
def slow(*batch):
    # The second member alone, which is the one to be killed.
    if list(Path("runs").glob("results/*/manifest.json")):
        time.sleep(0.3)
    return call(*batch)
forward.ForwardPass.__call__ = slow
from evalharness.cli.main import main
sys.exit(main(sys.argv[1:]))
"""
COUNTING_COMMAND = """\
import sys
from evalharness.inference import ForwardPass
from evalharness.cli.main import main
calls = []
call = ForwardPass.__call__
ForwardPass.__call__ = lambda *batch: (calls.append(1), call(*batch))[1]
code = main(sys.argv[1:])
print(len(calls))
sys.exit(code)
"""


@pytest.mark.slow
def test_a_sweep_killed_in_the_middle_and_repeated_computes_nothing_twice(
    tiny_run, second_weights, sequential, tmp_path
):
    command = sweep_command(tiny_run, weights=[tiny_run.weights, second_weights])
    runs_dir = tmp_path / "runs"
    slowly = [sys.executable, "-c", SLOW_COMMAND, *command[3:]]
    environment = {**os.environ, **dict.fromkeys(THREAD_VARIABLES, "1")}
    process = subprocess.Popen(slowly, cwd=tmp_path, env=environment, stderr=subprocess.DEVNULL)
    partial = wait_for_second_member(process, runs_dir)
    process.send_signal(signal.SIGKILL)
    process.wait()
    done = np.load(partial / "done.npy")
    assert 3 <= done.sum() < NUM_ROWS
    ((complete, result),) = finished(runs_dir).items()
    assert complete != partial.name
    written = {path: path.stat().st_mtime_ns for path in result.folder.rglob("*") if path.is_file()}
    assert sorted(run.info.status for run in runs_of(runs_dir)) == ["FINISHED", "RUNNING"]

    counted = [sys.executable, "-c", COUNTING_COMMAND, *command[3:]]
    again = run_sweep(counted, tmp_path)
    assert again.returncode == 0, again.stderr
    assert int(again.stdout.splitlines()[-1]) == NUM_ROWS - done.sum()
    assert {path: path.stat().st_mtime_ns for path in written} == written
    assert sorted(run.info.status for run in runs_of(runs_dir)) == ["FINISHED"] * 3 + ["KILLED"]
    assert_consistent(runs_dir)
    assert_same_numbers(finished(runs_dir), finished(sequential[1]))


def wait_for_second_member(process, runs_dir):
    """The results folder of the second member, once it has some rows and the first one is complete."""
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.05)
        complete = {path.parent for path in runs_dir.glob("results/*/manifest.json")}
        partial = [path for path in runs_dir.glob("results/*/done.npy") if path.parent not in complete]
        # The header alone is 128 bytes.
        if complete and partial and partial[0].stat().st_size > 128 and np.load(partial[0]).sum() >= 3:
            return partial[0].parent
    pytest.fail(f"the second member never began: exit code {process.poll()}")


@pytest.mark.slow
@pytest.mark.exhaustive
def test_a_worker_that_dies_is_told(tiny_run, second_weights, tmp_path):
    """The pool stops when one of its processes is killed, as the kernel does when memory runs out."""
    settings = ("hydra/launcher=joblib", "hydra.launcher.n_jobs=2", "+hydra.job.env_set.EVALHARNESS_TEST_KILL=1")
    (tmp_path / "sitecustomize.py").write_text(
        "import os\n"
        "class Finder:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name == 'vit_keras' and os.environ.get('EVALHARNESS_TEST_KILL'):\n"
        "            os.kill(os.getpid(), 9)\n"
        "import sys\n"
        "sys.meta_path.insert(0, Finder())\n"
    )
    cwd = tmp_path / "cwd"
    cwd.mkdir()
    environment = {**os.environ, "PYTHONPATH": str(tmp_path), "COLUMNS": "500"}
    command = sweep_command(tiny_run, *settings, weights=[tiny_run.weights, second_weights])
    process = subprocess.run(command, cwd=cwd, env=environment, capture_output=True, text=True, check=False)
    assert process.returncode == 1
    assert "Traceback" not in process.stderr
    assert "the launcher stopped: TerminatedWorkerError" in process.stderr
    assert "2 of 2 runs failed" in process.stderr
    assert "its worker was killed" in process.stderr
    assert not finished(cwd / "runs")


def test_a_swept_value_that_hydra_refuses_is_one_message(tmp_path):
    process = run_here("run", "-m", "model.weigths=a,b", cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert process.stderr.startswith("error: config cannot be composed")
    assert "model.weigths" in process.stderr
    assert not list(tmp_path.iterdir())


def test_an_unknown_launcher_is_one_message_with_the_known_ones(tmp_path):
    process = run_here("run", "-m", "hydra/launcher=pbs", "model.weights=a,b", cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "expected one of basic, joblib, submitit_local, submitit_slurm, ray, got pbs" in process.stderr


def test_a_launcher_that_is_not_installed_names_its_extra():
    error = missing_launcher("Could not find 'hydra/launcher/submitit_slurm'\n\nAvailable options in 'hydra/launcher'")
    assert "pip install 'evalharness[submitit]'" in str(error)
    assert missing_launcher("Could not override 'model.weigths'") is None


def test_flags_that_start_nothing(tmp_path):
    process = run_here("run", "-m", "--help", cwd=tmp_path)
    assert process.returncode == 0, process.stderr
    assert "num_resamples" in process.stdout
    process = run_here("run", "-m", "--cfg", "job", cwd=tmp_path)
    assert process.returncode == 2
    assert "Traceback" not in process.stderr
    assert "Leave out -m" in process.stderr


JOBLIB = {"_target_": "plugin.JoblibLauncher", "n_jobs": -1}
RAY = {"_target_": "plugin.RayLauncher", "ray": {"init": {"address": None}, "remote": {}}}


@pytest.fixture
def machine(monkeypatch):
    """Makes it one of so many cores and so much free memory."""

    def shape(cores, free_gb):
        monkeypatch.setattr("joblib.cpu_count", lambda: cores)
        memory = type("Memory", (), {"available": free_gb * 1024**3})
        monkeypatch.setattr("psutil.virtual_memory", lambda: memory)
        monkeypatch.delenv("RAY_ADDRESS", raising=False)

    return shape


@pytest.mark.parametrize(
    ("cores", "free_gb", "num_members", "num_workers", "num_threads"),
    [
        (16, 64, 4, 4, 4),  # no more workers than members, so that no core is idle
        (16, 64, 100, 16, 1),
        (16, 5 * GB_PER_WORKER, 100, 5, 3),  # memory is what is short
        (2, 1, 6, 1, 2),  # never none
    ],
)
def test_cores_and_memory_are_divided_among_workers(
    machine, cores, free_gb, num_members, num_workers, num_threads
):  # fmt: skip
    machine(cores, free_gb)
    joblib = plan_workers(JOBLIB, num_members)
    assert joblib == Workers(num_threads, (f"hydra.launcher.n_jobs={num_workers}",))
    ray = plan_workers(RAY, num_members)
    assert ray.num_threads == num_threads
    assert f"++hydra.launcher.ray.init.num_cpus={num_workers * num_threads}" in ray.settings
    assert f"++hydra.launcher.ray.remote.num_cpus={num_threads}" in ray.settings


def test_what_the_user_set_is_kept(machine):
    machine(16, 64)
    assert plan_workers({**JOBLIB, "n_jobs": 8}, 100) == Workers(2, ("hydra.launcher.n_jobs=8",))
    given = {**RAY, "ray": {"init": {"address": None, "log_to_driver": True}, "remote": {"num_cpus": 8}}}
    workers = plan_workers(given, 100)
    assert workers.num_threads == 8
    assert not any("num_cpus" in value or "log_to_driver" in value for value in workers.settings)
    cluster = {**RAY, "ray": {"init": {"address": "auto"}, "remote": {"num_cpus": 4}}}
    assert plan_workers(cluster, 100) == Workers(4)
    assert plan_workers({"_target_": "plugin.LocalLauncher", "cpus_per_task": None}, 4) == Workers(4)
    assert plan_workers({"_target_": "plugin.LocalLauncher", "cpus_per_task": 3}, 4) == Workers(3)
    assert plan_workers({"_target_": "plugin.SlurmLauncher", "cpus_per_task": None}, 4) == Workers(None)
    assert plan_workers({"_target_": "hydra._internal.core_plugins.basic_launcher.BasicLauncher"}, 4) is None


@pytest.mark.slow
@pytest.mark.exhaustive
def test_threads_reach_tensorflow(tmp_path):
    """Counts the threads that compute, in a process that was limited to one, and in one that was not."""
    script = (
        "import sys, json, os\n"
        "from evalharness.cli.launchers import limit_threads\n"
        "limit_threads(json.loads(sys.argv[1]))\n"
        "import tensorflow as tf\n"
        "tf.matmul(tf.ones((512, 512)), tf.ones((512, 512)))\n"
        "names = [open(f'/proc/self/task/{task}/comm').read() for task in os.listdir('/proc/self/task')]\n"
        "print(sum('tf_Compute' in name for name in names), sum('Eigen' in name for name in names), len(names))\n"
    )
    # What the user set would stay.
    environment = {name: value for name, value in os.environ.items() if name not in THREAD_VARIABLES}
    few, many = (
        subprocess.run(
            [sys.executable, "-c", script, json.dumps(number)],
            cwd=tmp_path, env=environment, capture_output=True, text=True, check=True,
        ).stdout.split()
        for number in (1, 7)
    )  # fmt: skip
    assert int(many[-1]) - int(few[-1]) >= 6


def test_a_member_s_name_says_what_sets_it_apart():
    weights = ("model.weights=a.h5", "model.weights=b.h5")
    methods = ("attention.methods=[rollout]", "attention.methods=[grad_attention,legrad]")
    members = [("limit=5", weight, method) for weight in weights for method in methods]
    assert what_sets_apart(members[0], members) == "rollout"
    assert what_sets_apart(members[3], members) == "grad_attention,legrad"
    alone = [("limit=5", weight) for weight in weights]
    assert what_sets_apart(alone[0], alone) is None
