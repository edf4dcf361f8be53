"""The teacher does the task itself, without the gold answer (JMERE-R1, Table 3: GPT-4o)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from mmie.distil.answer import Answer
from mmie.distil.candidates import run_to_end
from mmie.distil.dispatch import Dispatcher, Job
from mmie.distil.record import Record
from mmie.distil.teacher import Request, Teacher
from mmie.types import Example


def run_zero_shot(
    examples: Sequence[Example],
    teacher: Teacher,
    record: Record,
    *,
    prompt: Callable[[Example], str],
    progress: Callable[[int], None],
) -> list[Answer]:
    """One answer per sample, in the order of the samples and in whatever state.

    It may be called within a running event loop, too.

    Args:
        examples: with unique ids.
        teacher: answers; its connections are closed at the end.
        record: what it holds is not asked again.
        prompt: the text that follows the sample's pictures.
        progress: called with 1 after every request.

    Raises:
        InputError: the first error that concerns every request, once those under way have ended.
    """
    dispatcher = Dispatcher(teacher, record, progress)
    answers: dict[str, Answer] = {}

    async def ask_for(example: Example) -> None:
        answers[example.id] = await dispatcher.ask(Request("answer", example, 0, prompt(example)))

    def jobs() -> Iterator[Job]:
        for example in examples:
            yield partial(ask_for, example)

    run_to_end(dispatcher.run(jobs))
    return [answers[example.id] for example in examples]
