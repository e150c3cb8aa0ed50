"""The files of a world: what each says, which list it walks, how a task reads it.

A read takes slab_mutex (of /proc/cgroups cgroup_mutex) from a start() to its stop(),
and has neither when it returns. What a section does is done when the mutex is taken,
and then takes its time. fs/seq_file.c, mm/slab_common.c, kernel/cgroup
"""

from libc.errno cimport ENODEV
from libc.stdint cimport int64_t, uint32_t, uint64_t
from libc.stdio cimport snprintf

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    NIL,
    arena_at,
    arena_extend,
    arena_free,
    arena_give,
    arena_init,
    arena_take,
    arena_zeroed,
)
from slabcore.cache_show cimport (
    HEADER_ROOM,
    ROW_ROOM,
    TAIL,
    rows_path,
    slabinfo,
    slabinfo_add,
    slabinfo_fitting_row,
    slabinfo_header,
    slabinfo_row,
)
from slabcore.list cimport (
    list_at,
    list_cursor_close,
    list_cursor_open,
    list_head,
)
from slabcore.loadavg cimport FIXED_1
from slabcore.memcontrol cimport mem_cgroup, memcg_at
from slabcore.sched cimport CGROUP_MUTEX, SLAB_MUTEX, frame, sched_runnable, task
from slabcore.seq_file cimport (
    ERA_B,
    ERA_D,
    SEQ_DONE,
    SEQ_END,
    seq_file,
    seq_lseek_begin,
    seq_operations,
    seq_read_begin,
    seq_release,
    seq_result,
    seq_section,
    seq_set_up,
    seq_write,
)
from slabcore.slab cimport (
    cache_at,
    cache_links,
    kmem_cache,
    links_at,
    root_at,
    root_cache,
    slabs_for,
)
from slabcore.world cimport (
    DONE,
    FILE_CGROUPS,
    FILE_CGROUP_STAT,
    FILE_LOADAVG,
    FILE_MEMCG_SLABINFO,
    FILE_SLABINFO,
    HOPS_SLABINFO,
    LIST_ALL,
    LIST_MEMCG,
    LIST_NONE,
    LIST_ROOTS,
    NAME_ROOM,
    RECORD_REPEATED,
    T_PROGRAMS,
    file_at,
    find,
    hop_ns,
    lock,
    open_file,
    root_name,
    run,
    slabinfo_read,
    spend,
    unlock,
    world,
)

cdef enum:
    TEXT_ROOM = 256         # for the one record of a file that walks no list


# --- the list that is walked --------------------------------------------------------


cdef inline bint file_gone(const open_file *o) noexcept nogil:
    """Tell whether a file was removed with its cgroup."""
    cdef mem_cgroup *m
    if o.memcg == NIL:
        return False
    m = memcg_at(&o.w.m, o.memcg)
    return m.generation != o.generation or m.dead


cdef inline list_head *file_list(open_file *o) noexcept nogil:
    if o.list == LIST_ROOTS:
        return &o.w.c.root_list
    if o.list == LIST_MEMCG:
        return &memcg_at(&o.w.m, o.memcg).kmem_caches
    return &o.w.c.all


cdef inline void *file_links(const open_file *o, size_t *stride) noexcept nogil:
    """Return where the link of entry 0 is."""
    stride[0] = sizeof(cache_links)
    if o.list == LIST_ROOTS:
        stride[0] = sizeof(root_cache)
        return &root_at(&o.w.c, 0).roots
    if o.list == LIST_MEMCG:
        return &links_at(&o.w.c, 0).memcg
    return &links_at(&o.w.c, 0).caches


cdef inline uint32_t file_cache(const open_file *o, int64_t entry) noexcept nogil:
    """Return the cache that an entry of the list is."""
    if o.list == LIST_ROOTS:
        return root_at(&o.w.c, <uint32_t>entry).cache
    return <uint32_t>entry


# --- what is shown ------------------------------------------------------------------


cdef inline uint32_t cpus_with_slab(const kmem_cache *c) noexcept nogil:
    cdef uint64_t rest = c.cpus
    cdef uint32_t count = 0
    while rest:
        rest &= rest - 1
        count += 1
    return count


cdef inline void get_slabinfo(
    world *w, const root_cache *r, uint32_t cache, slabinfo *s
) noexcept nogil:
    """Count a cache's slabs and objects.

    Slabs are counted and not filled: the free objects that there are lie on the CPUs'
    slabs first, where they count as active, and then on partial ones.
    """
    cdef const kmem_cache *c = cache_at(&w.c, cache)
    cdef uint64_t free = <uint64_t>c.slabs * r.per_slab - c.inuse
    cdef uint64_t on_cpus
    s.num_slabs = s.active_slabs = c.slabs
    s.num_objs = <uint64_t>c.slabs * r.per_slab
    s.shared_avail = 0
    if w.k.slab:
        s.active_objs = c.inuse
        s.active_slabs = <uint64_t>slabs_for(r, c.inuse)
        return
    on_cpus = <uint64_t>cpus_with_slab(c) * r.per_slab
    s.active_objs = s.num_objs - (free - on_cpus if free > on_cpus else 0)


cdef inline void set_tunables(
    world *w, const root_cache *r, slabinfo *s
) noexcept nogil:
    """Be enable_cpucache(), mm/slab.c; SLUB has none."""
    s.limit = s.batchcount = s.shared = 0
    if not w.k.slab:
        return
    if r.size > 131072:
        s.limit = 1
    elif r.size > w.c.page_size:
        s.limit = 8
    elif r.size > 1024:
        s.limit = 24
    elif r.size > 256:
        s.limit = 54
    else:
        s.limit = 120
    s.batchcount = (s.limit + 1) // 2
    if r.size <= w.c.page_size and w.s.ncpus > 1:
        s.shared = 8


cdef inline void cache_row(seq_file *m, open_file *o, uint32_t cache) noexcept nogil:
    """Print a cache's row; to a root's are added its children's counts."""
    cdef world *w = o.w
    cdef uint32_t root = links_at(&w.c, cache).root, child, length
    cdef const root_cache *r = root_at(&w.c, root)
    cdef char text[ROW_ROOM + NAME_ROOM]
    cdef char number[NAME_ROOM]
    cdef const char *name = root_name(w, root, number, &length)
    cdef slabinfo s, c
    cdef size_t fits
    get_slabinfo(w, r, cache, &s)
    if cache == r.cache:
        child = r.children.first
        while child != NIL:
            get_slabinfo(w, r, child, &c)
            slabinfo_add(&s, &c)
            child = links_at(&w.c, child).children.next
        o.children += r.children.length
    set_tunables(w, r, &s)
    s.size = r.size
    s.objects_per_slab = r.per_slab
    s.pages = <uint64_t>1 << r.order
    o.rows += 1
    if m.size - m.count > TAIL + NAME_ROOM:
        fits = slabinfo_fitting_row(m.buf + m.count, name, length, &s)
        m.count += fits
        if fits:
            return
    seq_write(m, text, slabinfo_row(text, name, length, &s, NULL, rows_path()))


cdef inline int descendants(
    world *w, uint32_t memcg, int64_t *dying
) noexcept nogil:
    """Count the cgroups below one: return those alive, add up the dying ones."""
    cdef uint32_t i = w.m.all.first, above
    cdef mem_cgroup *m
    cdef int alive = 0
    while i != NIL:
        m = memcg_at(&w.m, i)
        above = m.parent
        while above and above != memcg:
            above = memcg_at(&w.m, above).parent
        if above == memcg:
            alive += m.dead == 0
            dying[0] += m.dead != 0 and m.released == 0
        i = m.siblings.next
    return alive


cdef inline int load_text(char *out, int64_t load) noexcept nogil:
    """Write a load average to two places, rounded as /proc/loadavg does it."""
    load += FIXED_1 // 200
    return snprintf(
        out, TEXT_ROOM, "%lld.%02lld ", <long long>(load // FIXED_1),
        <long long>(load % FIXED_1 * 100 // FIXED_1),
    )


cdef inline int file_text(open_file *o, char *out) noexcept nogil:
    """Write the one record of a file that walks no list; return its length."""
    cdef world *w = o.w
    cdef int64_t alive, dying = 0
    cdef int length = 0, i
    if o.kind == FILE_CGROUPS:
        # Of cgroups that are not freed yet, the root among them.
        return snprintf(
            out, TEXT_ROOM,
            "#subsys_name\thierarchy\tnum_cgroups\tenabled\nmemory\t1\t%lld\t1\n",
            <long long>(w.n.cgroups + 1),
        )
    if o.kind == FILE_CGROUP_STAT:
        alive = descendants(w, o.memcg, &dying)
        return snprintf(
            out, TEXT_ROOM, "nr_descendants %lld\nnr_dying_descendants %lld\n",
            <long long>alive, <long long>dying,
        )
    if o.kind == FILE_LOADAVG:
        for i in range(3):
            length += load_text(out + length, w.load[i])
        return length + snprintf(
            out + length, <size_t>(TEXT_ROOM - length), "%lld/%lld %lld\n",
            <long long>sched_runnable(&w.s),
            <long long>(w.q.kworkers + w.n.threads), <long long>w.s.task_number,
        )
    return 0


# --- what seq_file asks -------------------------------------------------------------


cdef inline int64_t file_start(seq_file *m, int64_t *pos) noexcept nogil:
    cdef open_file *o = <open_file *>m.private
    cdef size_t stride
    cdef void *links
    cdef list_head *head
    cdef uint32_t i
    cdef int64_t hops = 0
    if file_gone(o):
        return -ENODEV
    o.at = pos[0]
    if o.list == LIST_NONE:
        return SEQ_END if pos[0] else 0
    if o.since < 0:
        o.since = o.w.c.serial
    head = file_list(o)
    o.length = head.length
    if o.by_cursor and pos[0] and pos[0] == o.cursor_at:
        i = o.cursor.entry
        hops = i != NIL
    elif head.first == NIL:
        i = NIL     # there may be no arena of entries yet
    else:
        links = file_links(o, &stride)
        i = head.first
        while i != NIL:
            hops += 1
            if hops > pos[0]:
                break
            i = list_at(links, stride, i).next
    m.visits += hops
    o.start_hops += hops
    return SEQ_END if i == NIL else <int64_t>i


cdef inline int64_t file_next(
    seq_file *m, int64_t entry, int64_t *pos
) noexcept nogil:
    cdef open_file *o = <open_file *>m.private
    cdef size_t stride
    cdef void *links
    cdef uint32_t i
    pos[0] += 1
    o.at = pos[0]
    if o.list == LIST_NONE:
        return SEQ_END
    o.next_hops += 1
    links = file_links(o, &stride)
    i = list_at(links, stride, <uint32_t>entry).next
    return SEQ_END if i == NIL else <int64_t>i


cdef inline void file_stop(seq_file *m, int64_t entry) noexcept nogil:
    cdef open_file *o = <open_file *>m.private
    if o.by_cursor and o.list != LIST_NONE and not file_gone(o):
        o.cursor.entry = NIL if entry == SEQ_END else <uint32_t>entry
        o.cursor_at = o.at


cdef inline int file_show(seq_file *m, int64_t entry) noexcept nogil:
    cdef open_file *o = <open_file *>m.private
    cdef char text[HEADER_ROOM]
    cdef uint32_t cache, memcg
    if o.list == LIST_NONE:
        seq_write(m, text, <size_t>file_text(o, text))
        return 0
    # Behind a cursor that has shown others the first is not the beginning.
    if entry == file_list(o).first and not (o.by_cursor and o.at):
        seq_write(m, text, slabinfo_header(text, False))
    cache = file_cache(o, entry)
    memcg = links_at(&o.w.c, cache).memcg_index
    if memcg == (NIL if o.kind == FILE_SLABINFO else o.memcg):
        cache_row(m, o, cache)
    return 0


cdef inline void file_accepted(seq_file *m, int64_t entry) noexcept nogil:
    """Note that a record, or the end of one after a seek, will be delivered."""
    cdef open_file *o = <open_file *>m.private
    cdef uint32_t cache
    cdef uint32_t *times
    if o.era == ERA_B and o.latest == entry and o.latest_at == o.at:
        find(o.w, RECORD_REPEATED)
    o.latest = entry
    o.latest_at = o.at
    if not o.by_program:
        return
    cache = file_cache(o, entry)
    if links_at(&o.w.c, cache).memcg_index == NIL:
        times = &(<uint32_t *>o.delivered.entries)[links_at(&o.w.c, cache).root]
        o.repeated += times[0] > 0
        o.delivered_rows += 1
        times[0] += 1


# --- opening and reading ------------------------------------------------------------


cdef inline void file_set_up(open_file *o) noexcept nogil:
    """Choose what follows from what a file is of: its era, its list and its hooks."""
    cdef world *w = o.w
    o.era = ERA_D if o.by_cursor else w.k.seq_file
    o.list = LIST_NONE
    if o.kind == FILE_SLABINFO:
        o.list = LIST_ROOTS if w.k.root_list else LIST_ALL
    elif o.kind == FILE_MEMCG_SLABINFO and w.k.child_caches:
        o.list = LIST_MEMCG if w.k.memcg_list else LIST_ALL
    o.op.start = file_start
    o.op.next = file_next
    o.op.stop = file_stop
    o.op.show = file_show
    o.op.accepted = file_accepted
    seq_set_up(&o.seq, o.era, &o.op, o)


cdef inline int file_open(
    world *w, int kind, uint32_t memcg, bint cursor, bint by_program, uint32_t *number
) except -1 nogil:
    """Open a file; its number is the one given back last, or a new one."""
    cdef open_file *o
    arena_take(&w.files, number)
    (<open_file **>w.files.entries)[number[0]] = NULL
    o = <open_file *>arena_zeroed(1, sizeof(open_file))
    (<open_file **>w.files.entries)[number[0]] = o
    o.w = w
    o.kind = kind
    o.memcg = memcg
    o.generation = 0 if memcg == NIL else memcg_at(&w.m, memcg).generation
    o.by_cursor = cursor
    o.cursor.entry = NIL
    o.by_program = by_program
    o.since = o.latest = o.latest_at = -1
    arena_init(&o.delivered, sizeof(uint32_t))
    file_set_up(o)
    if cursor and o.list != LIST_NONE:
        list_cursor_open(file_list(o), &o.cursor, NIL)
    return 0


cdef inline void file_free(open_file *o) noexcept nogil:
    seq_release(&o.seq)
    arena_free(&o.delivered)
    PyMem_RawFree(o)


cdef inline int file_close(world *w, uint32_t number) except -1 nogil:
    cdef open_file *o = file_at(w, number)
    arena_give(&w.files, number)
    (<open_file **>w.files.entries)[number] = NULL
    if o.by_cursor and o.list != LIST_NONE:
        list_cursor_close(file_list(o), &o.cursor)
    file_free(o)
    return 0


cdef inline uint32_t file_mutex(const open_file *o) noexcept nogil:
    """Return the mutex that the next section runs under, NIL for none."""
    if o.kind == FILE_CGROUPS:
        # It is taken where the one record is shown.
        return CGROUP_MUTEX if o.seq.traverses or not o.seq.index else NIL
    if o.list == LIST_NONE or file_gone(o):
        return NIL
    return SLAB_MUTEX


cdef inline void file_call(open_file *o, int64_t at) noexcept nogil:
    """Begin a read or a seek: at 0 and anywhere else it is not continued."""
    if not at or at != o.seq.read_pos:
        o.latest = -1


cdef inline int file_section(world *w, open_file *o) except -1 nogil:
    o.start_hops = o.next_hops = o.children = o.rows = o.length = 0
    if o.by_program:
        arena_extend(&o.delivered, w.c.roots.used)
    o.next = seq_section(&o.seq)
    o.all_start_hops += o.start_hops
    o.all_next_hops += o.next_hops
    o.all_children += o.children
    w.n.hops[HOPS_SLABINFO] += o.start_hops + o.next_hops + o.children
    return 0


cdef inline int64_t section_ns(world *w, const open_file *o) noexcept nogil:
    """Return what a section takes; charge it."""
    cdef int64_t ns = o.rows * w.cost.slabinfo_row + o.children * w.cost.slabinfo_child
    return hop_ns(w, o.start_hops + o.next_hops, o.length) + spend(w, T_PROGRAMS, ns)


cdef inline int read_file(world *w, task *t, frame *f) except -1 nogil:
    """Go through the sections of a read or a seek of file a that has begun."""
    cdef open_file *o = file_at(w, f.a)
    while True:
        if f.pc == 0:
            if o.next == SEQ_DONE:
                o.result = seq_result(&o.seq)
                return DONE
            f.b = file_mutex(o)
            f.pc = 1
            if f.b != NIL:
                return lock(w, t, f.b)
        elif f.pc == 1:
            file_section(w, o)
            f.pc = 2
            return run(t, section_ns(w, o))
        else:
            if f.b != NIL:
                o.held_ns += w.s.now - w.s.mutexes[f.b].since
                unlock(w, f.b)
            f.pc = 0


cdef inline int file_read(
    open_file *o, int64_t *ppos, char *user, size_t size
) except -1 nogil:
    """Begin a read; read_file() goes on with it."""
    file_call(o, ppos[0])
    o.next = seq_read_begin(&o.seq, ppos, user, size)
    return 0


cdef inline int file_lseek(open_file *o, int64_t offset, int whence) except -1 nogil:
    file_call(o, offset + o.f_pos if whence == 1 else offset)
    o.next = seq_lseek_begin(&o.seq, &o.f_pos, offset, whence)
    return 0


cdef inline int64_t rows_missing(world *w, const open_file *o) noexcept nogil:
    """Count the roots, on the list since the first read, that never came."""
    cdef uint32_t i = w.c.root_list.first
    cdef int64_t missing = 0
    while i != NIL:
        if root_at(&w.c, i).serial < o.since:
            missing += (
                i >= o.delivered.used or (<uint32_t *>o.delivered.entries)[i] == 0
            )
        i = root_at(&w.c, i).roots.next
    return missing


cdef inline int file_note(
    world *w, const open_file *o, int64_t began, int64_t calls
) except -1 nogil:
    """Keep what a whole read of /proc/slabinfo came to."""
    cdef slabinfo_read *row
    cdef uint32_t i
    arena_take(&w.slabinfo_reads, &i)
    row = <slabinfo_read *>arena_at(&w.slabinfo_reads, i)
    row.began = began
    row.took = w.s.now - began
    row.calls = calls
    row.rows = o.delivered_rows
    row.missing = rows_missing(w, o)
    row.repeated = o.repeated
    row.start_hops = o.all_start_hops
    row.next_hops = o.all_next_hops
    row.children = o.all_children
    row.held_ns = o.held_ns
    row.by_cursor = o.by_cursor
    return 0
