# cython: language_level=3, embedsignature=True, embedsignature.format=python
# cython: auto_pickle=False, autotestdict=False, allow_none_for_extension_args=False
# cython: cdivision=True
"""The compiled engine: one World owns everything, memory included.

A World's memory comes from slabcore.arena and goes back when the World does. Runs
release the GIL, so different Worlds may run in different threads. One that runs refuses
any other call, of whatever thread, but that a file is closed.
"""

SLABCORE_ABI = ABI

include "core/buffers.pxi"
include "core/slabinfo.pxi"
include "core/snapshot.pxi"
include "core/world.pxi"
include "core/timers.pxi"
include "core/traces.pxi"
include "core/intrusive_list.pxi"
include "core/field_list.pxi"
include "core/cache_lists.pxi"
include "core/seq_file.pxi"
include "core/rcu_queue.pxi"
