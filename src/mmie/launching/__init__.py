"""The launcher ``gpus``: the jobs of a sweep side by side, each on devices of its own."""
