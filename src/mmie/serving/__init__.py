"""Who samples: this process, or a vLLM server."""
