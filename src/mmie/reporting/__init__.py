"""What comes out of finished runs: tables, figures, pages. Reads ``results.json`` and what lies beside it, nothing else."""
