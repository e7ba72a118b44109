"""Say how a training goes, a line for each period."""

import time

from digits.core.history import Period

HEAD = """\
                         ---- log loss ----  - of predicted -  ---- accuracy ----  seconds
   model period   step    train  validation   train validation   train validation    left"""
ROW = "{:>8} {:6} {:6} {:8.4f} {:11.4f} {:7.3f} {:10.3f} {:7.4f} {:10.4f} {:>7}"


class Progress:
    """Prints periods of a model as they end, and how long the rest will take; ``done`` steps lie behind."""

    def __init__(self, model: str, steps: int, *, done: int) -> None:
        self.model, self.steps, self.done = model, steps, done
        self.start = time.monotonic()
        if done:
            print(f"{model} goes on after step {done} of {steps}")
        print(HEAD, flush=True)

    def show(self, period: Period) -> None:
        taken = period.step - self.done
        seconds_each = (time.monotonic() - self.start) / taken
        left = f"{seconds_each * (self.steps - period.step):.0f}"
        print(ROW.format(self.model, period.period, period.step, *period.figures(), left), flush=True)
