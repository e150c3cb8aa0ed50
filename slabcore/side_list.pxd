"""A list whose links lie in an array of their own, of entries named by handles.

A handle is an entry's generation above its index. Of each there are 8 bytes of links,
2 of stamp and 8 of value, each in its array: taking one out touches the links of three
entries and one stamp, and no value.

Three things are put off or known ahead, so that no one waits for memory:

* what is taken out of a long list is dead at once, and unlinked 16 calls later, when
  its links and its neighbours' have come. Who reads links calls side_settle() first.
* bulk work asks for the lines of what is due 32 entries later.
* anchors are entries on the list, in its order, at no exact distance. A walk goes
  from all of them at once.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from cpython.mem cimport PyMem_RawFree

from slabcore.arena cimport (
    NIL,
    arena,
    arena_free,
    arena_init,
    arena_reserve,
    arena_resize,
)
from slabcore.list cimport (
    list_add,
    list_add_before,
    list_add_tail,
    list_broken,
    list_cursors_end,
    list_del,
    list_head,
    list_init,
    list_link,
)

cdef extern from *:
    """
    #if defined(__GNUC__)
    #define SLABCORE_ASK(address) __builtin_prefetch(address)
    #else
    #define SLABCORE_ASK(address) ((void)(address))
    #endif
    """
    void ask "SLABCORE_ASK"(const void *address) noexcept nogil

cdef enum:
    LIVE = 1                # of a stamp: it is on the list
    ANCHORED = 2            # of a stamp: it is one of the anchors
    GENERATION = 4          # of a stamp: what another one adds
    PUT_OFF = 16            # entries that wait to be unlinked
    LONG = 1 << 15          # entries whose links are not near at hand
    FAR = 32                # how far ahead a line is asked for
    NEAR = 16               # when it has come, and its neighbours' are asked for
    ANCHORS = 128
    PART = 256              # entries that a walk writes in one place


cdef struct side_list:
    list_head head          # what is put off counts in its length
    list_link *links
    uint16_t *stamps
    int64_t *values
    uint32_t *spare         # indices given back, the latest last
    uint32_t used           # indices ever handed out
    uint32_t spares
    uint32_t waiting        # how many are put off
    uint32_t turn           # of the next one that is put off
    uint32_t put_off[PUT_OFF]
    uint32_t gap            # entries from one anchor to the next that is made
    uint32_t to_head        # until one put first becomes an anchor
    uint32_t to_tail
    uint32_t anchors
    uint32_t anchor[ANCHORS]
    arena rooms[4]          # of links, stamps, values, spare


cdef struct side_step:      # of a walk
    uint32_t entry
    uint32_t stop           # where the next walk began
    uint32_t part           # that is written
    int64_t *to
    int64_t *end


cdef struct side_part:      # of what a walk has written
    uint32_t entry          # its first one
    uint32_t length
    uint32_t following      # part of the same walk; NIL


cdef inline void side_init(side_list *l) noexcept nogil:
    cdef uint32_t k
    list_init(&l.head)
    arena_init(&l.rooms[0], sizeof(list_link))
    arena_init(&l.rooms[1], sizeof(uint16_t))
    arena_init(&l.rooms[2], sizeof(int64_t))
    arena_init(&l.rooms[3], sizeof(uint32_t))
    l.links = NULL
    l.stamps = NULL
    l.values = NULL
    l.spare = NULL
    l.used = l.spares = l.waiting = l.turn = l.anchors = 0
    l.gap = l.to_head = l.to_tail = PART
    for k in range(PUT_OFF):
        l.put_off[k] = NIL


cdef inline void side_ask_for_huge_pages(side_list *l, bint ask_) noexcept nogil:
    cdef int k
    for k in range(4):
        l.rooms[k].huge_pages = ask_


cdef inline void side_free(side_list *l) noexcept nogil:
    cdef int k
    for k in range(4):
        arena_free(&l.rooms[k])


cdef inline int side_reserve(side_list *l, size_t more) except -1 nogil:
    """Make room for so many more entries; what takes them in cannot fail then."""
    cdef size_t count
    cdef int k
    if more <= l.spares:
        return 0
    count = l.used + (more - l.spares)
    for k in range(4):
        arena_reserve(&l.rooms[k], count)
    l.links = <list_link *>l.rooms[0].entries
    l.stamps = <uint16_t *>l.rooms[1].entries
    l.values = <int64_t *>l.rooms[2].entries
    l.spare = <uint32_t *>l.rooms[3].entries
    return 0


# --- handles ---


cdef inline int64_t side_handle(side_list *l, uint32_t i) noexcept nogil:
    return <int64_t>(l.stamps[i] // GENERATION) << 32 | i


cdef inline uint64_t side_stamp(int64_t handle) noexcept nogil:
    """Return the stamp of the live entry that a handle names, if it is no anchor."""
    return (<uint64_t>handle >> 32) * GENERATION | LIVE


cdef inline bint side_names(side_list *l, int64_t handle) noexcept nogil:
    """Tell whether a handle names an entry of the list."""
    cdef uint32_t i = <uint32_t>handle
    cdef uint64_t stamp = side_stamp(handle)
    return i < l.used and (l.stamps[i] == stamp or l.stamps[i] == (stamp | ANCHORED))


cdef inline uint32_t side_length(side_list *l) noexcept nogil:
    return l.head.length - l.waiting


# --- anchors ---


cdef inline void side_forget_anchor(side_list *l, uint32_t i) noexcept nogil:
    """An anchor is about to leave its place."""
    cdef uint32_t k = 0
    while l.anchor[k] != i:
        k += 1
    l.anchors -= 1
    memmove(l.anchor + k, l.anchor + k + 1, (l.anchors - k) * sizeof(uint32_t))
    l.stamps[i] &= <uint16_t>~ANCHORED


cdef inline void side_forget_anchors(side_list *l) noexcept nogil:
    while l.anchors:
        l.anchors -= 1
        l.stamps[l.anchor[l.anchors]] &= <uint16_t>~ANCHORED


cdef inline void side_new_anchor(side_list *l, uint32_t i, bint first) noexcept nogil:
    """Make the first or the last entry an anchor; if there are many, half as many."""
    cdef uint32_t k
    if l.stamps[i] & ANCHORED:
        return
    if l.anchors == ANCHORS:
        for k in range(0, ANCHORS, 2):
            l.stamps[l.anchor[k]] &= <uint16_t>~ANCHORED
            l.anchor[k // 2] = l.anchor[k + 1]
        l.anchors = ANCHORS // 2
        l.gap *= 2
    if first:
        memmove(l.anchor + 1, l.anchor, l.anchors * sizeof(uint32_t))
    l.anchor[0 if first else l.anchors] = i
    l.anchors += 1
    l.stamps[i] |= ANCHORED


cdef inline void side_put(side_list *l, uint32_t i) noexcept nogil:
    """Put an entry first."""
    list_add(&l.head, l.links, sizeof(list_link), i)
    l.to_head -= 1
    if not l.to_head:
        side_new_anchor(l, i, True)
        l.to_head = l.gap


cdef inline void side_put_tail(side_list *l, uint32_t i) noexcept nogil:
    """Put an entry last."""
    list_add_tail(&l.head, l.links, sizeof(list_link), i)
    l.to_tail -= 1
    if not l.to_tail:
        side_new_anchor(l, i, False)
        l.to_tail = l.gap


# --- one entry ---


cdef inline uint32_t side_take(side_list *l, int64_t value) noexcept nogil:
    """Return the index of an entry that is on no list yet; there must be room."""
    cdef uint32_t i
    if l.spares:
        l.spares -= 1
        i = l.spare[l.spares]
        l.stamps[i] |= LIVE
    else:
        i = l.used
        l.used += 1
        l.stamps[i] = LIVE
    l.values[i] = value
    return i


cdef inline void side_unlink(side_list *l, uint32_t i) noexcept nogil:
    """Unlink what is dead, and give its index back if it has a generation left."""
    list_del(&l.head, l.links, sizeof(list_link), i)
    if l.stamps[i]:
        l.spare[l.spares] = i
        l.spares += 1


cdef inline void side_put_off(side_list *l, uint32_t i) noexcept nogil:
    """Let what is dead wait; unlink what has waited long enough."""
    cdef uint32_t turn = l.turn
    cdef uint32_t due = l.put_off[turn]
    cdef uint32_t near = l.put_off[turn ^ PUT_OFF // 2]
    ask(l.links + i)
    l.put_off[turn] = i
    l.turn = (turn + 1) % PUT_OFF
    if near != NIL:
        ask(l.links + l.links[near].next)
        ask(l.links + l.links[near].prev)
    if due == NIL:
        l.waiting += 1
    else:
        side_unlink(l, due)


cdef inline void side_settle(side_list *l) noexcept nogil:
    """Unlink all that waits for it, the oldest first."""
    cdef uint32_t k, i
    if l.waiting:
        for k in range(PUT_OFF):
            i = l.put_off[(l.turn + k) % PUT_OFF]
            if i != NIL:
                l.put_off[(l.turn + k) % PUT_OFF] = NIL
                side_unlink(l, i)
        l.waiting = 0


cdef inline bint side_kill(side_list *l, int64_t handle) noexcept nogil:
    """Make the entry that a handle names dead; tell whether there was one."""
    cdef uint32_t i = <uint32_t>handle
    cdef uint64_t stamp = side_stamp(handle)
    if i >= l.used:
        return False
    if l.stamps[i] != stamp:
        if l.stamps[i] != (stamp | ANCHORED):
            return False
        side_forget_anchor(l, i)
    # After the last generation this is 0: the index stays unused.
    l.stamps[i] = <uint16_t>(stamp + GENERATION - LIVE)
    return True


cdef inline bint side_remove(side_list *l, int64_t handle) noexcept nogil:
    """Take out the entry that a handle names; tell whether there was one."""
    if not side_kill(l, handle):
        return False
    if l.used < LONG or l.head.cursors != NULL:
        side_unlink(l, <uint32_t>handle)
    else:
        side_put_off(l, <uint32_t>handle)
    return True


cdef inline bint side_move(side_list *l, int64_t handle, bint first) noexcept nogil:
    """Put the entry that a handle names first or last; tell whether there was one."""
    cdef uint32_t i = <uint32_t>handle
    cdef uint64_t stamp = side_stamp(handle)
    if i >= l.used:
        return False
    if l.stamps[i] != stamp:
        if l.stamps[i] != (stamp | ANCHORED):
            return False
        side_forget_anchor(l, i)
    list_del(&l.head, l.links, sizeof(list_link), i)
    if first:
        side_put(l, i)
    else:
        side_put_tail(l, i)
    return True


cdef inline void side_put_before(
    side_list *l, uint32_t i, uint32_t following
) noexcept nogil:
    list_add_before(&l.head, l.links, sizeof(list_link), i, following)


# --- many entries ---


cdef inline void side_extend(
    side_list *l, const int64_t *values, int64_t *handles, uint32_t count
) noexcept nogil:
    """Put an entry last for each value and tell its handle; there must be room."""
    cdef uint32_t k = 0, i, last, upto
    if (l.head.length + count) // ANCHORS > l.gap:
        l.gap = (l.head.length + count) // ANCHORS
    while k < count and l.spares:
        if l.spares > FAR:
            i = l.spare[l.spares - FAR]
            ask(l.links + i)
            ask(l.stamps + i)
            ask(l.values + i)
        i = side_take(l, values[k])
        side_put_tail(l, i)
        handles[k] = side_handle(l, i)
        k += 1
    while k < count:
        # A run of indices that are new, up to the next anchor.
        i = l.used
        last = l.head.last
        upto = i + min(count - k, l.to_tail)
        l.to_tail -= upto - i
        if last == NIL:
            l.head.first = i
        else:
            l.links[last].next = i
        memcpy(l.values + i, values + k, (upto - i) * sizeof(int64_t))
        while i < upto:
            l.links[i].next = i + 1
            l.links[i].prev = last
            l.stamps[i] = LIVE
            handles[k] = i
            last = i
            i += 1
            k += 1
        l.links[last].next = NIL
        l.head.last = last
        l.head.length += upto - l.used
        l.used = upto
        if not l.to_tail:
            side_new_anchor(l, last, False)
            l.to_tail = l.gap


cdef inline void side_ask_near(side_list *l, int64_t handle) noexcept nogil:
    """Ask for the neighbours of what a handle names; it may name nothing."""
    cdef uint32_t i = <uint32_t>handle
    if i < l.used:
        ask(l.links + l.links[i].next)
        ask(l.links + l.links[i].prev)


cdef inline void side_ask(side_list *l, int64_t handle) noexcept nogil:
    """Ask for what a handle names; it may name nothing."""
    ask(l.links + <uint32_t>handle)
    ask(l.stamps + <uint32_t>handle)


cdef inline size_t side_remove_many(
    side_list *l, const int64_t *handles, size_t count
) noexcept nogil:
    """Take out what handles name; return how many, up to one that names nothing."""
    cdef size_t k = 0
    if not l.used:
        return 0
    side_settle(l)
    while k + FAR < count:
        side_ask(l, handles[k + FAR])
        side_ask_near(l, handles[k + NEAR])
        if not side_kill(l, handles[k]):
            return k
        side_unlink(l, <uint32_t>handles[k])
        k += 1
    while k < count:
        if not side_kill(l, handles[k]):
            return k
        side_unlink(l, <uint32_t>handles[k])
        k += 1
    return count


cdef inline size_t side_move_many(
    side_list *l, const int64_t *handles, size_t count, bint first
) noexcept nogil:
    """Move what handles name; return how many, up to one that names nothing."""
    cdef size_t k = 0
    if not l.used:
        return 0
    side_settle(l)
    while k < count:
        if k + FAR < count:
            side_ask(l, handles[k + FAR])
            side_ask_near(l, handles[k + NEAR])
        if not side_move(l, handles[k], first):
            return k
        k += 1
    return count


cdef inline void side_clear(side_list *l) noexcept nogil:
    """Take all entries out. The indices are handed out again from the lowest on."""
    cdef uint32_t i
    side_settle(l)
    side_forget_anchors(l)
    list_cursors_end(&l.head)
    l.head.first = NIL
    l.head.last = NIL
    l.head.length = 0
    l.spares = 0
    i = l.used
    while i:
        i -= 1
        if l.stamps[i] & LIVE:
            l.stamps[i] = <uint16_t>(l.stamps[i] + GENERATION - LIVE)
        if l.stamps[i]:
            l.spare[l.spares] = i
            l.spares += 1
    l.gap = l.to_head = l.to_tail = PART


# --- the whole list in order ---


cdef inline int64_t side_told(side_list *l, uint32_t i, bint values) noexcept nogil:
    return l.values[i] if values else side_handle(l, i)


cdef inline void side_chase(side_list *l, int64_t *to, bint values) noexcept nogil:
    """Write what is told of each entry, from link to link."""
    cdef uint32_t i = l.head.first
    while i != NIL:
        to[0] = side_told(l, i, values)
        to += 1
        i = l.links[i].next


cdef inline uint32_t side_parts(side_list *l) noexcept nogil:
    """Return how many parts a walk from all anchors writes at most."""
    return l.head.length // PART + l.anchors + 1


cdef inline uint32_t side_walk(
    side_list *l, int64_t *scratch, side_part *parts, bint values
) noexcept nogil:
    """Walk from the first entry and from all anchors at once; return how many walks.

    Each writes what is told of its entries into parts of its own. The first parts are
    those of the walks in order; what follows a part is told in it.
    """
    cdef side_step steps[ANCHORS + 1]
    cdef side_step *at
    cdef uint32_t k = 0, i, walks = 0, running, used
    if not l.stamps[l.head.first] & ANCHORED:
        steps[0].entry = l.head.first
        walks = 1
    for k in range(l.anchors):
        steps[walks].entry = l.anchor[k]
        walks += 1
    for k in range(walks):
        steps[k].part = k
        steps[k].stop = steps[k + 1].entry if k + 1 < walks else NIL
        steps[k].to = scratch + <size_t>k * PART
        steps[k].end = steps[k].to + PART
        parts[k].entry = steps[k].entry
    running = used = walks
    while running:
        k = 0
        while k < running:
            at = &steps[k]
            i = at.entry
            at.to[0] = side_told(l, i, values)
            at.to += 1
            i = l.links[i].next
            if i == at.stop:
                parts[at.part].following = NIL
                parts[at.part].length = PART - <uint32_t>(at.end - at.to)
                running -= 1
                at[0] = steps[running]
                continue
            ask(l.links + i)
            if values:
                ask(l.values + i)
            else:
                ask(l.stamps + i)
            at.entry = i
            k += 1
            if at.to == at.end:
                parts[at.part].following = used
                parts[at.part].length = PART
                parts[used].entry = i
                at.part = used
                at.to = scratch + <size_t>used * PART
                at.end = at.to + PART
                used += 1
    return walks


cdef inline void side_join(
    side_list *l, int64_t *to, const int64_t *scratch, side_part *parts, uint32_t walks
) noexcept nogil:
    """Put the parts of all walks behind one another; set the anchors anew by them."""
    cdef uint32_t k, part, done = 0, due = 0
    side_forget_anchors(l)
    l.gap = max(<uint32_t>PART, l.head.length // (ANCHORS // 2))
    for k in range(walks):
        part = k
        while part != NIL:
            memcpy(
                to + done,
                scratch + <size_t>part * PART,
                parts[part].length * sizeof(int64_t),
            )
            if done >= due and l.anchors < ANCHORS:
                l.stamps[parts[part].entry] |= ANCHORED
                l.anchor[l.anchors] = parts[part].entry
                l.anchors += 1
                due = done + l.gap
            done += parts[part].length
            part = parts[part].following


cdef inline int side_tell(side_list *l, int64_t *to, bint values) except -1 nogil:
    """Write the value, or else the handle, of each entry in the list's order."""
    cdef uint32_t parts
    cdef int64_t *scratch
    cdef side_part *part
    side_settle(l)
    if l.head.length < 4 * PART:
        side_chase(l, to, values)
        return 0
    parts = side_parts(l)
    scratch = <int64_t *>arena_resize(
        NULL, parts * (PART * sizeof(int64_t) + sizeof(side_part))
    )
    part = <side_part *>(scratch + <size_t>parts * PART)
    side_join(l, to, scratch, part, side_walk(l, scratch, part, values))
    PyMem_RawFree(scratch)
    return 0


cdef inline bint side_broken(side_list *l) noexcept nogil:
    """Tell whether links, length and anchors do not fit together."""
    cdef uint32_t i, k = 0
    side_settle(l)
    if list_broken(&l.head, l.links, sizeof(list_link)):
        return True
    i = l.head.first
    while i != NIL:
        if l.stamps[i] & ANCHORED:
            if k == l.anchors or l.anchor[k] != i:
                return True
            k += 1
        i = l.links[i].next
    return k != l.anchors


cdef inline uint32_t side_live(side_list *l) noexcept nogil:
    """Return how many entries are live, by their stamps."""
    cdef uint32_t i, live = 0
    for i in range(l.used):
        live += l.stamps[i] & LIVE
    return live
