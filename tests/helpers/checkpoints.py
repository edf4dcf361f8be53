"""Writes tiny checkpoints with random weights, scaled down from two originals.

File names, configuration keys, weight names, chat templates and the checkpoints' own sampling
values are those of Qwen2.5-VL-7B-Instruct and llava-1.5-7b-hf; only sizes and token numbers differ.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers.processors import TemplateProcessing
from transformers import (
    AutoConfig,
    LlavaForConditionalGeneration,
    Qwen2_5_VLForConditionalGeneration,
)

from mmie.toy.tokenizer import build_tokenizer

QWEN_MARKERS = (
    "<|endoftext|> <|im_start|> <|im_end|> <|object_ref_start|> <|object_ref_end|> "
    "<|box_start|> <|box_end|> <|quad_start|> <|quad_end|> "
    "<|vision_start|> <|vision_end|> <|vision_pad|> <|image_pad|> <|video_pad|>"
).split()
LLAVA_MARKERS = "<unk> <s> </s> <image> <pad>".split()

QWEN_TEMPLATE = (
    "{% set image_count = namespace(value=0) %}{% set video_count = namespace(value=0) %}"
    "{% for message in messages %}"
    "{% if loop.first and message['role'] != 'system' %}<|im_start|>system\n"
    "You are a helpful assistant.<|im_end|>\n{% endif %}"
    "<|im_start|>{{ message['role'] }}\n"
    "{% if message['content'] is string %}{{ message['content'] }}<|im_end|>\n{% else %}"
    "{% for content in message['content'] %}"
    "{% if content['type'] == 'image' or 'image' in content or 'image_url' in content %}"
    "{% set image_count.value = image_count.value + 1 %}"
    "{% if add_vision_id %}Picture {{ image_count.value }}: {% endif %}"
    "<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif content['type'] == 'video' or 'video' in content %}"
    "{% set video_count.value = video_count.value + 1 %}"
    "{% if add_vision_id %}Video {{ video_count.value }}: {% endif %}"
    "<|vision_start|><|video_pad|><|vision_end|>"
    "{% elif 'text' in content %}{{ content['text'] }}{% endif %}"
    "{% endfor %}<|im_end|>\n{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
LLAVA_TEMPLATE = (
    "{% for message in messages %}"
    "{% if message['role'] != 'system' %}{{ message['role'].upper() + ': ' }}{% endif %}"
    "{# Render all images first #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'image') %}"
    "{{ '<image>\n' }}{% endfor %}"
    "{# Render all text next #}"
    "{% for content in message['content'] | selectattr('type', 'equalto', 'text') %}"
    "{{ content['text'] + ' ' }}{% endfor %}"
    "{% endfor %}{% if add_generation_prompt %}{{ 'ASSISTANT:' }}{% endif %}"
)
ORIGINAL_NAMES: dict[Any, dict[str, str]] = {
    Qwen2_5_VLForConditionalGeneration: {
        "model.language_model.": "model.",
        "model.visual.": "visual.",
    },
    LlavaForConditionalGeneration: {
        "model.language_model.": "language_model.model.",
        "lm_head.": "language_model.lm_head.",
        "model.vision_tower.": "vision_tower.vision_model.",
        "model.multi_modal_projector.": "multi_modal_projector.",
    },
}
CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def write_qwen(folder: Path) -> Path:
    """Qwen2.5-VL of width 64 and two layers.

    As in the original, the text settings stand flat beside ``vision_config``.
    """
    tokenizer = build_tokenizer(
        QWEN_MARKERS, end="<|im_end|>", pad="<|endoftext|>", chat_template=QWEN_TEMPLATE
    )
    ids = tokenizer.get_vocab()
    config = {
        "architectures": ["Qwen2_5_VLForConditionalGeneration"],
        "model_type": "qwen2_5_vl",
        "attention_dropout": 0.0,
        "bos_token_id": ids["<|endoftext|>"],
        "eos_token_id": ids["<|im_end|>"],
        "vision_start_token_id": ids["<|vision_start|>"],
        "vision_end_token_id": ids["<|vision_end|>"],
        "vision_token_id": ids["<|vision_pad|>"],
        "image_token_id": ids["<|image_pad|>"],
        "video_token_id": ids["<|video_pad|>"],
        "hidden_act": "silu",
        "hidden_size": 64,
        "initializer_range": 0.02,
        "intermediate_size": 96,
        "max_position_embeddings": 128000,
        "max_window_layers": 2,
        "num_attention_heads": 4,
        "num_hidden_layers": 2,
        "num_key_value_heads": 2,
        "rms_norm_eps": 1e-06,
        "rope_theta": 1000000.0,
        "sliding_window": 32768,
        "tie_word_embeddings": False,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.41.2",
        "use_cache": True,
        "use_sliding_window": False,
        "rope_scaling": {"type": "mrope", "mrope_section": [2, 3, 3]},
        "vocab_size": len(ids) + 8,
        "vision_config": {
            "depth": 2,
            "hidden_act": "silu",
            "hidden_size": 32,
            "intermediate_size": 48,
            "num_heads": 2,
            "in_chans": 3,
            "out_hidden_size": 64,
            "patch_size": 14,
            "spatial_merge_size": 2,
            "spatial_patch_size": 14,
            "window_size": 56,
            "fullatt_block_indexes": [1],
            "tokens_per_second": 2,
            "temporal_patch_size": 2,
        },
    }
    generation = {
        "bos_token_id": ids["<|endoftext|>"],
        "pad_token_id": ids["<|endoftext|>"],
        "do_sample": True,
        "eos_token_id": [ids["<|im_end|>"], ids["<|endoftext|>"]],
        "repetition_penalty": 1.05,
        "temperature": 0.000001,
        "top_p": 0.001,
        "top_k": 1,
        "transformers_version": "4.49.0",
    }
    pixels = {
        "min_pixels": 3136,
        "max_pixels": 12845056,
        "patch_size": 14,
        "temporal_patch_size": 2,
        "merge_size": 2,
        "image_mean": CLIP_MEAN,
        "image_std": CLIP_STD,
        "image_processor_type": "Qwen2VLImageProcessor",
        "processor_class": "Qwen2_5_VLProcessor",
    }
    parts = {"generation_config.json": generation, "preprocessor_config.json": pixels}
    parts["chat_template.json"] = {"chat_template": QWEN_TEMPLATE}
    _write(folder, Qwen2_5_VLForConditionalGeneration, config, parts)
    tokenizer.save_pretrained(folder, save_jinja_files=False)
    return folder


def write_llava(folder: Path) -> Path:
    """LLaVA-1.5 of width 64 and two layers; its CLIP tower makes 16 tokens of 56 x 56 pixels."""
    tokenizer = build_tokenizer(
        LLAVA_MARKERS, end="</s>", pad="<pad>", chat_template=LLAVA_TEMPLATE
    )
    ids = tokenizer.get_vocab()
    tokenizer.add_special_tokens({"bos_token": "<s>", "unk_token": "<unk>"})
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single="<s> $A", pair="<s> $A <s> $B", special_tokens=[("<s>", ids["<s>"])]
    )
    config = {
        "architectures": ["LlavaForConditionalGeneration"],
        "model_type": "llava",
        "ignore_index": -100,
        "image_token_index": ids["<image>"],
        "pad_token_id": ids["<pad>"],
        "projector_hidden_act": "gelu",
        "tie_word_embeddings": False,
        "torch_dtype": "float16",
        "transformers_version": "4.36.0.dev0",
        "vision_feature_layer": -2,
        "vision_feature_select_strategy": "default",
        "vocab_size": len(ids) + 8,
        "text_config": {
            "_name_or_path": "lmsys/vicuna-7b-v1.5",
            "architectures": ["LlamaForCausalLM"],
            "model_type": "llama",
            "hidden_size": 64,
            "intermediate_size": 96,
            "num_attention_heads": 4,
            "num_hidden_layers": 2,
            "num_key_value_heads": 4,
            "max_position_embeddings": 4096,
            "rms_norm_eps": 1e-05,
            "torch_dtype": "float16",
            "vocab_size": len(ids) + 8,
        },
        "vision_config": {
            "hidden_size": 32,
            "image_size": 56,
            "intermediate_size": 48,
            "model_type": "clip_vision_model",
            "num_attention_heads": 2,
            "num_hidden_layers": 3,
            "patch_size": 14,
            "projection_dim": 16,
            "vocab_size": 64,
        },
    }
    generation = {
        "_from_model_config": True,
        "bos_token_id": ids["<s>"],
        "eos_token_id": ids["</s>"],
        "pad_token_id": ids["<pad>"],
        "transformers_version": "4.36.0.dev0",
    }
    pixels = {
        "crop_size": {"height": 56, "width": 56},
        "do_center_crop": True,
        "do_convert_rgb": True,
        "do_normalize": True,
        "do_rescale": True,
        "do_resize": True,
        "image_mean": CLIP_MEAN,
        "image_processor_type": "CLIPImageProcessor",
        "image_std": CLIP_STD,
        "processor_class": "LlavaProcessor",
        "resample": 3,
        "rescale_factor": 0.00392156862745098,
        "size": {"shortest_edge": 56},
    }
    processor = {
        "image_token": "<image>",
        "num_additional_image_tokens": 1,
        "patch_size": 14,
        "processor_class": "LlavaProcessor",
        "vision_feature_select_strategy": "default",
    }
    parts = {
        "generation_config.json": generation,
        "preprocessor_config.json": pixels,
        "processor_config.json": processor,
    }
    parts["chat_template.json"] = {"chat_template": LLAVA_TEMPLATE}
    _write(folder, LlavaForConditionalGeneration, config, parts)
    tokenizer.save_pretrained(folder)
    return folder


def _write(folder: Path, kind: Any, config: Mapping[str, Any], parts: Mapping[str, Any]) -> None:
    """The JSON files and random weights, large enough that tokens and pictures matter."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config, indent=2))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        model = kind(AutoConfig.from_pretrained(folder)).float()
        for name, value in model.named_parameters():
            if value.ndim > 1:
                torch.nn.init.normal_(
                    value, std=1.0 if "embed_tokens" in name else value[0].numel() ** -0.5
                )
    names = ORIGINAL_NAMES[kind]
    _write_shards(
        folder,
        {_original(name, names): value.contiguous() for name, value in model.state_dict().items()},
    )
    for name, values in parts.items():
        (folder / name).write_text(json.dumps(values, indent=2))


def _write_shards(folder: Path, weights: dict[str, torch.Tensor], shards: int = 3) -> None:
    """``model-0000x-of-0000y.safetensors`` and their index."""
    files = {}
    for shard in range(shards):
        file = f"model-{shard + 1:05d}-of-{shards:05d}.safetensors"
        part = dict(list(weights.items())[shard::shards])
        save_file(part, folder / file, metadata={"format": "pt"})
        files |= dict.fromkeys(part, file)
    index = {
        "metadata": {"total_size": sum(value.nbytes for value in weights.values())},
        "weight_map": files,
    }
    (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))


def _original(name: str, names: Mapping[str, str]) -> str:
    """The name on the hub, whose folders are older than the present model classes."""
    start = next((start for start in names if name.startswith(start)), "")
    return names.get(start, "") + name.removeprefix(start)
