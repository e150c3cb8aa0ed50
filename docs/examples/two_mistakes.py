"""What reviewers saw in the first posting of the series, found by running it."""

from slabcore import Kernel, Machine, compare, ms

PIN, RUN, CALLBACKS, DROP_CACHES = 6, 8, 9, 13  # steps of a program

for version in ("series-v1", "series-v2", "4.11"):
    # A task on one CPU frees pages of a typesafe cache behind 3000 other callbacks, and
    # computes; from the other CPU the cache is destroyed.
    kernel = Kernel(version, machine=Machine(cpus=2))
    kernel.create_cache(
        "sighand_cache",
        object_size=1000,
        accounted=True,
        typesafe=True,
        reclaimable=True,
    )
    task = [
        (PIN, 0, 1, 200, 0),
        (CALLBACKS, 3000, 0, 0, 0),
        (DROP_CACHES, 0, 0, 0, 0),
        (RUN, ms(400), 0, 0, 0),
    ]
    kernel.spawn(kernel.program(task))
    kernel.advance(ms(3))
    kernel.destroy_cache("sighand_cache")
    kernel.drain()
    missed = compare("hotplug", [version])[version].counters["findings"]
    faults = [*kernel.counters["findings"], *missed]
    print(f"{version}: {', '.join(sorted({fault['id'] for fault in faults}))}")
    for fault in faults:
        for event in fault.get("schedule", ()):
            at, cpu = f"{event['at_ns'] / ms(1):7.3f} ms", f"CPU {event['cpu']}"
            print(f"  {at}  {cpu}  {event['text']} ({event['ahead']} ahead)")
