"""Teachers that answer without a server, and what is asked of them."""

from __future__ import annotations

import asyncio

from helpers.configured import prompts
from mmie.distil.answer import Answer
from mmie.distil.candidates import run_distillation
from mmie.distil.teacher import Request
from mmie.errors import InputError
from mmie.tasks.jmere.chains import JMEREChains
from mmie.types import Example, Picture, Quintuple

A = Quintuple("Josh Gordon", "per", "Browns", "org", "member of")
B = Quintuple("Browns", "org", "Ohio", "loc", "locate at")
LABELS = {
    "types": ["per", "org", "loc"],
    "relations": ["member_of", "locate_at"],
    **prompts("jmere"),
}
READ_A = "[Josh Gordon, per, Browns, org, member of]"
READ_AB = f"{READ_A}, [Browns, org, Ohio, loc, locate at]"


class Scripted:
    """Answers by purpose, and counts what was asked and how many questions were open at once."""

    model = "scripted"
    parameters = {"temperature": 1.0}
    max_pixels = 1000
    max_refused = 0.0
    price = budget = in_batches = None

    def __init__(self, *, concurrency=1, **answers):
        self.concurrency = concurrency
        self.answers = {"distil": "A chain.", "repredict": READ_A, "score": "Score: 0.9"} | answers
        self.asked = []
        self.busy = self.busiest = self.closed = self.cancelled = 0

    async def ask(self, request):
        self.asked.append((request.purpose, request.example.id, request.candidate, request.chain))
        self.busy += 1
        self.busiest = max(self.busiest, self.busy)
        try:
            await asyncio.sleep(0.001 * (7 * len(self.asked) % 5))
            answer = self.answers[request.purpose]
            words = answer(request) if callable(answer) else answer
            return words if isinstance(words, Answer) else Answer(words)
        except asyncio.CancelledError:
            self.cancelled += 1
            raise
        finally:
            self.busy -= 1

    async def close(self):
        self.closed += 1


def examples(count):
    return [
        Example(id=f"train-{n}", text=f"Tweet {n}", pictures=(), gold=(A, B)) for n in range(count)
    ]


def run(samples, teacher, record, *, candidates=2, progress=lambda _: None):
    return run_distillation(
        samples,
        teacher,
        record,
        candidates=candidates,
        progress=progress,
        chains=JMEREChains(**LABELS),
    )


class Parrot:
    """Answers with the prompt and the number of the question; the prompt "down" raises an error."""

    price = budget = in_batches = None

    def __init__(self, model="parrot", **parameters):
        self.model = model
        self.parameters = parameters
        self.answers = {}
        self.concurrency = 1
        self.max_pixels = 1000
        self.max_refused = 0.0
        self.asked = []

    async def ask(self, request):
        self.asked.append(request)
        number = len(self.asked)
        await asyncio.sleep(0)
        if request.prompt == "down":
            raise InputError("parrot is down")
        return self.answers.get(request.prompt) or Answer(f"{request.prompt} {number}")

    async def close(self):
        pass


def question(prompt="Hello", *, pictures=(), candidate=0, purpose="distil", name="train-0"):
    example = Example(id=name, text="A tweet", pictures=tuple(map(Picture, pictures)), gold=())
    return Request(purpose, example, candidate, prompt)
