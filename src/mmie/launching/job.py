"""One job of a sweep in the process that ``mmie.launching.processes`` has started for it.

The process has the command of the sweep, so that its results name the same command as with any
other launcher. An environment variable says which job it is. Lightning starts the further
processes of a job with the same command and environment.
"""

from __future__ import annotations

import os
import pickle
import signal
import threading
from copy import deepcopy
from pathlib import Path

from hydra.core.hydra_config import HydraConfig
from hydra.core.utils import run_job, setup_globals
from hydra.types import HydraContext, TaskFunction
from omegaconf import DictConfig, open_dict

from mmie import resolvers, stopping  # noqa: F401  (the configuration needs the resolvers)

JOB = "MMIE_JOB"  # environment variable with the path of the file that ``write_job`` wrote


def write_job(path: Path, context: HydraContext, config: DictConfig) -> None:
    """Writes what ``run_job_of_sweep`` needs."""
    path.write_bytes(pickle.dumps((context, config)))


def is_job_of_sweep() -> bool:
    """Whether this process runs one job of a sweep that another process started."""
    return JOB in os.environ


def run_job_of_sweep(task_function: TaskFunction) -> None:
    """Runs the job as Hydra's own launcher does.

    ``mmie.sweeping`` notes how it ended. A further process of the job only takes part in it.
    """
    context, config = pickle.loads(Path(os.environ[JOB]).read_bytes())
    setup_globals()
    if stopping.started_by_leader():
        _take_part(task_function, config)
        return
    _end_with_launcher()
    run_job(
        task_function=task_function,
        config=config,
        job_dir_key="hydra.sweep.dir",
        job_subdir_key="hydra.sweep.subdir",
        hydra_context=context,
    )


def _take_part(task_function: TaskFunction, config: DictConfig) -> None:
    HydraConfig.instance().set_config(config)
    own = deepcopy(config)
    with open_dict(own):
        del own["hydra"]
    task_function(own)


def _end_with_launcher() -> None:
    """Stops this process as SIGTERM does when the launcher is gone, even if that was killed.

    The file of the job goes with it, as nobody is left to remove it.

    The launcher holds the other end of the standard input, which the system closes then.
    """
    pipe = os.dup(0)
    with open(os.devnull) as nothing:  # the job itself has nothing to read
        os.dup2(nothing.fileno(), 0)

    def wait() -> None:
        while os.read(pipe, 1):
            pass
        Path(os.environ[JOB]).unlink(missing_ok=True)
        os.kill(os.getpid(), signal.SIGTERM)

    threading.Thread(target=wait, daemon=True, name="launcher").start()
