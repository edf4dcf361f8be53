"""The case book: a page to look through what the systems reasoned and answered on a test set."""
