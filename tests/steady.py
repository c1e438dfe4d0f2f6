"""fallline's command line on a clock that counts work: ``python tests/steady.py run …`` says the same everywhere.

What is measured densely, and when the curvature is looked at, hangs on how long the training and the watching take. On
a machine that other work slows down that falls differently each time, so a test could pass today and fail tomorrow.
"""

import time

import torch

OPERATION = 60e-6  # seconds of training that an operation in the graph stands for: forward, backward and update
READ = 6e-6  # seconds that pass from one look at the clock to the next: what a hook takes

_reads = 0


def clock() -> float:
    """Seconds of work so far: of the training by the operations that the graph has seen, of watching by its looks."""
    global _reads
    _reads += 1
    return READ * _reads + OPERATION * torch.autograd._get_sequence_nr()


real = time.perf_counter, time.thread_time
time.perf_counter = time.thread_time = clock  # type: ignore[assignment]
from fallline.record import lookout, recorder  # noqa: E402, F401 (they take hold of their clock when they are loaded)

time.perf_counter, time.thread_time = real
from fallline.cli import main  # noqa: E402

if __name__ == "__main__":
    main()
