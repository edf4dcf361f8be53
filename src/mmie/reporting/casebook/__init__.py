"""The case book: one static page of what the models of several runs made of the same test samples (JMERE-R1, Figure 4)."""
