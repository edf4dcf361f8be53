"""Kinds of errors that several tasks know. A task may have others; nothing else depends on them."""

SPAN, TYPE, RELATION, DIRECTION = "wrong span", "wrong type", "wrong relation", "swapped direction"
MISSED, INVENTED = "missed", "invented"
INVALID, TRUNCATED = "invalid answer", "truncated"
