"""Print the progress of a training, a line for each period."""

import time

from digits.core.history import Period

HEAD = """\
                         ---- log loss ---- log loss (classes) ---- accuracy ----  seconds
   model period   step    train  validation   train validation   train validation    left"""
ROW = "{:>8} {:6} {:6} {:8.4f} {:11.4f} {:7.3f} {:10.3f} {:7.4f} {:10.4f} {:>7}"


class Progress:
    """Prints each period of a training and the time left; ``done`` steps were taken before this run."""

    def __init__(self, model: str, steps: int, *, done: int) -> None:
        self.model, self.steps, self.done = model, steps, done
        self.start = time.monotonic()
        if done:
            print(f"{model}: continuing from step {done} of {steps}")
        print(HEAD, flush=True)

    def show(self, period: Period) -> None:
        steps_taken = period.step - self.done
        seconds_each = (time.monotonic() - self.start) / steps_taken
        left = f"{seconds_each * (self.steps - period.step):.0f}"
        print(ROW.format(self.model, period.period, period.step, *period.scores(), left), flush=True)
