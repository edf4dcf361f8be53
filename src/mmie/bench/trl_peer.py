"""TRL's GRPOTrainer on the same work; needs the extra ``bench``."""

from __future__ import annotations

import random
import tempfile
import time
from pathlib import Path
from typing import Any

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

from mmie.bench.meters import peak_mib, synchronize
from mmie.bench.work import Work
from mmie.models.backbone import DTYPES
from mmie.models.qwen2_5_vl import MARKERS, Qwen25VL
from mmie.toy.base import image_processor


class PictureProcessor(Qwen2_5_VLProcessor):
    """The stock processor without its half for videos, which needs torchvision."""

    def __init__(
        self, image_processor: Any = None, tokenizer: Any = None, chat_template: str | None = None
    ) -> None:
        vocabulary = tokenizer.get_vocab()
        self.image_token, self.video_token = "<|image_pad|>", "<|video_pad|>"
        self.image_token_id = vocabulary[self.image_token]
        self.video_token_id = vocabulary[self.video_token]
        ProcessorMixin.__init__(self, image_processor, tokenizer, chat_template=chat_template)

    @property
    def model_input_names(self) -> list[str]:
        text = ["input_ids", "attention_mask", "mm_token_type_ids"]
        return [*text, "pixel_values", "image_grid_thw"]


class Clock(TrainerCallback):
    """Seconds of each step."""

    def __init__(self) -> None:
        self.seconds: list[float] = []

    def on_step_begin(self, *_: Any, **__: Any) -> None:
        synchronize()
        self.start = time.perf_counter()

    def on_step_end(self, *_: Any, **__: Any) -> None:
        synchronize()
        self.seconds.append(time.perf_counter() - self.start)


def run_trl(work: Work) -> dict[str, Any]:
    """Step seconds and peak memory of TRL with this engine's loss, lengths and LoRA."""
    clock = Clock()
    with tempfile.TemporaryDirectory() as folder:
        trainer = _trainer(work, Path(folder), clock)
        trainer.train()
    timed = clock.seconds[work.warmup :]
    return {"steps": [{"step": seconds} for seconds in timed], "peak_mib": peak_mib()}


def _trainer(work: Work, folder: Path, clock: Clock) -> GRPOTrainer:
    tokenizer = AutoTokenizer.from_pretrained(work.model)
    base = Qwen2_5_VLForConditionalGeneration.from_pretrained(work.model, dtype=DTYPES[work.dtype])
    targets = Qwen25VL.lora_targets
    lora = LoraConfig(r=work.rank, lora_alpha=2 * work.rank, target_modules=targets)
    rewards = random.Random(0)

    def random_rewards(completions: Any, **_: Any) -> list[float | None]:
        return [rewards.random() for _ in completions]

    return GRPOTrainer(
        model=base,
        reward_funcs=random_rewards,
        args=_arguments(work, folder, tokenizer.get_vocab()),
        train_dataset=_dataset(work, folder),
        processing_class=PictureProcessor(image_processor(), tokenizer, tokenizer.chat_template),
        peft_config=lora,
        callbacks=[clock],
    )


def _arguments(work: Work, folder: Path, vocabulary: dict[str, int]) -> GRPOConfig:
    markers = [vocabulary[marker] for marker in MARKERS if marker in vocabulary]
    return GRPOConfig(
        output_dir=str(folder),
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
        use_cpu=work.device == "cpu",
        bf16=work.dtype == "bfloat16",
        gradient_checkpointing=False,
        disable_tqdm=True,
        logging_strategy="no",
        generation_kwargs={"min_new_tokens": work.new_tokens, "suppress_tokens": markers},
    )


def _dataset(work: Work, folder: Path) -> Dataset:
    prompt = [{"role": "user", "content": work.text}]
    images = [Image.open(path) for path in work.draw_pictures(folder)]
    return Dataset.from_list([{"prompt": prompt, "image": image} for image in images])
