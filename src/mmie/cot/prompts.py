"""What the teacher is asked, and how its words are read (JMERE-R1 appendices B and D, Figures 8, 9 and 10).

Deviations: 1. Figures 8 and 9 and the first words of Figure 10 are not in the paper's text: rebuilt from what it says.
2. The points of the scoring rules are ours; they add up to 1.0, and a wrong image description alone falls below 0.7.
3. The teacher is asked not to mention that it was given the 5-tuple and to write no tags, which would break eq. 4.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from mmie.types import Example

DISTIL = """\
Look at the image and the text of a tweet, from which one can extract a 5-tuple in the form \
[head entity, head entity type, tail entity, tail entity type, relation type]. \
Provide the extraction process, including:
1. A description of the image content.
2. The connection between the text and the image.
3. A reasoning process for extracting the 5-tuple (keep it concise).
There may be several 5-tuples: the reasoning has to reach each of them and no other. \
Write as if you had found them yourself; do not mention that they were given. Write plain text without any tags.
The text data is: {{{text}}}
The 5-tuple is: {{{answer}}}"""

REPREDICT = """\
Extract all 5-tuples in the form [head entity, head entity type, tail entity, tail entity type, relation type] from \
the image, the text of a tweet and the reasoning about them. Follow the reasoning; add nothing that it does not support.
Entity types: {types}.
Relation types: {relations}.
Entities are copied from the text letter by letter. Separate several 5-tuples by commas; if there is none, answer [].
The text data is: {{{text}}}
The reasoning is: {{{chain}}}
Output only the 5-tuples, in <answer> </answer> tags, for example: \
<answer>[Josh Gordon, per, Browns, org, member of]</answer>"""

RULE_SCORE = """\
Score the reasoning below, which was written to extract 5-tuples [head entity, head entity type, tail entity, \
tail entity type, relation type] from an image and the text of a tweet. \
Give points by these rules and no values between them.
Accuracy of the image description:
  0.4 everything it says of the image is visible, and what matters for the text is there
  0.2 right on the whole, but a detail is wrong or something that matters is missing
  0.0 it describes what is not in the image, or does not describe the image
Association of image and text:
  0.3 it says which entity of the text is seen in the image, or rightly that none is, and why
  0.1 it claims a connection without saying what it rests on
  0.0 no connection, or a wrong one
Completeness of the reasoning:
  0.3 entities, their types and the relation are each derived, for every 5-tuple, without contradiction
  0.1 a step is missing or one 5-tuple is only stated
  0.0 no reasoning, or it contradicts the image, the text or itself

Example 1
The text data is: {{Browns place WR Josh Gordon on the non-football illness list}}
The reasoning is: {{1. A football player in an orange helmet and a brown jersey stands on a field. 2. The colours are \
those of the Browns, so the player is the Josh Gordon of the text. 3. Josh Gordon is a person (per) and Browns a team \
(org); as their wide receiver he is a member of the Browns: [Josh Gordon, per, Browns, org, member of].}}
Image description: 0.4
Association: 0.3
Completeness: 0.3
Score: 1.0

Example 2
The text data is: {{Browns place WR Josh Gordon on the non-football illness list}}
The reasoning is: {{1. The image shows a football player lying in a hospital bed. 2. The image is about the text. \
3. The answer is [Josh Gordon, per, Browns, org, member of].}} (the image shows a player on a field)
Image description: 0.0
Association: 0.1
Completeness: 0.1
Score: 0.2

Now score this one in the same form; the last line is "Score: " with the sum.
The text data is: {{{text}}}
The reasoning is: {{{chain}}}"""

_FENCED = re.compile(r"```\w*\n(.*?)\n?```", re.DOTALL)
_THOUGHT = re.compile(r"<think>(.*?)</think>", re.DOTALL)
_TAG = re.compile(r"<\s*/?\s*(think|answer)\s*>", re.IGNORECASE)
_SCORE_LINE = re.compile(r"^[^\S\n]*+Score:(.*)$", re.MULTILINE)


def distil_prompt(example: Example, gold_answer: str) -> str:
    """Figure 10: write a chain for this text that leads to ``gold_answer``."""
    return DISTIL.format(text=example.text, answer=gold_answer)


def repredict_prompt(example: Example, chain: str, *, types: Sequence[str], relations: Sequence[str]) -> str:
    """Figure 8: read the quintuples off text and chain; the label is not shown, relations have blanks."""
    offered = ", ".join(relation.replace("_", " ") for relation in relations)
    return REPREDICT.format(types=", ".join(types), relations=offered, text=example.text, chain=chain)


def score_prompt(example: Example, chain: str) -> str:
    """Figure 9: score the chain by discrete rules, with two examples."""
    return RULE_SCORE.format(text=example.text, chain=chain)


def parse_score(text: str) -> float | None:
    """The number on the last line ``Score: <number>``; None where there is no such line or it is not within 0..1.

    Markdown's asterisks, a full stop and ``/1.0`` behind the number are overlooked; a number out of another whole is none.
    """
    lines = _SCORE_LINE.findall(text.replace("*", ""))
    points, _, whole = lines[-1].strip().rstrip(".").partition("/") if lines else ("", "", "")
    try:
        score, largest = float(points), float(whole or 1)
    except ValueError:
        return None
    return score if largest == 1 and 0.0 <= score <= 1.0 else None


def chain_of(text: str) -> str:
    """The chain in the teacher's words, without code fence and think tags around it.

    "" where a think or answer tag is left inside: such a chain would break the format of eq. 4.
    """
    chain = text.strip()
    for around in (_FENCED, _THOUGHT, _FENCED):
        whole = around.fullmatch(chain)
        chain = whole[1].strip() if whole else chain
    return "" if _TAG.search(chain) else chain
