"""Each notebook runs on the results in the repository and on a whole run.

They are kept without outputs.
"""

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

import mmie
from helpers.casebook_runs import line, write_run
from helpers.results import ANALYSIS, SCORES, results_of
from mmie.results import Counts, write_results

FOLDER = Path(__file__).parents[1] / "notebooks"
RESULTS = "experiments/results/toy"
NAMES = ("case_study", "data", "results", "rewards")
GOLD = [
    ["Ivan Vega", "per", "Ivan Ray", "per", "peer"],
    ["Ivan Vega", "per", "Oak Hill", "loc", "place of birth"],
]


def stored(name: str) -> dict[str, Any]:
    return json.loads((FOLDER / f"{name}.ipynb").read_text(encoding="utf-8"))


@pytest.fixture(scope="module")
def kernel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """One for all notebooks, as each new one would have to import everything again.

    It takes the mmie under test and nothing of the user's own Jupyter.
    """
    for package in ("ipykernel", "nbformat", "nbclient"):
        pytest.importorskip(package, reason=f"{package} comes with the extra [test]")
    from jupyter_client.manager import AsyncKernelManager
    from jupyter_core.utils import run_sync

    folder = tmp_path_factory.mktemp("jupyter")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(Path(mmie.__file__).parents[1]))
        for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR"):
            patch.setenv(name, str(folder / name.lower()))
        patch.delenv("MPLBACKEND", raising=False)
        manager = AsyncKernelManager(kernel_name="python3")
        run_sync(manager.start_kernel)(cwd=str(FOLDER))
        yield manager
        run_sync(manager.shutdown_kernel)(now=True)


# A notebook finds no name, folder or look of the one before it.
FRESH = f"""%reset -f
import os
import matplotlib
os.chdir({str(FOLDER)!r})
matplotlib.rcdefaults()
del os, matplotlib
"""


@pytest.fixture
def executed(kernel: Any) -> Any:
    """``executed(name, results)`` returns the outputs as one text."""
    import nbformat
    from nbclient import NotebookClient

    def shown(data: dict[str, Any]) -> str:
        return "\n".join(["", *map(str, data.values()), ""])

    def execute(name: str, results: str | Path = RESULTS) -> str:
        notebook = nbformat.read(FOLDER / f"{name}.ipynb", as_version=4)
        for cell in notebook.cells:
            cell.source = cell.source.replace(f'"{RESULTS}"', repr(str(results)))
        notebook.cells.insert(0, nbformat.v4.new_code_cell(FRESH))
        client = NotebookClient(notebook, km=kernel, timeout=120)
        client.execute()
        client.kc.stop_channels()
        outputs = [output for cell in notebook.cells for output in cell.get("outputs", [])]
        assert not [output["text"] for output in outputs if output.get("name") == "stderr"]
        texts = (output.get("text") or shown(output["data"]) for output in outputs)
        return "".join(texts)  # a busy kernel sends one print in several pieces

    return execute


@pytest.fixture
def whole_run(tmp_path: Path) -> Path:
    """A run with two test samples: warm-up has 1 of 3 quintuples, JMERE-R1 all."""
    parsed: dict[str, list[Any]] = {
        "warm-up": [[GOLD[0], [*GOLD[1][:4], "place of residence"]], None],
        "JMERE-R1": [GOLD, GOLD[:1]],
    }
    counts = {"warm-up": ((1, 2, 2), (0, 0, 1)), "JMERE-R1": ((2, 2, 2), (1, 1, 1))}
    folder = tmp_path / "run"
    predictions = {}
    for system, answers in parsed.items():
        pairs = zip((GOLD, GOLD[:1]), answers, strict=True)
        predictions[system] = [answer_line(number, *pair) for number, pair in enumerate(pairs)]
    write_run(folder, predictions)
    analysis = {
        system: replace(ANALYSIS, counts={"quintuple": tuple(Counts(*one) for one in of)})
        for system, of in counts.items()
    }
    systems = dict.fromkeys(counts, {"test/quintuple": SCORES})
    write_results(folder / "results.json", results_of(systems=systems, analysis=analysis))
    (folder / "metrics").mkdir()
    (folder / "metrics" / "grpo.csv").write_text(
        "step,name,value\n0,train/reward,0.5\n1,train/reward,0.75\n", encoding="utf-8"
    )
    return folder


def answer_line(number: int, gold: Any, parsed: Any) -> dict[str, Any]:
    think = "<think> a kite"
    response = f"{think} </think> <answer> … </answer>" if parsed else think
    changes = {"parsed": parsed, "response": response, "truncated": not parsed}
    return line(number, text="Ivan <b>Vega</b>", gold=gold, **changes)


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


def test_results_of_a_whole_run_are_tested_and_drawn(executed: Any, whole_run: Path) -> None:
    text = executed("results", whole_run)
    assert "ablation_no_filter, seed 0: no counts of JMERE-R1 here" in text
    assert "jmere_r1, 0, JMERE-R1: 2 test samples, interval of F1 100.0 to 100.0" in text
    assert text.count("<Figure size") == 2


def test_case_study_marks_right_wrong_and_missed(executed: Any, whole_run: Path) -> None:
    text = executed("case_study", whole_run)
    assert "jmere_r1, toy profile, seed 0, test-0" in text
    assert "✓ Ivan Vega · per · Ivan Ray · per · peer" in text
    place = "Ivan Vega · per · Oak Hill · loc · place of"
    assert f"✗ {place} residence → {place} birth" in text
    assert "warm-up: 0 of 2 right; JMERE-R1 also has 2 more: test-0, test-1" in text


def test_case_study_says_which_command_makes_predictions(executed: Any, whole_run: Path) -> None:
    for path in (whole_run / "predictions").iterdir():
        path.unlink()
    assert "`python run.py +experiment=jmere_r1` makes one" in executed("case_study", whole_run)
