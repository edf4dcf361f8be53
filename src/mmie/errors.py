"""The errors whose messages are meant for the person at the terminal."""


class InputError(ValueError):
    """Bad input from outside: data, configuration, disk or network.

    The message is one line. It says what is wrong, where (file and line, or the configuration key)
    and what to do. ``run.py`` prints it and exits with status 2. Every other exception is a defect
    of this program and keeps its traceback.
    """


class NotFiniteError(InputError):
    """A loss, a gradient or logits are NaN or infinite.

    Either the training has diverged, or the weights are broken.
    """

    def __init__(self, what: str, where: str) -> None:
        advice = "lower the learning rate, or check the weights and the precision"
        super().__init__(f"{what} is not finite at {where}; {advice}")
