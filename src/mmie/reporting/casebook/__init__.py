<<<<<<< HEAD
"""The case book: one page with the answers of several systems to the same test samples.

It is the interactive form of JMERE-R1, Figure 4.
"""
=======
"""The case book: a page to look through what the systems reasoned and answered on a test set."""
>>>>>>> main
