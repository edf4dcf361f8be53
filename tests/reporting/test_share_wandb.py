"""The report on wandb, as wandb would get it."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest

from helpers.results import SCORES, results_of
from mmie.errors import InputError
from mmie.reporting import share_wandb
from mmie.reporting.runs import load_runs
from mmie.reporting.table import Table, Value
from mmie.results import write_results

TABLE = Table(
    name="t",
    title="A title",
    caption="A caption.",
    columns=("F1",),
    values=(Value(row="row", column="F1", kind="score", value=0.5),),
)


def write(folder: Path, **changes: Any) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    systems = {"JMERE-R1": {"test/quintuple": SCORES}}
    write_results(folder / "results.json", results_of(systems=systems, **changes))
    return folder


def test_without_the_package_it_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "wandb_workspaces.reports.v2", None)
    install = r"pip install -c constraints.txt -e '\.\[report\]'"
    with pytest.raises(InputError, match=f"wandb-workspaces is not installed; {install}"):
        share_wandb.report("T", load_runs([write(tmp_path)]), [], "me/mmie")


@pytest.mark.parametrize("place", ["me", "me/", "/mmie", "a/b/c"])
def test_a_place_is_an_entity_and_a_project(tmp_path: Path, place: str) -> None:
    with pytest.raises(InputError, match=rf"--wandb {place}: give ENTITY/PROJECT"):
        share_wandb.report("T", load_runs([write(tmp_path)]), [], place)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_report_on_wandb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As wandb would get it; only the question for the project's number is answered here."""
    pytest.importorskip("wandb_workspaces", reason="the extra [report] is not installed")
    import wandb_workspaces.reports.v2.interface as interface

    monkeypatch.setattr(interface, "_get_api", lambda: None)
    monkeypatch.setattr(interface, "execute_graphql", lambda *_: {"project": {"internalId": "7"}})
    write(tmp_path / "a", key="f1", config={"grpo": {"group_size": 4}})
    write(tmp_path / "b", config={"grpo": {"group_size": 8}}, key="f2", seed=1)
    model = share_wandb.report("T" * 200, load_runs([tmp_path]), [TABLE], "me/mmie")._to_model()
    assert (model.display_name, model.project.name, model.project.entity_name) == (
        "T" * 128,
        "mmie",
        "me",
    )
    blocks = json.loads(model.spec.model_dump_json(by_alias=True, exclude_none=True))["blocks"]
    texts = [block["content"] for block in blocks if block["type"] == "markdown-block"]
    assert ["grpo.group" in text for text in texts] == [False, True, False]
    assert "| row | 50.0 |" in texts[2]
    grids = [block["metadata"] for block in blocks if block["type"] == "panel-grid"]
    for grid in grids:
        (runset,) = grid["runSets"]
        assert runset["project"]["name"] == "mmie"
        (condition,) = runset["filters"]["filters"]
        assert (condition["key"], condition["op"], condition["value"]) == (
            {"section": "run", "name": "tags"},
            "IN",
            ["f1", "f2"],
        )
    (curves,) = (grid["panelBankSectionConfig"]["panels"] for grid in grids)
    lines = [panel["config"] for panel in curves if panel["viewType"] == "Run History Line Plot"]
    assert ["grpo-train/reward"] in [line["metrics"] for line in lines]
    assert {line["xAxis"] for line in lines} == {"trainer/global_step"}
    assert [panel["config"]["metrics"] for panel in curves if panel["viewType"] == "Bar Chart"] == [
        ["test/quintuple/f1"]
    ]
    assert '"val": "rollouts"' in json.dumps(curves)


def test_the_parts_of_the_reward_are_found_by_name() -> None:
    names = ["grpo-train/r_q", "grpo-train/r_a", "grpo-train/reward", "sft-train/r_q"]
    assert [bool(re.search(share_wandb.PARTS, name)) for name in names] == [
        True,
        True,
        False,
        False,
    ]
