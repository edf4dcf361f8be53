"""Free text on the command line, which Hydra's grammar of overrides would refuse or take apart."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from mmie.errors import InputError
from mmie.text import invalid_character

FREE_TEXT = "predict."  # how keys begin that hold what people write
SWEEPS = ("-m", "--multirun")
SWITCHED_OFF = ("sft", "grpo")  # groups of which the choice none leaves no keys
_NONE = re.compile(r"^ *- override /(\w+): none\b", re.MULTILINE)


def readable(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them: a tweet or a file name arrives as it was typed.

    A value of ``predict`` is put into quotes where the grammar has no reading for it, or would take
    it for a number, a list, a mapping or, in a single run, for a sweep. What the grammar reads as
    one text stays, quotes and escapes included; so do ``null`` and a list of numbers, such as the
    edges of a box.

    Raises:
        InputError: an argument holds bytes that are not UTF-8.
    """
    for argument in arguments:
        reason = invalid_character(argument)
        if reason is not None:
            key = argument.partition("=")[0]
            safe = key.encode(errors="backslashreplace").decode()
            raise InputError(
                f"{safe}: it holds {reason}, which no text may contain; give it in UTF-8"
            )
    swept = any(argument in SWEEPS for argument in arguments)
    return [_quoted(argument, swept=swept) for argument in arguments]


def refuse_absent(arguments: Sequence[str], conf: Path) -> None:
    """Refuses keys of what is switched off, such as ``grpo=none grpo.group_size=4``.

    Hydra answers them with a traceback of its own, before anything of ours runs.

    Args:
        arguments: of the command line.
        conf: the folder whose experiments, in ``tasks/*/experiment``, say what they leave out.

    Raises:
        InputError: there is such a key.
    """
    pairs = [argument.lstrip("+").partition("=")[::2] for argument in arguments]
    chosen: dict[str, str] = {}
    for key, value in pairs:
        if key == "experiment":
            for one in value.split(","):  # those of a sweep
                chosen.update(dict.fromkeys(_left_out(conf, one), "none"))
    for key, value in pairs:
        if value == "null" and key.isidentifier() and any(conf.glob(f"**/{key}/")):
            raise InputError(f"{key}: null chooses nothing; leave it out, or name a choice")
    chosen.update(pairs)
    for key, _ in pairs:
        group, dot, _ = key.partition(".")
        if dot and group in SWITCHED_OFF and "none" in chosen.get(group, "").split(","):
            raise InputError(f"{key}: {group} is none here and has no keys; leave one of them out")


def _left_out(conf: Path, experiment: str) -> list[str]:
    """The groups that an experiment sets to none; an unknown experiment is Hydra's to refuse."""
    files = [folder / "experiment" / f"{experiment}.yaml" for folder in conf.glob("tasks/*")]
    texts = [file.read_text("utf-8") for file in files if file.is_file()]
    return _NONE.findall("\n".join(texts))


def _quoted(argument: str, *, swept: bool) -> str:
    key, equals, value = argument.partition("=")
    free = key.lstrip("+").startswith(FREE_TEXT) and equals
    if not free or _is_one_value(argument, swept=swept):
        return argument
    literal = value.replace("${", r"\${")  # no interpolation of OmegaConf's
    return f"{key}={QuotedString(literal, Quote.single).with_quotes()}"


def _is_one_value(argument: str, *, swept: bool) -> bool:
    try:
        override: Override = OverridesParser.create().parse_override(argument)
    except HydraException:
        return False
    if override.is_sweep_override():
        return swept
    value = override.value()
    if isinstance(value, list):
        return value != [] and all(type(item) in (int, float) for item in value)
    return value is None or isinstance(value, str)
