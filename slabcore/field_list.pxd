"""More lists over the entries of a side_list: a field is one more link in each of them.

An object of the kernel's embeds a list_head for each list that it may be on. So here: a
field is an array of links, one an entry, and many lists may run through it. An entry
is on one of these at most.

Which one is said by its label. A list has a label, which it gives to its entries.
Splicing puts one list's label below the other's and touches no entry: labels are a
forest whose roots know their lists, and who asks for an entry's list shortens the way
for those that come after. A label goes back when no entry, label or list names it.
"""

from libc.stdint cimport int64_t, uint32_t

from slabcore.arena cimport (
    NIL,
    arena,
    arena_extend,
    arena_free,
    arena_init,
    arena_reserve,
    prefetch,
)
from slabcore.list cimport (
    list_add,
    list_add_before,
    list_add_tail,
    list_at,
    list_broken,
    list_cursor,
    list_cursors_end,
    list_cut_before,
    list_del,
    list_head,
    list_init,
    list_link,
    list_splice,
    list_splice_tail,
)
from slabcore.side_list cimport FAR, LIVE, side_handle, side_list, side_names

cdef enum:
    UNLABELLED = 0          # of an entry: on no list; of a label's parent: it is a root
    LABELS_FROM = 1

cdef enum:  # what field_many() does to each entry
    PUT_ALL             # last, of those that are on no list of the field
    TAKE_ALL            # off this list
    TO_HEAD             # from wherever it is
    TO_TAIL


cdef struct field_list  # below: a label knows its list


cdef struct field_link:
    list_link link          # the first: its address is the entry's
    uint32_t label


cdef struct list_label:
    uint32_t parent         # of one that was given back: the next such
    uint32_t names          # entries, labels and the list that name it; 0: given back
    field_list *of          # whose root it is; NULL: that has been cleared since


cdef struct list_field:
    arena links             # of field_link, for the entries that were ever put
    arena labels            # of list_label
    uint32_t spare          # a label given back


cdef struct field_list:
    list_head head
    list_field *field
    uint32_t label          # its root; while it is empty there may be none
    void *owner             # what Python knows it by


cdef inline void field_init(list_field *f, bint huge_pages) noexcept nogil:
    arena_init(&f.links, sizeof(field_link))
    arena_init(&f.labels, sizeof(list_label))
    f.links.huge_pages = f.labels.huge_pages = huge_pages
    f.spare = UNLABELLED


cdef inline void field_free(list_field *f) noexcept nogil:
    arena_free(&f.links)
    arena_free(&f.labels)


cdef inline void field_list_init(field_list *l, list_field *f) noexcept nogil:
    list_init(&l.head)
    l.field = f
    l.label = UNLABELLED
    l.owner = NULL


cdef inline field_link *field_link_at(list_field *f, uint32_t i) noexcept nogil:
    return <field_link *>f.links.entries + i


# --- labels ---


cdef inline list_label *label_at(list_field *f, uint32_t x) noexcept nogil:
    return <list_label *>f.labels.entries + x


cdef inline int label_reserve(list_field *f) except -1 nogil:
    """Make room for a label."""
    if f.spare == UNLABELLED:
        arena_reserve(&f.labels, max(f.labels.used, <uint32_t>LABELS_FROM) + <size_t>1)
    return 0


cdef inline uint32_t label_new(list_field *f, field_list *of) noexcept nogil:
    """Give a list a root of its own; there must be room."""
    cdef uint32_t x = f.spare
    cdef list_label *label
    if x == UNLABELLED:
        x = max(f.labels.used, <uint32_t>LABELS_FROM)
        f.labels.used = x + 1
        label = label_at(f, x)
    else:
        label = label_at(f, x)
        f.spare = label.parent
    label.parent = UNLABELLED
    label.names = 1
    label.of = of
    of.label = x
    return x


cdef inline void label_put(list_field *f, uint32_t x) noexcept nogil:
    """Take a name from a label, which goes back with the last, and its parents so."""
    cdef list_label *label
    cdef uint32_t parent
    while x != UNLABELLED:
        label = label_at(f, x)
        label.names -= 1
        if label.names:
            return
        parent = label.parent
        label.parent = f.spare
        label.of = NULL
        f.spare = x
        x = parent


cdef inline uint32_t label_root(list_field *f, uint32_t x) noexcept nogil:
    """Return the root above a label, and halve the way there for those who come."""
    cdef uint32_t parent, above
    while True:
        parent = label_at(f, x).parent
        if parent == UNLABELLED:
            return x
        above = label_at(f, parent).parent
        if above == UNLABELLED:
            return parent
        label_at(f, above).names += 1
        label_at(f, x).parent = above
        label_put(f, parent)
        x = above


cdef inline void field_relabel(
    list_field *f, field_link *entry, uint32_t label
) noexcept nogil:
    cdef uint32_t old = entry.label
    entry.label = label
    if label != UNLABELLED:
        label_at(f, label).names += 1
    label_put(f, old)


cdef inline field_list *field_list_of(list_field *f, uint32_t i) noexcept nogil:
    """Return the list that an entry is on, or NULL."""
    cdef field_link *entry
    cdef field_list *of
    cdef uint32_t root
    if i >= f.links.used:
        return NULL
    entry = field_link_at(f, i)
    if entry.label == UNLABELLED:
        return NULL
    root = label_root(f, entry.label)
    of = label_at(f, root).of
    if of == NULL:
        field_relabel(f, entry, UNLABELLED)
    elif root != entry.label:
        field_relabel(f, entry, root)
    return of


# --- one entry ---


cdef inline int field_reserve(field_list *l, side_list *entries) except -1 nogil:
    """Make room for all entries that there are; what puts them on cannot fail."""
    arena_extend(&l.field.links, entries.used)
    if l.label == UNLABELLED:
        label_reserve(l.field)
    return 0


cdef inline void field_claim(field_list *l, uint32_t i) noexcept nogil:
    """Label an entry that is on no list as one of this."""
    if l.label == UNLABELLED:
        label_new(l.field, l)
    field_relabel(l.field, field_link_at(l.field, i), l.label)


cdef inline void field_put(field_list *l, uint32_t i, bint first) noexcept nogil:
    """Put an entry that is on no list first or last; there must be room."""
    field_claim(l, i)
    if first:
        list_add(&l.head, l.field.links.entries, sizeof(field_link), i)
    else:
        list_add_tail(&l.head, l.field.links.entries, sizeof(field_link), i)


cdef inline void field_put_before(
    field_list *l, uint32_t i, uint32_t following
) noexcept nogil:
    """Put an entry that is on no list before one that is on this."""
    field_claim(l, i)
    list_add_before(&l.head, l.field.links.entries, sizeof(field_link), i, following)


cdef inline void field_del(field_list *l, uint32_t i) noexcept nogil:
    """Take an entry off its list, which is this."""
    list_del(&l.head, l.field.links.entries, sizeof(field_link), i)
    field_relabel(l.field, field_link_at(l.field, i), UNLABELLED)


cdef inline void field_forget(list_field *f, uint32_t i) noexcept nogil:
    """Take an entry off whatever list it is on: it is about to go."""
    cdef field_list *of = field_list_of(f, i)
    if of != NULL:
        field_del(of, i)


cdef inline bint field_one(
    field_list *l, side_list *entries, int64_t handle, int what
) noexcept nogil:
    """Do one of field_many()'s; tell whether it could be done."""
    cdef uint32_t i = <uint32_t>handle
    cdef field_list *of
    if not side_names(entries, handle):
        return False
    of = field_list_of(l.field, i)
    if what == PUT_ALL and of != NULL or what == TAKE_ALL and of != l:
        return False
    if of != NULL:
        field_del(of, i)
    if what != TAKE_ALL:
        field_put(l, i, what == TO_HEAD)
    return True


cdef inline size_t field_many(
    field_list *l, side_list *entries, const int64_t *handles, size_t count, int what
) noexcept nogil:
    """Do so with what handles name; return how many, up to one that cannot be done.

    There must be room.
    """
    cdef list_field *f = l.field
    cdef size_t k = 0
    cdef uint32_t far
    while k < count:
        if k + FAR < count:
            far = <uint32_t>handles[k + FAR]
            if far < f.links.used:
                prefetch(field_link_at(f, far))
        if not field_one(l, entries, handles[k], what):
            return k
        k += 1
    return count


cdef inline void fields_forget(
    list_field *fields, size_t count, side_list *entries, int64_t handle
) noexcept nogil:
    """Take the entry that a handle names, if one, off all its lists through fields.

    Who takes it out of the side_list calls this first.
    """
    cdef size_t k
    if side_names(entries, handle):
        for k in range(count):
            field_forget(fields + k, <uint32_t>handle)


# --- whole lists ---


cdef inline void field_list_clear(field_list *l) noexcept nogil:
    """Take all entries off at once: their label is nobody's from now on."""
    if l.label != UNLABELLED:
        label_at(l.field, l.label).of = NULL
        label_put(l.field, l.label)
        l.label = UNLABELLED
    l.head.first = NIL
    l.head.last = NIL
    l.head.length = 0
    list_cursors_end(&l.head)


cdef inline void field_clear(list_field *f) noexcept nogil:
    """Take all entries off all lists: they are about to go."""
    cdef uint32_t x
    for x in range(<uint32_t>LABELS_FROM, f.labels.used):
        if label_at(f, x).names and label_at(f, x).of != NULL:
            field_list_clear(label_at(f, x).of)
    f.labels.used = 0
    f.links.used = 0
    f.spare = UNLABELLED


cdef inline void field_splice(
    field_list *l, field_list *onto, bint first
) noexcept nogil:
    """Put all entries of a list before or behind those of another of its field."""
    cdef list_field *f = l.field
    cdef uint32_t kept = onto.label, other = l.label
    if l.head.first == NIL:
        return
    l.label = UNLABELLED
    if kept == UNLABELLED or l.head.length > onto.head.length:
        kept, other = other, kept
    label_at(f, kept).of = onto
    onto.label = kept
    if other != UNLABELLED:
        label_at(f, other).of = NULL
        label_at(f, other).parent = kept
        label_at(f, kept).names += 1
        label_put(f, other)     # its list's name
    if first:
        list_splice(&l.head, &onto.head, f.links.entries, sizeof(field_link))
    else:
        list_splice_tail(&l.head, &onto.head, f.links.entries, sizeof(field_link))


cdef inline void field_cut_before(
    field_list *l, uint32_t i, field_list *to
) noexcept nogil:
    """Take what is before an entry to an empty list that has no label.

    There must be room for a label. The shorter part gets a new one, entry by entry.
    """
    cdef list_field *f = l.field
    cdef uint32_t front = l.head.first, back = i, steps = 0, count, fresh
    cdef list_cursor *cursor = l.head.cursors
    if front == i:
        return
    while front != i and back != NIL:
        steps += 1
        front = field_link_at(f, front).link.next
        back = field_link_at(f, back).link.next
    if front == i:
        count = steps
        front = l.head.first
        fresh = label_new(f, to)
    else:
        count = l.head.length - steps
        front = i
        to.label = l.label
        label_at(f, to.label).of = to
        fresh = label_new(f, l)
    while steps:
        steps -= 1
        field_relabel(f, field_link_at(f, front), fresh)
        front = field_link_at(f, front).link.next
    list_cut_before(
        &l.head, &to.head, f.links.entries, sizeof(field_link), i, count
    )
    while cursor != NULL:
        if cursor.entry != NIL and field_list_of(f, cursor.entry) != l:
            cursor.entry = i
            cursor.moved = True
        cursor = cursor.other


# --- looking ---


cdef inline uint32_t label_top(list_field *f, uint32_t x) noexcept nogil:
    """Return the root above a label, and change nothing; 0 where there is none."""
    cdef uint32_t steps = 0
    while x < f.labels.used and label_at(f, x).parent != UNLABELLED:
        x = label_at(f, x).parent
        steps += 1
        if steps > f.labels.used:
            return 0
    return x if x < f.labels.used else 0


cdef inline bint field_list_broken(field_list *l, side_list *entries) noexcept nogil:
    """Tell whether links, length and labels do not fit together."""
    cdef list_field *f = l.field
    cdef uint32_t i
    if list_broken(&l.head, f.links.entries, sizeof(field_link)):
        return True
    if l.label != UNLABELLED and label_at(f, l.label).of != l:
        return True
    i = l.head.first
    while i != NIL:
        if not entries.stamps[i] & LIVE:
            return True
        if label_top(f, field_link_at(f, i).label) != l.label:
            return True
        i = list_at(f.links.entries, sizeof(field_link), i).next
    return l.head.length != 0 and l.label == UNLABELLED


cdef inline bint field_broken(
    list_field *f, side_list *entries
) except -1 nogil:
    """Tell whether lists, entries and labels of a field do not fit together."""
    cdef arena room
    cdef uint32_t *names
    cdef uint32_t i, x, top, on = 0, listed = 0, spares = 0
    cdef bint broken = False
    arena_init(&room, sizeof(uint32_t))
    arena_extend(&room, max(f.labels.used, <uint32_t>LABELS_FROM))
    names = <uint32_t *>room.entries
    for i in range(f.links.used):
        x = field_link_at(f, i).label
        if x == UNLABELLED:
            continue
        top = label_top(f, x)
        if not top or i >= entries.used or not entries.stamps[i] & LIVE:
            broken = True
            break
        names[x] += 1
        on += label_at(f, top).of != NULL
    for x in range(<uint32_t>LABELS_FROM, f.labels.used):
        if not label_at(f, x).names:
            spares += 1
            continue
        if label_at(f, x).parent != UNLABELLED:
            if not label_top(f, x):
                broken = True
                break
            names[label_at(f, x).parent] += 1
        elif label_at(f, x).of != NULL:
            names[x] += 1
            listed += label_at(f, x).of.head.length
            broken |= label_at(f, x).of.label != x
            broken |= label_at(f, x).of.field != f
            broken |= field_list_broken(label_at(f, x).of, entries)
    if not broken:
        for x in range(<uint32_t>LABELS_FROM, f.labels.used):
            broken |= names[x] != label_at(f, x).names
        x = f.spare
        while x != UNLABELLED and spares:
            spares -= 1
            x = label_at(f, x).parent
        broken |= x != UNLABELLED or spares != 0
    arena_free(&room)
    return broken or on != listed


cdef inline void field_tell(
    const list_head *head, void *links, side_list *entries, int64_t *to, bint values
) noexcept nogil:
    """Write the value, or else the handle, of each entry in the list's order."""
    cdef uint32_t i = head.first
    while i != NIL:
        to[0] = entries.values[i] if values else side_handle(entries, i)
        to += 1
        i = (<field_link *>links)[i].link.next
