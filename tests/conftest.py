"""One hypothesis profile for all tests: the same examples on every run, no timers."""

from hypothesis import settings

settings.register_profile("mmie", derandomize=True, deadline=None, max_examples=150)
settings.load_profile("mmie")
