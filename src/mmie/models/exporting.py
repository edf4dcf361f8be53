"""The trained model as other software loads it: an adapter for PEFT, or one merged checkpoint.

Whoever loads the two folders answers as mmie does. So what mmie decides outside the weights goes
into ``generation_config.json``: neutral sampling, the tokens that are never drawn, and every token
that ends a response. What the base's own file says of sampling is not carried over. A token that
only the tokenizer puts before a prompt goes into the chat template, because servers have the
tokenizer add none.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError
from torch import Tensor
from transformers import GenerationConfig
from transformers.utils import cached_file

from mmie.files import disk_errors, give_usual_modes, write_json, write_text
from mmie.models.backbone import start_of_text
from mmie.models.policy import Policy
from mmie.types import Sampling

ADAPTER_SETTINGS = "adapter_config.json"
TEMPLATE = "chat_template.jinja"
PROCESSOR, VIDEO = "processor_config.json", "video_preprocessor_config.json"


def export_adapter(policy: Policy, folder: Path, *, base: str, sampling: Sampling) -> None:
    """Writes the policy adapter for ``PeftModel.from_pretrained``.

    For whoever serves it on the base, ``generation_config.json`` lies beside it, and
    ``chat_template.jinja`` if servers need another one than the base's.

    Args:
        policy: the model; the adapter is its ``policy``.
        folder: is created.
        base: the name of the base, which PEFT records.
        sampling: how mmie draws responses.

    Raises:
        InputError: the folder cannot be written.
    """
    policy.save_adapter(folder)
    with disk_errors(folder):
        path = folder / ADAPTER_SETTINGS
        settings = json.loads(path.read_text(encoding="utf-8"))
        write_json(path, {**settings, "base_model_name_or_path": base})
        (folder / TEMPLATE).unlink(missing_ok=True)
        if needs_template(policy):
            write_text(folder / TEMPLATE, template_for_servers(policy))
        generation_settings(policy, sampling).save_pretrained(folder)


def export_merged(policy: Policy, folder: Path, *, sampling: Sampling) -> None:
    """Writes base plus policy adapter as one ordinary checkpoint, with all that ``Auto…`` loads.

    Weights have the names of the hub's checkpoints, whatever those of the base's files are. The
    model in memory stays as it is.

    Args:
        policy: the model.
        folder: is created.
        sampling: how mmie draws responses.

    Raises:
        InputError: the folder cannot be written.
    """
    backbone = policy.backbone
    weights = _under_hub_names(policy)
    with disk_errors(folder, also=(SafetensorError,)):
        folder.mkdir(parents=True, exist_ok=True)
        save_torch_state_dict(weights, folder)
        model_settings(backbone.model).save_pretrained(folder)
        generation_settings(policy, sampling).save_pretrained(folder)
        backbone.tokenizer.save_pretrained(folder)
        write_text(folder / TEMPLATE, template_for_servers(policy))
        backbone.processor.save_pretrained(folder)
        _write_processor_settings(policy, folder)
        give_usual_modes(folder)


def generation_settings(policy: Policy, sampling: Sampling) -> GenerationConfig:
    """How mmie draws a response, in the words of transformers."""
    drawn: dict[str, Any] = {"do_sample": False}
    if sampling.temperature:
        drawn = {"do_sample": True, "temperature": sampling.temperature, "top_p": 1.0, "top_k": 0}
    return GenerationConfig(
        **drawn,
        max_new_tokens=sampling.max_new_tokens,
        suppress_tokens=policy.suppressed,
        eos_token_id=policy.eos_ids,
        pad_token_id=policy.pad_id,
        bos_token_id=policy.backbone.model.generation_config.bos_token_id,
    )


def template_for_servers(policy: Policy) -> str:
    """The chat template with everything that stands before a prompt.

    transformers looks whether it begins with that, and then has the tokenizer add nothing.
    """
    tokenizer = policy.backbone.tokenizer
    start: str = start_of_text(tokenizer)
    template: str = tokenizer.get_chat_template()
    turn = [{"role": "user", "content": [{"type": "text", "text": ""}]}]
    complete = tokenizer.apply_chat_template(turn, tokenize=False).startswith(start)
    return template if complete else start + template


def needs_template(policy: Policy) -> bool:
    """Whether a server that has the base needs ``template_for_servers``."""
    return template_for_servers(policy) != policy.backbone.tokenizer.get_chat_template()


def _under_hub_names(policy: Policy) -> dict[str, Tensor]:
    """The merged weights; of two that are tied only the one that the model reads."""
    model, names = policy.backbone.model, policy.backbone.hub_names
    weights = policy.merged_weights()
    if model.config.tie_word_embeddings:
        for tied in model._tied_weights_keys:
            weights.pop(tied, None)
    return {hub_name(name, names): value for name, value in weights.items()}


def hub_name(name: str, names: Mapping[str, str]) -> str:
    """The name that a weight of the model class has on the hub, by ``Backbone.hub_names``."""
    start = next((start for start in names if name.startswith(start)), "")
    return names.get(start, "") + name.removeprefix(start)


def model_settings(model: Any) -> Any:
    """The configuration to write beside the weights, without a path of this machine."""
    settings = copy.deepcopy(model.config)
    settings.architectures = [type(model).__name__]
    settings.dtype = model.dtype
    for part in (settings.text_config, settings.vision_config):
        if Path(part._name_or_path).is_absolute():  # where somebody once loaded this part from
            part._name_or_path = ""
    return settings


def _write_processor_settings(policy: Policy, folder: Path) -> None:
    """The base's processor, with the image processor that mmie uses, and its video settings."""
    backbone = policy.backbone
    source = backbone.model.name_or_path
    settings = {**_file_of(source, PROCESSOR), **backbone.processor_settings}
    if "image_processor" in settings:
        settings["image_processor"] = json.loads(backbone.processor.to_json_string())
    write_json(folder / PROCESSOR, settings)
    video = _file_of(source, VIDEO)
    if video:
        write_json(folder / VIDEO, video)


def _file_of(checkpoint: str, name: str) -> dict[str, Any]:
    """A JSON file of the base checkpoint; {} where it has none."""
    path = cached_file(checkpoint, name, _raise_exceptions_for_missing_entries=False)
    if path is None:
        return {}
    content: dict[str, Any] = json.loads(Path(path).read_text(encoding="utf-8"))
    return content
