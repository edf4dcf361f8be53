"""README and docs say what is true: their commands compose, their example works, what they name
is there, and all metrics are explained.
"""

import re
import runpy
import shlex
import shutil
import subprocess
import sys
from argparse import ArgumentParser
from itertools import product
from pathlib import Path
from pkgutil import resolve_name

import pytest
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override

from helpers.configured import experiment_files, run_config
from mmie import resolvers, tasks
from mmie.command_line import readable
from mmie.config import node
from mmie.reporting.published import paper_row
from mmie.results import Settings
from mmie.tasks import jmere
from mmie.types import Quintuple

ROOT = Path(__file__).parents[1]
MINIATURE = ROOT / "tests/tasks/miniature"
EXPERIMENTS = (ROOT / "docs" / "commands.md").read_text(encoding="utf-8")
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
NOTES = sorted((ROOT / "experiments").glob("*.md"))
TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)
PROSE = re.sub(r"^```.*?^```$", "", TEXT, flags=re.DOTALL | re.MULTILINE)
SHELL = [
    line.removeprefix("$ ")
    for kind, text in BLOCKS
    if kind in ("bash", "console")
    for line in text.splitlines()
]
CODE = [*SHELL, *re.findall(r"`([^`\n]+)`", PROSE)]
RUN = [re.search(r"python run\.py.*", line.rpartition("&& ")[2]) for line in CODE]
COMMANDS = list(dict.fromkeys(match[0] for match in RUN if match))
EXAMPLE = dict(re.findall(r"^```\w+\n# (\S+)\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE))


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with conf/ and the two files of the example."""
    folder = tmp_path_factory.mktemp("example")
    shutil.copytree(ROOT / "conf", folder / "conf")
    shutil.copytree(MINIATURE / "conf", folder / "conf/tasks/colours")
    for name, text in EXAMPLE.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text, encoding="utf-8")
    return folder


@pytest.fixture
def conf(example: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """conf/ with the example and the miniature task, whose modules can be imported."""
    monkeypatch.setattr(jmere, "__path__", [*jmere.__path__, str(example / "src/mmie/tasks/jmere")])
    monkeypatch.setattr(tasks, "__path__", [*tasks.__path__, str(MINIATURE)])
    monkeypatch.setattr(resolvers, "CONF", example / "conf")
    return example / "conf"


def jobs(command: str) -> list[list[str]]:
    """The overrides of each job that the command starts; one job without ``-m``."""
    parser = ArgumentParser(exit_on_error=False)
    parser.add_argument("overrides", nargs="*")
    parser.add_argument("-m", action="store_true", dest="sweep")
    parser.add_argument("--cfg")
    parser.add_argument("--info")
    given = parser.parse_intermixed_args(readable(shlex.split(command, comments=True)[2:]))
    if not given.sweep:
        return [given.overrides]
    launcher = ("hydra/launcher", "hydra.launcher")  # launchers come with an extra
    own = [item for item in given.overrides if not item.startswith(launcher)]
    swept = OverridesParser.create().parse_overrides(own)
    return [list(job) for job in product(*map(choices, swept))]


def choices(override: Override) -> list[str]:
    """What an override of a sweep stands for: one override for each of its values."""
    if not override.is_sweep_override():
        return [str(override.input_line)]
    values = override.sweep_string_iterator()
    return [f"{override.get_key_element()}={value}" for value in values]


def test_the_first_two_bash_blocks_are_one_line_each() -> None:
    main, tests = [text for kind, text in BLOCKS if kind == "bash"][:2]
    steps = main.removesuffix("\n").split(" && ")
    assert steps[1:] == [
        "python3 -m venv .venv",
        ". .venv/bin/activate",
        "pip install torch==2.13.0",
        "pip install -c constraints.txt -e '.[test]'",
        "python run.py",
    ]
    assert tests == main.replace("python run.py", "python -m pytest")


@pytest.mark.parametrize(
    ("supported", "status"),
    [("(3, 11) <= (3, 13)", 0), ("(99, 0) <= (99, 1)", 1), ("(3, 0) <= (3, 1)", 1)],
)
def test_another_python_than_the_supported_ends_in_one_line(supported: str, status: int) -> None:
    """The first step of the line, also as if it were for older or for newer versions."""
    main = next(text for kind, text in BLOCKS if kind == "bash")
    program, option, code = shlex.split(main.split(" && ")[0])
    assert (program, option) == ("python3", "-c")
    oldest, newest = supported.split(" <= ")
    assert "(3, 11)" in code
    assert "(3, 13)" in code
    code = code.replace("(3, 11)", oldest).replace("(3, 13)", newest)
    command = [sys.executable, option, code]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    line = (
        "mmie needs Python 3.11, 3.12 or 3.13: in this line, put its name, such as python3.12, "
        "in place of python3\n"
    )
    assert (done.returncode, done.stderr) == (status, line if status else "")


def test_commands_are_found() -> None:
    assert len(COMMANDS) >= 12
    assert COMMANDS[0] == "python run.py"
    assert any("profile=paper" in command for command in COMMANDS)
    assert max(len(jobs(command)) for command in COMMANDS) > 1


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_composes(conf: Path, command: str) -> None:
    for overrides in jobs(command):
        run_config(*overrides, conf=conf)


def test_a_command_with_a_mistake_does_not_compose(conf: Path) -> None:
    [overrides] = jobs("python run.py grpo.group_sise=2")
    with pytest.raises(Exception, match="group_sise"):  # noqa: PT011  (Hydra's own)
        run_config(*overrides, conf=conf)


def test_a_sweep_is_the_product_of_its_choices() -> None:
    assert jobs("python run.py -m 'filter=[],[a,b]' seed=1 +x=2,3  # a sweep") == [
        ["filter=[]", "seed=1", "+x=2"],
        ["filter=[]", "seed=1", "+x=3"],
        ["filter=[a,b]", "seed=1", "+x=2"],
        ["filter=[a,b]", "seed=1", "+x=3"],
    ]


def test_the_example_works(conf: Path) -> None:
    assert set(EXAMPLE) == {"src/mmie/tasks/jmere/brief.py", "conf/tasks/jmere/reward/brief.yaml"}
    reward = node(run_config("reward=brief", conf=conf).reward)
    gold = [Quintuple("A", "per", "B", "org", "member of")]
    response = "<think> x </think> <answer> [A, per, B, org, member of] </answer>"
    answer = "[A, per, B, org, member of]"
    parts = reward(response, gold, gold, answer, answer)
    assert parts["reward"] == pytest.approx(1 + 0.2 * 2 + 0.1 + 0.1)
    assert parts["r_b"] == 1
    assert reward(response.replace("x", 400 * "x"), gold, gold, answer, answer)["r_b"] == 0
    assert reward("", None, gold, "", answer)["reward"] == 0


def test_every_experiment_is_listed() -> None:
    assert set(experiment_files()) == set(
        re.findall(
            r"^\| `(\w+)` \| (?:Table|Figure|MORE-R1|Sweep|Beyond)", EXPERIMENTS, re.MULTILINE
        )
    )


def test_f1_of_the_experiments_is_that_of_their_files() -> None:
    rows = re.findall(
        r"^\| `(\w+)` \| (?:Table|MORE-R1).* \| ([\d.]+) \|$", EXPERIMENTS, re.MULTILINE
    )
    assert len(rows) == 18
    for name, f1 in rows:
        task = experiment_files()[name].parts[-3]
        paper = paper_row(name, task, Settings(), profile="paper")
        assert paper is not None
        assert f"{100 * (paper.get('quintuple') or paper['relation'])['f1']:.2f}" == f1


def test_what_the_pages_name_is_there() -> None:
    paths = re.findall(r"`((?:conf|src|docs|experiments|tests)/[^`<>{}*]+|\.ci/\w+)`", PROSE)
    names = re.findall(r"`(mmie(?:\.\w+)+)`", PROSE)
    assert len(paths) >= 5
    assert len(names) >= 15
    for path in paths:
        assert (ROOT / path).exists(), path
    for name in names:
        resolve_name(name)


@pytest.mark.parametrize("page", [*PAGES, *NOTES], ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", page.read_text(encoding="utf-8"))
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_the_picture_is_what_its_program_draws() -> None:
    drawn = runpy.run_path(str(ROOT / "docs" / "draw_pipeline.py"))["picture"]()
    assert drawn == (ROOT / "docs" / "pipeline.svg").read_text(encoding="utf-8")
