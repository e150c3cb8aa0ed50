"""Read a recording of a real kernel, and replay its cgroups under others."""

import slabcore
from slabcore import ms
from slabcore.traces import Trace, recording

trace = Trace.read(recording("ftrace-6.18"))
print(f"{len(trace.lives)} cgroups in {trace.span_ns / 1e9:.1f} s on {trace.cpus} CPUs")
for note in trace.notes():
    print(note)
waits = trace.rmdir_to_release_ns
print(f"6.18 released half of them within {waits[len(waits) // 2] / ms(1):.1f} ms")

for result in slabcore.compare("ftrace-6.18", ["4.9", "4.10", "4.11", "5.9"]):
    counters = result.counters
    print(
        f"{result.name:>4}: all gone after {counters['drained_ns'] / 1e9:5.1f} s,",
        f"cgroups dying at most {counters['cgroups']['peak_dying']},",
        f"caches at most {counters['caches']['peak'] - result.root_caches}",
    )
