"""Each notebook runs in a kernel of its own, on the results in the repository and on a whole run, and is kept without outputs."""

import json
from pathlib import Path
from typing import Any

import pytest

import mmie

FOLDER = Path(__file__).parents[1] / "notebooks"
RESULTS = "experiments/results/toy"
NAMES = ("case_study", "data", "results", "rewards")
GOLD = [
    ["Ivan Vega", "per", "Ivan Ray", "per", "peer"],
    ["Ivan Vega", "per", "Oak Hill", "loc", "place of birth"],
]


def stored(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


@pytest.fixture
def executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """``executed(name, results)``: the outputs as one text. The kernel takes the mmie under test and nothing of the user's own Jupyter."""
    for package in ("ipykernel", "nbformat", "nbclient"):
        pytest.importorskip(package, reason=f"{package} comes with the extra [test]")
    import nbformat
    from nbclient import NotebookClient

    monkeypatch.setenv("PYTHONPATH", str(Path(mmie.__file__).parents[1]))
    for variable in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
        monkeypatch.setenv(variable, str(tmp_path / variable.lower()))
    monkeypatch.delenv("MPLBACKEND", raising=False)

    def execute(name: str, results: str | Path = RESULTS) -> str:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.source = cell.source.replace(f'"{RESULTS}"', repr(str(results)))
        NotebookClient(
            notebook, timeout=120, resources={"metadata": {"path": str(FOLDER)}}
        ).execute()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
        return "\n".join(
            output.get("text") or "\n".join(map(str, output["data"].values())) for output in outputs
        )

    return execute


@pytest.fixture
def whole_run(tmp_path: Path) -> Path:
    """A run as it is left now, with two test samples: warm-up has 1 of 3 quintuples, JMERE-R1 all."""
    said: dict[str, list[Any]] = {
        "warm-up": [[GOLD[0], [*GOLD[1][:4], "place of residence"]], None],
        "JMERE-R1": [GOLD, GOLD[:1]],
    }
    counts = {"warm-up": [[1, 2, 2], [0, 0, 1]], "JMERE-R1": [[2, 2, 2], [1, 1, 1]]}
    scores = {
        "warm-up": {"f1": 0.4, "gold": 3, "ci95": [0.0, 0.5]},
        "JMERE-R1": {"f1": 1.0, "gold": 3, "ci95": [1.0, 1.0]},
    }
    run = {
        "experiment": "jmere_r1",
        "task": "jmere",
        "profile": "toy",
        "seed": 0,
        "commit": "0" * 40,
        "systems": {model: {"test/quintuple": score} for model, score in scores.items()},
        "analysis": {
            model: {"ids": "same", "counts": {"quintuple": samples}}
            for model, samples in counts.items()
        },
    }
    folder = tmp_path / "run"
    (folder / "predictions").mkdir(parents=True)
    (folder / "metrics").mkdir()
    (folder / "results.json").write_text(json.dumps(run), encoding="utf-8")
    (folder / "metrics" / "grpo.csv").write_text(
        "step,name,value\n0,train/reward,0.5\n1,train/reward,0.75\n", encoding="utf-8"
    )
    for model, answers in said.items():
        rows = [
            {
                "id": f"test-{number}",
                "text": "Ivan <b>Vega</b>",
                "image": [None],
                "gold": gold,
                "parsed": parsed,
                "response": "<think> a kite </think> <answer> … </answer>"
                if parsed
                else "<think> a kite",
                "truncated": not parsed,
            }
            for number, (gold, parsed) in enumerate(zip((GOLD, GOLD[:1]), answers, strict=True))
        ]
        lines = "".join(json.dumps(row) + "\n" for row in rows)
        (folder / "predictions" / f"{model.lower()}.jsonl").write_text(lines, encoding="utf-8")
    return folder


def test_these_are_all_notebooks() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.ipynb")) == sorted(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_is_kept_without_outputs(name: str) -> None:
    notebook = stored(name)
    code = [cell for cell in notebook["cells"] if cell["cell_type"] == "code"]
    assert code
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in code)
    assert all(cell["metadata"] == {} for cell in notebook["cells"])
    assert notebook["metadata"]["kernelspec"]["name"] == "python3"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "seen"),
    [
        ("case_study", "JMERE"),
        ("data", "locate at"),
        ("results", "JMERE: ablations (toy profile)"),
        ("rewards", "swapped direction"),
    ],
)
def test_runs(executed: Any, name: str, seen: str) -> None:
    assert seen in executed(name)


@pytest.mark.slow
def test_results_of_a_whole_run_are_tested_and_drawn(executed: Any, whole_run: Path) -> None:
    text = executed("results", whole_run)
    assert "ablation_no_filter, seed 0: no counts are kept of JMERE-R1" in text
    assert "jmere_r1, 0, JMERE-R1: 2 test samples, interval of F1 100.0 to 100.0" in text
    assert text.count("<Figure size") == 2


@pytest.mark.slow
def test_case_study_marks_right_wrong_and_missed(executed: Any, whole_run: Path) -> None:
    text = executed("case_study", whole_run)
    assert "jmere_r1, toy profile, seed 0, test-0" in text
    assert "✓ Ivan Vega · per · Ivan Ray · per · peer" in text
    wrong, right = (
        "Ivan Vega · per · Oak Hill · loc · place of " + place for place in ("residence", "birth")
    )
    assert f"✗ {wrong} → {right}" in text
    assert "warm-up: 0 of 2 right; JMERE-R1 has 2 that it has not: test-0, test-1" in text


@pytest.mark.slow
def test_case_study_says_which_command_makes_predictions(executed: Any, whole_run: Path) -> None:
    for path in (whole_run / "predictions").iterdir():
        path.unlink()
    assert "`python run.py +experiment=jmere_r1` makes one" in executed("case_study", whole_run)
