"""Whether there is a GPU."""


def sees_gpu() -> bool:
    """Whether torch sees a GPU."""
    import torch  # seconds, which a run on the CPU spends only once it needs its model

    return torch.cuda.is_available()
