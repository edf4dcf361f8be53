"""What a run will cost, computed before anything is paid."""
