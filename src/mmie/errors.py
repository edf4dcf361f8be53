"""The one error class whose message is meant for the person at the terminal."""


class InputError(ValueError):
    """Bad input from outside: data, configuration, disk or network.

    The message is one line: what is wrong, where (file and line, or the configuration key), what to do.
    ``run.py`` prints it and exits with status 2; every other exception is a defect and keeps its traceback.
    """


class NotFiniteError(InputError):
    """A loss, a gradient or logits are NaN or infinite: the training has diverged, or the
    weights are broken.
    """

    def __init__(self, what: str, where: str) -> None:
        advice = "lower the learning rate, or check the weights and the precision"
        super().__init__(f"{what} is not finite at {where}; {advice}")
