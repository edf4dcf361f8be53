"""The declared packages, their exact versions in constraints.txt, and what they bring along."""

import re
import warnings
from collections.abc import Iterable
from configparser import ConfigParser
from importlib.metadata import Distribution, distributions
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from helpers.pinned import CONSTRAINTS, differences, drift, pins

ROOT = Path(__file__).parents[1]
LINES = CONSTRAINTS.read_text(encoding="utf-8").splitlines()
PINS = pins(LINES)
RUNTIME = "antlr4-python3-runtime"  # Hydra cannot be imported with another one than 4.9
NEEDED = "4.9.3"
# Chosen per machine.
UNPINNED = {"mmie", "torch", "torchvision", "triton", "pip", "setuptools", "wheel"}
EXTRAS = ("test", "bench", "sweep", "report", "slurm", "dev")
BUILDS = ("serve",)  # extras whose package must fit the machine's build of torch


def declared() -> dict[str, list[Requirement]]:
    """The requirements of setup.cfg: those of the package under "", and those of each extra."""
    parser = ConfigParser()
    parser.read(ROOT / "setup.cfg", encoding="utf-8")
    sections = {"": parser["options"]["install_requires"], **parser["options.extras_require"]}
    return {
        name: [Requirement(line) for line in text.split("\n") if line]
        for name, text in sections.items()
    }


def applies(requirement: Requirement) -> bool:
    return requirement.marker is None or requirement.marker.evaluate({"extra": ""})


def needs(packages: Iterable[Distribution]) -> dict[str, list[str]]:
    """The names of what each package needs without an extra."""
    found = {}
    for one in packages:
        requirements = [Requirement(line) for line in one.requires or ()]
        names = [canonicalize_name(each.name) for each in requirements if applies(each)]
        found[canonicalize_name(one.metadata["Name"])] = names
    return found


def unfit(packages: Iterable[Distribution]) -> list[str]:
    """Installed packages that ask for a runtime of the grammar other than Hydra's."""
    messages = []
    for package in packages:
        for requirement in map(Requirement, package.requires or ()):
            if requirement.name != RUNTIME or not applies(requirement):
                continue
            if not requirement.specifier.contains(NEEDED):
                messages.append(f"{package.metadata['Name']} needs {requirement}")
    return messages


def test_no_package_breaks_hydras_grammar() -> None:
    assert unfit(distributions()) == []


def test_a_package_that_does_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "other-1.dist-info"
    folder.mkdir()
    header = "Metadata-Version: 2.1\nName: other\nVersion: 1\n"
    (folder / "METADATA").write_text(f"{header}Requires-Dist: {RUNTIME}==4.13.2\n")
    assert unfit(distributions(path=[str(tmp_path)])) == [f"other needs {RUNTIME}==4.13.2"]


def test_the_extras_are_known_and_the_scripts_install_all() -> None:
    assert set(declared()) == {"", *EXTRAS, *BUILDS}
    for script in ("pin", "latest"):
        text = (ROOT / ".ci" / script).read_text(encoding="utf-8")
        assert f"'.[{','.join(EXTRAS)}]'" in text


@pytest.mark.parametrize("extra", ["", *EXTRAS])
def test_every_requirement_is_pinned_within_its_bounds(extra: str) -> None:
    requirements = [one for one in declared()[extra] if one.name != "torch"]
    assert requirements
    for requirement in requirements:
        assert requirement.specifier.contains(PINS[canonicalize_name(requirement.name)]), (
            requirement
        )


@pytest.mark.skipif(bool(drift()), reason="other versions than the pinned ones need other packages")
def test_what_the_requirements_need_is_pinned_too() -> None:
    """Followed as far as packages are installed here; what torch alone brings stays out."""
    graph = needs(distributions())
    reached: set[str] = set()
    pending = [canonicalize_name(one.name) for group in declared().values() for one in group]
    while pending:
        name = pending.pop()
        if name not in reached and name not in UNPINNED:
            reached.add(name)
            pending += graph.get(name, [])
    assert len(reached) > 90
    assert reached - PINS.keys() == set()


def test_constraints_are_versions_and_nothing_else() -> None:
    """No hosts, paths or local builds, and nothing that depends on the machine's accelerator."""
    pinned = [line for line in LINES if not line.startswith("#")]
    assert all(re.fullmatch(r"[A-Za-z0-9._-]+==[0-9A-Za-z.]+", line) for line in pinned)
    assert len(PINS) == len(pinned)
    assert not UNPINNED & PINS.keys()
    assert not [name for name in PINS if re.match(r"(nvidia|cuda)-", name)]


def test_another_version_is_named_and_an_absent_package_is_not() -> None:
    pinned = pins(["# comment", "Some_Package==1.0", "other==2", "absent==3"])
    assert differences(pinned, {"some-package": "1.1", "other": "2", "more": "5"}) == [
        "some-package 1.1 (pinned: 1.0)"
    ]


def test_a_warning_is_an_error_with_the_pinned_versions_alone() -> None:
    if drift():
        with pytest.warns(DeprecationWarning, match="old"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
    else:
        with pytest.raises(DeprecationWarning, match="old"):
            warnings.warn("old", DeprecationWarning, stacklevel=1)
