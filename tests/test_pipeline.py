"""The whole pipeline on a very small toy run: what is reused, and how a killed run continues."""

import csv
import json
import multiprocessing
import shlex
import shutil
import signal
import time
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import pytest
import torch

from helpers.configured import run_config
from helpers.small_runs import SMALL, config_of
from mmie.errors import InputError
from mmie.files import slug
from mmie.pipeline import execute
from mmie.results import Results
from mmie.stages.ranks import local_rank

pytestmark = pytest.mark.usefixtures("no_pictures")


def go(tmp_path: Path, name: str, *overrides: str) -> dict:
    output = tmp_path / name
    output.mkdir()
    path = execute(
        config_of(tmp_path, *overrides),
        output,
        command=shlex.join(["python", "run.py", *overrides]),
    )
    return json.loads(path.read_text(encoding="utf-8"))


@dataclass
class Finished:
    """A run of every stage, in the folder ``run``, and its results."""

    folder: Path
    results: dict

    def copy_to(self, folder: Path) -> None:
        shutil.copytree(self.folder / "artifacts", folder / "artifacts")


@pytest.fixture(scope="module")
def finished(tmp_path_factory: pytest.TempPathFactory) -> Finished:
    folder = tmp_path_factory.mktemp("finished")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("mmie.reporting.page.drawings", lambda runs: [])
        results = go(folder, "run", "+experiment=jmere_r1")
    return Finished(folder, results)


def folders(tmp_path: Path, stage: str) -> list[str]:
    return sorted(path.name for path in (tmp_path / "artifacts" / stage).iterdir() if path.is_dir())


def test_recorded_rows_stand_below_those_of_the_run(
    finished: Finished, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.copy_to(tmp_path)
    recorded = {**finished.results, "experiment": "sft"}
    for part in ("systems", "analysis"):
        recorded[part] = {"SFT": finished.results[part]["warm-up"]}
    kept = tmp_path / "recorded" / "results.json"
    kept.parent.mkdir()
    kept.write_text(json.dumps(recorded), encoding="utf-8")
    go(tmp_path, "again", "+experiment=jmere_r1", f"report.recorded={kept.parent}")
    assert "SFT *" in capsys.readouterr().out


def test_a_process_does_not_wait_for_one_that_is_gone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOCAL_RANK", "1")
    parents = iter([7, 7, 1])
    monkeypatch.setattr("mmie.stages.ranks.os.getppid", lambda: next(parents))
    monkeypatch.setattr("mmie.stages.ranks.POLL", 0.0)
    config = config_of(tmp_path, "stages=[data]")
    config.trainer.devices = 2
    with pytest.raises(InputError, match=r"^data: the first process of this run is gone"):
        execute(config, tmp_path)


@pytest.mark.parametrize("name", ["RANK", "LOCAL_RANK", "SLURM_PROCID"])
def test_one_process_does_the_work_whatever_the_environment_says(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "2")
    assert list(go(tmp_path, "run", "stages=[data]")["stages"]) == ["data"]


@pytest.mark.parametrize(
    ("ranks", "expected"),
    [({}, 0), ({"SLURM_LOCALID": "3"}, 3), ({"SLURM_LOCALID": "3", "LOCAL_RANK": "2"}, 2)],
)
def test_each_process_of_a_machine_has_its_own_device(
    ranks: dict[str, str], expected: int, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for name in ("LOCAL_RANK", "SLURM_LOCALID"):
        monkeypatch.delenv(name, raising=False)
    for name, value in ranks.items():
        monkeypatch.setenv(name, value)
    two = config_of(tmp_path, "trainer.devices=2", "sft.micro_batch_size=4", "grpo.micro_prompts=1")
    assert local_rank(two.trainer) == expected
    assert local_rank(config_of(tmp_path).trainer) == 0


def test_there_must_be_an_adapter_to_take_away(tmp_path: Path) -> None:
    config = config_of(tmp_path, "stages=[export]")
    config.sft = config.grpo = None
    with pytest.raises(InputError, match=r"^predict\.adapter: this configuration trains none"):
        execute(config, tmp_path)


@pytest.mark.parametrize(("key", "value"), [("sft.batch_size", 48), ("grpo.prompts_per_step", 48)])
def test_a_training_without_a_step_is_refused_before_the_teacher_is_asked(
    tmp_path: Path, key: str, value: int
) -> None:
    config = config_of(tmp_path, f"{key}={value}")
    with pytest.raises(InputError, match=f"^{key}={value} is more than 16 samples"):
        execute(config, tmp_path / "run")
    assert not (tmp_path / "artifacts/distil").exists()


def test_a_schedule_by_difficulty_without_a_step_is_refused_before_the_teacher_is_asked(
    tmp_path: Path,
) -> None:
    """9 samples are left for GRPO, and half an epoch of any mixture of them has 8 at most."""
    values = ["task=more", "schedule.alpha=1.0", "sft.batch_size=4", "sft.micro_batch_size=4"]
    config = config_of(tmp_path, *values, "grpo.prompts_per_step=10", "grpo.epochs=0.5")
    message = r"^grpo\.prompts_per_step=10 is more than what the schedule takes of 9 samples"
    with pytest.raises(InputError, match=message):
        execute(config, tmp_path / "run")
    assert not (tmp_path / "artifacts/distil").exists()


@pytest.mark.parametrize(
    ("stages", "key"), [("report", "report.folder"), ("grpo,export", "export.folder")]
)
def test_a_folder_that_cannot_be_made_is_told_before_anything_is_done(
    stages: str, key: str, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    config = config_of(tmp_path, f"stages=[{stages}]", f"{key}={tmp_path / 'file' / 'x'}")
    with pytest.raises(
        InputError, match=rf"^{key}=\S*/file/x: no folder can be made there \(Not a"
    ):
        execute(config, tmp_path)
    assert not (tmp_path / "artifacts").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="there is a GPU")
def test_a_gpu_that_is_not_there_is_told_before_the_teacher_is_asked(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"^trainer\.accelerator=gpu: torch sees no GPU"):
        execute(
            config_of(tmp_path, "trainer.accelerator=gpu", "trainer.precision=32-true"), tmp_path
        )
    assert not (tmp_path / "artifacts").exists()


def test_a_sweep_distils_once_and_warms_up_once(tmp_path: Path, finished: Finished) -> None:
    finished.copy_to(tmp_path)
    results = [
        finished.results,
        *(
            go(tmp_path, f"job{number}", *values, "grpo.epochs=0.25", "stages=[grpo]")
            for number, values in enumerate([("grpo.group_size=3",), ("reward.alpha=0",)])
        ),
    ]
    stages = ("data", "distil", "filter", "sft", "grpo")
    assert [len(folders(tmp_path, stage)) for stage in stages] == [1, 1, 1, 1, 3]
    assert [job["stages"]["sft"]["cached"] for job in results] == [False, True, True]
    assert [job["stages"]["distil"]["cached"] for job in results] == [False, True, True]
    assert not any(job["stages"]["grpo"]["cached"] for job in results)
    assert len({job["key"] for job in results}) == 3


PREDICTION = "id text image gold response truncated parsed invalid judged"


def check_systems(results: dict[str, Any], predictions: Path) -> None:
    assert list(results["systems"]) == ["zero-shot", "warm-up", "JMERE-R1"]
    first = results["analysis"]["zero-shot"]
    for name, scores in results["systems"].items():
        score, analysis = scores["test/quintuple"], results["analysis"][name]
        assert set(score) == set("precision recall f1 correct predicted gold ci95".split())
        totals = [sum(column) for column in zip(*analysis["counts"]["quintuple"], strict=True)]
        assert totals == [score[count] for count in ("correct", "predicted", "gold")]
        assert analysis["ids"] == first["ids"]
        lines = (predictions / f"{slug(name)}.jsonl").read_text(encoding="utf-8").splitlines()
        rows = [json.loads(line) for line in lines]
        assert len(rows) == 6
        assert all(set(row) == set(PREDICTION.split()) for row in rows)
        assert {row["truncated"] for row in rows} <= {True, False}


def check_curves(metrics: Path) -> None:
    assert (metrics / "sft.csv").is_file()
    header, *rows = csv.reader((metrics / "grpo.csv").read_text().splitlines())
    assert header == ["step", "name", "value"]
    (first_kl,) = (float(value) for *where, value in rows if where == ["0", "train/kl"])
    assert first_kl == pytest.approx(0, abs=1e-6)  # the reference is the warmed-up adapter


@pytest.mark.slow
def test_results_have_every_key_and_every_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, finished: Finished
) -> None:
    shutil.copytree(finished.folder, tmp_path, dirs_exist_ok=True)
    results = finished.results
    assert set(results) == {field.name for field in fields(Results)}
    assert results["main_measure"] == "quintuple"
    cost = results["cost"]
    assert (cost["requests"], cost["dollars"], cost["paid"]) == (16 * 2 * 3, 0, 0)
    assert cost["tokens"] == sum(
        spent["prompt_tokens"] + spent["answer_tokens"] for spent in cost["purposes"].values()
    )
    names = [results[key] for key in ("experiment", "task", "profile", "seed")]
    assert names == ["jmere_r1", "jmere", "toy", 0]
    assert results["paper"] is None  # a toy run is not compared with the paper
    # The small run has no filter.
    assert list(results["chains"]) == ["distilled", "usable", "selected", "samples"]
    assert results["command"] == "python run.py +experiment=jmere_r1"
    assert results["config"]["grpo"]["group_size"] == 2
    assert results["config"]["data"]["images"] == "artifacts/toy_images"
    pairs = [(row["first"], row["second"]) for row in results["comparisons"]]
    assert pairs == [("warm-up", "zero-shot"), ("JMERE-R1", "warm-up")]
    # Every picture is computed once, in all stages and epochs.
    assert results["vision"] == {"computed": 16 + 4 + 6, "from_disk": 0}
    check_systems(results, tmp_path / "run/predictions")
    check_curves(tmp_path / "run/metrics")
    assert (tmp_path / "run/rollouts.jsonl").is_file()
    again = go(tmp_path, "again", "+experiment=jmere_r1")
    assert again["vision"] == {"computed": 0, "from_disk": 0}  # not even a model was loaded
    other = go(tmp_path, "other", "+experiment=jmere_r1", "seed=1", "stages=[sft]")
    assert other["vision"] == {"computed": 0, "from_disk": 16 + 4}
    assert again["systems"] == results["systems"]
    assert all(stage["cached"] for stage in again["stages"].values())
    assert again["stages"]["grpo"]["made_in"] == results["stages"]["grpo"]["made_in"] > 0
    written = (tmp_path / "run/results.json").read_bytes()
    monkeypatch.setenv("LOCAL_RANK", "1")  # another process of the same run, in the same folder
    stages = "stages=[grpo,evaluate,report,export]"
    other_process = config_of(tmp_path, "+experiment=jmere_r1", stages)
    other_process.trainer.devices = 2
    assert execute(other_process, tmp_path / "run") is None
    assert (tmp_path / "run/results.json").read_bytes() == written
    assert not (tmp_path / "run/export").exists()


@pytest.mark.parametrize(
    ("experiment", "models", "absent"),
    [
        ("zero_shot", ["zero-shot"], ["distil", "sft", "grpo"]),
        ("sft", ["zero-shot", "SFT"], ["distil", "grpo"]),
        ("cot_sft", ["zero-shot", "CoT-SFT"], ["grpo"]),
        ("only_rl", ["zero-shot", "Only-RL"], ["distil", "sft"]),
    ],
)
def test_each_paradigm_runs_its_own_stages_only(
    tmp_path: Path, finished: Finished, experiment: str, models: list[str], absent: list[str]
) -> None:
    finished.copy_to(tmp_path)
    overrides = [f"+experiment={experiment}"]
    dropped = {
        "zero_shot": ("sft.", "grpo."),
        "sft": ("grpo.",),
        "cot_sft": ("grpo.",),
        "only_rl": ("sft.",),
    }[experiment]
    small = [item for item in SMALL if not item.startswith(dropped)]
    config = run_config(*small, *overrides, artifacts=tmp_path / "artifacts")
    (tmp_path / "run").mkdir()
    found = json.loads(execute(config, tmp_path / "run").read_text(encoding="utf-8"))
    assert list(found["systems"]) == models
    assert not set(absent) & set(found["stages"])


def test_filters_that_leave_no_chain_are_named(tmp_path: Path) -> None:
    message = r"^filter\.reprediction: none of \d+ chains is left; choose filters that fit the task"
    with pytest.raises(InputError, match=message):
        go(
            tmp_path,
            "run",
            "filter=[reprediction]",
            "teacher.wrong_quintuple=1.0",
            "data.sizes={train: 4, val: 2, test: 2}",
            "stages=[filter]",
        )
    assert not [*(tmp_path / "artifacts/filter").glob("*/chosen.jsonl")]


def test_chosen_stages_stop_where_they_are_told(tmp_path: Path) -> None:
    found = go(tmp_path, "run", "stages=[filter]")
    assert list(found["stages"]) == ["data", "distil", "filter"]
    assert found["systems"] == {}


@pytest.mark.slow
def test_a_run_killed_in_any_stage_goes_on_and_ends_the_same(
    tmp_path: Path, finished: Finished
) -> None:
    """SIGKILL as soon as each stage has left something on disk.

    The resumed run's metrics are those of the undisturbed run.
    """
    marks = [
        "artifacts/record/*.jsonl",
        "artifacts/sft/*.partial/step-*.ckpt",
        "artifacts/grpo/*.partial/step-*.ckpt",
        "artifacts/evaluate/*.partial/predictions.jsonl",
    ]
    output = tmp_path / "run"
    output.mkdir()

    def start() -> multiprocessing.Process:
        every_step = ["sft.checkpoint_every=1", "grpo.checkpoint_every=1"]
        arguments = (config_of(tmp_path, "+experiment=jmere_r1", *every_step), output)
        process = multiprocessing.get_context("fork").Process(target=execute, args=arguments)
        process.start()
        return process

    for mark in marks:
        process = start()
        while not list(tmp_path.glob(mark)) and process.is_alive():
            time.sleep(0.005)
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL, mark
    process = start()
    process.join()
    assert process.exitcode == 0
    results = json.loads((output / "results.json").read_text(encoding="utf-8"))
    assert results["systems"] == finished.results["systems"]
    whole, broken = (
        [path.read_bytes() for path in sorted(folder.glob("artifacts/*/*/adapter/*.safetensors"))]
        for folder in (finished.folder, tmp_path)
    )
    assert len(whole) == 2
    assert broken == whole
    for folder in (finished.folder, tmp_path):
        record = folder / "artifacts/record/mood-template.jsonl"
        assert len(record.read_text(encoding="utf-8").splitlines()) == 16 * 2 * 3


def test_predict_and_export_take_a_finished_run_away(
    tmp_path: Path, finished: Finished, capsys: pytest.CaptureFixture[str]
) -> None:
    finished.copy_to(tmp_path)
    picture = next((tmp_path / "artifacts/toy_images").rglob("test-00000.png"))
    go(
        tmp_path,
        "predict",
        "stages=[predict]",
        f"predict.image={picture}",
        "predict.text='Ann Lee and Bob Ray'",
    )
    said = json.loads((tmp_path / "predict/prediction.json").read_text(encoding="utf-8"))
    assert said["text"] == "Ann Lee and Bob Ray"
    assert said["response"].split()[0] in capsys.readouterr().out
    for folder in ("data", "distil", "filter", "sft"):  # the last adapter is all that is needed
        shutil.rmtree(tmp_path / "artifacts" / folder)
    results = go(tmp_path, "export", "stages=[export]")
    assert {name: stage["cached"] for name, stage in results["stages"].items()} == {"grpo": True}
    assert not (tmp_path / "artifacts/distil").exists()
    exported = tmp_path / "export/export"
    assert (exported / "adapter/adapter_config.json").exists()
    assert (exported / "merged/model.safetensors").exists()
    trained = next(path for path in (tmp_path / "artifacts/grpo").iterdir() if path.is_dir())
    assert (exported / "adapter/adapter_model.safetensors").read_bytes() == (
        trained / "adapter/adapter_model.safetensors"
    ).read_bytes()


def test_a_missing_picture_to_predict_is_one_line(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="predict.image=nowhere.png"):
        go(
            tmp_path,
            "run",
            "stages=[predict]",
            "predict.image=nowhere.png",
            "predict.text=x",
            f"predict.adapter={tmp_path}",
        )


MORE = [
    "+experiment=more_r1",
    "filter=[six_steps]",
    "data.sizes={train: 24, val: 2, test: 4}",
    "cot.candidates=1",
]


@pytest.mark.slow
def test_more_r1_and_a_sweep_over_alpha(tmp_path: Path) -> None:
    """The schedule alone makes another GRPO; all that comes before it is there once."""
    results = [
        go(tmp_path, "job0", *MORE, "schedule.alpha=0"),
        go(tmp_path, "job1", *MORE, "schedule.alpha=1", "stages=[grpo]"),
    ]
    stages = ("data", "divide", "distil", "filter", "sft", "difficulty", "grpo")
    assert [len(folders(tmp_path, stage)) for stage in stages] == [1, 1, 1, 1, 1, 1, 2]
    assert [job["stages"]["difficulty"]["cached"] for job in results] == [False, True]
    first = results[0]
    assert (first["task"], list(first["systems"])) == ("more", ["zero-shot", "stage 1", "MORE-R1"])
    assert {"accuracy", "macro_f1", "ci95"} <= set(first["systems"]["MORE-R1"]["test/relation"])
    (division,) = (tmp_path / "artifacts/divide").glob("*/")
    parts = [
        json.loads((division / f"{name}.json").read_text(encoding="utf-8"))
        for name in ("sft", "grpo")
    ]
    assert not set(parts[0]) & set(parts[1])
    assert len(parts[0]) + len(parts[1]) == 24
    row = json.loads(
        (tmp_path / "job0/predictions/more-r1.jsonl").read_text(encoding="utf-8").splitlines()[0]
    )
    assert isinstance(row["image"][0], str)
    assert len(row["image"][1]["box"]) == 4
    assert first["vision"]["from_disk"] == 0
    assert results[1]["vision"]["computed"] == 0
    assert results[1]["vision"]["from_disk"] > 8


def test_progressive_mixing_works_for_jmere(tmp_path: Path, finished: Finished) -> None:
    finished.copy_to(tmp_path)
    found = go(tmp_path, "run", "schedule=progressive_mix", "grpo.epochs=0.25", "stages=[grpo]")
    assert found["stages"]["difficulty"]["cached"] is False
    (easy,) = (tmp_path / "artifacts/difficulty").glob("*/easy.json")
    assert len(json.loads(easy.read_text(encoding="utf-8"))) == 16


MORE_R1, PREDICT = "+experiment=more_r1", "stages=[predict] predict.image=README.md"
SIX_STEPS = f"{MORE_R1} filter=[six_steps]"


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        ("schedule=progressive_mix +experiment=only_rl", r"^schedule: .*use schedule=all_mixed"),
        (
            f"{MORE_R1} stages=[predict] predict.image=x predict.text=x",
            r"^predict\.entity: .*needs it",
        ),
        (f"{PREDICT} predict.text=x", r"^predict\.image=README\.md: no readable picture"),
        ("data.sizes=5", r"^data\.sizes=5: name the splits"),
        ("filter=[rule_score] filter.rule_score.threshold=2", r"^filter\.rule_score\.threshold: 2"),
        (f"{MORE_R1} schedule.alpha=-1", r"^schedule\.alpha: -1 is out of range"),
        (f"{MORE_R1} schedule.alpha=inf", r"^schedule\.alpha: inf is out of range"),
        (f"{MORE_R1} reward.unit=tokens", r"^reward\.unit: 'tokens' is unknown"),
        (f"{MORE_R1} reward.threshold=-1", r"^reward: threshold -1 "),
        (f"{SIX_STEPS} filter.six_steps.steps=0", r"^filter\.six_steps\.steps: 0 is out of range"),
        ("data.sizes.train=null", r"^data\.sizes\.train=None: it must be a whole number"),
        (f"{MORE_R1} task.labels=[1]", r"^task\.labels: 1 is "),
        (f"{MORE_R1} task.labels=null", r"^task\.labels: None is no list"),
    ],
)
def test_a_contradiction_ends_the_run_before_any_stage(
    tmp_path: Path, overrides: str, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        execute(config_of(tmp_path, *overrides.split()), tmp_path)
    assert not (tmp_path / "artifacts").exists()
