"""What a GRPO step costs: this engine, G repeated rows and TRL on the same work."""
