"""TRL's GRPOTrainer on the same work; needs the extra ``bench``."""

from __future__ import annotations

import random
import resource
import tempfile
import time
from pathlib import Path
from typing import Any

import torch
from datasets import Dataset
from peft import LoraConfig
from PIL import Image
from transformers import (
    AutoTokenizer,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    TrainerCallback,
)
from transformers.processing_utils import ProcessorMixin
from trl import GRPOConfig, GRPOTrainer

from mmie.bench.work import Work
from mmie.models.qwen2_5_vl import MARKERS, Qwen25VL
from mmie.toy.base import image_processor


class PictureProcessor(Qwen2_5_VLProcessor):
    """Without the video half of the stock one, which asks for torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
    ) -> None:
        vocabulary = tokenizer.get_vocab()
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id, self.video_token_id = (
            vocabulary[self.image_token],
            vocabulary[self.video_token],
        )
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @property
    def model_input_names(self) -> list[str]:
        return [
            "input_ids",
            "attention_mask",
            "pixel_values",
            "image_grid_thw",
            "mm_token_type_ids",
        ]


class Clock(TrainerCallback):
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        self.seconds.append(time.perf_counter() - self.start)


def trl(work: Work) -> dict[str, Any]:
    """Step seconds and peak memory of TRL with this engine's loss, lengths and LoRA."""
    tokenizer = AutoTokenizer.from_pretrained(work.model)
    vocabulary = tokenizer.get_vocab()
    clock, rewards = Clock(), random.Random(0)

    def by_chance(completions: Any, **_: Any) -> list[float | None]:
        return [rewards.random() for _ in completions]

    with tempfile.TemporaryDirectory() as folder:
        images = [Image.open(path) for path in work.draw_pictures(Path(folder))]
        trainer = GRPOTrainer(
            model=Qwen2_5_VLForConditionalGeneration.from_pretrained(
                work.model, dtype=torch.float32
            ),
            reward_funcs=by_chance,
            args=GRPOConfig(
                output_dir=folder,
                per_device_train_batch_size=work.group_size * work.prompts,
                num_generations=work.group_size,
                max_completion_length=work.new_tokens,
                beta=work.kl_coef,
                loss_type="grpo",
                scale_rewards="group",
                temperature=work.temperature,
                learning_rate=work.lr,
                max_steps=work.warmup + work.steps,
                report_to=[],
                save_strategy="no",
                use_cpu=True,
                bf16=False,
                gradient_checkpointing=False,
                disable_tqdm=True,
                logging_strategy="no",
                generation_kwargs={
                    "min_new_tokens": work.new_tokens,
                    "suppress_tokens": [
                        vocabulary[marker] for marker in MARKERS if marker in vocabulary
                    ],
                },
            ),
            train_dataset=Dataset.from_list(
                [
                    {"prompt": [{"role": "user", "content": work.text}], "image": image}
                    for image in images
                ]
            ),
            processing_class=PictureProcessor(
                image_processor(), tokenizer, tokenizer.chat_template
            ),
            peft_config=LoraConfig(
                r=work.rank, lora_alpha=2 * work.rank, target_modules=Qwen25VL.lora_targets
            ),
            callbacks=[clock],
        )
        trainer.train()
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    return {
        "steps": [{"step": seconds} for seconds in clock.seconds[work.warmup :]],
        "peak_mib": peak,
    }
