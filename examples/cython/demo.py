"""Use what the package has compiled."""

from recent import Recent, until_gone

from slabcore import Kernel, Machine

recent = Recent(1000)
for i in range(100_000):
    recent.use(i * i % 1999)
print(f"hits {recent.hits}, misses {recent.misses}, kept {len(recent.keys())}")
print("used last:", recent.keys()[:5])

for design in ("4.8", "4.11"):
    events, now_ns = until_gone(Kernel(design, machine=Machine(cpus=2)), 10, 3)
    print(f"{design}: {events} events, all cgroups gone at {now_ns / 1e6:.1f} ms")

try:
    until_gone(Kernel("4.8", engine="reference"), 1, 1)
except TypeError as error:
    print("reference:", error)
