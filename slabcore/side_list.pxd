"""A list whose links lie in an array of their own, of entries named by handles.

A handle is an entry's generation above its index. Of each there are 8 bytes of links,
2 of stamp and 8 of value, each in its array: taking one out touches the links of three
entries and one stamp, and no value.

Three things are put off or known ahead, so that no one waits for memory:

* what is taken out of a long list is dead at once, and unlinked 16 calls later, when
  its links and its neighbours' have come. Who reads links calls side_settle() first.
* bulk work asks for the lines of what is due 32 entries later.
* anchors are entries on the list, in its order, at no exact distance. A walk of the
  whole list is one from each to the next, and 16 of these at a time.
"""

from libc.stdint cimport int64_t, uint16_t, uint32_t, uint64_t
from libc.string cimport memcpy, memmove

from slabcore.arena cimport (
    NIL,
    arena,
    arena_free,
    arena_init,
    arena_reserve,
    prefetch,
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

cdef enum:
    LIVE = 1                # of a stamp: it is on the list
    ANCHORED = 2            # of a stamp: it is one of the anchors
    GENERATION = 4          # of a stamp: what another one adds
    PUT_OFF = 16            # entries that wait to be unlinked
    LONG = 1 << 15          # entries whose links are not near at hand
    FAR = 32                # how far ahead a line is asked for
    NEAR = 16               # when it has come, and its neighbours' are asked for
    ANCHORS = 512
    AT_ONCE = 16            # walks: as many lines as a core waits for; 64 are slower
    PART = 256              # entries that a walk writes in one place
    STRIDE = PART + 8       # of parts: at 2 KiB all that is written fell into two sets


cdef struct side_list:
    list_head head          # what is put off counts in its length
    list_link *links
    uint16_t *stamps
    int64_t *values
    uint32_t *spare         # indices given back, the latest last
    uint32_t used           # indices ever handed out
    uint32_t room           # how many there may be
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


cdef struct side_part:      # of what a walk has written
    uint32_t entry          # its first one
    uint32_t begin
    uint32_t length
    uint32_t following      # part of the same walk; NIL


cdef struct side_told_so_far:
    int64_t *to
    uint32_t joined         # entries told of there
    uint32_t due            # how many there will be when the next anchor is made
    int64_t *scratch        # where parts lie
    side_part *parts
    uint32_t used           # parts ever taken
    uint32_t spare          # one that was joined; NIL


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
    l.used = l.room = l.spares = l.waiting = l.turn = l.anchors = 0
    l.gap = l.to_head = l.to_tail = PART
    for k in range(<uint32_t>PUT_OFF):
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
    """Make room for so many more entries; what takes them in or out cannot fail."""
    cdef size_t count
    cdef uint32_t least = NIL
    cdef int k
    if more <= l.spares:
        return 0
    count = l.used + (more - l.spares)
    if count <= l.room:
        return 0
    # One that has grown may have moved, even if the next one finds no memory.
    arena_reserve(&l.rooms[0], count)
    l.links = <list_link *>l.rooms[0].entries
    arena_reserve(&l.rooms[1], count)
    l.stamps = <uint16_t *>l.rooms[1].entries
    arena_reserve(&l.rooms[2], count)
    l.values = <int64_t *>l.rooms[2].entries
    arena_reserve(&l.rooms[3], count)
    l.spare = <uint32_t *>l.rooms[3].entries
    for k in range(4):
        least = min(least, l.rooms[k].capacity)
    l.room = least
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


cdef inline bint side_value(
    side_list *l, int64_t handle, int64_t *value
) noexcept nogil:
    """Write the value of the entry that a handle names; tell whether there was one."""
    if not side_names(l, handle):
        return False
    value[0] = l.values[<uint32_t>handle]
    return True


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
        for k in range(0, <uint32_t>ANCHORS, 2):
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
    prefetch(l.links + i)
    l.put_off[turn] = i
    l.turn = (turn + 1) % PUT_OFF
    if near != NIL:
        prefetch(l.links + l.links[near].next)
        prefetch(l.links + l.links[near].prev)
    if due == NIL:
        l.waiting += 1
    else:
        side_unlink(l, due)


cdef inline void side_settle(side_list *l) noexcept nogil:
    """Unlink all that waits for it, the oldest first."""
    cdef uint32_t k, i
    if l.waiting:
        for k in range(<uint32_t>PUT_OFF):
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
    cdef uint32_t done = 0, chunk, last, i
    if (l.head.length + count) // ANCHORS > l.gap:
        l.gap = (l.head.length + count) // ANCHORS
    while done < count:
        # Up to the next anchor, of one kind: given back, or new.
        chunk = min(count - done, l.to_tail)
        last = l.head.last
        if l.spares:
            chunk = min(chunk, l.spares)
            i = l.spare[l.spares - 1]
            l.head.last = side_reuse(l, values + done, handles + done, chunk)
        else:
            i = l.used
            l.head.last = side_use(l, values + done, handles + done, chunk)
        if last == NIL:
            l.head.first = i
        else:
            l.links[last].next = i
        l.links[i].prev = last
        l.head.length += chunk
        l.to_tail -= chunk
        done += chunk
        if not l.to_tail:
            side_new_anchor(l, l.head.last, False)
            l.to_tail = l.gap


cdef inline uint32_t side_use(
    side_list *l, const int64_t *values, int64_t *handles, uint32_t count
) noexcept nogil:
    """Chain so many entries that are new; return the last one."""
    cdef list_link *links = l.links + l.used
    cdef uint16_t *stamps = l.stamps + l.used
    cdef uint32_t k, i = l.used
    memcpy(l.values + i, values, count * sizeof(int64_t))
    for k in range(count):
        links[k].next = i + k + 1
        links[k].prev = i + k - 1
        stamps[k] = LIVE
        handles[k] = <int64_t>i + k
    links[count - 1].next = NIL
    l.used += count
    return i + count - 1


cdef inline uint32_t side_reuse(
    side_list *l, const int64_t *values, int64_t *handles, uint32_t count
) noexcept nogil:
    """Chain so many entries whose indices were given back; return the last one."""
    cdef list_link *links = l.links
    cdef uint16_t *stamps = l.stamps
    cdef int64_t *known = l.values
    cdef const uint32_t *spare = l.spare
    cdef uint32_t k, i = NIL, far, before = NIL, left = l.spares
    cdef uint16_t stamp
    l.spares -= count
    for k in range(count):
        if left > FAR:
            far = spare[left - 1 - FAR]
            prefetch(links + far)
            prefetch(stamps + far)
            prefetch(known + far)
        left -= 1
        i = spare[left]
        stamp = stamps[i]
        stamps[i] = stamp | LIVE
        known[i] = values[k]
        handles[k] = <int64_t>(stamp // GENERATION) << 32 | i
        links[i].prev = before
        if before != NIL:
            links[before].next = i
        before = i
    links[i].next = NIL
    return i


cdef inline void side_ask_ahead(
    side_list *l, const int64_t *handles
) noexcept nogil:
    """Ask for what handles name further on; they may name nothing."""
    cdef uint32_t far = <uint32_t>handles[FAR], near = <uint32_t>handles[NEAR]
    prefetch(l.links + far)
    prefetch(l.stamps + far)
    if near < l.used:
        prefetch(l.links + l.links[near].next)
        prefetch(l.links + l.links[near].prev)


cdef inline size_t side_remove_many(
    side_list *l, const int64_t *handles, size_t count
) noexcept nogil:
    """Take out what handles name; return how many, up to one that names nothing."""
    cdef list_link *links = l.links
    cdef uint16_t *stamps = l.stamps
    cdef uint32_t *spare
    cdef size_t k = 0, ahead = count - FAR if count > FAR else 0
    cdef uint32_t i, next, prev
    cdef uint64_t stamp
    if not l.used:
        return 0
    side_settle(l)
    if l.head.cursors != NULL:
        while k < count and side_remove(l, handles[k]):
            k += 1
        return k
    # list_del() and side_kill(), with what they share in registers.
    spare = l.spare + l.spares
    while k < count:
        if k < ahead:
            side_ask_ahead(l, handles + k)
        i = <uint32_t>handles[k]
        stamp = side_stamp(handles[k])
        if i >= l.used:
            break
        if stamps[i] != stamp:
            if stamps[i] != (stamp | ANCHORED):
                break
            side_forget_anchor(l, i)
        stamps[i] = <uint16_t>(stamp + GENERATION - LIVE)
        next = links[i].next
        prev = links[i].prev
        if prev == NIL:
            l.head.first = next
        else:
            links[prev].next = next
        if next == NIL:
            l.head.last = prev
        else:
            links[next].prev = prev
        spare[0] = i
        spare += <uint16_t>(stamp + GENERATION - LIVE) != 0
        k += 1
    l.head.length -= <uint32_t>k
    l.spares = <uint32_t>(spare - l.spare)
    return k


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
            side_ask_ahead(l, handles + k)
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


cdef inline uint32_t side_part_take(
    side_told_so_far *t, uint32_t entry
) noexcept nogil:
    """Return a part that nothing is in, whose first entry is to be *entry*."""
    cdef uint32_t i = t.spare
    if i != NIL:
        t.spare = t.parts[i].following
    else:
        i = t.used
        t.used += 1
    t.parts[i].entry = entry
    t.parts[i].begin = 0
    return i


cdef inline void side_join(
    side_list *l, side_told_so_far *t, uint32_t i
) noexcept nogil:
    """Put a walk's parts behind what has come before it; make anchors by the way."""
    cdef uint32_t following
    cdef side_part *part
    while i != NIL:
        part = &t.parts[i]
        following = part.following
        memcpy(
            t.to + t.joined,
            t.scratch + <size_t>i * STRIDE + part.begin,
            part.length * sizeof(int64_t),
        )
        if part.length and t.joined >= t.due and l.anchors < ANCHORS:
            l.stamps[part.entry] |= ANCHORED
            l.anchor[l.anchors] = part.entry
            l.anchors += 1
            t.due = t.joined + l.gap
        t.joined += part.length
        part.following = t.spare
        t.spare = i
        i = following


cdef inline void side_walk(
    side_list *l, side_told_so_far *t, bint values
) noexcept nogil:
    """Walk from the first entry and from each anchor, some at once.

    Each writes what is told of its entries into parts of its own, which are joined when
    all before it has been. The walks that run are all at the same place of their
    parts: one that begins later leaves what is before it empty.
    """
    cdef uint32_t begins[ANCHORS + 2]
    cdef uint32_t first[ANCHORS + 1]    # part of each walk
    cdef bint ended[ANCHORS + 1]
    cdef uint32_t entry[AT_ONCE]
    cdef uint32_t stop[AT_ONCE]         # where the next walk begins
    cdef uint32_t walk[AT_ONCE]
    cdef uint32_t part[AT_ONCE]
    cdef int64_t *to[AT_ONCE]
    cdef const list_link *links = l.links
    cdef const int64_t *known = l.values
    cdef uint32_t k, i, place, walks = 0, begun, joined = 0, running
    cdef bint asks = l.used >= LONG
    if not l.stamps[l.head.first] & ANCHORED:
        begins[0] = l.head.first
        walks = 1
    memcpy(begins + walks, l.anchor, l.anchors * sizeof(uint32_t))
    walks += l.anchors
    begins[walks] = NIL
    side_forget_anchors(l)
    l.gap = max(<uint32_t>PART, l.head.length // (ANCHORS // 2))
    running = begun = min(walks, <uint32_t>AT_ONCE)
    for k in range(running):
        walk[k] = k
        entry[k] = begins[k]
        stop[k] = begins[k + 1]
        first[k] = part[k] = side_part_take(t, entry[k])
        ended[k] = False
        to[k] = t.scratch + <size_t>part[k] * STRIDE
    while running:
        for place in range(<uint32_t>PART):
            k = 0
            while k < running:
                i = entry[k]
                to[k][place] = known[i] if values else side_handle(l, i)
                i = links[i].next
                if i != stop[k]:
                    entry[k] = i
                    if asks:
                        prefetch(links + i)
                        if values:
                            prefetch(known + i)
                        else:
                            prefetch(l.stamps + i)
                    k += 1
                    continue
                t.parts[part[k]].following = NIL
                t.parts[part[k]].length = place + 1 - t.parts[part[k]].begin
                ended[walk[k]] = True
                while joined < begun and ended[joined]:
                    side_join(l, t, first[joined])
                    joined += 1
                if begun < walks:
                    walk[k] = begun
                    entry[k] = begins[begun]
                    stop[k] = begins[begun + 1]
                    first[begun] = part[k] = side_part_take(t, entry[k])
                    ended[begun] = False
                    begun += 1
                    t.parts[part[k]].begin = place + 1
                    to[k] = t.scratch + <size_t>part[k] * STRIDE
                    k += 1
                else:
                    running -= 1
                    walk[k] = walk[running]
                    entry[k] = entry[running]
                    stop[k] = stop[running]
                    part[k] = part[running]
                    to[k] = to[running]
        for k in range(running):
            i = side_part_take(t, entry[k])
            t.parts[part[k]].following = i
            t.parts[part[k]].length = PART - t.parts[part[k]].begin
            part[k] = i
            to[k] = t.scratch + <size_t>i * STRIDE


cdef inline int side_tell(side_list *l, int64_t *to, bint values) except -1 nogil:
    """Write the value, or else the handle, of each entry in the list's order."""
    cdef arena room
    cdef side_told_so_far t
    cdef size_t most
    side_settle(l)
    if l.head.length < 4 * PART:
        side_chase(l, to, values)
        return 0
    # If walks are of one length 16 of them are in it at a time; at worst all are.
    most = l.head.length // PART + 2 * (l.anchors + 1)
    arena_init(&room, sizeof(side_part) + STRIDE * sizeof(int64_t))
    room.huge_pages = False     # most of it stays untouched
    arena_reserve(&room, most)
    t.to = to
    t.joined = t.due = t.used = 0
    t.spare = NIL
    t.parts = <side_part *>room.entries
    t.scratch = <int64_t *>(t.parts + most)
    side_walk(l, &t, values)
    arena_free(&room)
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
