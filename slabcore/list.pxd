"""Intrusive doubly linked lists of entries named by 32-bit indices.

A list_head belongs to whoever owns the list; every entry embeds a list_link. *links* is
the address of entry 0's link and *stride* the distance of two entries. No function
allocates or can fail. include/linux/list.h

A list_cursor is a place that stays: when its entry is taken out it goes on to the
following one. It belongs to whoever opened it, must not move, and costs list_del()
nothing while none is open.
"""

from libc.stdint cimport uint32_t

from slabcore.arena cimport NIL


cdef struct list_link:
    uint32_t next
    uint32_t prev


cdef struct list_cursor:
    uint32_t entry          # NIL: behind the last
    bint moved              # since this was last cleared: its entry has gone
    list_cursor *other      # of the same list


cdef struct list_head:
    uint32_t first
    uint32_t last
    uint32_t length
    list_cursor *cursors


cdef inline list_link *list_at(void *links, size_t stride, uint32_t i) noexcept nogil:
    return <list_link *>(<char *>links + i * stride)


cdef inline void list_init(list_head *head) noexcept nogil:
    head.first = NIL
    head.last = NIL
    head.length = 0
    head.cursors = NULL


cdef inline void list_cursor_open(
    list_head *head, list_cursor *cursor, uint32_t entry
) noexcept nogil:
    cursor.entry = entry
    cursor.moved = False
    cursor.other = head.cursors
    head.cursors = cursor


cdef inline void list_cursor_close(
    list_head *head, list_cursor *cursor
) noexcept nogil:
    """Forget a cursor; one that is not open is none of the list's."""
    cdef list_cursor **at = &head.cursors
    while at[0] != NULL and at[0] != cursor:
        at = &at[0].other
    if at[0] != NULL:
        at[0] = cursor.other
        cursor.other = NULL


cdef inline void list_cursors_leave(
    list_head *head, uint32_t i, uint32_t following
) noexcept nogil:
    """Move the cursors that stand on entry *i*."""
    cdef list_cursor *cursor = head.cursors
    while cursor != NULL:
        if cursor.entry == i:
            cursor.entry = following
            cursor.moved = True
        cursor = cursor.other


cdef inline void list_cursors_end(list_head *head) noexcept nogil:
    """Move all cursors behind the last entry: the list loses all it has."""
    cdef list_cursor *cursor = head.cursors
    while cursor != NULL:
        if cursor.entry != NIL:
            cursor.entry = NIL
            cursor.moved = True
        cursor = cursor.other


cdef inline void list_add(
    list_head *head, void *links, size_t stride, uint32_t i
) noexcept nogil:
    """Put entry *i* first."""
    cdef list_link *link = list_at(links, stride, i)
    link.prev = NIL
    link.next = head.first
    if head.first == NIL:
        head.last = i
    else:
        list_at(links, stride, head.first).prev = i
    head.first = i
    head.length += 1


cdef inline void list_add_tail(
    list_head *head, void *links, size_t stride, uint32_t i
) noexcept nogil:
    """Put entry *i* last."""
    cdef list_link *link = list_at(links, stride, i)
    link.next = NIL
    link.prev = head.last
    if head.last == NIL:
        head.first = i
    else:
        list_at(links, stride, head.last).next = i
    head.last = i
    head.length += 1


cdef inline void list_add_before(
    list_head *head, void *links, size_t stride, uint32_t i, uint32_t following
) noexcept nogil:
    """Put entry *i* before another that is on the list."""
    cdef list_link *link = list_at(links, stride, i)
    cdef list_link *behind = list_at(links, stride, following)
    link.prev = behind.prev
    link.next = following
    if behind.prev == NIL:
        head.first = i
    else:
        list_at(links, stride, behind.prev).next = i
    behind.prev = i
    head.length += 1


cdef inline void list_del(
    list_head *head, void *links, size_t stride, uint32_t i
) noexcept nogil:
    """Take entry *i* out."""
    cdef list_link *link = list_at(links, stride, i)
    if head.cursors != NULL:
        list_cursors_leave(head, i, link.next)
    if link.prev == NIL:
        head.first = link.next
    else:
        list_at(links, stride, link.prev).next = link.next
    if link.next == NIL:
        head.last = link.prev
    else:
        list_at(links, stride, link.next).prev = link.prev
    link.next = NIL
    link.prev = NIL
    head.length -= 1


cdef inline void list_splice(
    list_head *head, list_head *onto, void *links, size_t stride
) noexcept nogil:
    """Put all entries of a list before those of another; the first is empty then."""
    if head.first == NIL:
        return
    list_at(links, stride, head.last).next = onto.first
    if onto.first == NIL:
        onto.last = head.last
    else:
        list_at(links, stride, onto.first).prev = head.last
    onto.first = head.first
    onto.length += head.length
    head.first = NIL
    head.last = NIL
    head.length = 0
    list_cursors_end(head)


cdef inline void list_splice_tail(
    list_head *head, list_head *onto, void *links, size_t stride
) noexcept nogil:
    """Put all entries of a list behind those of another; the first is empty then."""
    if head.first == NIL:
        return
    list_at(links, stride, head.first).prev = onto.last
    if onto.last == NIL:
        onto.first = head.first
    else:
        list_at(links, stride, onto.last).next = head.first
    onto.last = head.last
    onto.length += head.length
    head.first = NIL
    head.last = NIL
    head.length = 0
    list_cursors_end(head)


cdef inline void list_cut_before(
    list_head *head, list_head *onto, void *links, size_t stride, uint32_t i,
    uint32_t count
) noexcept nogil:
    """Take the entries before *i*, of which there are *count*, to an empty list.

    Cursors stay where they are: who has some sees to them.
    """
    cdef list_link *link = list_at(links, stride, i)
    if not count:
        return
    onto.first = head.first
    onto.last = link.prev
    onto.length = count
    list_at(links, stride, link.prev).next = NIL
    link.prev = NIL
    head.first = i
    head.length -= count


cdef inline uint32_t list_walk(
    list_head *head, void *links, size_t stride
) noexcept nogil:
    """Visit every entry; return how many there are."""
    cdef uint32_t i = head.first, hops = 0
    while i != NIL:
        hops += 1
        i = list_at(links, stride, i).next
    return hops


cdef inline bint list_has(
    list_head *head, void *links, size_t stride, uint32_t i
) noexcept nogil:
    """Tell whether entry *i*'s neighbour, or the head, links to it."""
    cdef uint32_t prev = list_at(links, stride, i).prev
    if prev == NIL:
        return head.first == i
    return list_at(links, stride, prev).next == i


cdef inline bint list_broken(
    list_head *head, void *links, size_t stride
) noexcept nogil:
    """Tell whether links and length do not fit together."""
    cdef uint32_t i = head.first, before = NIL, hops = 0
    while i != NIL:
        if hops == head.length or list_at(links, stride, i).prev != before:
            return True
        hops += 1
        before = i
        i = list_at(links, stride, i).next
    return hops != head.length or head.last != before
