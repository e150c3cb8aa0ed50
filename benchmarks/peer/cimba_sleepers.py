"""cimba's processes under the hold model: each sleeps, again and again.

Its compiler reads the annotations of a model as they stand here.
"""

import time

import cimba
from cimba import inputs


def elapsed(pending: int, events: int, rounds: int) -> list[float]:
    """Return the seconds of CPU time that about so many events took, by round."""

    class Sleepers(cimba.Model):
        delay: cimba.Input[float] = inputs.dist.exponential(mean=1)

        @cimba.process(copies=pending)
        def sleep(self):
            while True:
                cimba.hold(self.delay.next())

    model = Sleepers()

    def run(duration: float) -> float:
        window = cimba.Window(duration=duration)
        experiment = cimba.Experiment(model, window=window, seed=1)
        began = time.process_time()
        experiment.run()
        return time.process_time() - began

    run(1)  # compiles
    return [run(1 + events / pending) - run(1) for _ in range(rounds)]
