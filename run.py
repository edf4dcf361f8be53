"""python run.py [+experiment=NAME] [profile=paper] [key=value …]

conf/ holds every key. With -m the command becomes a sweep.
"""

import sys
from pathlib import Path

try:
    import hydra
    from hydra.core.hydra_config import HydraConfig
    from hydra.types import RunMode

    from mmie import stopping
    from mmie.command_line import readable, refuse_absent
    from mmie.config import DictConfig, InputError
    from mmie.launching.job import is_job_of_sweep, run_job_of_sweep
except KeyboardInterrupt:  # these imports take a second, in which no handler of ours exists yet
    print("stopped by SIGINT before anything was started", file=sys.stderr)
    sys.exit(130)


@hydra.main(version_base="1.3", config_path="conf", config_name="config")
def main(cfg: DictConfig) -> float | None:
    try:
        # Imported here, so that a mistyped key is reported before torch is loaded.
        return hydra.utils.get_method("mmie.pipeline.run")(cfg)
    except InputError as error:
        if HydraConfig.get().mode is RunMode.MULTIRUN:
            raise  # mmie.sweeping reports it, and the other jobs go on
        refuse(error)
    finally:
        # Whatever error followed a signal was caused by it, so the signal decides the status.
        stopping.raise_if_stopped()


def refuse(error: InputError) -> None:
    print(f"error: {error}", file=sys.stderr)
    sys.exit(2)


def start() -> None:
    if is_job_of_sweep():
        run_job_of_sweep(main.__wrapped__)
        return
    sys.argv[1:] = readable(sys.argv[1:])
    refuse_absent(sys.argv[1:], Path(__file__).parent / "conf")
    main()


if __name__ == "__main__":
    with stopping.handle_signals():
        try:
            start()
        except InputError as error:
            refuse(error)
