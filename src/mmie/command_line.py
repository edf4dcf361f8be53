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

FREE_TEXT = ("predict.text", "predict.entity", "predict.image", "predict.file", "predict.adapter")
SWEEPS = ("-m", "--multirun")
_NONE = re.compile(r"^ *- override /(\w+): none\b", re.MULTILINE)


def readable(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them: a tweet or a file name arrives as it was typed.

    A value of ``FREE_TEXT`` is put into quotes where the grammar has no reading for it, or would
    take it for a list, a mapping or, in a single run, for a sweep. What the grammar reads as one
    value stays, quotes and escapes included.

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
    """Refuses keys of a group that is ``none``, such as ``grpo=none grpo.group_size=4``.

    Hydra answers them with a traceback of its own, before anything of ours runs.

    Args:
        arguments: of the command line.
        conf: the folder whose ``experiment/`` says which groups an experiment leaves out.

    Raises:
        InputError: there is such a key.
    """
    pairs = [argument.lstrip("+").partition("=")[::2] for argument in arguments]
    chosen: dict[str, str] = {}
    for key, value in pairs:
        if key == "experiment":
            left_out = _left_out(conf / "experiment" / f"{value}.yaml")
            chosen.update(dict.fromkeys(left_out, "none"))
    chosen.update(pairs)
    for key, _ in pairs:
        group, dot, _ = key.partition(".")
        if dot and chosen.get(group) == "none":
            raise InputError(f"{key}: {group} is none here and has no keys; leave one of them out")


def _left_out(experiment: Path) -> list[str]:
    """The groups that an experiment sets to none; of an unknown experiment Hydra tells."""
    return _NONE.findall(experiment.read_text("utf-8")) if experiment.is_file() else []


def _quoted(argument: str, *, swept: bool) -> str:
    key, equals, value = argument.partition("=")
    if key not in FREE_TEXT or not equals or _is_one_value(argument, swept=swept):
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
    return not isinstance(override.value(), (list, dict))
