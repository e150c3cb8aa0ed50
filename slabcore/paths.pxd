"""What each kernel does: the functions that tasks run, one step at a time.

Each function is a switch on the place where it stopped (pc). It returns when it takes
time, sleeps, calls another or ends; so any number of them stand half-way at once. The
knobs of a design choose among the steps. Here alone the two planes meet.
"""

from libc.stdint cimport int32_t, int64_t, uint8_t, uint32_t

from slabcore.arena cimport (
    NIL,
    arena,
    arena_at,
    arena_give,
    arena_reserve,
    arena_resize,
    arena_take,
)
from slabcore.clock cimport FOREVER, clock_push
from slabcore.list cimport list_add, list_add_tail, list_del, list_init, list_walk
from slabcore.memcontrol cimport (
    MAX_KMEMCG_ID,
    id_give,
    id_lowest_free,
    id_take,
    mem_cgroup,
    memcg_at,
    memcgs,
)
from slabcore.mutex cimport mutex_lock, mutex_unlock
from slabcore.rcu cimport (
    BLIMIT,
    QLOWMARK,
    call_rcu,
    rcu_data,
    rcu_entrain,
    rcu_qlen,
    rcu_state,
)
from slabcore.sched cimport (
    BARRIER_MUTEX,
    CGROUP_MUTEX,
    SLAB_MUTEX,
    SLEEPING,
    TASKS_A_CHUNK,
    cpu_crowded,
    frame,
    pool_wake_worker,
    sched,
    sched_wake,
    task,
    task_push,
    work,
    worker_pool,
)
from slabcore.slab cimport (
    accounted_at,
    cache_at,
    cache_links,
    kmem_cache,
    links_at,
    root_at,
    root_cache,
    root_layout,
    root_of,
    root_slot,
    slab_caches,
    slabs_for,
)
from slabcore.workqueue cimport (
    pool_enter_idle,
    pool_leave_idle,
    queue_finish,
    queue_new_work,
    queue_work,
    work_at,
    work_popleft,
    workqueues,
)

cdef enum:  # outcome
    DONE
    CALL                    # another function is to run first
    RUN                     # takes task.left ns in the kernel
    RUN_USER                # the same in user mode
    SLEEP                   # until woken
    SLEEP_D                 # the same, uninterruptibly
    IN_LINE                 # for a mutex: spins or sleeps
    YIELD                   # to the others of this CPU

cdef enum:  # function
    F_SOFTIRQ
    F_WORKER
    F_PROGRAM
    F_BURST
    F_MKDIR
    F_GROW
    F_RMDIR
    F_ATTACH
    F_ALLOC
    F_MISS
    F_FREE_OBJECTS
    F_DROP_CACHES
    F_UNPIN
    F_CREATE_ROOT
    F_SYNCHRONIZE
    F_BARRIER
    F_CREATE_WORK
    F_OFFLINE_WORK
    F_RELEASE_WORK
    F_FREE_WORK
    F_CGROUP_FREE_WORK
    F_DEACTIVATE_WORK
    F_BARRIER_WORK
    F_DEACTIVATE
    F_DESTROY
    F_RELEASE_CACHE

cdef enum:  # work_kind
    W_CREATE
    W_OFFLINE
    W_RELEASE
    W_FREE
    W_CGROUP_RELEASE
    W_CGROUP_FREE
    W_DEACTIVATE
    W_BARRIER

cdef enum:  # callback_kind
    CB_PLAIN
    CB_WAKE
    CB_BARRIER
    CB_RCU_SYNC
    CB_CSS_KILLED
    CB_CSS_FREE
    CB_CGROUP_FREE
    CB_DEACTIVATE
    CB_SLAB

cdef enum:  # queue_number
    EVENTS
    CGROUP_DESTROY
    KMEM_CACHE

cdef enum:  # deactivation
    DEACT_NONE
    DEACT_IPI
    DEACT_GP_PER_CACHE
    DEACT_GP_PER_MEMCG
    DEACT_RCU_PER_CACHE

cdef enum:  # hop_kind
    HOPS_CREATE
    HOPS_GROW
    HOPS_OFFLINE
    HOPS_FREE
    HOP_KINDS

cdef enum:  # finding_kind
    GP_UNDER_CGROUP
    GP_UNDER_SLAB
    BARRIER_UNDER_CGROUP
    BARRIER_UNDER_SLAB
    KOBJECT_UNDER_SLAB
    FINDINGS

cdef enum:  # op
    OP_MKDIR = 1
    OP_RMDIR
    OP_FORK
    OP_JOIN
    OP_ALLOC
    OP_PIN
    OP_SLEEP
    OP_RUN
    OP_CALLBACKS
    OP_EXIT
    OP_WAIT
    OP_AT
    OP_DROP_CACHES

cdef enum:  # rcu_sync_state
    SYNC_IDLE
    SYNC_PENDING
    SYNC_PASSED
    SYNC_REPLAY


cdef struct knobs:
    uint8_t root_list
    uint8_t memcg_list
    uint8_t barrier_batch
    uint8_t deactivation
    uint8_t child_sysfs
    uint8_t entrained
    uint8_t join_waits
    uint8_t create_queue
    uint8_t kmem            # kernel memory accounting is on
    uint8_t children        # and cgroups get caches of their own
    uint8_t literal         # walks touch every entry
    uint32_t kernfs_per_cache
    uint32_t kernfs_per_cgroup


cdef struct hop_point:
    int64_t length
    int64_t picoseconds


cdef struct costs:
    int64_t cgroup_mkdir
    int64_t cgroup_rmdir
    int64_t cgroup_attach
    int64_t fork
    int64_t exit
    int64_t css_offline
    int64_t css_release
    int64_t css_free
    int64_t cgroup_free
    int64_t alloc
    int64_t alloc_miss
    int64_t create_check
    int64_t cache_create
    int64_t kernfs_add
    int64_t kernfs_remove
    int64_t shrink
    int64_t shutdown
    int64_t release
    int64_t ipi
    int64_t rcu_callback
    int64_t worker_create
    int64_t page_alloc
    int64_t page_free
    hop_point *hops
    int32_t nhops


cdef struct program:
    int64_t *steps          # five numbers each
    int64_t nsteps


cdef struct finding:
    int64_t at
    int64_t count


cdef struct tally:
    int64_t iterations
    int64_t mkdir_failures
    int64_t user_tasks
    int64_t ended_at
    int64_t barriers
    int64_t ipis
    int64_t sync_waits
    int64_t sync_under_cgroup
    int64_t sync_under_slab
    int64_t async_waits
    int64_t hops[HOP_KINDS]
    int64_t caches_created
    int64_t caches
    int64_t caches_dying
    int64_t caches_peak
    int64_t caches_dying_peak
    int64_t cgroups_created
    int64_t cgroups
    int64_t cgroups_dying
    int64_t cgroups_peak
    int64_t cgroups_dying_peak
    int64_t nodes
    int64_t nodes_peak
    int64_t slab_bytes
    int64_t slab_bytes_peak
    int64_t misses
    int64_t pairs_missed
    int64_t creations_pending
    finding findings[FINDINGS]


cdef struct world:
    sched s
    workqueues q
    rcu_state r
    slab_caches c
    memcgs m
    knobs k
    costs cost
    tally n
    arena programs
    arena delays            # int64_t: first miss to slot filled
    int64_t barrier_sequence
    int64_t barrier_count
    task *barrier_waiter
    uint8_t rss_state
    uint8_t rss_callback
    int64_t rss_count
    uint32_t destroy_work
    task *main
    uint8_t main_done
    uint32_t main_result
    int32_t main_cpu


# --- tasks ----------------------------------------------------------------------------


cdef inline int task_new(
    world *w, int32_t cpu, bint bound, task **new
) except -1 nogil:
    """Make a sleeping task; tasks keep their address for life."""
    cdef task *t
    cdef uint32_t i
    if w.s.spare_tasks == NULL:
        w.s.chunks = <task **>arena_resize(
            w.s.chunks, (w.s.nchunks + 1) * sizeof(task *)
        )
        t = <task *>arena_resize(NULL, TASKS_A_CHUNK * sizeof(task))
        w.s.chunks[w.s.nchunks] = t
        for i in range(<uint32_t>TASKS_A_CHUNK):
            t[i].index = w.s.nchunks * TASKS_A_CHUNK + i
            t[i].next = w.s.spare_tasks
            w.s.spare_tasks = &t[i]
        w.s.nchunks += 1
    t = w.s.spare_tasks
    w.s.spare_tasks = t.next
    w.s.task_number += 1
    t.number = w.s.task_number
    t.left = t.wants_since = t.idle_since = 0
    t.next = t.line_next = t.idle_next = t.idle_prev = t.parent = NULL
    t.parent_number = 0
    t.cpu = cpu
    t.pool = -1
    t.children = 0
    t.memcg = t.made = t.result = NIL
    t.made_generation = 0
    t.state = SLEEPING
    t.bound = bound
    t.user = t.interrupted = t.spins = t.counted = t.waiting = t.is_softirq = 0
    t.depth = 0
    new[0] = t
    return 0


cdef inline task *task_at(world *w, uint32_t index) noexcept nogil:
    return &w.s.chunks[index // TASKS_A_CHUNK][index % TASKS_A_CHUNK]


cdef inline int run(task *t, int64_t ns) noexcept nogil:
    t.left = ns
    return RUN


cdef inline int run_user(task *t, int64_t ns) noexcept nogil:
    t.left = ns
    return RUN_USER


cdef inline int lock(world *w, task *t, int number) noexcept nogil:
    """Take a mutex: the next step runs when it is owned."""
    if mutex_lock(&w.s, &w.s.mutexes[number], t):
        return CALL
    return IN_LINE


cdef inline void unlock(world *w, int number) noexcept nogil:
    mutex_unlock(&w.s, &w.s.mutexes[number])


cdef inline int call(
    task *t, int32_t function, uint32_t a, uint32_t b
) noexcept nogil:
    cdef frame *f = task_push(t, function)
    f.a = a
    f.b = b
    return CALL


cdef inline int new_worker(world *w, int32_t number) except -1 nogil:
    cdef worker_pool *p = &w.s.pools[number]
    cdef task *t
    task_new(w, p.cpu if p.cpu >= 0 else 0, p.cpu >= 0, &t)
    t.pool = number
    task_push(t, F_WORKER)
    p.workers += 1
    w.q.kworkers += 1
    w.q.kworkers_peak = max(w.q.kworkers_peak, w.q.kworkers)
    pool_enter_idle(&w.s, p, t)
    return 0


cdef inline void find(world *w, int kind) noexcept nogil:
    """Note that the design did what it should not."""
    if not w.n.findings[kind].count:
        w.n.findings[kind].at = w.s.now
    w.n.findings[kind].count += 1


# --- the data plane, counted ----------------------------------------------------------


cdef inline int64_t hop_ns(world *w, int64_t hops, int64_t length) noexcept nogil:
    """Return what *hops* hops cost on a list of *length* entries."""
    cdef hop_point *p = w.cost.hops
    cdef hop_point low = p[0]
    cdef hop_point high = p[0]
    cdef int64_t cost
    cdef int32_t i
    for i in range(w.cost.nhops):
        high = p[i]
        if length <= high.length:
            break
        low = high
    if length >= high.length:
        cost = high.picoseconds
    elif high.length == low.length:
        cost = low.picoseconds
    else:
        cost = (high.picoseconds - low.picoseconds) * (length - low.length)
        # Floor division, also where a longer list is cheaper.
        if cost < 0:
            cost = -((-cost + high.length - low.length - 1) // (high.length - low.length))
        else:
            cost = cost // (high.length - low.length)
        cost += low.picoseconds
    return hops * cost // 1000


cdef inline int64_t walked(world *w, int kind, bint roots) noexcept nogil:
    """Walk slab_caches or slab_root_caches; count and return the hops."""
    cdef int64_t hops = w.c.root_list.length if roots else w.c.all.length
    if w.k.literal:
        if roots:
            hops = list_walk(
                &w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache)
            )
        else:
            hops = list_walk(
                &w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links)
            )
    w.n.hops[kind] += hops
    return hops


cdef inline int64_t walk_length(world *w, bint roots) noexcept nogil:
    return w.c.root_list.length if roots else w.c.all.length


cdef inline void set_nodes(world *w, uint32_t cache, uint32_t count) noexcept nogil:
    """Give a cache's directory *count* kernfs nodes."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    w.n.nodes += <int64_t>count - c.nodes
    c.nodes = count
    w.n.nodes_peak = max(w.n.nodes_peak, w.n.nodes)


cdef inline int css_put(
    world *w, int32_t cpu, uint32_t memcg, int64_t count
) except -1 nogil:
    cdef mem_cgroup *m = memcg_at(&w.m, memcg)
    m.refs -= count
    if m.refs < 0:
        with gil:
            raise RuntimeError("a css has fewer than no references")
    if not m.refs:
        queue_new_work(&w.s, &w.q, cpu, CGROUP_DESTROY, W_RELEASE, memcg, NIL)
    return 0


cdef inline int uncharge(
    world *w, int32_t cpu, uint32_t cache, int64_t count
) except -1 nogil:
    """Return *count* slabs' pages."""
    cdef root_cache *r = root_of(&w.c, cache)
    cdef uint32_t memcg = links_at(&w.c, cache).memcg_index
    w.n.slab_bytes -= count * (w.c.page_size << r.order)
    if memcg != NIL:
        css_put(w, cpu, memcg, count << r.order)
    return 0


cdef inline int discard(
    world *w, int32_t cpu, uint32_t cache, int64_t count, int64_t *discarded
) except -1 nogil:
    cdef int64_t i
    discarded[0] = 0
    if count <= 0:
        return 0
    discarded[0] = count
    cache_at(&w.c, cache).slabs -= <uint32_t>count
    if root_of(&w.c, cache).typesafe:
        for i in range(count):
            call_rcu(&w.r, cpu, CB_SLAB, cache)
    else:
        uncharge(w, cpu, cache, count)
    return 0


cdef inline int64_t take_objects(
    world *w, uint32_t cache, int64_t count
) noexcept nogil:
    """Allocate from a cache; return the slabs that had to be added."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef root_cache *r = root_of(&w.c, cache)
    cdef uint32_t memcg = links_at(&w.c, cache).memcg_index
    cdef int64_t lacking = count - (<int64_t>c.slabs * r.per_slab - c.inuse)
    cdef int64_t added = slabs_for(r, lacking) if lacking > 0 else 0
    c.inuse += <uint32_t>count
    c.slabs += <uint32_t>added
    if added:
        if memcg != NIL:
            memcg_at(&w.m, memcg).refs += added << r.order
        w.n.slab_bytes += added * (w.c.page_size << r.order)
        w.n.slab_bytes_peak = max(w.n.slab_bytes_peak, w.n.slab_bytes)
    return added


cdef inline int put_objects(
    world *w, int32_t cpu, uint32_t cache, int64_t count, int64_t *discarded
) except -1 nogil:
    """Free to a cache; what it need not keep is discarded."""
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef root_cache *r = root_of(&w.c, cache)
    cdef int64_t empty
    c.inuse -= <uint32_t>count
    empty = c.slabs - slabs_for(r, c.inuse)
    if not c.deactivated:
        empty -= r.keep
    return discard(w, cpu, cache, empty, discarded)


cdef inline int shrink(
    world *w, int32_t cpu, uint32_t cache, int64_t *discarded
) except -1 nogil:
    cdef kmem_cache *c = cache_at(&w.c, cache)
    cdef int64_t empty = c.slabs - slabs_for(root_of(&w.c, cache), c.inuse)
    return discard(w, cpu, cache, empty, discarded)


cdef inline int new_cache(world *w, uint32_t *index) except -1 nogil:
    cdef kmem_cache *c
    cdef uint32_t i
    # Both arenas grow together; caches.spare holds the indices of both.
    if not w.c.caches.spares:
        arena_reserve(&w.c.links, <size_t>w.c.caches.used + 1)
    arena_take(&w.c.caches, &i)
    c = cache_at(&w.c, i)
    c.serial = w.c.serial
    w.c.serial += 1
    c.inuse = c.slabs = c.pinned = c.nodes = 0
    c.deactivated = 0
    c.live = 1
    w.n.caches += 1
    w.n.caches_peak = max(w.n.caches_peak, w.n.caches)
    index[0] = i
    return 0


cdef inline int resize_slots(
    world *w, root_cache *r, uint32_t old, uint32_t new
) except -1 nogil:
    """Enlarge the arrays of a root that can have children."""
    cdef uint32_t i
    if not r.accounted:
        return 0
    r.slots = <uint32_t *>arena_resize(r.slots, new * sizeof(uint32_t))
    r.missed_at = <int64_t *>arena_resize(r.missed_at, new * sizeof(int64_t))
    for i in range(old, new):
        r.slots[i] = NIL
        r.missed_at[i] = -1
    return 0


cdef inline int link_root(
    world *w, uint32_t size, bint accounted, bint typesafe, bint reclaimable,
    uint32_t *number,
) except -1 nogil:
    cdef uint32_t cache, i, slot
    cdef root_cache *r
    cdef cache_links *links
    new_cache(w, &cache)
    arena_take(&w.c.roots, &i)
    r = root_at(&w.c, i)
    r.cache = cache
    r.slots = NULL
    r.missed_at = NULL
    list_init(&r.children)
    root_layout(&w.c, r, size)
    r.accounted, r.typesafe, r.reclaimable = accounted, typesafe, reclaimable
    if w.k.children:
        resize_slots(w, r, 0, w.c.nr_ids)
    links = links_at(&w.c, cache)
    links.root = i
    links.memcg_index = NIL
    list_add(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    list_add(&w.c.root_list, &root_at(&w.c, 0).roots, sizeof(root_cache), i)
    set_nodes(w, cache, w.k.kernfs_per_cache)
    if accounted:
        arena_take(&w.c.accounted, &slot)
        (<uint32_t *>w.c.accounted.entries)[slot] = i
    number[0] = i
    return 0


cdef inline int link_child(
    world *w, uint32_t root, uint32_t memcg, uint32_t nodes
) except -1 nogil:
    """Create a child and fill its slot."""
    cdef uint32_t cache, slot
    cdef cache_links *links
    cdef root_cache *r
    cdef mem_cgroup *m
    new_cache(w, &cache)
    w.n.caches_created += 1
    r = root_at(&w.c, root)
    m = memcg_at(&w.m, memcg)
    links = links_at(&w.c, cache)
    links.root = root
    links.memcg_index = memcg
    list_add(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    list_add(&r.children, &links_at(&w.c, 0).children, sizeof(cache_links), cache)
    list_add(&m.kmem_caches, &links_at(&w.c, 0).memcg, sizeof(cache_links), cache)
    r.slots[m.kmemcg_id] = cache
    set_nodes(w, cache, nodes)
    arena_take(&w.delays, &slot)
    (<int64_t *>w.delays.entries)[slot] = w.s.now - r.missed_at[m.kmemcg_id]
    return 0


cdef inline int unlink_child(world *w, uint32_t cache) except -1 nogil:
    """Take a child that has no slab off its lists; it is freed later."""
    cdef cache_links *links = links_at(&w.c, cache)
    if cache_at(&w.c, cache).slabs or cache_at(&w.c, cache).inuse:
        with gil:
            raise RuntimeError("a cache is shut down with slabs left")
    list_del(&w.c.all, &links_at(&w.c, 0).caches, sizeof(cache_links), cache)
    list_del(
        &root_of(&w.c, cache).children,
        &links_at(&w.c, 0).children,
        sizeof(cache_links),
        cache,
    )
    list_del(
        &memcg_at(&w.m, links.memcg_index).kmem_caches,
        &links_at(&w.c, 0).memcg,
        sizeof(cache_links),
        cache,
    )
    return 0


cdef inline void mark_deactivated(world *w, uint32_t cache) noexcept nogil:
    cache_at(&w.c, cache).deactivated = 1
    w.n.caches_dying += 1
    w.n.caches_dying_peak = max(w.n.caches_dying_peak, w.n.caches_dying)


cdef inline bint memcg_alive(
    world *w, uint32_t memcg, uint32_t generation
) noexcept nogil:
    """Tell whether a cgroup is still that one and not removed."""
    cdef mem_cgroup *m
    if memcg == NIL:
        return False
    m = memcg_at(&w.m, memcg)
    return m.generation == generation and not m.dead


cdef inline int new_memcg(
    world *w, uint32_t parent, int32_t id, uint32_t *index
) except -1 nogil:
    cdef mem_cgroup *m
    cdef uint32_t i
    arena_take(&w.m.groups, &i)
    m = memcg_at(&w.m, i)
    w.m.serial += 1
    m.serial = w.m.serial
    m.refs = 1
    m.parent = parent
    m.kmemcg_id = id
    m.online_children = 1
    m.child_cgroups = m.tasks = 0
    m.online = 1
    m.kmem_online = w.k.kmem
    m.dead = 0
    list_init(&m.kmem_caches)
    list_add_tail(&w.m.all, &memcg_at(&w.m, 0).siblings, sizeof(mem_cgroup), i)
    m = memcg_at(&w.m, parent)
    m.online_children += 1
    m.child_cgroups += 1
    m.refs += 1
    w.n.cgroups_created += 1
    w.n.cgroups += 1
    w.n.cgroups_peak = max(w.n.cgroups_peak, w.n.cgroups)
    w.n.nodes += w.k.kernfs_per_cgroup
    w.n.nodes_peak = max(w.n.nodes_peak, w.n.nodes)
    index[0] = i
    return 0


# --- RCU ------------------------------------------------------------------------------


cdef inline int rcu_sync_exit(world *w, int32_t cpu) except -1 nogil:
    w.rss_count -= 1
    if w.rss_callback == SYNC_IDLE:
        w.rss_callback = SYNC_PENDING
        call_rcu(&w.r, cpu, CB_RCU_SYNC, 0)
    elif w.rss_callback == SYNC_PENDING:
        w.rss_callback = SYNC_REPLAY
    return 0


cdef inline int rcu_sync_callback(world *w, int32_t cpu) except -1 nogil:
    if w.rss_count:
        w.rss_callback = SYNC_IDLE
    elif w.rss_callback == SYNC_REPLAY:
        w.rss_callback = SYNC_PENDING
        call_rcu(&w.r, cpu, CB_RCU_SYNC, 0)
    else:
        w.rss_callback = w.rss_state = SYNC_IDLE
    return 0


cdef inline int invoke(
    world *w, int32_t cpu, uint32_t kind, uint32_t arg
) except -1 nogil:
    """Run a callback."""
    cdef task *t
    cdef mem_cgroup *m
    if kind == CB_WAKE:
        sched_wake(&w.s, task_at(w, arg))
    elif kind == CB_BARRIER:
        w.barrier_count -= 1
        if not w.barrier_count and w.barrier_waiter != NULL:
            t = w.barrier_waiter
            w.barrier_waiter = NULL
            sched_wake(&w.s, t)
    elif kind == CB_RCU_SYNC:
        rcu_sync_callback(w, cpu)
    elif kind == CB_CSS_KILLED:
        m = memcg_at(&w.m, arg)
        m.online_children -= 1
        if not m.online_children:
            queue_new_work(&w.s, &w.q, cpu, CGROUP_DESTROY, W_OFFLINE, arg, NIL)
    elif kind == CB_CSS_FREE:
        queue_new_work(&w.s, &w.q, cpu, CGROUP_DESTROY, W_FREE, arg, NIL)
    elif kind == CB_CGROUP_FREE:
        queue_new_work(&w.s, &w.q, cpu, CGROUP_DESTROY, W_CGROUP_FREE, arg, NIL)
    elif kind == CB_DEACTIVATE:
        queue_new_work(&w.s, &w.q, cpu, w.k.create_queue, W_DEACTIVATE, arg, NIL)
    elif kind == CB_SLAB:
        uncharge(w, cpu, arg, 1)
    return 0


cdef inline int softirq(world *w, task *t, frame *f) except -1 nogil:
    """Invoke callbacks whose grace period is over, in batches (rcu_do_batch())."""
    cdef rcu_data *d = &w.r.data[t.cpu]
    cdef int64_t i
    cdef uint32_t kind, arg
    while True:
        if f.pc == 0:
            f.n = min(d.done - d.head, d.blimit)
            if not f.n:
                w.s.cpus[t.cpu].softirq_active = 0
                return SLEEP
            f.pc = 1
            return run(t, f.n * w.cost.rcu_callback)
        for i in range(f.n):
            kind = d.ring[d.head & (d.capacity - 1)].kind
            arg = d.ring[d.head & (d.capacity - 1)].arg
            d.head += 1
            w.r.callbacks -= 1
            w.r.invoked += 1
            invoke(w, t.cpu, kind, arg)
        if d.blimit != BLIMIT and rcu_qlen(d) <= QLOWMARK:
            d.blimit = BLIMIT
        f.pc = 0
        if d.done > d.head and cpu_crowded(&w.s.cpus[t.cpu]):
            return YIELD


cdef inline int synchronize(world *w, task *t, frame *f) except -1 nogil:
    """Wait for a grace period, as synchronize_sched() does."""
    if f.pc:
        return DONE
    if w.s.mutexes[SLAB_MUTEX].owner == t:
        w.n.sync_under_slab += 1
        find(w, GP_UNDER_SLAB)
    if w.s.mutexes[CGROUP_MUTEX].owner == t:
        w.n.sync_under_cgroup += 1
        find(w, GP_UNDER_CGROUP)
    w.n.sync_waits += 1
    if w.s.ncpus == 1:
        return DONE             # rcu_blocking_is_gp()
    call_rcu(&w.r, t.cpu, CB_WAKE, t.index)
    f.pc = 1
    return SLEEP_D


cdef inline int barrier(world *w, task *t, frame *f) except -1 nogil:
    """Wait until all callbacks queued so far were invoked, as rcu_barrier() does."""
    while True:
        if f.pc == 0:
            w.n.barriers += 1
            if w.s.mutexes[SLAB_MUTEX].owner == t:
                find(w, BARRIER_UNDER_SLAB)
            if w.s.mutexes[CGROUP_MUTEX].owner == t:
                find(w, BARRIER_UNDER_CGROUP)
            f.v = (w.barrier_sequence + 3) & ~<int64_t>1
            f.pc = 1
            return lock(w, t, BARRIER_MUTEX)
        elif f.pc == 1:
            if w.barrier_sequence >= f.v:
                unlock(w, BARRIER_MUTEX)
                return DONE
            w.barrier_sequence += 1
            f.i = 0
            f.pc = 2
        elif f.pc == 2:
            while f.i < w.s.ncpus and not rcu_qlen(&w.r.data[f.i]):
                f.i += 1
            if f.i < w.s.ncpus:
                w.n.ipis += 1
                f.pc = 3
                return run(t, w.cost.ipi)
            f.pc = 4
            if w.barrier_count:
                w.barrier_waiter = t
                return SLEEP_D
        elif f.pc == 3:
            if not w.k.entrained:
                w.barrier_count += 1
                call_rcu(&w.r, <int32_t>f.i, CB_BARRIER, 0)
            elif rcu_entrain(&w.r, <int32_t>f.i, CB_BARRIER):
                w.barrier_count += 1
            f.i += 1
            f.pc = 2
        else:
            w.barrier_sequence += 1
            unlock(w, BARRIER_MUTEX)
            return DONE


# --- kworkers -------------------------------------------------------------------------


cdef inline int worker(world *w, task *t, frame *f) except -1 nogil:
    """Be worker_thread(): run the pool's list until it is empty or somebody else runs."""
    cdef worker_pool *p = &w.s.pools[t.pool]
    cdef work *item
    cdef int32_t queue
    while True:
        if f.pc == 0:
            pool_leave_idle(p, t)
            f.pc = 1
        elif f.pc == 1:
            if not p.worklist.length or p.running:
                pool_enter_idle(&w.s, p, t)
                f.pc = 0
                return SLEEP
            if not p.idle and not p.managing:
                p.managing = 1
                f.pc = 2
                return run(t, w.cost.worker_create)
            if p.cpu >= 0:
                t.counted = 1
                p.running += 1
            f.pc = 3
        elif f.pc == 2:
            p.managing = 0
            new_worker(w, t.pool)
            f.pc = 1
        elif f.pc == 3:
            if p.worklist.length and p.running <= 1:
                f.a = work_popleft(&w.q, &p.worklist)
                if p.cpu < 0:
                    pool_wake_worker(&w.s, p)
                f.pc = 4
            else:
                if p.cpu >= 0:
                    t.counted = 0
                    p.running -= 1
                f.pc = 1
        elif f.pc == 4:
            item = work_at(&w.q, f.a)
            queue = item.queue
            w.q.run[queue] += 1
            w.q.longest_pending_ns[queue] = max(
                w.q.longest_pending_ns[queue], w.s.now - item.queued_at
            )
            item.pending = item.again = 0
            item.running = 1
            f.pc = 5
            return call_work(w, t, item)
        else:
            item = work_at(&w.q, f.a)
            item.running = 0
            w.q.outstanding -= 1
            f.pc = 4
            if not item.again:
                queue_finish(&w.s, &w.q, item.queue, t.cpu)
                if f.a != w.destroy_work:
                    arena_give(&w.q.works, f.a)
                f.pc = 3


cdef inline int call_work(world *w, task *t, work *item) noexcept nogil:
    if item.kind == W_CREATE:
        return call(t, F_CREATE_WORK, item.a, item.b)
    if item.kind == W_OFFLINE:
        return call(t, F_OFFLINE_WORK, item.a, NIL)
    if item.kind == W_RELEASE:
        return call(t, F_RELEASE_WORK, item.a, CB_CSS_FREE)
    if item.kind == W_FREE:
        return call(t, F_FREE_WORK, item.a, NIL)
    if item.kind == W_CGROUP_RELEASE:
        return call(t, F_RELEASE_WORK, item.a, CB_CGROUP_FREE)
    if item.kind == W_CGROUP_FREE:
        return call(t, F_CGROUP_FREE_WORK, item.a, NIL)
    if item.kind == W_DEACTIVATE:
        return call(t, F_DEACTIVATE_WORK, item.a, NIL)
    return call(t, F_BARRIER_WORK, NIL, NIL)


# --- caches: creation -----------------------------------------------------------------


cdef inline int create_root(world *w, task *t, frame *f) except -1 nogil:
    """Create a root cache: a = size, b = flags; the alias search walks."""
    cdef int64_t hops
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            hops = walked(w, HOPS_CREATE, w.k.root_list)
            f.pc = 2
            return run(t, hop_ns(w, hops, hops))
        elif f.pc == 2:
            f.pc = 3
            return run(
                t, w.cost.cache_create + w.k.kernfs_per_cache * w.cost.kernfs_add
            )
        else:
            link_root(
                w, f.a, f.b & 1 != 0, f.b & 2 != 0, f.b & 4 != 0, &t.result
            )
            unlock(w, SLAB_MUTEX)
            return DONE


cdef inline int miss(world *w, task *t, frame *f) except -1 nogil:
    """Queue the creation of a child; nothing sees whether one is queued already."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.b)
    cdef root_cache *r
    if f.pc == 0:
        f.pc = 1
        return run(t, w.cost.alloc_miss)
    if not m.kmem_online or root_slot(&w.c, f.a, m.kmemcg_id) != NIL:
        return DONE
    r = root_at(&w.c, f.a)
    w.n.misses += 1
    if r.missed_at[m.kmemcg_id] < 0:
        r.missed_at[m.kmemcg_id] = w.s.now
        w.n.pairs_missed += 1
    m.refs += 1
    w.n.creations_pending += 1
    queue_new_work(&w.s, &w.q, t.cpu, w.k.create_queue, W_CREATE, f.a, f.b)
    return DONE


cdef inline int create_work(world *w, task *t, frame *f) except -1 nogil:
    """Create the child of root a for cgroup b, if still wanted."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.b)
    cdef uint32_t nodes = w.k.kernfs_per_cache if w.k.child_sysfs else 0
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.create_check)
        elif f.pc == 2:
            f.pc = 4
            if m.kmem_online and root_slot(&w.c, f.a, m.kmemcg_id) == NIL:
                f.pc = 3
                return run(t, w.cost.cache_create + nodes * w.cost.kernfs_add)
        elif f.pc == 3:
            link_child(w, f.a, f.b, nodes)
            f.pc = 4
        else:
            unlock(w, SLAB_MUTEX)
            w.n.creations_pending -= 1
            css_put(w, t.cpu, f.b, 1)
            return DONE


# --- caches: deactivation -------------------------------------------------------------


cdef inline bint next_filled(world *w, frame *f) noexcept nogil:
    """Find the next root, the newest first, where cgroup a has a child: b and c."""
    cdef int32_t id = memcg_at(&w.m, f.a).kmemcg_id
    while f.i:
        f.i -= 1
        f.b = accounted_at(&w.c, <uint32_t>f.i)
        f.c = root_slot(&w.c, f.b, id)
        if f.c != NIL:
            return True
    return False


cdef inline void clear_slot(world *w, uint32_t root, uint32_t memcg) noexcept nogil:
    root_at(&w.c, root).slots[memcg_at(&w.m, memcg).kmemcg_id] = NIL


cdef inline int deactivate(world *w, task *t, frame *f) except -1 nogil:
    """Be memcg_deactivate_kmem_caches() for cgroup a."""
    cdef int64_t length, discarded
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            length = walk_length(w, w.k.root_list)
            f.pc = 2
            return run(t, hop_ns(w, length, length))
        elif f.pc == 2:
            walked(w, HOPS_OFFLINE, w.k.root_list)
            f.i = w.c.accounted.used
            f.pc = 3
        elif f.pc == 3:
            if not next_filled(w, f):
                f.pc = 7
                continue
            mark_deactivated(w, f.c)
            if w.k.deactivation == DEACT_RCU_PER_CACHE:
                memcg_at(&w.m, f.a).refs += 1
                w.n.async_waits += 1
                call_rcu(&w.r, t.cpu, CB_DEACTIVATE, f.c)
                clear_slot(w, f.b, f.a)
            elif w.k.deactivation == DEACT_IPI:
                w.n.ipis += w.s.ncpus - 1
                f.pc = 4
                return run(t, w.cost.ipi * (w.s.ncpus - 1))
            elif w.k.deactivation == DEACT_GP_PER_CACHE:
                f.pc = 4
                return call(t, F_SYNCHRONIZE, NIL, NIL)
        elif f.pc == 4:
            f.pc = 5
            return run(t, w.cost.shrink)
        elif f.pc == 5:
            shrink(w, t.cpu, f.c, &discarded)
            f.pc = 6
            return run(t, w.cost.page_free * discarded)
        elif f.pc == 6:
            clear_slot(w, f.b, f.a)
            f.pc = 3
        elif f.pc == 7:
            if w.k.deactivation != DEACT_GP_PER_MEMCG:
                unlock(w, SLAB_MUTEX)
                return DONE
            unlock(w, SLAB_MUTEX)
            f.pc = 8
            return call(t, F_SYNCHRONIZE, NIL, NIL)
        elif f.pc == 8:
            f.pc = 9
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 9:
            length = walk_length(w, False)
            f.pc = 10
            return run(t, hop_ns(w, length, length))
        elif f.pc == 10:
            walked(w, HOPS_OFFLINE, False)
            f.i = w.c.accounted.used
            f.pc = 11
        elif f.pc == 11:
            if not next_filled(w, f):
                unlock(w, SLAB_MUTEX)
                return DONE
            f.pc = 12
            return run(t, w.cost.shrink)
        elif f.pc == 12:
            shrink(w, t.cpu, f.c, &discarded)
            f.pc = 13
            return run(t, w.cost.page_free * discarded)
        else:
            clear_slot(w, f.b, f.a)
            f.pc = 11


cdef inline int deactivate_work(
    world *w, task *t, frame *f
) except -1 nogil:
    """Shrink cache a after its grace period."""
    cdef int64_t discarded
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.shrink)
        elif f.pc == 2:
            shrink(w, t.cpu, f.a, &discarded)
            f.pc = 3
            return run(t, w.cost.page_free * discarded)
        elif f.pc == 3:
            f.pc = 5
            if not cache_at(&w.c, f.a).slabs and cache_at(&w.c, f.a).nodes:
                find(w, KOBJECT_UNDER_SLAB)
                f.pc = 4
                return run(t, cache_at(&w.c, f.a).nodes * w.cost.kernfs_remove)
        elif f.pc == 4:
            set_nodes(w, f.a, 0)
            f.pc = 5
        else:
            unlock(w, SLAB_MUTEX)
            css_put(w, t.cpu, links_at(&w.c, f.a).memcg_index, 1)
            return DONE


# --- caches: destruction --------------------------------------------------------------


cdef inline int destroy(world *w, task *t, frame *f) except -1 nogil:
    """Be memcg_destroy_kmem_caches() for cgroup a: b, the caches to release."""
    cdef mem_cgroup *m = memcg_at(&w.m, f.a)
    cdef int64_t length
    cdef kmem_cache *c
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            length = m.kmem_caches.length if w.k.memcg_list else w.c.all.length
            f.pc = 2
            return run(t, hop_ns(w, length, length))
        elif f.pc == 2:
            if w.k.memcg_list:
                w.n.hops[HOPS_FREE] += m.kmem_caches.length
            else:
                walked(w, HOPS_FREE, False)
            f.b = NIL
            f.n = 0
            f.pc = 3
        elif f.pc == 3:
            f.d = m.kmem_caches.first
            if f.d == NIL:
                f.pc = 7
                continue
            f.pc = 4
            return run(t, w.cost.shutdown)
        elif f.pc == 4:
            unlink_child(w, f.d)
            if w.k.barrier_batch:
                links_at(&w.c, f.d).caches.next = f.b
                f.b = f.d
                f.n |= root_of(&w.c, f.d).typesafe
                f.pc = 3
                continue
            c = cache_at(&w.c, f.d)
            f.pc = 6
            if c.nodes:
                find(w, KOBJECT_UNDER_SLAB)
                f.pc = 5
                return run(t, c.nodes * w.cost.kernfs_remove)
        elif f.pc == 5:
            set_nodes(w, f.d, 0)
            f.pc = 6
        elif f.pc == 6:
            f.pc = 3
            if not root_of(&w.c, f.d).typesafe:
                return call(t, F_RELEASE_CACHE, f.d, NIL)
            list_add_tail(
                &w.c.rcu_destroy, &links_at(&w.c, 0).caches, sizeof(cache_links), f.d
            )
            schedule_barrier_work(w, t.cpu)
        elif f.pc == 7:
            unlock(w, SLAB_MUTEX)
            f.pc = 8
            if f.n:
                return call(t, F_BARRIER, NIL, NIL)
        else:
            return release_next(w, t, f)


cdef inline int release_next(world *w, task *t, frame *f) noexcept nogil:
    """Release the caches linked from b."""
    cdef uint32_t cache = f.b
    if cache == NIL:
        return DONE
    f.b = links_at(&w.c, cache).caches.next
    return call(t, F_RELEASE_CACHE, cache, NIL)


cdef inline void schedule_barrier_work(world *w, int32_t cpu) noexcept nogil:
    cdef work *item = work_at(&w.q, w.destroy_work)
    if item.pending:
        return
    item.pending = 1
    if item.running:
        # The pool that runs it runs it again (__queue_work(), kernel/workqueue.c).
        item.again = 1
        item.queued_at = w.s.now
        w.q.outstanding += 1
        w.q.queued[EVENTS] += 1
    else:
        queue_work(&w.s, &w.q, cpu, EVENTS, w.destroy_work)


cdef inline int barrier_work(world *w, task *t, frame *f) except -1 nogil:
    """Be slab_caches_to_rcu_destroy_workfn()."""
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            f.b = w.c.rcu_destroy.first
            list_init(&w.c.rcu_destroy)
            unlock(w, SLAB_MUTEX)
            f.pc = 2
            if f.b != NIL:
                return call(t, F_BARRIER, NIL, NIL)
        else:
            return release_next(w, t, f)


cdef inline int release_cache(world *w, task *t, frame *f) except -1 nogil:
    """Free cache a: the only place where a child's memory goes back."""
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    if f.pc == 0:
        f.pc = 1
        return run(t, w.cost.release + c.nodes * w.cost.kernfs_remove)
    set_nodes(w, f.a, 0)
    w.n.caches -= 1
    w.n.caches_dying -= c.deactivated
    c.live = 0
    arena_give(&w.c.caches, f.a)
    return DONE


# --- cgroups --------------------------------------------------------------------------


cdef inline int mkdir(world *w, task *t, frame *f) except -1 nogil:
    """Make a cgroup below a, which is of generation b; the result is its index."""
    cdef int32_t id
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.cgroup_mkdir)
        elif f.pc == 2:
            t.result = NIL
            f.i = -1
            f.pc = 3
            if not memcg_alive(w, f.a, f.b):
                unlock(w, CGROUP_MUTEX)
                return DONE
            if w.k.kmem:
                id = id_lowest_free(&w.m)
                if id == MAX_KMEMCG_ID:
                    unlock(w, CGROUP_MUTEX)
                    return DONE
                id_take(&w.m, id)
                f.i = id
                if <uint32_t>id >= w.c.nr_ids:
                    return call(t, F_GROW, <uint32_t>id, NIL)
        else:
            new_memcg(w, f.a, <int32_t>f.i, &t.result)
            unlock(w, CGROUP_MUTEX)
            return DONE


cdef inline int grow(world *w, task *t, frame *f) except -1 nogil:
    """Enlarge every root's array of children for id a (memcg_alloc_cache_id())."""
    cdef int64_t hops
    cdef uint32_t i, size
    while True:
        if f.pc == 0:
            f.pc = 1 if w.k.children else 3
            if w.k.children:
                return lock(w, t, SLAB_MUTEX)
        elif f.pc == 1:
            hops = walked(w, HOPS_GROW, w.k.root_list)
            f.pc = 2
            return run(t, hop_ns(w, hops, hops))
        elif f.pc == 2:
            size = min(max(2 * (f.a + 1), 4), MAX_KMEMCG_ID)
            for i in range(w.c.roots.used):
                resize_slots(w, root_at(&w.c, i), w.c.nr_ids, size)
            w.c.nr_ids = size
            unlock(w, SLAB_MUTEX)
            return DONE
        else:
            w.c.nr_ids = min(max(2 * (f.a + 1), 4), MAX_KMEMCG_ID)
            return DONE


cdef inline int rmdir(world *w, task *t, frame *f) except -1 nogil:
    """Remove cgroup a of generation b; the result is 1, or 0 if it is busy."""
    cdef mem_cgroup *m
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.cgroup_rmdir)
        else:
            t.result = 0
            m = memcg_at(&w.m, f.a)
            if memcg_alive(w, f.a, f.b) and not m.tasks and not m.child_cgroups:
                t.result = 1
                m.dead = 1
                memcg_at(&w.m, m.parent).child_cgroups -= 1
                w.n.cgroups_dying += 1
                w.n.cgroups_dying_peak = max(
                    w.n.cgroups_dying_peak, w.n.cgroups_dying
                )
                w.n.nodes -= w.k.kernfs_per_cgroup
                m.refs += 1     # kill_css() holds it until it is offline
                w.n.async_waits += 1
                call_rcu(&w.r, t.cpu, CB_CSS_KILLED, f.a)
            unlock(w, CGROUP_MUTEX)
            return DONE


cdef inline int offline_work(world *w, task *t, frame *f) except -1 nogil:
    """Take cgroup a offline, then each parent that only waited for it."""
    cdef mem_cgroup *m
    cdef uint32_t i, parent
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.css_offline)
        elif f.pc == 2:
            m = memcg_at(&w.m, f.a)
            f.i = m.kmem_online
            f.pc = 3
            if m.kmem_online:
                m.kmem_online = 0
                if w.k.children and w.k.deactivation != DEACT_NONE:
                    return call(t, F_DEACTIVATE, f.a, NIL)
        else:
            m = memcg_at(&w.m, f.a)
            if f.i:
                if w.k.children:
                    for i in range(w.c.accounted.used):
                        root_at(&w.c, accounted_at(&w.c, i)).missed_at[m.kmemcg_id] = -1
                id_give(&w.m, m.kmemcg_id)
                m.kmemcg_id = -1
            m.online = 0
            parent = m.parent
            css_put(w, t.cpu, f.a, 2)
            m = memcg_at(&w.m, parent)
            m.online_children -= 1
            if m.online_children or not parent:
                unlock(w, CGROUP_MUTEX)
                return DONE
            f.a = parent
            f.pc = 1


cdef inline int release_work(world *w, task *t, frame *f) except -1 nogil:
    """Unlink cgroup a; callback b follows after a grace period."""
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            return run(t, w.cost.css_release)
        else:
            unlock(w, CGROUP_MUTEX)
            w.n.async_waits += 1
            call_rcu(&w.r, t.cpu, f.b, f.a)
            return DONE


cdef inline int free_work(world *w, task *t, frame *f) except -1 nogil:
    """Free the css of cgroup a."""
    cdef uint32_t parent
    while True:
        if f.pc == 0:
            f.pc = 1
            return run(t, w.cost.css_free)
        elif f.pc == 1:
            f.pc = 2
            if w.k.children:
                return call(t, F_DESTROY, f.a, NIL)
        else:
            parent = memcg_at(&w.m, f.a).parent
            if parent:
                css_put(w, t.cpu, parent, 1)
            queue_new_work(
                &w.s, &w.q, t.cpu, CGROUP_DESTROY, W_CGROUP_RELEASE, f.a, NIL
            )
            return DONE


cdef inline int cgroup_free_work(
    world *w, task *t, frame *f
) except -1 nogil:
    """Free cgroup a: the only place where its memory goes back."""
    if f.pc == 0:
        f.pc = 1
        return run(t, w.cost.cgroup_free)
    memcg_at(&w.m, f.a).generation += 1
    list_del(&w.m.all, &memcg_at(&w.m, 0).siblings, sizeof(mem_cgroup), f.a)
    arena_give(&w.m.groups, f.a)
    w.n.cgroups -= 1
    w.n.cgroups_dying -= 1
    return DONE


cdef inline int attach(world *w, task *t, frame *f) except -1 nogil:
    """Move the task into cgroup a of generation b."""
    while True:
        if f.pc == 0:
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 3
            if w.k.join_waits:
                w.rss_count += 1
                if w.rss_state == SYNC_IDLE:
                    w.rss_state = SYNC_PENDING
                    f.pc = 2
                    return call(t, F_SYNCHRONIZE, NIL, NIL)
        elif f.pc == 2:
            w.rss_state = SYNC_PASSED
            f.pc = 3
        elif f.pc == 3:
            f.pc = 4
            return run(t, w.cost.cgroup_attach)
        else:
            if memcg_alive(w, f.a, f.b):
                t.memcg = f.a
                memcg_at(&w.m, f.a).tasks += 1
            if w.k.join_waits:
                rcu_sync_exit(w, t.cpu)
            unlock(w, CGROUP_MUTEX)
            return DONE


# --- what programs do -----------------------------------------------------------------


cdef inline int alloc(world *w, task *t, frame *f) except -1 nogil:
    """Allocate n objects of root a for cgroup b; c: 0 frees each, 1 holds, 2 pins."""
    cdef mem_cgroup *m
    cdef int64_t slabs
    while True:
        if f.pc == 0:
            if f.i == f.n:
                return DONE
            f.pc = 1
            return run(t, w.cost.alloc)
        elif f.pc == 1:
            m = memcg_at(&w.m, f.b)
            f.d = root_at(&w.c, f.a).cache
            f.pc = 2
            if root_at(&w.c, f.a).accounted and w.k.children and m.kmem_online:
                if root_slot(&w.c, f.a, m.kmemcg_id) == NIL:
                    return call(t, F_MISS, f.a, f.b)
                f.d = root_slot(&w.c, f.a, m.kmemcg_id)
        elif f.pc == 2:
            slabs = take_objects(w, f.d, 1)
            f.pc = 3
            return run(t, w.cost.page_alloc * slabs)
        elif f.pc == 3:
            f.pc = 4
            if f.c == 0:
                put_objects(w, t.cpu, f.d, 1, &slabs)
                return run(t, w.cost.page_free * slabs)
            if f.c == 2:
                cache_at(&w.c, f.d).pinned += 1
        else:
            f.i += 1
            f.pc = 0


cdef inline uint32_t child_of(world *w, uint32_t memcg, uint32_t root) noexcept nogil:
    """Return the cache that a cgroup, dying or not, has of a root, or NIL."""
    cdef uint32_t i = memcg_at(&w.m, memcg).kmem_caches.first
    while i != NIL and links_at(&w.c, i).root != root:
        i = links_at(&w.c, i).memcg.next
    return i


cdef inline int free_objects(world *w, task *t, frame *f) except -1 nogil:
    """Free n objects of root a for cgroup b of generation d."""
    cdef kmem_cache *own
    cdef kmem_cache *of_root
    cdef int64_t count, discarded, more = 0
    cdef uint32_t root, cache
    if f.pc == 0:
        f.pc = 1
        return run(t, w.cost.alloc * f.n)
    if f.pc == 2:
        t.result = 1
        return DONE
    root = root_at(&w.c, f.a).cache
    cache = NIL
    if memcg_at(&w.m, f.b).generation == f.d:
        cache = child_of(w, f.b, f.a)
    if cache == NIL:
        cache = root
    own = cache_at(&w.c, cache)
    of_root = cache_at(&w.c, root)
    count = min(f.n, <int64_t>own.inuse - own.pinned)
    t.result = 0
    if count < f.n and (
        cache == root or f.n - count > <int64_t>of_root.inuse - of_root.pinned
    ):
        return DONE
    put_objects(w, t.cpu, cache, count, &discarded)
    if count < f.n:
        put_objects(w, t.cpu, root, f.n - count, &more)
    f.pc = 2
    return run(t, w.cost.page_free * (discarded + more))


cdef inline int unpin(world *w, task *t, frame *f) except -1 nogil:
    """Free the pinned objects of cache a, if it is reclaimable."""
    cdef kmem_cache *c = cache_at(&w.c, f.a)
    cdef int64_t discarded
    if f.pc == 0:
        if not c.pinned or not root_of(&w.c, f.a).reclaimable:
            return DONE
        f.n = c.pinned
        c.pinned = 0
        f.pc = 1
        return run(t, w.cost.alloc * f.n)
    if f.pc == 1:
        put_objects(w, t.cpu, f.a, f.n, &discarded)
        f.pc = 2
        return run(t, w.cost.page_free * discarded)
    return DONE


cdef inline int drop_caches(world *w, task *t, frame *f) except -1 nogil:
    """Free pinned objects: of the roots, then cgroup by cgroup, oldest first."""
    cdef mem_cgroup *m
    while True:
        if f.pc == 0:
            f.n = w.c.roots.used
            f.i = 0
            f.pc = 1
        elif f.pc == 1:
            if f.i < f.n:
                f.i += 1
                return call(t, F_UNPIN, root_at(&w.c, <uint32_t>f.i - 1).cache, NIL)
            f.a = w.m.all.first
            f.pc = 2
        elif f.pc == 2:
            while f.a != NIL and not memcg_at(&w.m, f.a).refs:
                f.a = memcg_at(&w.m, f.a).siblings.next
            if f.a == NIL:
                return DONE
            m = memcg_at(&w.m, f.a)
            m.refs += 1
            f.b = m.kmem_caches.last
            f.v = w.c.serial    # later ones are not of this scan
            f.pc = 3
        else:
            if f.b != NIL and cache_at(&w.c, f.b).serial < f.v:
                f.c = f.b
                f.b = links_at(&w.c, f.b).memcg.prev
                return call(t, F_UNPIN, f.c, NIL)
            css_put(w, t.cpu, f.a, 1)
            f.a = memcg_at(&w.m, f.a).siblings.next
            f.pc = 2


cdef inline int burst(world *w, task *t, frame *f) except -1 nogil:
    """Go n rounds over accounted roots [a, b): v ns of its own, then c objects of each.

    d: 0 frees each object, 2 pins it. i counts.
    """
    cdef frame *g
    cdef uint32_t memcg = t.memcg if t.memcg != NIL else 0
    cdef int64_t width = <int64_t>f.b - f.a
    while True:
        if f.pc == 0:
            if width <= 0 or f.i >= f.n * width:
                return DONE
            f.pc = 1
            return run_user(t, f.v)
        f.pc = 0
        g = task_push(t, F_ALLOC)
        g.a = accounted_at(&w.c, <uint32_t>(f.a + f.i % width))
        g.b = memcg
        g.c = f.d
        g.n = f.c
        f.i += 1
        return CALL


cdef inline int sleep_until(
    world *w, task *t, int64_t when
) except -1 nogil:
    clock_push(&w.s.timers, when, t.number, t.index)
    return SLEEP


cdef inline int queue_callbacks(world *w, int32_t cpu, int64_t n) except -1 nogil:
    cdef int64_t i
    for i in range(n):
        call_rcu(&w.r, cpu, CB_PLAIN, 0)
    return 0


cdef inline int program_step(
    world *w, task *t, frame *f, const int64_t *step
) except -1 nogil:
    """Begin a step; what follows it is at the pc it leaves."""
    cdef frame *g
    cdef int64_t number = step[0]
    f.pc = 2
    if number == OP_MKDIR:
        f.pc = 3
        return call(t, F_MKDIR, 0, memcg_at(&w.m, 0).generation)
    elif number == OP_RMDIR:
        if t.made != NIL:
            f.pc = 4
            return call(t, F_RMDIR, t.made, t.made_generation)
    elif number == OP_FORK:
        f.pc = 5
        f.b = <uint32_t>step[1]
        f.v = step[2]
        return run(t, w.cost.fork)
    elif number == OP_JOIN:
        if t.made != NIL and t.memcg == NIL:
            return call(t, F_ATTACH, t.made, t.made_generation)
    elif number == OP_ALLOC or number == OP_PIN:
        g = task_push(t, F_BURST)
        g.a = <uint32_t>min(step[1], <int64_t>0x7FFFFFFF)
        g.b = <uint32_t>min(step[1] + step[2], <int64_t>w.c.accounted.used)
        g.c = 1 if number == OP_ALLOC else <uint32_t>step[3]
        g.d = 0 if number == OP_ALLOC else 2
        g.n = step[3] if number == OP_ALLOC else 1
        g.v = step[4]
        return CALL
    elif number == OP_SLEEP:
        return sleep_until(w, t, w.s.now + step[1])
    elif number == OP_RUN:
        if step[2] == 0 or w.k.kmem:
            return run_user(t, step[1])
    elif number == OP_CALLBACKS:
        queue_callbacks(w, t.cpu, step[1])
    elif number == OP_EXIT:
        f.pc = 6
        f.v = step[1]
        return run(t, w.cost.exit)
    elif number == OP_WAIT:
        if t.children:
            t.waiting = 1
            return SLEEP
    elif number == OP_AT:
        if step[1] > w.s.now:
            return sleep_until(w, t, step[1])
    elif number == OP_DROP_CACHES:
        return call(t, F_DROP_CACHES, NIL, NIL)
    return CALL


cdef inline int run_program(world *w, task *t, frame *f) except -1 nogil:
    """Run program a: n repetitions still to start, none from time d:c on; i, the step.

    The first start may be later: then v is its time.
    """
    cdef program *p = <program *>arena_at(&w.programs, f.a)
    cdef task *child
    cdef frame *g
    cdef int64_t until
    while True:
        if f.pc == 0:
            f.pc = 1
            if f.v > w.s.now:
                return sleep_until(w, t, f.v)
        elif f.pc == 1:
            until = <int64_t>(<uint32_t>f.d) << 32 | f.c
            if not f.n or (until and w.s.now >= until):
                return end_program(w, t)
            f.n -= 1
            f.i = 0
            f.pc = 2
        elif f.pc == 2:
            if f.i == p.nsteps:
                if t.parent == NULL:
                    w.n.iterations += 1
                f.pc = 1
            else:
                f.i += 1
                return program_step(w, t, f, &p.steps[5 * (f.i - 1)])
        elif f.pc == 3:
            t.made = t.result
            if t.made == NIL:
                w.n.mkdir_failures += 1
            else:
                t.made_generation = memcg_at(&w.m, t.made).generation
            f.pc = 2
        elif f.pc == 4:
            t.made = NIL
            f.pc = 2
        elif f.pc == 5:
            task_new(w, t.cpu, False, &child)
            g = task_push(child, F_PROGRAM)
            g.a = f.b
            g.c = g.d = 0
            g.n = 1
            child.parent = t
            child.parent_number = t.number
            child.made = t.made
            child.made_generation = t.made_generation
            t.children += 1
            w.n.user_tasks += 1
            queue_callbacks(w, t.cpu, f.v)
            sched_wake(&w.s, child)
            f.pc = 2
        else:
            queue_callbacks(w, t.cpu, f.v)
            f.pc = 2


cdef inline int end_program(world *w, task *t) noexcept nogil:
    if t.memcg != NIL:
        memcg_at(&w.m, t.memcg).tasks -= 1
        t.memcg = NIL
    w.n.user_tasks -= 1
    if not w.n.user_tasks:
        w.n.ended_at = w.s.now
    if t.parent != NULL and t.parent.number == t.parent_number:
        t.parent.children -= 1
        if t.parent.waiting and not t.parent.children:
            t.parent.waiting = 0
            sched_wake(&w.s, t.parent)
    return DONE


cdef inline int step(world *w, task *t) except -1 nogil:
    """Run the task's innermost function up to where it stops."""
    cdef frame *f = &t.frames[t.depth - 1]
    cdef int32_t function = f.function
    if function == F_SOFTIRQ:
        return softirq(w, t, f)
    elif function == F_WORKER:
        return worker(w, t, f)
    elif function == F_PROGRAM:
        return run_program(w, t, f)
    elif function == F_BURST:
        return burst(w, t, f)
    elif function == F_ALLOC:
        return alloc(w, t, f)
    elif function == F_MISS:
        return miss(w, t, f)
    elif function == F_CREATE_WORK:
        return create_work(w, t, f)
    elif function == F_MKDIR:
        return mkdir(w, t, f)
    elif function == F_GROW:
        return grow(w, t, f)
    elif function == F_RMDIR:
        return rmdir(w, t, f)
    elif function == F_ATTACH:
        return attach(w, t, f)
    elif function == F_FREE_OBJECTS:
        return free_objects(w, t, f)
    elif function == F_DROP_CACHES:
        return drop_caches(w, t, f)
    elif function == F_UNPIN:
        return unpin(w, t, f)
    elif function == F_CREATE_ROOT:
        return create_root(w, t, f)
    elif function == F_SYNCHRONIZE:
        return synchronize(w, t, f)
    elif function == F_BARRIER:
        return barrier(w, t, f)
    elif function == F_OFFLINE_WORK:
        return offline_work(w, t, f)
    elif function == F_RELEASE_WORK:
        return release_work(w, t, f)
    elif function == F_FREE_WORK:
        return free_work(w, t, f)
    elif function == F_CGROUP_FREE_WORK:
        return cgroup_free_work(w, t, f)
    elif function == F_DEACTIVATE_WORK:
        return deactivate_work(w, t, f)
    elif function == F_BARRIER_WORK:
        return barrier_work(w, t, f)
    elif function == F_DEACTIVATE:
        return deactivate(w, t, f)
    elif function == F_DESTROY:
        return destroy(w, t, f)
    return release_cache(w, t, f)
