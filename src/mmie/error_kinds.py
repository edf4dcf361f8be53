"""The kinds of errors that readers ask for; each task says which of them its answers hold."""

SPAN, TYPE, RELATION, DIRECTION = "wrong span", "wrong type", "wrong relation", "swapped direction"
MISSED, INVENTED, INVALID, TRUNCATED = "missed", "invented", "invalid answer", "truncated"
KINDS = (SPAN, TYPE, RELATION, DIRECTION, MISSED, INVENTED, INVALID, TRUNCATED)
