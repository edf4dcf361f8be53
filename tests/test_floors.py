"""Imports only go down the floors, and each heavy package stays on its floor."""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
SRC = ROOT / "src"

LOWEST = """
    types errors settings results json_types text answer_items response_blocks templates markers
    reading parsing metrics significance voting files integrity stopping display costs spending
    hardware
"""
HIGHEST = """
    stages pipeline job artifacts config checks contradictions resolvers command_line sweeping
    reporting bench planning launching
"""
FLOORS = {
    0: LOWEST.split(),
    1: ["losses", "importance"],
    2: ["tasks", "data", "toy", "distil", "models", "serving"],
    3: ["training"],
    4: HIGHEST.split(),
}
FLOOR_OF = {name: floor for floor, names in FLOORS.items() for name in names}
MODULES = sorted(
    path for path in (SRC / "mmie").rglob("*.py") if path != SRC / "mmie" / "__init__.py"
)
NO_TORCH = set("torch transformers peft pytorch_lightning lightning deepspeed safetensors".split())
CONFIGURATION = {"hydra", "omegaconf"}
MAY_CONFIGURE = {"config", "job", "resolvers", "pipeline", "sweeping", "command_line", "launching"}


def imports(source: str, *, package: str) -> Iterator[str]:
    """The dotted names that a module of ``package`` imports anywhere, relative ones resolved."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            parents = package.split(".")
            base = ".".join(parents[: len(parents) - node.level + 1]) if node.level else ""
            module = ".".join(part for part in (base, node.module) if part)
            yield from (f"{module}.{alias.name}" for alias in node.names)


@cache
def imports_of(path: Path) -> list[str]:
    package = ".".join(path.parent.relative_to(SRC).parts)
    return list(imports(path.read_text(encoding="utf-8"), package=package))


def unit(path: Path) -> str:
    """The module or package directly under ``mmie`` that a file belongs to."""
    return path.relative_to(SRC / "mmie").parts[0].removesuffix(".py")


def units(names: list[str]) -> set[str]:
    return {name.split(".")[1] for name in names if name.startswith("mmie.")}


def packages(names: list[str]) -> set[str]:
    return {name.split(".")[0] for name in names}


def name_of(path: Path) -> str:
    return path.relative_to(SRC).as_posix()


def test_imports_are_found_in_every_form() -> None:
    source = "import a.b\ndef f():\n    from . import c\n    from ..d import e\n"
    source += "if x:\n    from mmie import g"
    expected = ["a.b", "mmie.distil.filters.c", "mmie.distil.d.e", "mmie.g"]
    assert list(imports(source, package="mmie.distil.filters")) == expected


def test_there_are_modules_and_each_has_a_floor() -> None:
    present = {unit(path) for path in MODULES}
    assert present >= set(FLOORS[0]) | set(FLOORS[1])
    assert present <= set(FLOOR_OF), f"give {sorted(present - set(FLOOR_OF))} a floor"


def test_imports_only_go_down() -> None:
    upward = [
        f"{name_of(path)} (floor {FLOOR_OF[unit(path)]}) imports {name} (floor {FLOOR_OF[name]})"
        for path in MODULES
        for name in sorted(units(imports_of(path)))
        if FLOOR_OF[name] > FLOOR_OF[unit(path)]
    ]
    assert upward == []


def test_heavy_packages_stay_on_their_floor() -> None:
    misplaced = []
    for path in MODULES:
        forbidden = NO_TORCH if FLOOR_OF[unit(path)] == 0 else set()
        if unit(path) not in MAY_CONFIGURE:
            forbidden = forbidden | CONFIGURATION
        used = forbidden & packages(imports_of(path))
        misplaced += [f"{name_of(path)} imports {name}" for name in sorted(used)]
    assert misplaced == []


def test_rewards_are_plain_functions_of_the_answer_and_the_gold() -> None:
    """They import floor 0 and such modules beside them: no task, no model, no configuration."""
    rewards = [path for path in MODULES if path.name == "rewards.py"]
    assert len(rewards) >= 2
    for path in rewards:
        for name in imports_of(path):
            if name.startswith("mmie.tasks."):
                other = path.with_name(f"{name.split('.')[-2]}.py")
                assert units(imports_of(other)) <= set(FLOORS[0]), f"{name_of(path)} imports {name}"
            elif name.startswith("mmie."):
                assert name.split(".")[1] in FLOORS[0], f"{name_of(path)} imports {name}"


def test_only_a_task_knows_a_task() -> None:
    """Nothing outside its folder imports a task: adding one changes nothing else."""
    tasks = {path.parent.name for path in MODULES if path.parents[1].name == "tasks"}
    assert len(tasks) >= 2
    named = []
    for path in MODULES:
        for name in imports_of(path):
            parts = name.split(".")
            if parts[:2] == ["mmie", "tasks"] and parts[2] in tasks - {path.parent.name}:
                named.append(f"{name_of(path)} imports {name}")
    assert named == []


def test_the_pipeline_is_imported_without_the_libraries_of_a_model() -> None:
    """A report of finished runs loads neither a model nor what trains one."""
    heavy = sorted(NO_TORCH)
    script = f"import sys, mmie.pipeline; print([name for name in {heavy} if name in sys.modules])"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout == "[]\n"


def test_packages_for_servers_are_imported_by_those_who_ask_one() -> None:
    """A GPU machine without a network need not have them."""
    askers = {
        "distil/batch_server.py",
        "distil/batches.py",
        "distil/connection.py",
        "serving/client.py",
        "serving/server.py",
    }
    root = SRC / "mmie"
    at_the_top = re.compile(r"^(import|from) (openai|httpx2?|wandb)\b", re.MULTILINE)
    importers = {
        path.relative_to(root).as_posix()
        for path in root.rglob("*.py")
        if at_the_top.search(path.read_text(encoding="utf-8"))
    }
    assert importers == askers
