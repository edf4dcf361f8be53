"""Free text on the command line, which Hydra's grammar of overrides would refuse or take apart."""

from __future__ import annotations

from collections.abc import Sequence

from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, Quote, QuotedString
from hydra.errors import HydraException

from mmie.errors import InputError
from mmie.text import fault

FREE_TEXT = ("predict.text", "predict.entity", "predict.image", "predict.file", "predict.adapter")
SWEEPS = ("-m", "--multirun")


def readable(arguments: Sequence[str]) -> list[str]:
    """The arguments as Hydra reads them: a tweet or a file name arrives as it was typed.

    A value of ``FREE_TEXT`` is put into quotes where the grammar has no reading for it, or would
    take it for a list, a mapping or, in a single run, for a sweep. What the grammar reads as one
    value stays, quotes and escapes included.

    Raises:
        InputError: an argument holds bytes that are no UTF-8.
    """
    for argument in arguments:
        reason = fault(argument)
        if reason is not None:
            key = argument.partition("=")[0]
            safe = key.encode(errors="backslashreplace").decode()
            raise InputError(f"{safe}: it holds {reason}, which is no text; give it in UTF-8")
    swept = any(argument in SWEEPS for argument in arguments)
    return [_quoted(argument, swept=swept) for argument in arguments]


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
