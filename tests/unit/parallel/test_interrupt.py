"""Ctrl-C, as a real signal to a process of its own."""

import subprocess
import sys

import pytest

# 400 samples with covariates: no cells to share work, and genes that take milliseconds each
SCRIPT = """
import os, signal, sys, threading, time
import numpy as np
import countnest as cn

n_threads, m = int(sys.argv[1]), 400
cn.make_example_dataset(60, 12).deseq(quiet=True)  # compiles
example = cn.make_example_dataset(8000, m)
source = np.random.default_rng(1)
samples = example.samples.assign(**{f"x{i}": source.normal(size=m) for i in range(30)})
design = "~ condition + " + " + ".join(f"x{i}" for i in range(30))
dds = cn.DESeqDataSet(example.counts(), samples, design=design)
dds.estimate_size_factors()
before, shown = dds._state, repr(dds)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a process in the background may ignore it
sent = []

def interrupt():
    sent.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)

threading.Timer(float(sys.argv[2]), interrupt).start()
try:
    dds.deseq(n_threads=n_threads)
except KeyboardInterrupt:
    assert dds._state is before
    assert repr(dds) == shown
    assert threading.active_count() <= 2  # no thread of the engine is left
    print("stopped after", time.monotonic() - sent[0])
else:
    print("not interrupted")
"""


@pytest.mark.parametrize(("n_threads", "after"), [(1, 1.0), (3, 1.0), (3, 2.5)])
def test_ctrl_c_stops_soon_and_leaves_the_data_set_as_it_was(n_threads, after):
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(n_threads), str(after)], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert "this will take about" in run.stderr
    words = run.stdout.split()
    assert words[:2] == ["stopped", "after"], run.stdout
    assert float(words[2]) < 2.0
