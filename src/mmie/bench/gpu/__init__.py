"""What one GPU does with this engine, measured in one run: ``python -m mmie.bench.gpu``."""
