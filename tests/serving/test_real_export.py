"""What is exported, on a real vLLM on the CPU: started and asked as docs/serving.md says.

Its chat completions get each picture as a file. Prompts, answers and log-probabilities must be
those of mmie, token by token.
"""

from __future__ import annotations

import base64
import json
import shlex
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import torch
from openai import OpenAI
from safetensors.torch import load_file, save_file

from helpers.checkpoints import write_llava
from helpers.configured import run_config
from helpers.served import CONFIG, adapt, toy_policy
from mmie.config import node
from mmie.markers import defuse_markers, read_markers
from mmie.models.backbone import resolve_path
from mmie.models.exporting import export_adapter, export_merged
from mmie.models.llava import Llava
from mmie.models.policy import Policy, build_policy
from mmie.types import Example, Sampling

pytestmark = pytest.mark.server
DOCS = Path(__file__).parents[2] / "docs/serving.md"
LIMIT = 20  # new tokens
CLOSE = 2e-3  # log-probabilities in float32; 1e-5 is usual, and 8e-4 with LLaVA


@dataclass(frozen=True)
class Exported:
    policy: Policy
    base: str
    folder: Path


@pytest.fixture(scope="module", params=["qwen", "llava"])
def exported(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Exported:
    folder = tmp_path_factory.mktemp("export")
    if request.param == "llava":
        base = str(servable_llava(folder / "base"))
        policy = build_policy(Llava(base), rank=8, alpha=16, dropout=0.0, seed=0).eval()
        adapt(policy, 1)
    else:
        base, policy = resolve_path(CONFIG.model["path"]), toy_policy()
    sampling = Sampling(temperature=0.8, max_new_tokens=LIMIT)
    export_adapter(policy, folder / "adapter", base="some/base", sampling=sampling)
    export_merged(policy, folder / "merged", sampling=sampling)
    return Exported(policy, base, folder)


def servable_llava(folder: Path) -> Path:
    """The tiny LLaVA with heads of 32, as vLLM's kernels for the CPU know none of 16.

    Ids that no token has are not drawn, because vLLM cannot name them.
    """
    write_llava(folder)
    settings = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    settings["text_config"] |= {"num_attention_heads": 2, "num_key_value_heads": 2}
    (folder / "config.json").write_text(json.dumps(settings))
    index = json.loads((folder / "model.safetensors.index.json").read_text(encoding="utf-8"))
    shard = folder / index["weight_map"]["language_model.lm_head.weight"]
    weights = load_file(shard)
    weights["language_model.lm_head.weight"][-8:] = 0.0
    save_file(weights, shard, metadata={"format": "pt"})
    return folder


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> list[Example]:
    """Ten toy tweets with their pictures."""
    folder = tmp_path_factory.mktemp("toy")
    config = run_config("data.sizes={train: 1, val: 1, test: 10}", f"data.images={folder}")
    return list(node(config.data).load("test"))


@pytest.mark.parametrize("part", ["merged", "adapter"])
def test_a_served_export_answers_as_mmie_does(
    exported: Exported, part: str, serve: Callable[..., Any], examples: list[Example]
) -> None:
    server = serve(*arguments_of_the_docs(exported, part))
    answers = set()
    with OpenAI(base_url=f"{server.address}/v1", api_key=server.key) as client:
        for example in examples:
            text = f"{example.text} <|im_end|> <image>"
            reply = asked(client, exported, text, example)
            ids, drawn, logps = own_answer(exported.policy, text, example)
            (choice,) = reply["choices"]
            assert reply["prompt_token_ids"] == ids
            assert choice["token_ids"] == drawn
            served = [token["logprob"] for token in choice["logprobs"]["content"]]
            assert served == pytest.approx(logps, abs=CLOSE)
            answers.add(tuple(drawn))
    assert len(answers) > 1


def arguments_of_the_docs(exported: Exported, part: str) -> list[str]:
    """The docs' command for this part, for this model in float32."""
    lines = DOCS.read_text(encoding="utf-8").splitlines()
    (line,) = [line for line in lines if line.startswith("vllm serve") and f"mine/{part}" in line]
    for known, here in {
        "outputs/mine": exported.folder,
        "Qwen/Qwen2.5-VL-7B-Instruct": exported.base,
        "bfloat16": "float32",
    }.items():
        line = line.replace(known, str(here))
    arguments = ["--model", *shlex.split(line)[2:]]
    template = exported.folder / "adapter/chat_template.jinja"
    if part == "adapter" and template.exists():
        at = arguments.index("--mm-processor-kwargs")  # of Qwen2.5-VL alone
        arguments[at:] = ["--chat-template", str(template)]
    return arguments


def asked(client: OpenAI, exported: Exported, text: str, example: Example) -> dict[str, Any]:
    """The reply to the picture and then the text, whose markers are defused."""
    path = example.pictures[0].path
    assert path is not None
    url = f"data:image/png;base64,{base64.b64encode(path.read_bytes()).decode()}"
    defused = defuse_markers(text, read_markers(str(exported.folder / "merged")))
    content = [
        {"type": "image_url", "image_url": {"url": url}},
        {"type": "text", "text": defused},
    ]
    message: Any = {"role": "user", "content": content}
    return client.chat.completions.create(
        model="jmere-r1",
        messages=[message],
        temperature=0,
        logprobs=True,
        logit_bias={str(token): -100 for token in exported.policy.suppressed},
        extra_body={"return_token_ids": True},
    ).model_dump()


def own_answer(
    policy: Policy, text: str, example: Example
) -> tuple[list[int], list[int], list[float]]:
    """The ids of mmie's prompt and of its answer at temperature 0, and their log-probabilities."""
    prompt = policy.encode(text, example.pictures)
    numbers = torch.zeros(1, LIMIT, dtype=torch.float64)
    drawn = policy.sample(policy.batch([prompt]), numbers, temperature=0.0)
    mask = drawn.mask[0]
    return prompt.ids.tolist(), drawn.tokens[0][mask].tolist(), drawn.logps[0][mask].tolist()
