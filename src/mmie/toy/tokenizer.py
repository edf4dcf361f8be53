"""The tiny models' tokenizer: one piece for each word of the toy world, bytes for everything else.

So any text survives the round trip, except for two signs of the tokenizer's own: ``▁`` comes back
as a blank, and the name of a byte such as ``<0x41>`` as that byte.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from mmie.toy import words

BLANK = "▁"
TAGS = ["<think>", "</think>", "<answer>", "</answer>"]
GRAMMAR = (
    "a and the of is in to no yes text picture link reason means goes with shows clue says what "
    "colour there describe name entities extract quintuples relation think then answer copy list "
    "it per org loc misc member part held on at for contain place residence birth present awarded "
    "nationality peer couple siblings neighbor subsidiary alternate names locate "
    "parent charges alumi race religion object step crop none label does match"
).split()
PUNCTUATION = list(", . : ; ? ! [ ] # @ & ( ) / ' \" - ...".split())
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m['role'] }}\n"
    "{% if m['content'] is string %}{{ m['content'] }}{% else %}"
    "{% for c in m['content'] %}"
    "{% if c['type'] == 'image' %}<|vision_start|><|image_pad|><|vision_end|>"
    "{% elif 'text' in c %}{{ c['text'] }}{% endif %}"
    "{% endfor %}{% endif %}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)


def world_words() -> list[str]:
    """Every word that the world, its prompts and its reasoning use, in a fixed order."""
    clauses = [*words.OPENINGS, *words.LINKS, *words.SECOND_LINKS, *words.MENTIONS, *words.CLOSINGS]
    listed = [word for halves in words.NAMES.values() for half in halves for word in half]
    listed += [*words.ICONS, *words.COLOURS, *words.VERBS]
    for phrase in [*clauses, *chain.from_iterable(words.RELATIONS.values())]:
        listed += phrase.split()
    return list(dict.fromkeys([*listed, *GRAMMAR]))


def build_tokenizer(
    special: Sequence[str], *, end: str, pad: str, chat_template: str
) -> PreTrainedTokenizerFast:
    """A unigram tokenizer in which each word costs one token with or without the blank before it.

    Args:
        special: markers of the backbone, never split.
        end: the token that ends a turn.
        pad: the padding token.
        chat_template: Jinja source as in the backbone's own tokenizer folder.
    """
    whole = [*world_words(), *TAGS, *PUNCTUATION]
    roles = ["user", "assistant", "USER", "ASSISTANT"]
    pieces = dict.fromkeys([*(BLANK + piece for piece in whole), *whole, BLANK, *roles])
    vocabulary = [(token, 0.0) for token in special]
    vocabulary += [(f"<0x{byte:02X}>", -20.0) for byte in range(256)]
    vocabulary += [(piece, -1.0) for piece in pieces]
    unigram = Tokenizer(models.Unigram(vocabulary, unk_id=len(special), byte_fallback=True))
    unigram.pre_tokenizer = pre_tokenizers.Metaspace(
        replacement=BLANK, prepend_scheme="never", split=True
    )
    unigram.decoder = decoders.Sequence(
        [decoders.Replace(BLANK, " "), decoders.ByteFallback(), decoders.Fuse()]
    )
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=unigram,
        eos_token=end,
        pad_token=pad,
        extra_special_tokens=[token for token in special if token not in (end, pad)],
    )
    tokenizer.chat_template = chat_template
    return tokenizer
