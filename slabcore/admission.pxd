"""Whether a world that was read from bytes is one that can go on.

Each figure is one that its field can have; here it is asked whether they fit each
other: every entry is on the lists it belongs to and on no other, every task is where it
waits and where its functions stopped, holds the mutexes that they took, and what they
are about is there; every callback and work item has somebody who counts on it. Then the
invariants are asked. What passes takes no step from which memory is touched that is not
there.
"""

from libc.stdint cimport int8_t, int32_t, int64_t, uint8_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memset

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport NIL, arena, arena_zeroed
from slabcore.engine cimport engine
from slabcore.invariants cimport breach, ids_taken, world_broken
from slabcore.list cimport list_broken, list_head
from slabcore.memcontrol cimport (
    ID_WORDS,
    holding_at,
    id_set,
    mem_cgroup,
    memcg_at,
    obj_cgroup,
    objcg_at,
)
from slabcore.rcu cimport rcu_data, rcu_head
from slabcore.sched cimport (
    BARRIER_MUTEX,
    CGROUP_MUTEX,
    FRAMES,
    GONE,
    HOTPLUG_LOCK,
    LOCKS,
    MUTEXES,
    QUEUED,
    RUNNING,
    SLAB_MUTEX,
    SLEEPING,
    TASKS_A_CHUNK,
    UNINTERRUPTIBLE,
    cpu,
    frame,
    mutex,
    task,
    task_queue,
    work,
    work_list,
    worker_pool,
)
from slabcore.seq_file cimport SEQ_PAGE, SEQ_SECTION
from slabcore.programs cimport step_wrong
from slabcore.slab cimport (
    FREED,
    LIVE,
    MISSED,
    SHUT,
    accounted_at,
    cache_at,
    cache_links,
    kmem_cache,
    links_at,
    root_at,
    root_cache,
    root_slot,
    slot_missed,
)
from slabcore.snapshot cimport S_TIMERS, image, wrong
from slabcore.workqueue cimport QUEUES, pool_queue, work_at
from slabcore.world cimport (
    CB_BARRIER,
    CB_CACHE_FREE,
    CB_CACHE_KILLED,
    CB_CGROUP_FREE,
    CB_CSS_FREE,
    CB_CSS_KILLED,
    CB_DEACTIVATE,
    CB_OBJCG_KILLED,
    CB_SLAB,
    CB_WAKE,
    F_ALLOC,
    F_ATTACH,
    F_BARRIER,
    F_BARRIER_WORK,
    F_BURST,
    F_CGROUP_FREE_WORK,
    F_CONFIGURE,
    F_CREATE_ROOT,
    F_CREATE_WORK,
    F_DEACTIVATE,
    F_DEACTIVATE_WORK,
    F_DELETE_DIRECTORY,
    F_DESTROY,
    F_DESTROY_ROOT,
    F_DROP_CACHES,
    F_FLUSH_WORKQUEUE,
    F_FREE_OBJECTS,
    F_FREE_WORK,
    F_GROW,
    F_HOLD_MUTEX,
    F_HOTPLUG,
    F_MISS,
    F_MKDIR,
    F_OFFLINE_WORK,
    F_PROGRAM,
    F_READ_FILE,
    F_REAP_WORK,
    F_RELEASE_CACHE,
    F_RELEASE_LATER,
    F_RELEASE_WORK,
    F_REMOVE_DIRECTORY_WORK,
    F_RMDIR,
    F_SHUTDOWN,
    F_SHUTDOWN_WORK,
    F_SLABINFO,
    F_SOFTIRQ,
    F_SYNCHRONIZE,
    F_UNPIN,
    F_UNPIN_ALL,
    F_WORKER,
    MEMORY_OFFLINE,
    NAME_ROOM,
    OP_ALLOC,
    OP_AT,
    OP_CREATE_CACHE,
    OP_DESTROY_CACHE,
    OP_DROP_CACHES,
    OP_EXIT,
    OP_FORK,
    OP_FREE,
    OP_HOLD,
    OP_HOTPLUG,
    OP_JOIN,
    OP_MKDIR,
    OP_PIN,
    OP_PROBE,
    OP_RMDIR,
    OP_RMDIR_KEPT,
    OP_RUN,
    OP_SETTLE,
    OP_SLABINFO,
    OP_SLEEP,
    OP_WAIT,
    WATCH_CACHE,
    W_BARRIER,
    W_CGROUP_FREE,
    W_CGROUP_RELEASE,
    W_CREATE,
    W_DEACTIVATE,
    W_FREE,
    W_OFFLINE,
    W_REAP,
    W_RELEASE,
    W_REMOVE_DIRECTORY,
    W_SHUTDOWN,
    file_at,
    hold,
    open_file,
    program,
    task_at,
    watch,
    world,
)

cdef enum:
    FUNCTIONS = F_HOLD_MUTEX + 1
    PCS = 21
    CALLEES = 4
    ANY_STEP = 1            # of a program

cdef enum:  # how a task stands at a place of its innermost function
    RUNS = 1
    LOCKS_ONE = 2           # a mutex: it owns it, or is in its line
    KEEPS_OUT = 4           # hotplug: it is a reader, or is in the line
    PLUGS = 8               # hotplug: it is the writer, or is in the line
    SLEEPS = 16             # until a timer
    SYNCS = 32              # until a callback
    BARS = 64               # until the last callback of a barrier
    FLUSHES = 128
    WAITS = 256             # for its children
    IDLES = 512             # a kworker
    RESTS = 1024            # the softirq
    HOLDS = 2048            # a mutex, until let_go()

cdef enum:  # what is held
    H_CGROUP = 1
    H_SLAB = 2
    H_BARRIER = 4
    H_PLUG = 8
    H_BOTH = 10             # slab_mutex, with hotplug kept out

cdef enum:
    KILLED = 2              # it is in use, and a callback kills it


cdef struct stance:
    uint16_t how            # 0: no innermost function stands there
    uint8_t held            # what this function took
    uint8_t mutex           # that it takes there
    uint8_t callees[CALLEES]    # functions, 0 for none: nobody calls the softirq
    uint8_t known


cdef struct counts:         # of what there is, to be held against what is counted
    uint8_t *placed         # of each task: how many have it in a line or a queue
    uint8_t *live           # of each cgroup: it is not freed
    uint8_t *spare          # of each cache: its index is given back; or KILLED
    uint8_t *chained        # of each cache: it waits for its release on a list
    uint8_t *worked         # of each work item
    uint8_t *named          # of each byte of names: a name begins there
    uint8_t *steps          # of each cgroup: which steps towards its end are under way
    uint8_t *missed         # of each miss: a slot leads to it, or it is given back
    uint8_t *owned          # of each obj_cgroup: a cgroup's, or given back; or KILLED
    uint8_t *held           # of each holding, the same
    int64_t *in_flight      # of each cache
    int64_t *page_frees
    int64_t *works
    int64_t *dirs           # whose directory is to be removed
    int64_t *tasks          # of each cgroup
    int64_t *objcg_flights
    int64_t barriers
    int64_t shut_slots      # slots that a cache is in that is shut down


cdef inline void *zeroes(uint32_t count, size_t size) except NULL nogil:
    return arena_zeroed(<size_t>count + 1, size)


cdef inline int counts_new(counts *n, world *w) except -1 nogil:
    n.placed = <uint8_t *>zeroes(w.s.nchunks * TASKS_A_CHUNK, 1)
    n.live = <uint8_t *>zeroes(w.m.groups.used, 1)
    n.steps = <uint8_t *>zeroes(w.m.groups.used, 1)
    n.tasks = <int64_t *>zeroes(w.m.groups.used, sizeof(int64_t))
    n.spare = <uint8_t *>zeroes(w.c.caches.used, 1)
    n.chained = <uint8_t *>zeroes(w.c.caches.used, 1)
    n.in_flight = <int64_t *>zeroes(w.c.caches.used, sizeof(int64_t))
    n.page_frees = <int64_t *>zeroes(w.c.caches.used, sizeof(int64_t))
    n.works = <int64_t *>zeroes(w.c.caches.used, sizeof(int64_t))
    n.dirs = <int64_t *>zeroes(w.c.caches.used, sizeof(int64_t))
    n.objcg_flights = <int64_t *>zeroes(w.m.objcgs.used, sizeof(int64_t))
    n.worked = <uint8_t *>zeroes(w.q.works.used, 1)
    n.missed = <uint8_t *>zeroes(w.c.missed.used, 1)
    n.owned = <uint8_t *>zeroes(w.m.objcgs.used, 1)
    n.held = <uint8_t *>zeroes(w.m.holdings.used, 1)
    n.named = <uint8_t *>zeroes(w.names.used, 1)
    return 0


cdef inline void counts_free(counts *n) noexcept nogil:
    PyMem_RawFree(n.placed)
    PyMem_RawFree(n.live)
    PyMem_RawFree(n.steps)
    PyMem_RawFree(n.tasks)
    PyMem_RawFree(n.spare)
    PyMem_RawFree(n.chained)
    PyMem_RawFree(n.in_flight)
    PyMem_RawFree(n.page_frees)
    PyMem_RawFree(n.works)
    PyMem_RawFree(n.dirs)
    PyMem_RawFree(n.objcg_flights)
    PyMem_RawFree(n.worked)
    PyMem_RawFree(n.named)
    PyMem_RawFree(n.missed)
    PyMem_RawFree(n.owned)
    PyMem_RawFree(n.held)


# --- lists of the data plane --------------------------------------------------------


cdef inline bint lists_torn(world *w, image *m) noexcept nogil:
    """Tell whether a list has a torn link, or goes round."""
    cdef cache_links *base = links_at(&w.c, 0)
    cdef size_t stride = sizeof(cache_links)
    cdef root_cache *r
    cdef mem_cgroup *g
    cdef uint32_t i
    if w.c.links.used != w.c.caches.used:
        return wrong(m, "links", "there are not as many as caches", -1)
    if w.c.roots.used and list_broken(
        &w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache)
    ):
        return wrong(m, "roots", "slab_root_caches is torn", -1)
    if w.c.caches.used and (
        list_broken(&w.c.all, &base.caches, stride)
        or list_broken(&w.c.rcu_destroy, &base.caches, stride)
    ):
        return wrong(m, "links", "slab_caches is torn", -1)
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        if list_broken(&r.children, &base.children, stride) or (
            list_broken(&r.parked, &base.children, stride)
        ):
            return wrong(m, "roots", "the list of its children is torn", i)
        if r.shut and (r.children.length or r.parked.length):
            return wrong(m, "roots", "it is shut and has children", i)
    if list_broken(&w.m.all, &memcg_at(&w.m, 0).siblings, sizeof(mem_cgroup)):
        return wrong(m, "memcgs", "the list of them is torn", -1)
    for i in range(w.m.groups.used):
        g = memcg_at(&w.m, i)
        if g.kmem_caches.first != NIL and list_broken(
            &g.kmem_caches, &base.memcg, stride
        ):
            return wrong(m, "memcgs", "the list of its caches is torn", i)
        if g.objcg_list.first != NIL and list_broken(
            &g.objcg_list, &objcg_at(&w.m, 0).list, sizeof(obj_cgroup)
        ):
            return wrong(m, "memcgs", "objcg_list is torn", i)
        if (g.kmem_caches.first == NIL) != (g.kmem_caches.length == 0) or (
            (g.objcg_list.first == NIL) != (g.objcg_list.length == 0)
        ):
            return wrong(m, "memcgs", "a list is empty and has a length", i)
    return False


cdef inline bint groups_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Look at what cgroups say of themselves; find those that are not freed."""
    cdef mem_cgroup *g = memcg_at(&w.m, 0)
    cdef uint32_t i = w.m.all.first, count = 0
    if g.parent != NIL or g.dead or not g.online or g.kmem_online or g.refs < 1:
        return wrong(m, "memcgs", "the root is not the root", 0)
    n.live[0] = 1
    while i != NIL:
        if n.live[i]:
            return wrong(m, "memcgs", "the root is on the list", i)
        n.live[i] = 1
        count += 1
        i = memcg_at(&w.m, i).siblings.next
    if w.m.groups.used != 1 + count + w.m.groups.spares:
        return wrong(m, "memcgs", "one is neither there nor given back", -1)
    for i in range(w.m.groups.spares):
        if n.live[w.m.groups.spare[i]]:
            return wrong(m, "memcgs", "it is there and given back", i)
    for i in range(w.m.groups.used):
        g = memcg_at(&w.m, i)
        if not n.live[i]:
            if g.kmem_caches.first != NIL or g.objcg_list.first != NIL:
                return wrong(m, "memcgs", "it is freed and has something", i)
            continue
        if i and (
            g.parent == NIL
            or not n.live[g.parent]
            or memcg_at(&w.m, g.parent).serial >= g.serial
        ):
            return wrong(m, "memcgs", "its parent is not older", i)
        if g.kmem_online and (
            g.kmemcg_id < 0 or not g.online or not w.k.kmem
        ):
            return wrong(m, "memcgs", "it is accounted without an id", i)
        if g.online and not g.dead and i and not g.online_children:
            return wrong(m, "memcgs", "nothing of it is online", i)
        if g.serial > w.m.serial:
            return wrong(m, "memcgs", "it is younger than the youngest", i)
    return False


cdef inline bint ids_wrong(
    image *m, const id_set *s, const char *section
) noexcept nogil:
    """Tell whether a free id is below the word from which on one is looked for."""
    cdef uint32_t i
    for i in range(s.first_word):
        if s.words[i] != <uint64_t>-1:
            return wrong(m, section, "a free id is passed over", i)
    return False


cdef inline bint caches_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Look at what caches say of themselves, live ones and others."""
    cdef kmem_cache *c
    cdef cache_links *links
    cdef root_cache *r
    cdef uint32_t i, idle = 0
    if w.c.moved.used > w.c.caches.used or w.c.queued.used > w.c.caches.used or (
        w.c.plugged.used > w.c.caches.used
        or (w.c.hotplugs and w.c.plugged.used != w.c.caches.used)
    ):
        return wrong(m, "caches", "there are more records than caches, or too few", -1)
    for i in range(w.c.caches.spares):
        n.spare[w.c.caches.spare[i]] = 1
    for i in range(w.c.caches.used):
        c, links = cache_at(&w.c, i), links_at(&w.c, i)
        r = root_at(&w.c, links.root)
        idle += c.life == FREED and not c.page_frees and not c.works
        if n.spare[i] and (c.life != FREED or c.page_frees or c.works):
            return wrong(m, "caches", "it is given back and in use", i)
        if c.life != LIVE:
            continue
        if r.shut or (links.memcg_index == NIL) != (r.cache == i):
            return wrong(m, "caches", "it is alive and its root is not", i)
        if links.memcg_index != NIL and (
            not n.live[links.memcg_index] or not w.k.children or not r.accounted
        ):
            return wrong(m, "caches", "it is of a cgroup that has none", i)
        if not c.kobject or c.released or c.kobject <= c.lost:
            return wrong(m, "caches", "it is alive and nobody refers to it", i)
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        if not r.leaked:
            continue
        c = cache_at(&w.c, r.cache)
        if not r.shut or c.life != SHUT or links_at(&w.c, r.cache).root != i:
            return wrong(m, "roots", "it is leaked and there, or freed", i)
        if c.inuse > <int64_t>c.slabs * r.per_slab or (
            c.pinned > c.inuse or c.in_flight > c.inuse - c.pinned
        ):
            return wrong(m, "roots", "it is leaked with more objects than it has", i)
        n.chained[r.cache] = 1      # nobody releases it
    i = w.c.rcu_destroy.first
    while i != NIL:
        if cache_at(&w.c, i).life != SHUT or n.chained[i]:
            return wrong(m, "caches", "it is on rcu_destroy and not shut down", i)
        n.chained[i] = 1
        i = links_at(&w.c, i).caches.next
    if idle != w.c.caches.spares:
        return wrong(m, "caches", "one is freed and not given back", -1)
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        c = cache_at(&w.c, r.cache)
        if not r.shut and (
            c.life != LIVE
            or links_at(&w.c, r.cache).memcg_index != NIL
            or links_at(&w.c, r.cache).root != i
            or c.serial != r.serial
        ):
            return wrong(m, "roots", "its cache is another's", i)
        if <int64_t>r.per_slab * r.size > w.c.page_size << r.order:
            return wrong(m, "roots", "more objects are in a slab than fit", i)
    return accounted_wrong(w, m)


cdef inline bint accounted_wrong(world *w, image *m) noexcept nogil:
    cdef uint32_t i, accounted = 0
    for i in range(w.c.roots.used):
        accounted += root_at(&w.c, i).accounted
    if w.c.accounted.used != accounted:
        return wrong(m, "accounted", "not all accounted roots are there", -1)
    for i in range(w.c.accounted.used):
        if not root_at(&w.c, accounted_at(&w.c, i)).accounted or (
            i and accounted_at(&w.c, i) <= accounted_at(&w.c, i - 1)
        ):
            return wrong(m, "accounted", "the root is not, or stands there twice", i)
    return False


cdef inline bint slots_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether a slot leads nowhere, or two to the same miss."""
    cdef uint8_t *missed = n.missed
    cdef uint32_t i, j, slot
    cdef root_cache *r
    cdef bint bad = False
    for i in range(w.c.missed.spares):
        missed[w.c.missed.spare[i]] = 1
    for i in range(w.c.roots.used):
        r = root_at(&w.c, i)
        for j in range(0 if r.slots == NULL else w.c.nr_ids):
            slot = r.slots[j]
            if slot == NIL or bad:
                continue
            if slot_missed(slot):
                slot &= ~<uint32_t>MISSED
                bad = slot >= w.c.missed.used or missed[slot]
                if not bad:
                    missed[slot] = 1
            else:
                bad = slot >= w.c.caches.used
                n.shut_slots += not bad and cache_at(&w.c, slot).life != LIVE
            if bad:
                wrong(m, "slots", "a slot of this root leads nowhere", i)
    for i in range(w.c.missed.used):
        if not missed[i] and not bad:
            bad = wrong(m, "missed", "no slot has it", i)
    return bad


cdef inline bint objcgs_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether an obj_cgroup, or what one holds, has two owners."""
    cdef uint8_t *owned = n.owned
    cdef uint8_t *held = n.held
    cdef mem_cgroup *g
    cdef obj_cgroup *o
    cdef uint32_t i, j
    cdef bint bad = False
    for i in range(w.m.holdings.spares):
        held[w.m.holdings.spare[i]] = 1
    for i in range(w.m.objcgs.spares):
        owned[w.m.objcgs.spare[i]] = 1
    for i in range(w.m.groups.used):
        g = memcg_at(&w.m, i)
        if not n.live[i]:
            continue
        # Who takes it offline takes its obj_cgroup away last (totals_wrong()).
        if (i and w.k.by_object and g.kmem_online) != (g.objcg != NIL) and (
            g.objcg == NIL or not i or not w.k.by_object
        ):
            bad = wrong(m, "memcgs", "it has an obj_cgroup, or none", i)
        j = g.objcg
        if j == NIL:
            j = g.objcg_list.first
        while j != NIL and not bad:
            bad = owned[j] or objcg_at(&w.m, j).memcg != i
            owned[j] = 1
            j = g.objcg_list.first if j == g.objcg else objcg_at(&w.m, j).list.next
        if bad and m.wrong.section == NULL:
            wrong(m, "memcgs", "an obj_cgroup of it is another's", i)
    for i in range(w.m.objcgs.used):
        o = objcg_at(&w.m, i)
        if not owned[i] and not bad:
            bad = wrong(m, "objcgs", "it is no cgroup's", i)
        j = o.first if o.memcg != NIL and not bad else NIL
        while j != NIL and not bad:
            if held[j]:
                bad = wrong(m, "objcgs", "what it holds another holds", i)
            held[j] = 1
            j = holding_at(&w.m, j).next
    for i in range(w.m.holdings.used):
        if not held[i] and not bad:
            bad = wrong(m, "holdings", "it is nobody's", i)
    return bad


# --- what is kept -------------------------------------------------------------------


cdef inline bint delays_wrong(world *w, image *m) noexcept nogil:
    """Tell whether read_delays() would read other than what there is."""
    cdef const uint8_t *byte = <const uint8_t *>w.delays.entries
    cdef uint32_t i
    cdef int64_t count = 0, long_ = 0
    cdef uint64_t delay = 0, rest = 0
    for i in range(w.delays.used):
        if long_ > 8:
            return wrong(m, "delays", "a delay is longer than any", i)
        rest |= <uint64_t>(byte[i] & 127) << (7 * long_)
        long_ += 1
        if not byte[i] & 128:
            delay += (rest >> 1) ^ -(rest & 1)
            if <int64_t>delay < 0:
                return wrong(m, "delays", "a delay is less than none", i)
            count += 1
            rest = long_ = 0
    if long_ or count != w.ndelays or <int64_t>delay != w.last_delay:
        return wrong(m, "delays", "they are not as many, or end otherwise", -1)
    return False


cdef inline bint name_there(world *w, const counts *n, uint32_t at) noexcept nogil:
    """Tell whether a name begins there, or none is meant."""
    return at == NIL or (at < w.names.used and n.named[at])


cdef inline bint names_wrong(world *w, image *m, counts *n) noexcept nogil:
    cdef const uint8_t *names = <const uint8_t *>w.names.entries
    cdef uint32_t i = 0, r
    while i < w.names.used:
        if not 0 < names[i] < NAME_ROOM or names[i] >= w.names.used - i:
            return wrong(m, "names", "a name has no such length", i)
        n.named[i] = 1
        i += 1 + names[i]
    for r in range(w.c.roots.used):
        if not name_there(w, n, root_at(&w.c, r).name):
            return wrong(m, "roots", "its name begins in the middle of one", r)
    return False


cdef inline bint steps_wrong(world *w, image *m) noexcept nogil:
    cdef const program *p
    cdef uint32_t i
    cdef int64_t j, first = 0
    for i in range(w.programs.used):
        p = &(<const program *>w.programs.entries)[i]
        for j in range(p.nsteps):
            if step_wrong(&p.steps[5 * j], i) != NULL:
                return wrong(m, "steps", step_wrong(&p.steps[5 * j], i), first + j)
        first += p.nsteps
    return False


cdef inline bint files_wrong(world *w, image *m) noexcept nogil:
    cdef const open_file *o
    cdef uint32_t i
    for i in range(w.files.used):
        o = file_at(w, i)
        if o == NULL:
            continue
        if o.next == SEQ_SECTION and (not o.by_program or o.seq.size < SEQ_PAGE):
            return wrong(m, "files", "it is in the middle of a read that is none", i)
        if o.kind and o.by_program:
            return wrong(m, "files", "no program reads it", i)
    return False


# --- how tasks stand ----------------------------------------------------------------


cdef inline stance *at_place(stance *s, int function, int pc) noexcept nogil:
    return &s[function * PCS + pc]


cdef inline void stands(
    stance *s, int function, int pc, int how, int held
) noexcept nogil:
    cdef stance *one = at_place(s, function, pc)
    one.known = True
    one.how |= <uint16_t>how
    one.held = <uint8_t>held


cdef inline void all_stand(
    stance *s, int function, int pcs, int how, int held
) noexcept nogil:
    """Say the same of several places, a bit each."""
    cdef int pc
    for pc in range(PCS):
        if pcs >> pc & 1:
            stands(s, function, pc, how, held)


cdef inline void locks(
    stance *s, int function, int pc, int number, int held
) noexcept nogil:
    """Say that it takes a mutex there, besides those that are held."""
    stands(s, function, pc, LOCKS_ONE, held)
    at_place(s, function, pc).mutex = <uint8_t>number


cdef inline void calls(
    stance *s, int function, int pc, int held, int callee
) noexcept nogil:
    cdef stance *one = at_place(s, function, pc)
    cdef int i = 0
    stands(s, function, pc, 0, held)
    while one.callees[i]:
        i += 1
    one.callees[i] = <uint8_t>callee


cdef inline void stances_of_programs(stance *s) noexcept nogil:
    """Say where programs, and calls that were begun, may have stopped."""
    stands(s, F_PROGRAM, 0, RUNS, 0)
    stands(s, F_PROGRAM, 1, SLEEPS, 0)
    stands(s, F_PROGRAM, 2, RUNS | SLEEPS | WAITS, 0)
    at_place(s, F_PROGRAM, 2).mutex = ANY_STEP
    calls(s, F_PROGRAM, 3, 0, F_MKDIR)
    calls(s, F_PROGRAM, 4, 0, F_RMDIR)
    stands(s, F_PROGRAM, 5, RUNS, 0)
    stands(s, F_PROGRAM, 6, RUNS, 0)
    calls(s, F_PROGRAM, 7, 0, F_CREATE_ROOT)
    calls(s, F_PROGRAM, 8, 0, F_RMDIR)
    stands(s, F_PROGRAM, 9, SLEEPS, 0)
    locks(s, F_PROGRAM, 10, CGROUP_MUTEX, 0)
    stands(s, F_PROGRAM, 11, RUNS, H_CGROUP)
    calls(s, F_BURST, 0, 0, F_ALLOC)
    stands(s, F_BURST, 1, RUNS, 0)
    all_stand(s, F_ALLOC, 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4, RUNS, 0)
    calls(s, F_ALLOC, 2, 0, F_MISS)
    stands(s, F_MISS, 1, RUNS, 0)
    all_stand(s, F_FREE_OBJECTS, 1 << 0 | 1 << 1 | 1 << 2, RUNS, 0)
    all_stand(s, F_UNPIN, 1 << 1 | 1 << 2, RUNS, 0)
    all_stand(s, F_UNPIN_ALL, 1 << 1 | 1 << 2, RUNS, 0)
    stands(s, F_DROP_CACHES, 0, RUNS, 0)
    calls(s, F_DROP_CACHES, 1, 0, F_UNPIN)
    calls(s, F_DROP_CACHES, 2, 0, F_UNPIN_ALL)
    calls(s, F_DROP_CACHES, 4, 0, F_UNPIN_ALL)
    stands(s, F_SLABINFO, 1, SLEEPS, 0)
    calls(s, F_SLABINFO, 2, 0, F_READ_FILE)
    # Which mutex a section of a file is read under stands in its frame.
    locks(s, F_READ_FILE, 1, CGROUP_MUTEX, 0)
    stands(s, F_READ_FILE, 2, RUNS, 0)
    stands(s, F_HOLD_MUTEX, 0, RUNS, 0)
    locks(s, F_HOLD_MUTEX, 1, CGROUP_MUTEX, 0)
    stands(s, F_HOLD_MUTEX, 2, HOLDS, 0)


cdef inline void stances_of_cgroups(stance *s) noexcept nogil:
    stands(s, F_MKDIR, 0, RUNS, 0)
    locks(s, F_MKDIR, 1, CGROUP_MUTEX, 0)
    stands(s, F_MKDIR, 2, RUNS, H_CGROUP)
    calls(s, F_MKDIR, 3, H_CGROUP, F_GROW)
    locks(s, F_GROW, 1, SLAB_MUTEX, 0)
    stands(s, F_GROW, 2, RUNS, H_SLAB)
    stands(s, F_RMDIR, 0, RUNS, 0)
    locks(s, F_RMDIR, 1, CGROUP_MUTEX, 0)
    stands(s, F_RMDIR, 2, RUNS, H_CGROUP)
    stands(s, F_ATTACH, 0, RUNS, 0)
    locks(s, F_ATTACH, 1, CGROUP_MUTEX, 0)
    calls(s, F_ATTACH, 2, H_CGROUP, F_SYNCHRONIZE)
    stands(s, F_ATTACH, 4, RUNS, H_CGROUP)
    locks(s, F_OFFLINE_WORK, 1, CGROUP_MUTEX, 0)
    stands(s, F_OFFLINE_WORK, 2, RUNS, H_CGROUP)
    stands(s, F_OFFLINE_WORK, 3, RUNS, H_CGROUP)
    calls(s, F_OFFLINE_WORK, 3, H_CGROUP, F_DEACTIVATE)
    locks(s, F_RELEASE_WORK, 1, CGROUP_MUTEX, 0)
    stands(s, F_RELEASE_WORK, 2, RUNS, H_CGROUP)
    stands(s, F_FREE_WORK, 1, RUNS, 0)
    calls(s, F_FREE_WORK, 2, 0, F_DESTROY)
    stands(s, F_CGROUP_FREE_WORK, 1, RUNS, 0)


cdef inline void begins_with_slab_mutex(stance *s, int function) noexcept nogil:
    stands(s, function, 0, KEEPS_OUT, 0)
    locks(s, function, 1, SLAB_MUTEX, H_PLUG)


cdef inline void stances_of_caches(stance *s) noexcept nogil:
    begins_with_slab_mutex(s, F_CREATE_ROOT)
    all_stand(s, F_CREATE_ROOT, 1 << 2 | 1 << 4 | 1 << 5, RUNS, H_BOTH)
    calls(s, F_CREATE_ROOT, 6, H_BOTH, F_CONFIGURE)
    begins_with_slab_mutex(s, F_CREATE_WORK)
    all_stand(s, F_CREATE_WORK, 1 << 2 | 1 << 3, RUNS, H_BOTH)
    calls(s, F_CREATE_WORK, 4, H_BOTH, F_CONFIGURE)
    calls(s, F_CONFIGURE, 0, 0, F_SYNCHRONIZE)
    begins_with_slab_mutex(s, F_DEACTIVATE)
    all_stand(
        s, F_DEACTIVATE,
        1 << 2 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 10 | 1 << 12 | 1 << 13 | 1 << 15,
        RUNS, H_BOTH,
    )
    calls(s, F_DEACTIVATE, 4, H_BOTH, F_SYNCHRONIZE)
    calls(s, F_DEACTIVATE, 8, H_PLUG, F_SYNCHRONIZE)
    locks(s, F_DEACTIVATE, 9, SLAB_MUTEX, H_PLUG)
    begins_with_slab_mutex(s, F_DEACTIVATE_WORK)
    all_stand(s, F_DEACTIVATE_WORK, 1 << 2 | 1 << 3, RUNS, H_BOTH)
    calls(s, F_DEACTIVATE_WORK, 4, H_BOTH, F_DELETE_DIRECTORY)
    stands(s, F_DELETE_DIRECTORY, 1, RUNS, 0)
    calls(s, F_REMOVE_DIRECTORY_WORK, 1, 0, F_DELETE_DIRECTORY)
    stands(s, F_REMOVE_DIRECTORY_WORK, 3, RUNS, 0)
    begins_with_slab_mutex(s, F_DESTROY)
    stands(s, F_DESTROY, 2, RUNS, H_BOTH)
    calls(s, F_DESTROY, 4, H_BOTH, F_SHUTDOWN)
    calls(s, F_DESTROY, 5, 0, F_RELEASE_LATER)
    begins_with_slab_mutex(s, F_SHUTDOWN_WORK)
    calls(s, F_SHUTDOWN_WORK, 2, H_BOTH, F_SHUTDOWN)
    calls(s, F_SHUTDOWN_WORK, 4, 0, F_RELEASE_LATER)
    all_stand(s, F_SHUTDOWN, 1 << 1 | 1 << 2, RUNS, 0)
    calls(s, F_SHUTDOWN, 3, 0, F_DELETE_DIRECTORY)
    calls(s, F_SHUTDOWN, 4, 0, F_RELEASE_CACHE)
    calls(s, F_RELEASE_LATER, 1, 0, F_BARRIER)
    calls(s, F_RELEASE_LATER, 1, 0, F_RELEASE_CACHE)
    calls(s, F_RELEASE_LATER, 2, 0, F_DELETE_DIRECTORY)
    calls(s, F_RELEASE_LATER, 3, 0, F_BARRIER)
    stands(s, F_RELEASE_CACHE, 1, RUNS, 0)
    locks(s, F_BARRIER_WORK, 1, SLAB_MUTEX, 0)
    calls(s, F_BARRIER_WORK, 2, 0, F_BARRIER)
    calls(s, F_BARRIER_WORK, 2, 0, F_RELEASE_CACHE)
    stances_of_roots(s)


cdef inline void stances_of_roots(stance *s) noexcept nogil:
    """Say where the destruction of a root may have stopped, and what walks them all."""
    locks(s, F_DESTROY_ROOT, 1, SLAB_MUTEX, 0)
    calls(s, F_DESTROY_ROOT, 3, 0, F_BARRIER)
    calls(s, F_DESTROY_ROOT, 4, 0, F_FLUSH_WORKQUEUE)
    stands(s, F_DESTROY_ROOT, 5, KEEPS_OUT, 0)
    calls(s, F_DESTROY_ROOT, 5, 0, F_BARRIER)
    locks(s, F_DESTROY_ROOT, 6, SLAB_MUTEX, H_PLUG)
    calls(s, F_DESTROY_ROOT, 7, 0, F_BARRIER)
    calls(s, F_DESTROY_ROOT, 8, 0, F_FLUSH_WORKQUEUE)
    stands(s, F_DESTROY_ROOT, 9, KEEPS_OUT, 0)
    calls(s, F_DESTROY_ROOT, 9, 0, F_BARRIER)
    locks(s, F_DESTROY_ROOT, 10, SLAB_MUTEX, H_PLUG)
    calls(s, F_DESTROY_ROOT, 12, H_BOTH, F_SHUTDOWN)
    stands(s, F_DESTROY_ROOT, 14, RUNS, H_BOTH)
    calls(s, F_DESTROY_ROOT, 16, H_BOTH, F_SHUTDOWN)
    calls(s, F_DESTROY_ROOT, 18, H_BOTH, F_SHUTDOWN)
    calls(s, F_DESTROY_ROOT, 19, 0, F_DELETE_DIRECTORY)
    calls(s, F_DESTROY_ROOT, 20, 0, F_RELEASE_LATER)
    stands(s, F_HOTPLUG, 0, RUNS, 0)
    stands(s, F_HOTPLUG, 1, PLUGS, 0)
    locks(s, F_HOTPLUG, 2, SLAB_MUTEX, H_PLUG)
    all_stand(s, F_HOTPLUG, 1 << 3 | 1 << 4 | 1 << 5, RUNS, H_BOTH)
    all_stand(s, F_REAP_WORK, 1 << 1 | 1 << 2, RUNS, H_SLAB)


cdef inline void stances_of_time(stance *s) noexcept nogil:
    stands(s, F_SOFTIRQ, 0, RESTS, 0)
    stands(s, F_SOFTIRQ, 1, RUNS, 0)
    stands(s, F_WORKER, 0, IDLES, 0)
    stands(s, F_WORKER, 2, RUNS, 0)
    stands(s, F_WORKER, 5, 0, 0)
    stands(s, F_SYNCHRONIZE, 1, SYNCS, 0)
    stands(s, F_SYNCHRONIZE, 2, RUNS, 0)
    locks(s, F_BARRIER, 1, BARRIER_MUTEX, 0)
    stands(s, F_BARRIER, 3, RUNS, H_BARRIER)
    stands(s, F_BARRIER, 4, BARS, H_BARRIER)
    all_stand(s, F_FLUSH_WORKQUEUE, 1 << 1 | 1 << 2, FLUSHES, 0)


cdef inline int work_function(int kind) noexcept nogil:
    """Return the function that runs an item of a kind (call_work(), paths.pxd)."""
    if kind == W_CREATE:
        return F_CREATE_WORK
    if kind == W_OFFLINE:
        return F_OFFLINE_WORK
    if kind == W_RELEASE or kind == W_CGROUP_RELEASE:
        return F_RELEASE_WORK
    if kind == W_FREE:
        return F_FREE_WORK
    if kind == W_CGROUP_FREE:
        return F_CGROUP_FREE_WORK
    if kind == W_DEACTIVATE:
        return F_DEACTIVATE_WORK
    if kind == W_REAP:
        return F_REAP_WORK
    if kind == W_SHUTDOWN:
        return F_SHUTDOWN_WORK
    if kind == W_REMOVE_DIRECTORY:
        return F_REMOVE_DIRECTORY_WORK
    return F_BARRIER_WORK


cdef inline bint step_fits(int64_t op, int pc, int callee) noexcept nogil:
    """Tell whether a program stands at *pc* in a step; callee: what it called, or 0."""
    if pc == 2:
        if not callee:
            return op in (OP_SLEEP, OP_AT, OP_RUN, OP_WAIT)
        if op == OP_ALLOC or op == OP_PIN:
            return callee == F_BURST
        if op == OP_DROP_CACHES:
            return callee == F_DROP_CACHES
        if op == OP_HOTPLUG:
            return callee == F_HOTPLUG
        if op == OP_JOIN:
            return callee == F_ATTACH
        if op == OP_SLABINFO:
            return callee == F_SLABINFO
        if op == OP_HOLD:
            return callee == F_ALLOC
        if op == OP_FREE:
            return callee == F_FREE_OBJECTS
        return op == OP_DESTROY_CACHE and callee == F_DESTROY_ROOT
    if pc == 3:
        return op == OP_MKDIR
    if pc == 4:
        return op == OP_RMDIR
    if pc == 5:
        return op == OP_FORK
    if pc == 6:
        return op == OP_EXIT
    if pc == 7:
        return op == OP_CREATE_CACHE
    if pc == 8:
        return op == OP_RMDIR_KEPT
    return op == OP_SETTLE if pc == 9 else op == OP_PROBE


cdef inline bint bottom(int function) noexcept nogil:
    """Tell whether a task may begin with a function."""
    return function in (
        F_SOFTIRQ, F_WORKER, F_PROGRAM, F_MKDIR, F_RMDIR, F_ATTACH, F_ALLOC,
        F_FREE_OBJECTS, F_DROP_CACHES, F_HOTPLUG, F_HOLD_MUTEX,
    )


# --- what functions are about -------------------------------------------------------


cdef inline bint cache_is(
    world *w, uint32_t cache, int life
) noexcept nogil:
    return cache < w.c.caches.used and cache_at(&w.c, cache).life == life


cdef inline bint cache_serves(world *w, uint32_t cache) noexcept nogil:
    """Tell whether a cache may have objects in flight: what is leaked keeps its own."""
    if cache_is(w, cache, LIVE):
        return True
    return cache_is(w, cache, SHUT) and (
        root_at(&w.c, links_at(&w.c, cache).root).leaked
        and root_at(&w.c, links_at(&w.c, cache).root).cache == cache
    )


cdef inline bint root_there(world *w, uint32_t root) noexcept nogil:
    return root < w.c.roots.used and not root_at(&w.c, root).shut


cdef inline bint root_has_children(world *w, uint32_t root) noexcept nogil:
    """Tell whether a root has children, or had some if it is shut."""
    return w.k.children and root < w.c.roots.used and root_at(&w.c, root).accounted


cdef inline bint memcg_there(
    world *w, const counts *n, uint32_t memcg
) noexcept nogil:
    return memcg < w.m.groups.used and n.live[memcg]


cdef inline bint chain_wrong(
    world *w, counts *n, uint32_t cache
) noexcept nogil:
    """Tell whether a list of caches to release has others, or goes round."""
    while cache != NIL:
        if not cache_is(w, cache, SHUT) or n.chained[cache]:
            return True
        n.chained[cache] = 1
        cache = links_at(&w.c, cache).caches.next
    return False


cdef inline bint under_way(counts *n, uint32_t memcg, int step) noexcept nogil:
    """Note a step towards a cgroup's end; tell whether it is under way already."""
    cdef bint twice = n.steps[memcg] >> step & 1
    n.steps[memcg] |= <uint8_t>(1 << step)
    return twice


cdef inline bint alloc_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    if f.a >= w.c.roots.used or not memcg_there(w, n, f.b) or f.c > 2:
        return True
    if not 0 <= f.i <= f.n or f.n > 0x7FFFFFFF:
        return True
    if f.pc == 2 or f.pc == 3:
        if f.v != NIL:
            if not 0 <= f.v < w.m.objcgs.used or (
                objcg_at(&w.m, <uint32_t>f.v).memcg == NIL
            ):
                return True
            n.objcg_flights[f.v] += 1
    if f.pc == 2:
        return f.d != root_at(&w.c, f.a).cache
    if f.pc == 3:
        if not cache_serves(w, f.d) or links_at(&w.c, f.d).root != f.a:
            return True
        n.in_flight[f.d] += 1
    return False


cdef inline bint create_root_wrong(
    world *w, const counts *n, const frame *f
) noexcept nogil:
    if not 1 <= f.a <= <uint32_t>1 << 30 or f.b >= 32:
        return True
    if not name_there(w, n, f.d):
        return True
    if f.pc == 2 and f.c == NIL:
        return False
    return (f.pc == 2 or f.pc == 5) and not root_there(w, f.c)


cdef inline bint deactivate_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    if not memcg_there(w, n, f.a) or memcg_at(&w.m, f.a).kmemcg_id < 0:
        return True
    if not 0 <= f.i <= w.c.accounted.used:
        return True
    if f.pc in (4, 5, 6, 12, 13):
        return (
            not root_there(w, f.b)
            or not cache_is(w, f.c, LIVE)
            or root_slot(&w.c, f.b, memcg_at(&w.m, f.a).kmemcg_id) != f.c
        )
    return False


cdef inline bint destroy_root_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    cdef const root_cache *r
    if f.a >= w.c.roots.used or (f.pc < 18 and not root_there(w, f.a)):
        return True
    r = root_at(&w.c, f.a)
    if f.pc < 11:
        return False
    if f.pc < 20 and chain_wrong(w, n, f.b):
        return True
    if f.pc == 12:
        if not 0 <= f.i < w.c.nr_ids or r.slots == NULL or r.slots[f.i] != f.c or (
            f.c >= w.c.caches.used
        ):
            return True
        # It is taken out of its slot as soon as it is shut down.
        n.shut_slots -= cache_at(&w.c, f.c).life != LIVE
        return False
    if f.pc == 16 and f.d != NIL:
        return (
            not cache_is(w, f.d, LIVE) or links_at(&w.c, f.d).root != f.a or f.c == f.d
            or links_at(&w.c, f.d).memcg_index == NIL
        )
    if f.pc == 16:
        return f.c >= w.c.caches.used
    return f.pc == 18 and r.children.length != 0


cdef inline bint cgroup_work_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    """Look at a step towards the end of cgroup a."""
    cdef const mem_cgroup *g
    if not memcg_there(w, n, f.a) or not f.a:
        return True
    g = memcg_at(&w.m, f.a)
    if f.function == F_OFFLINE_WORK:
        if under_way(n, f.a, 0) or not g.dead or not g.online or g.online_children:
            return True
        if f.pc == 3 and not 0 <= f.i <= 1:
            return True
        n.steps[f.a] |= <uint8_t>(f.pc == 3 and f.i != 0) << 2
        return f.pc == 3 and f.i != 0 and (
            g.kmemcg_id < 0 or g.kmem_online or (w.k.by_object and g.objcg == NIL)
        )
    if under_way(n, f.a, 1) or g.refs or g.online:
        return True
    if f.function == F_RELEASE_WORK:
        return f.b != CB_CSS_FREE and f.b != CB_CGROUP_FREE
    return False


cdef inline bint about_caches_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    """Look at what functions of slab_common are about."""
    cdef int function = f.function, pc = f.pc
    if function == F_CREATE_ROOT:
        return create_root_wrong(w, n, f)
    if function == F_CREATE_WORK:
        if not root_has_children(w, f.a) or not memcg_there(w, n, f.b):
            return True
        return pc > 2 and (
            not root_there(w, f.a)
            or memcg_at(&w.m, f.b).kmemcg_id < 0
            or root_slot(&w.c, f.a, memcg_at(&w.m, f.b).kmemcg_id) != NIL
        )
    if function == F_CONFIGURE:
        return not 0 <= f.i <= w.c.memory_nodes
    if function == F_DEACTIVATE:
        return deactivate_wrong(w, n, f)
    if function == F_DEACTIVATE_WORK or function == F_SHUTDOWN_WORK:
        if f.a >= w.c.caches.used or links_at(&w.c, f.a).memcg_index == NIL:
            return True
        n.works[f.a] += 1
        if function == F_SHUTDOWN_WORK:
            return pc == 2 and chain_wrong(w, n, f.b)
        return pc > 1 and cache_at(&w.c, f.a).life != LIVE
    if function == F_DELETE_DIRECTORY:
        return f.a >= w.c.caches.used
    if function == F_REMOVE_DIRECTORY_WORK:
        if f.a >= w.c.caches.used or cache_at(&w.c, f.a).life == FREED:
            return True
        n.dirs[f.a] += pc == 1
        return False
    if function == F_DESTROY:
        if not memcg_there(w, n, f.a):
            return True
        return pc == 4 and chain_wrong(w, n, f.b)
    if function == F_SHUTDOWN:
        if not cache_is(w, f.a, SHUT if pc == 4 else LIVE):
            return True
        return pc < 4 and links_at(&w.c, f.a).memcg_index == NIL and (
            root_at(&w.c, links_at(&w.c, f.a).root).children.length != 0
        )
    if function == F_RELEASE_LATER:
        if pc > 1 and (not cache_is(w, f.b, SHUT) or n.chained[f.b]):
            return True
        if pc > 1:
            n.chained[f.b] = 1
        return chain_wrong(w, n, f.a)
    if function == F_BARRIER_WORK:
        return pc == 2 and chain_wrong(w, n, f.b)
    if function == F_RELEASE_CACHE:
        if not cache_is(w, f.a, SHUT) or n.chained[f.a] or not 0 <= f.i <= 1:
            return True
        n.chained[f.a] = 1
        return cache_at(&w.c, f.a).released or not cache_at(&w.c, f.a).kobject
    if function == F_DESTROY_ROOT:
        return destroy_root_wrong(w, n, f)
    if function == F_HOTPLUG:
        if f.a > MEMORY_OFFLINE:
            return True
        if pc == 4 and f.b == NIL:
            return False
        return pc in (4, 5) and (
            not w.c.hotplugs or not cache_is(w, f.b, LIVE)
            or (w.k.roots_only and links_at(&w.c, f.b).memcg_index != NIL)
        )
    return False


cdef inline bint reading_wrong(world *w, const frame *f) noexcept nogil:
    """Look at a program that reads a file."""
    cdef uint32_t number = f.b if f.function == F_SLABINFO else f.a
    if number >= w.files.used or file_at(w, number) == NULL:
        return True
    if not file_at(w, number).by_program:
        return True
    if f.function == F_SLABINFO:
        return not 1 <= f.a <= 0x7FFFFFFF or f.v < 0 or f.c > 1
    if f.pc == 1:
        return f.b != SLAB_MUTEX
    return f.b != NIL and f.b != SLAB_MUTEX


cdef inline bint program_wrong(
    world *w, const task *t, const frame *f, int callee
) noexcept nogil:
    cdef const program *p
    if f.a >= w.programs.used or f.n < 0:
        return True
    if f.pc < 2:
        return False
    p = &(<const program *>w.programs.entries)[f.a]
    if not 1 <= f.i <= p.nsteps:
        return True
    if f.pc == 5 and f.b >= w.programs.used:
        return True
    return not step_fits(p.steps[5 * (f.i - 1)], f.pc, callee)


cdef inline uint32_t shut_down_by(world *w, const frame *f) noexcept nogil:
    """Return the cache that a function shuts down where it stands, or NIL."""
    if f.function == F_SHUTDOWN_WORK:
        return f.a
    if f.function == F_DESTROY:
        return f.d
    if f.function == F_DESTROY_ROOT and f.a < w.c.roots.used:
        return root_at(&w.c, f.a).cache if f.pc == 18 else f.c
    return NIL


cdef inline bint operands_wrong(
    world *w, counts *n, task *t, int depth
) noexcept nogil:
    """Tell whether a frame is about what is not there."""
    cdef frame *f = &t.frames[depth]
    cdef int function = f.function, callee = 0
    cdef rcu_data *d
    if depth + 1 < t.depth:
        callee = t.frames[depth + 1].function
    if callee == F_SHUTDOWN and t.frames[depth + 1].a != shut_down_by(w, f):
        return True
    # The arrays grow for the id that this cgroup is to have.
    if callee == F_GROW and t.frames[depth + 1].a != f.i:
        return True
    if function == F_PROGRAM:
        return program_wrong(w, t, f, callee)
    if function == F_SOFTIRQ:
        d = &w.r.data[t.cpu]
        return f.pc == 1 and not 0 < f.n <= d.done - d.head
    if function == F_BURST:
        return not f.a < f.b <= w.c.accounted.used or f.i < 0 or (
            not 0 <= f.n <= 0x7FFFFFFF or f.v < 0 or (f.d != 0 and f.d != 2)
            or f.c > 0x7FFFFFFF
        )
    if function == F_ALLOC:
        return alloc_wrong(w, n, f)
    if function == F_MISS:
        return not root_has_children(w, f.a) or not memcg_there(w, n, f.b)
    if function == F_FREE_OBJECTS:
        if f.a >= w.c.roots.used or f.b >= w.m.groups.used or f.n < 0:
            return True
        return f.n > 0x7FFFFFFF or (w.k.inherits and not n.live[f.b])
    if function == F_UNPIN:
        if f.a >= w.c.caches.used or not 0 <= f.n <= 0x7FFFFFFF:
            return True
        if f.pc == 1:
            n.in_flight[f.a] += f.n
            return not cache_serves(w, f.a)
        return False
    if function == F_UNPIN_ALL:
        return not memcg_there(w, n, f.a)
    if function == F_DROP_CACHES:
        if f.pc == 4:
            return not memcg_there(w, n, f.a)
        return f.pc == 1 and not 0 <= f.i <= f.n <= w.c.roots.used
    if function == F_MKDIR:
        return mkdir_wrong(w, n, f)
    if function == F_GROW:
        return not w.c.nr_ids <= f.a < 65535
    if function == F_RMDIR or function == F_ATTACH:
        return f.a >= w.m.groups.used
    if function == F_BARRIER:
        return not 0 <= f.i <= w.s.ncpus or (f.pc == 3 and f.i == w.s.ncpus)
    if function in (F_OFFLINE_WORK, F_RELEASE_WORK, F_FREE_WORK, F_CGROUP_FREE_WORK):
        return cgroup_work_wrong(w, n, f)
    if function == F_SLABINFO or function == F_READ_FILE:
        return reading_wrong(w, f)
    if function == F_HOLD_MUTEX:
        return f.a > SLAB_MUTEX
    return about_caches_wrong(w, n, f)


cdef inline bint mkdir_wrong(world *w, counts *n, const frame *f) noexcept nogil:
    if f.a >= w.m.groups.used:
        return True
    if f.pc < 3:
        return False
    return (
        not n.live[f.a]
        or memcg_at(&w.m, f.a).dead
        or not 2 <= f.n < 64 * ID_WORDS
        or not 0 <= f.i < 65535
        or not w.m.ids.words[f.n // 64] >> (f.n % 64) & 1
        or not w.m.kmemcg_ids.words[f.i // 64] >> (f.i % 64) & 1
    )


# --- where tasks are ----------------------------------------------------------------


cdef inline bint place(counts *n, const task *t, int cpu_number) noexcept nogil:
    """Note that a CPU has a task; tell whether another has it, or it is elsewhere."""
    n.placed[t.index] += 1
    return n.placed[t.index] > 1 or t.cpu != cpu_number


cdef inline bint queue_wrong(
    counts *n, const task_queue *q, int32_t number
) noexcept nogil:
    cdef task *t = q.first
    cdef task *last = NULL
    while t != NULL:
        if place(n, t, number) or t.state != QUEUED:
            return True
        last = t
        t = t.next
    return last != q.last


cdef inline bint cpus_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether a task is on two CPUs, or on none though it runs."""
    cdef cpu *c
    cdef task *t
    cdef uint32_t j
    cdef int32_t i
    for i in range(w.s.ncpus):
        c = &w.s.cpus[i]
        t = c.current
        if t != NULL and (place(n, t, i) or t.state != RUNNING):
            return wrong(m, "cpus", "its task is elsewhere", i)
        if queue_wrong(n, &c.urgent, i) or queue_wrong(n, &c.queue, i):
            return wrong(m, "cpus", "a task in its queue is elsewhere", i)
        t = c.softirq
        if t == NULL or not t.is_softirq or t.cpu != i or t.state == GONE:
            return wrong(m, "cpus", "its softirq is none", i)
        if t.frames[0].function != F_SOFTIRQ:
            return wrong(m, "cpus", "its softirq is none", i)
        if c.softirq_active != (t.state == QUEUED or t.state == RUNNING):
            return wrong(m, "cpus", "its softirq runs, or does not", i)
        if c.current == NULL and (c.urgent.first != NULL or c.queue.first != NULL):
            return wrong(m, "cpus", "it is idle and a task waits for it", i)
        if c.current != NULL and not c.current.spins and not (
            w.s.now <= c.ends < <int64_t>1 << 62
        ):
            return wrong(m, "cpus", "its step ends never, or has ended", i)
        if c.current == NULL and c.ends != <int64_t>1 << 62:
            return wrong(m, "cpus", "it is idle and a step ends", i)
    t = w.s.spare_tasks
    while t != NULL:
        n.placed[t.index] += 1
        if t.state != GONE or n.placed[t.index] > 1:
            return wrong(m, "tasks", "it is spare and in use", t.index)
        t = t.next
    for j in range(w.s.nchunks * TASKS_A_CHUNK):
        t = task_at(w, j)
        if n.placed[j] != (t.state not in (SLEEPING, UNINTERRUPTIBLE)):
            return wrong(m, "tasks", "it is nowhere, or sleeps and is somewhere", j)
        if (t.state == GONE) != (t.depth == 0) or t.depth > FRAMES:
            return wrong(m, "tasks", "it is gone, or does nothing", j)
        n.placed[j] = 0
    return False


cdef inline bint lines_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether a mutex's line, or those in it that spin, are not in order.

    Who is in a line is placed; a spinner counts besides.
    """
    cdef mutex *x
    cdef task *t
    cdef task *last
    cdef uint32_t length
    cdef int i
    for i in range(LOCKS):
        x = &w.s.mutexes[i]
        t, last, length = x.first, NULL, 0
        if x.owner != NULL and x.owner.state == GONE:
            return wrong(m, "mutexes", "its owner is gone", i)
        while t != NULL:
            if n.placed[t.index] or t.state == GONE or t == x.owner:
                return wrong(m, "mutexes", "one in its line is elsewhere", i)
            if t.spins and t.spins != i + 1:
                return wrong(m, "mutexes", "one in its line spins for another", i)
            if not t.spins and t.state != UNINTERRUPTIBLE:
                return wrong(m, "mutexes", "one in its line is awake", i)
            n.placed[t.index] = <uint8_t>(i + 1)
            length += 1
            last = t
            t = t.line_next
        if last != x.last or length != x.length:
            return wrong(m, "mutexes", "its line has another end", i)
        t = x.spinner
        if t != NULL and (i == HOTPLUG_LOCK or x.owner == NULL):
            return wrong(m, "mutexes", "nobody could spin for it", i)
        while t != NULL:
            if t.spins != i + 1 or n.placed[t.index] != i + 1:
                return wrong(m, "mutexes", "one spins that is not in its line", i)
            n.placed[t.index] += 8
            t = t.spin_next
    return False


cdef inline bint spinners_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether one spins for nothing; what is left is who is in a line."""
    cdef task *t
    cdef uint32_t i
    for i in range(w.s.nchunks * TASKS_A_CHUNK):
        t = task_at(w, i)
        if (n.placed[i] > 7) != (t.spins != 0):
            return wrong(m, "tasks", "it spins, and is in no line", i)
        if t.spins and t.state not in (RUNNING, QUEUED):
            return wrong(m, "tasks", "it spins and sleeps", i)
        n.placed[i] &= 7
    return False


cdef inline bint sleepers_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Place who waits for a timer, a callback, a flush or the barrier."""
    cdef rcu_data *d
    cdef rcu_head *head
    cdef task *t
    cdef int64_t j
    cdef int32_t i, waits_for = 0
    for j in range(m.parts[S_TIMERS].count):
        t = task_at(w, m.timers[j].task)
        n.placed[t.index] += 16
        if t.number != m.timers[j].number or n.placed[t.index] != 16:
            return wrong(m, "timers", "its task does not wait for it", j)
        if t.state != SLEEPING:
            return wrong(m, "timers", "its task does not sleep", j)
    for i in range(w.s.ncpus):
        d = &w.r.data[i]
        waits_for += d.gp_pending
        for j in range(d.head, d.tail):
            head = &d.ring[j & (d.capacity - 1)]
            if head.kind == CB_WAKE:
                if head.arg >= w.s.nchunks * TASKS_A_CHUNK:
                    return wrong(m, "callbacks", "it wakes nobody", i)
                n.placed[head.arg] += 32
                if n.placed[head.arg] != 32:
                    return wrong(m, "callbacks", "who it wakes is elsewhere", i)
            elif callback_wrong(w, n, head):
                return wrong(m, "callbacks", "a callback of this CPU is about none", i)
    for i in range(QUEUES):
        t = w.q.flushes[i]
        while t != NULL:
            n.placed[t.index] += 64
            if n.placed[t.index] != 64 or t.flush_left < 1:
                return wrong(m, "world", "who flushes a queue is elsewhere", i)
            t = t.flush_next
    t = w.barrier_waiter
    if t != NULL:
        n.placed[t.index] += 65
        if n.placed[t.index] != 65 or not w.barrier_count:
            return wrong(m, "world", "who waits for the barrier is elsewhere", -1)
    if waits_for != w.r.waits_for:
        return wrong(m, "world", "the grace period waits for other CPUs", -1)
    if n.barriers != w.barrier_count:
        return wrong(m, "world", "the barrier's callbacks are not so many", -1)
    return False


cdef inline bint callback_wrong(
    world *w, counts *n, const rcu_head *head
) noexcept nogil:
    """Tell whether what a callback is about is not there, or not once."""
    cdef const mem_cgroup *g
    cdef const obj_cgroup *o
    if head.kind == CB_BARRIER:
        n.barriers += 1
    elif head.kind in (CB_CSS_KILLED, CB_CSS_FREE, CB_CGROUP_FREE):
        if not memcg_there(w, n, head.arg) or not head.arg:
            return True
        g = memcg_at(&w.m, head.arg)
        if not g.dead:
            return True
        if head.kind == CB_CSS_KILLED:
            return under_way(n, head.arg, 0) or not g.online or not g.online_children
        return under_way(n, head.arg, 1) or g.online or g.refs != 0
    elif head.kind in (CB_DEACTIVATE, CB_SLAB, CB_CACHE_KILLED, CB_CACHE_FREE):
        if head.arg >= w.c.caches.used:
            return True
        if head.kind == CB_SLAB:
            n.page_frees[head.arg] += 1
        elif head.kind == CB_CACHE_FREE:
            if not w.r.stamped or not cache_is(w, head.arg, SHUT):
                return True
            if n.chained[head.arg] or cache_at(&w.c, head.arg).released:
                return True
            n.chained[head.arg] = 1
        else:
            n.works[head.arg] += 1
            if head.kind == CB_CACHE_KILLED:
                if cache_at(&w.c, head.arg).killed or n.spare[head.arg] == KILLED:
                    return True
                n.spare[head.arg] = KILLED
            return links_at(&w.c, head.arg).memcg_index == NIL
    elif head.kind == CB_OBJCG_KILLED:
        if head.arg >= w.m.objcgs.used:
            return True
        o = objcg_at(&w.m, head.arg)
        # Who is offline has handed it to its parent's list.
        if o.memcg == NIL or o.killed or memcg_at(&w.m, o.memcg).objcg == head.arg:
            return True
        if n.owned[head.arg] == KILLED:
            return True
        n.owned[head.arg] = KILLED
    return False


# --- work ---------------------------------------------------------------------------


cdef inline bint item_wrong(world *w, counts *n, const work *item) noexcept nogil:
    """Tell whether what a queued item is about is not there."""
    cdef const mem_cgroup *g
    if item.kind == W_CREATE:
        return not root_has_children(w, item.a) or not memcg_there(w, n, item.b)
    if item.kind == W_BARRIER or item.kind == W_REAP:
        return False
    if item.kind in (W_DEACTIVATE, W_SHUTDOWN):
        if item.a >= w.c.caches.used or links_at(&w.c, item.a).memcg_index == NIL:
            return True
        n.works[item.a] += 1
        return False
    if item.kind == W_REMOVE_DIRECTORY:
        if item.a >= w.c.caches.used or cache_at(&w.c, item.a).life == FREED:
            return True
        n.dirs[item.a] += 1
        return not cache_at(&w.c, item.a).removal
    if not memcg_there(w, n, item.a) or not item.a:
        return True
    g = memcg_at(&w.m, item.a)
    if item.kind == W_OFFLINE:
        return under_way(n, item.a, 0) or not g.dead or not g.online or (
            g.online_children != 0
        )
    return under_way(n, item.a, 1) or g.online or g.refs != 0 or not g.dead


cdef inline bint works_listed_wrong(
    world *w, counts *n, const work_list *l, int queue
) noexcept nogil:
    """Place the items of a list; queue: they are all of it, -1: of any."""
    cdef uint32_t i = l.first, last = NIL, length = 0
    cdef const work *item
    while i != NIL:
        item = work_at(&w.q, i)
        if n.worked[i] or (queue >= 0 and item.queue != queue):
            return True
        if w.q.queues[item.queue] == NULL or item_wrong(w, n, item):
            return True
        n.worked[i] = 1
        last = i
        length += 1
        i = item.next
    return last != l.last or length != l.length


cdef inline bint works_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Tell whether an item is nowhere, or where it cannot be."""
    cdef worker_pool *p
    cdef pool_queue *q
    cdef task *t
    cdef task *last
    cdef work *item = work_at(&w.q, w.destroy_work)
    cdef uint32_t idle, i
    cdef int32_t number
    cdef int j
    if item.kind != W_BARRIER or item.queue != 0:
        return wrong(m, "works", "the first is the shared barrier's", 0)
    for i in range(w.q.works.spares):
        if w.q.works.spare[i] == w.destroy_work:
            return wrong(m, "works", "the shared barrier's is given back", 0)
        n.worked[w.q.works.spare[i]] = 1
    for number in range(w.s.ncpus + 1):
        p = &w.s.pools[number]
        if works_listed_wrong(w, n, &p.worklist, -1):
            return wrong(m, "pools", "an item of its list is elsewhere", number)
        t, last, idle = p.idle_first, NULL, 0
        while t != NULL:
            n.placed[t.index] += 128
            if t.pool != number or t.idle_prev != last or n.placed[t.index] != 128:
                return wrong(m, "pools", "an idle worker is elsewhere", number)
            idle += 1
            last = t
            t = t.idle_next
        if last != p.idle_last or idle != p.idle:
            return wrong(m, "pools", "its idle workers are not so many", number)
    for j in range(QUEUES):
        q = w.q.queues[j]
        for number in range(0 if q == NULL else w.s.ncpus):
            if works_listed_wrong(w, n, &q[number].delayed, j):
                return wrong(m, "workqueues", "an item held back is elsewhere", number)
            if q[number].delayed.length and not q[number].active:
                return wrong(m, "workqueues", "items are held back by none", number)
    return False


# --- all of a task ------------------------------------------------------------------


cdef inline bint frames_wrong(
    world *w, image *m, counts *n, stance *s, task *t, uint8_t *held
) noexcept nogil:
    """Look at the functions of a task, from the outermost on."""
    cdef const frame *f
    cdef const stance *at
    cdef const work *item
    cdef int i, j
    cdef bint called
    held[0] = 0
    if not bottom(t.frames[0].function):
        return wrong(m, "tasks", "nobody begins with its function", t.index)
    for i in range(t.depth):
        f = &t.frames[i]
        at = at_place(s, f.function, f.pc)
        if not at.known or (i + 1 == t.depth and not at.how):
            return wrong(m, "tasks", "a function of it stops at no such place", t.index)
        held[0] |= at.held
        if f.function == F_READ_FILE and f.pc == 2 and f.b != NIL:
            held[0] |= H_SLAB
        if f.function == F_HOLD_MUTEX and f.pc == 2:
            held[0] |= H_SLAB if f.a == SLAB_MUTEX else H_CGROUP
        if i + 1 < t.depth and f.function == F_WORKER:
            if f.a >= w.q.works.used or n.worked[f.a]:
                return wrong(m, "tasks", "its work item is elsewhere", t.index)
            item = work_at(&w.q, f.a)
            n.worked[f.a] = 1
            if not item.running or w.q.queues[item.queue] == NULL or (
                t.frames[1].function != work_function(item.kind)
            ):
                return wrong(m, "tasks", "its work item is another's", t.index)
        elif i + 1 < t.depth:
            called = f.function == F_PROGRAM and f.pc == 2
            for j in range(CALLEES):
                called |= at.callees[j] == t.frames[i + 1].function
            if not called or not t.frames[i + 1].function:
                return wrong(m, "tasks", "a function calls one it does not", t.index)
        if operands_wrong(w, n, t, i):
            return wrong(m, "tasks", "a function is about what is not there", t.index)
    return False


cdef inline int place_of(const task *t, const stance *at) noexcept nogil:
    """Return how a task that sleeps there is placed, 0: it cannot sleep there."""
    cdef const frame *f = &t.frames[t.depth - 1]
    if at.how & (KEEPS_OUT | PLUGS):
        return HOTPLUG_LOCK + 1
    if at.how & SYNCS:
        return 32
    if at.how & FLUSHES:
        return 64
    if at.how & BARS:
        return 65
    if at.how & IDLES:
        return 128
    if f.function == F_PROGRAM and f.pc == 2:
        return 0 if t.waiting else 16
    return 16 if at.how & SLEEPS else 0


cdef inline bint stand_wrong(
    world *w, image *m, counts *n, stance *s, task *t, uint8_t held
) noexcept nogil:
    """Tell whether a task waits for another thing than its innermost function."""
    cdef const frame *f = &t.frames[t.depth - 1]
    cdef const stance *at = at_place(s, f.function, f.pc)
    cdef int number = at.mutex, placed = n.placed[t.index], i
    cdef bint asleep = t.state == SLEEPING or t.state == UNINTERRUPTIBLE
    cdef bint owns, plugs
    if f.function == F_READ_FILE:
        number = SLAB_MUTEX
    if f.function == F_HOLD_MUTEX:
        number = <int>f.a
    if at.how & IDLES:
        if placed != 128 or (asleep and t.state != SLEEPING):
            return wrong(m, "tasks", "a worker is idle, and not where idle ones are",
                         t.index)
    elif at.how & LOCKS_ONE:
        owns = w.s.mutexes[number].owner == t
        if owns == (placed == number + 1) or (owns and (placed or asleep)):
            return wrong(m, "tasks", "it neither owns its mutex nor waits", t.index)
        if owns:
            held |= <uint8_t>(1 << number)
    elif asleep:
        if at.how & (RESTS | HOLDS) or (at.how & WAITS and t.waiting):
            if placed or (t.waiting and not t.children):
                return wrong(m, "tasks", "it waits for nothing", t.index)
        elif placed != place_of(t, at) or not placed:
            return wrong(m, "tasks", "nobody will wake it", t.index)
        if at.how & (KEEPS_OUT | PLUGS) and (
            t.in_hotplug or t.wants_write != (f.function == F_HOTPLUG)
        ):
            return wrong(m, "tasks", "it waits for what it has", t.index)
    elif placed or t.waiting:
        return wrong(m, "tasks", "it is awake, and somebody will wake it", t.index)
    if not asleep and at.how & PLUGS:
        held |= H_PLUG
    if not asleep and at.how & KEEPS_OUT and t.in_hotplug:
        held |= H_PLUG
    for i in range(MUTEXES):
        if (w.s.mutexes[i].owner == t) != (held >> i & 1):
            return wrong(m, "tasks", "it owns a mutex that it did not take", t.index)
    if t.in_hotplug != (held & H_PLUG != 0):
        return wrong(m, "tasks", "it keeps hotplug out, or does not", t.index)
    plugs = False
    for i in range(t.depth):
        plugs |= t.frames[i].function == F_HOTPLUG
    plugs &= t.in_hotplug != 0
    if (w.s.mutexes[HOTPLUG_LOCK].owner == t) != plugs:
        return wrong(m, "tasks", "it plugs, or does not", t.index)
    return False


cdef inline bint kind_wrong(world *w, image *m, counts *n, task *t) noexcept nogil:
    """Tell whether a task is not of the kind that its outermost function is for."""
    cdef int function = t.frames[0].function
    if (t.pool >= 0) != (function == F_WORKER):
        return wrong(m, "tasks", "it is a worker, or is none", t.index)
    if t.is_softirq != (function == F_SOFTIRQ) or (
        t.is_softirq and w.s.cpus[t.cpu].softirq != t
    ):
        return wrong(m, "tasks", "it is a softirq, or is none", t.index)
    if t.pool >= 0 and (
        t.bound != (t.pool < w.s.ncpus) or (t.bound and t.cpu != t.pool)
    ):
        return wrong(m, "tasks", "it is not where its pool is", t.index)
    if t.counted != (t.pool >= 0 and t.pool < w.s.ncpus and t.depth > 1):
        return wrong(m, "tasks", "its pool counts it, or does not", t.index)
    if t.memcg != NIL:
        if not n.live[t.memcg] or memcg_at(&w.m, t.memcg).dead:
            return wrong(m, "tasks", "its cgroup is gone", t.index)
        n.tasks[t.memcg] += 1
    if t.number > w.s.task_number or t.ticket > w.tickets:
        return wrong(m, "tasks", "it is younger than the youngest", t.index)
    return False


cdef inline bint tasks_wrong(world *w, image *m, counts *n, stance *s) noexcept nogil:
    """Look at every task, once all lines and queues were gone through."""
    cdef task *t
    cdef uint32_t i
    cdef int64_t sleepers = 0, users = 0, readers = 0, threads = 0, workers = 0
    cdef uint8_t held
    for i in range(w.s.nchunks * TASKS_A_CHUNK):
        t = task_at(w, i)
        if t.state == GONE:
            if n.placed[i]:
                return wrong(m, "tasks", "it is gone and waits", i)
            continue
        if kind_wrong(w, m, n, t) or frames_wrong(w, m, n, s, t, &held):
            return True
        if stand_wrong(w, m, n, s, t, held):
            return True
        sleepers += t.state == UNINTERRUPTIBLE
        readers += t.in_hotplug
        threads += t.pool < 0 and not t.is_softirq
        workers += t.pool >= 0
        users += (
            t.pool < 0 and not t.is_softirq and not t.background
            and not (t.frames[0].function == F_HOLD_MUTEX and t.frames[0].pc == 2
                     and t.frames[0].b == NIL)
        )
    readers -= w.s.mutexes[HOTPLUG_LOCK].owner != NULL
    if sleepers != w.s.uninterruptible or readers != w.s.hotplug_readers:
        return wrong(m, "world", "more or fewer sleep, or keep hotplug out", -1)
    if users != w.n.user_tasks or threads != w.n.threads:
        return wrong(m, "world", "there are more or fewer programs", -1)
    return False


cdef inline bint totals_wrong(world *w, image *m, counts *n) noexcept nogil:
    """Hold what is counted against what was found."""
    cdef const mem_cgroup *g
    cdef const hold *holds = <const hold *>w.holds.entries
    cdef const watch *watches = <const watch *>w.watches.entries
    cdef const kmem_cache *c
    cdef task *t
    cdef uint32_t i
    for i in range(w.q.works.used):
        if not n.worked[i] and i != w.destroy_work:
            return wrong(m, "works", "it is nowhere", i)
    if not n.worked[w.destroy_work] and (
        work_at(&w.q, w.destroy_work).pending or work_at(&w.q, w.destroy_work).running
    ):
        return wrong(m, "works", "the shared barrier's is nowhere", 0)
    if n.shut_slots:
        return wrong(m, "slots", "a cache that is shut down is in one", -1)
    for i in range(w.c.caches.used):
        if n.in_flight[i] != cache_at(&w.c, i).in_flight:
            return wrong(m, "caches", "not so many of its objects are in flight", i)
        if n.page_frees[i] != cache_at(&w.c, i).page_frees:
            return wrong(m, "caches", "not so many of its pages wait", i)
        if n.works[i] != cache_at(&w.c, i).works:
            return wrong(m, "caches", "not so much work is left on it", i)
        c = cache_at(&w.c, i)
        if c.life != FREED and c.kobject != (not c.released) + n.dirs[i] + c.lost:
            return wrong(m, "caches", "not so many refer to it", i)
    for i in range(w.m.groups.used):
        g = memcg_at(&w.m, i)
        if n.live[i] and n.tasks[i] != g.tasks:
            return wrong(m, "memcgs", "not so many tasks are in it", i)
        if n.live[i] and not g.refs and not n.steps[i] >> 1 & 1:
            return wrong(m, "memcgs", "nobody refers to it and nobody frees it", i)
        if n.live[i] and g.objcg != NIL and not g.kmem_online and (
            not n.steps[i] >> 2 & 1
        ):
            return wrong(m, "memcgs", "it has an obj_cgroup, or none", i)
    for i in range(w.m.objcgs.used):
        if objcg_at(&w.m, i).memcg != NIL and (
            objcg_at(&w.m, i).in_flight != n.objcg_flights[i]
        ):
            return wrong(m, "objcgs", "not so many of its objects are in flight", i)
    for i in range(<uint32_t>w.s.ncpus):
        if w.stock[i] != NIL and not n.live[w.stock[i]]:
            return wrong(m, "stock", "its cgroup is gone", i)
    for i in range(w.holds.used):
        t = task_at(w, holds[i].task)
        if t.state == GONE or t.ticket != holds[i].ticket or (
            t.frames[0].function != F_HOLD_MUTEX
        ):
            return wrong(m, "holds", "its task holds nothing", i)
    for i in range(w.watches.used):
        if watches[i].kind == WATCH_CACHE and not root_there(w, watches[i].root):
            return wrong(m, "watches", "its cache is gone", i)
        if not n.live[watches[i].memcg]:
            return wrong(m, "watches", "its cgroup is gone", i)
    return False


cdef inline int admit(engine *e, image *m, breach *b) except -1 nogil:
    """Look whether a world fits together; what does not is noted, or is in *b*."""
    cdef world *w = &e.w
    cdef stance s[FUNCTIONS * PCS]
    cdef counts n
    memset(s, 0, sizeof(s))
    stances_of_programs(s)
    stances_of_cgroups(s)
    stances_of_caches(s)
    stances_of_time(s)
    memset(&n, 0, sizeof(n))
    try:
        counts_new(&n, w)
        # Each asks what those before it have made sure of.
        if not (
            lists_torn(w, m)
            or groups_wrong(w, m, &n)
            or ids_wrong(m, &w.m.ids, "ids")
            or ids_wrong(m, &w.m.kmemcg_ids, "kmemcg_ids")
            or caches_wrong(w, m, &n)
            or slots_wrong(w, m, &n)
            or objcgs_wrong(w, m, &n)
            or delays_wrong(w, m)
            or names_wrong(w, m, &n)
            or steps_wrong(w, m)
            or files_wrong(w, m)
        ):
            if w.m.ids_left != w.max_memcgs + 1 - ids_taken(&w.m.ids):
                wrong(m, "world", "other ids are left than are free", -1)
            elif not world_broken(w, b) and not (
                cpus_wrong(w, m, &n)
                or lines_wrong(w, m, &n)
                or spinners_wrong(w, m, &n)
                or sleepers_wrong(w, m, &n)
                or works_wrong(w, m, &n)
                or tasks_wrong(w, m, &n, s)
            ):
                totals_wrong(w, m, &n)
    finally:
        counts_free(&n)
    return 0
