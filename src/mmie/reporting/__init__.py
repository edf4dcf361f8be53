"""Tables, figures and pages of finished runs, from ``results.json`` and the files beside it."""
