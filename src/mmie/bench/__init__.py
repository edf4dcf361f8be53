"""What a GRPO step costs: time and memory compared with other engines, and simulated memory."""
