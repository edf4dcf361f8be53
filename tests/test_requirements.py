"""What the declared packages bring along."""

from collections.abc import Iterable
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement

RUNTIME = "antlr4-python3-runtime"  # Hydra reads its grammar with 4.9; with another one it cannot even be imported
NEEDED = "4.9.3"


def unfit(found: Iterable[Distribution]) -> list[str]:
    """Installed packages that ask for a runtime of the grammar other than Hydra's."""
    asked = [(one.metadata["Name"], Requirement(line)) for one in found for line in one.requires or ()]
    runtimes = [(name, one) for name, one in asked if one.name == RUNTIME and (one.marker is None or one.marker.evaluate({"extra": ""}))]
    return [f"{name} needs {one}" for name, one in runtimes if not one.specifier.contains(NEEDED)]


def test_no_package_breaks_hydras_grammar() -> None:
    assert unfit(distributions()) == []


def test_a_package_that_does_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "other-1.dist-info"
    folder.mkdir()
    (folder / "METADATA").write_text(f"Metadata-Version: 2.1\nName: other\nVersion: 1\nRequires-Dist: {RUNTIME}==4.13.2\n")
    assert unfit(distributions(path=[str(tmp_path)])) == [f"other needs {RUNTIME}==4.13.2"]
