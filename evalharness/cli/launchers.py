"""What runs the members of a sweep: Hydra's launchers, and this machine's cores and memory shared among them."""

import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from evalharness.errors import ConfigError

GB_PER_WORKER = 3
"""What a TensorFlow process takes at most with the models that fit one machine's CPU."""
EXTRAS = {
    "joblib": "joblib",
    "submitit_local": "submitit",
    "submitit_slurm": "submitit",
    "ray": "ray",
}
"""The launchers that are tested, and the extra that installs each."""
THREAD_VARIABLES = ("TF_NUM_INTRAOP_THREADS", "TF_NUM_INTEROP_THREADS", "OMP_NUM_THREADS")
_MISSING_LAUNCHER = re.compile(r"hydra/launcher/([\w-]+)")


@dataclass(frozen=True, slots=True)
class Workers:
    """The processes of a parallel sweep."""

    num_threads: int | None = None
    """Of TensorFlow in each; None: as many as the cores that the process may use."""
    settings: tuple[str, ...] = ()
    """Overrides that tell the launcher what was left to us."""


def plan_workers(launcher: Mapping[str, Any], num_members: int) -> Workers | None:
    """How many workers run at once and how many threads each has; None: one member after the other, in this process.

    What the user set is kept. On one machine there are no more workers than members, cores, or times that
    `GB_PER_WORKER` fits into the free memory, and the cores are divided among them.

    Args:
        launcher: Hydra's composed `hydra.launcher`.
        num_members: Evaluations in the sweep.
    """
    name = str(launcher["_target_"]).rpartition(".")[2]
    if name == "BasicLauncher":
        return None
    if name == "JoblibLauncher":
        given = int(launcher["n_jobs"])
        num_workers = given if given > 0 else _num_that_fit(num_cores())
        num_workers = min(num_workers, num_members)
        return Workers(_threads(num_cores(), num_workers), (f"hydra.launcher.n_jobs={num_workers}",))
    if name == "RayLauncher":
        return _ray_workers(launcher["ray"], num_members)
    if name == "LocalLauncher":
        # submitit starts all members at once on one machine.
        return Workers(launcher["cpus_per_task"] or _threads(num_cores(), num_members))
    if name == "SlurmLauncher":
        return Workers(launcher["cpus_per_task"])
    return Workers()


def _ray_workers(ray: Mapping[str, Any], num_members: int) -> Workers:
    init, remote = ray["init"] or {}, ray["remote"] or {}
    address = init.get("address") or os.environ.get("RAY_ADDRESS")
    if address and address != "local":
        # Ray's default is one core a task.
        return Workers(_at_least_one(remote.get("num_cpus", 1)))
    quiet = {"include_dashboard": "false", "log_to_driver": "false", "logging_level": "30"}
    settings = [f"++hydra.launcher.ray.init.{key}={value}" for key, value in quiet.items() if key not in init]
    if "num_cpus" in remote:
        return Workers(_at_least_one(remote["num_cpus"]), tuple(settings))
    cores = int(init.get("num_cpus") or num_cores())
    num_workers = min(_num_that_fit(cores), num_members)
    num_threads = _threads(cores, num_workers)
    settings.append(f"++hydra.launcher.ray.remote.num_cpus={num_threads}")
    if "num_cpus" not in init:
        # Ray starts as many tasks as its cores allow: with cores left over that would be more than fit into memory.
        settings.append(f"++hydra.launcher.ray.init.num_cpus={num_workers * num_threads}")
    return Workers(num_threads, tuple(settings))


def limit_threads(num_threads: int | None) -> None:
    """Tells TensorFlow and OpenMP of this process; comes before TensorFlow computes. What the user set stays."""
    if num_threads is not None:
        for name in THREAD_VARIABLES:
            os.environ.setdefault(name, str(num_threads))


def num_cores() -> int:
    """Cores that this process may use, within its container's limits."""
    import joblib

    return int(joblib.cpu_count())


def missing_launcher(message: str) -> ConfigError | None:
    """Explains Hydra's message about a launcher that it cannot find; None for any other message."""
    found = _MISSING_LAUNCHER.search(message)
    if found is None:
        return None
    name = found[1]
    if name in EXTRAS:
        fix = f"pip install 'evalharness[{EXTRAS[name]}]'"
        return ConfigError(f"launcher {name} is not installed", where="hydra/launcher", fix=fix)
    return ConfigError(
        "unknown launcher", expected=f"one of basic, {', '.join(EXTRAS)}", got=name, where="hydra/launcher"
    )


def _num_that_fit(cores: int) -> int:
    import psutil

    return max(1, min(cores, psutil.virtual_memory().available // (GB_PER_WORKER * 1024**3)))


def _threads(cores: int, num_workers: int) -> int:
    return max(1, cores // max(1, num_workers))


def _at_least_one(num_cpus: float) -> int:
    return max(1, int(num_cpus))
