"""Stage export: the trained weights, as PEFT, transformers and servers load them.

No file of the export names a folder of this machine, so it can be given away as it is.
"""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

from mmie.artifacts import commit, fingerprint, versions
from mmie.config import RunConfig
from mmie.errors import InputError
from mmie.files import make_folder, write_json, write_text
from mmie.stages.answers import sampling
from mmie.stages.context import Context
from mmie.stages.delivered import Delivered, delivered

NO_NAME = "NAME-OF-THE-BASE-MODEL"  # where the base is a folder and export.base_model says nothing
# Sections of the configuration that say where things lie, and change nothing of what is trained.
PLACES = ("artifacts", "logger", "predict", "export", "report", "plan")


def export(context: Context) -> Path:
    """Writes ``adapter/`` in PEFT's layout and, if ``export.merged`` is set, ``merged/``.

    The latter is a whole checkpoint for ``from_pretrained`` or a serving engine. Each of the two
    has the model card, ``README.md``, which also lies beside them with ``origin.json``.
    """
    # They load torch, which a run that exports nothing may not need.
    from mmie.models.exporting import export_adapter, export_merged
    from mmie.stages.model_card import model_card

    taken = delivered(context)
    taken.load(context)
    folder, base = export_folder(context), base_name(context)
    draws = sampling(context.config.evaluation)
    export_adapter(context.policy, folder / "adapter", base=base, sampling=draws)
    parts = ["adapter"]
    if context.config.export.merged:
        export_merged(context.policy, folder / "merged", sampling=draws)
        parts.append("merged")
    write_json(folder / "origin.json", _origin(context, taken, base))
    card = model_card(context, taken, base=base, named=base != NO_NAME)
    for path in (folder, *(folder / part for part in parts)):
        write_text(path / "README.md", card)
    print(f"exported to {folder}", flush=True)
    return folder


def export_folder(context: Context) -> Path:
    """The folder of the export, made before the trainings to find out whether it can be made.

    Raises:
        InputError: it cannot be made, or would keep the merged weights of an earlier export.
    """
    config = context.config.export
    path = Path(config.folder) if config.folder else context.output / "export"
    if not config.merged and (path / "merged").exists():
        reason = "merged/ of an earlier export lies there, and export.merged is false"
        raise InputError(f"export.folder={path}: {reason}; delete it or take another folder")
    return make_folder(path, key="export.folder")


def base_name(context: Context) -> str:
    """The name under which others find the base; ``NO_NAME`` where only a folder is known."""
    config = context.config
    if config.export.base_model:
        return config.export.base_model
    path: str = config.model["path"]
    shipped = path.startswith("mmie:")
    return NO_NAME if not shipped and Path(path).is_dir() else path


def _origin(context: Context, taken: Delivered, base: str) -> dict[str, Any]:
    """Which run and which stages the weights come from."""
    return {
        "commit": commit(),
        "key": fingerprint(config=context.config),
        "adapter": taken.key if taken.system else None,
        "stages": context.stages,
        "base": {"name": base, "files": context.model_identity["files"]},
        "config": _portable(context, base),
        "versions": versions(),
    }


def _portable(context: Context, base: str) -> dict[str, Any]:
    """The configuration without the places of files."""
    config: RunConfig = context.config
    values = {key: value for key, value in asdict(config).items() if key not in PLACES}
    places = context.source.places
    values["data"] = {key: value for key, value in config.data.items() if key not in places}
    values["model"] = {**config.model, "path": base}
    return values
