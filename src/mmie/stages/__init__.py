"""The stages of a run: each reads earlier stages' folders and writes its own."""
