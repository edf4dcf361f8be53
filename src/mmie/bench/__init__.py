"""What a GRPO step costs: this engine beside G repeated rows and beside TRL, on the same work."""
