"""The life of cgroups: made, joined, removed, freed. kernel/cgroup.c"""

from libc.stdint cimport int32_t, int64_t, uint32_t

from slabcore.arena cimport NIL, arena_give
from slabcore.list cimport list_add, list_del, list_splice
from slabcore.memcontrol cimport (
    MAX_KMEMCG_ID,
    id_give,
    id_take,
    mem_cgroup,
    memcg_at,
    memcg_id_put,
    obj_cgroup,
    objcg_at,
)
from slabcore.rcu cimport call_rcu
from slabcore.sched cimport CGROUP_MUTEX, SLAB_MUTEX, frame, task
from slabcore.slab cimport accounted_at, root_at, root_cache, slot_forget_miss
from slabcore.world cimport (
    CB_CGROUP_FREE,
    CB_CSS_KILLED,
    CB_OBJCG_KILLED,
    CGROUP_DESTROY,
    DEACT_NONE,
    DONE,
    EV_ATTACH_TASK,
    EV_CGROUP_RELEASE,
    EV_CGROUP_RMDIR,
    EV_CSS_FREE,
    EV_CSS_FREE_WORK,
    EV_CSS_KILLED_WORK,
    EV_CSS_OFFLINE,
    EV_CSS_RELEASE_WORK,
    EV_SYS_MKDIR,
    EV_SYS_RMDIR,
    F_DEACTIVATE,
    F_DESTROY,
    F_GROW,
    F_SYNCHRONIZE,
    HOPS_GROW,
    HOPS_REPARENT,
    RUN,
    SYNC_IDLE,
    SYNC_PASSED,
    SYNC_PENDING,
    T_CGROUPS,
    WATCH_CACHE,
    WATCH_FREED,
    WATCH_OFFLINE,
    W_CGROUP_RELEASE,
    call,
    came_about,
    css_put,
    hop_ns,
    lock,
    memcg_alive,
    new_memcg,
    note,
    note_mkdir,
    passes,
    queue_new_work,
    resize_slots,
    spend,
    unlock,
    walked,
    world,
)
from slabcore.rcupdate cimport rcu_sync_exit


cdef inline int mkdir(world *w, task *t, frame *f) except -1 nogil:
    """Make a cgroup below a, which is of generation b; the result is its index."""
    cdef int32_t id
    while True:
        if f.pc == 0:
            note(w, EV_SYS_MKDIR, t.cpu, NIL, NIL)
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            if passes(w, t, spend(w, T_CGROUPS, w.cost.cgroup_mkdir)):
                continue
            return RUN
        elif f.pc == 2:
            t.result = NIL
            f.i = -1
            f.pc = 3
            if not memcg_alive(w, f.a, f.b) or not w.m.ids_left:
                unlock(w, CGROUP_MUTEX)
                return DONE
            f.n = id_take(&w.m.ids)
            w.m.ids_left -= 1
            if w.k.kmem:
                # There are as many of these, and none is held for longer.
                id = id_take(&w.m.kmemcg_ids)
                f.i = id
                if <uint32_t>id >= w.c.nr_ids:
                    return call(t, F_GROW, <uint32_t>id, NIL)
        else:
            new_memcg(w, f.a, <int32_t>f.i, <int32_t>f.n, &t.result)
            note_mkdir(w, t.cpu, t.result)
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
            if passes(w, t, hop_ns(w, hops, hops)):
                continue
            return RUN
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
            note(w, EV_SYS_RMDIR, t.cpu, NIL, NIL)
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            if passes(w, t, spend(w, T_CGROUPS, w.cost.cgroup_rmdir)):
                continue
            return RUN
        else:
            t.result = 0
            m = memcg_at(&w.m, f.a)
            if memcg_alive(w, f.a, f.b) and not m.tasks and not m.child_cgroups:
                note(w, EV_CGROUP_RMDIR, t.cpu, f.a, NIL)
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


cdef inline int reparent_objcgs(
    world *w, int32_t cpu, uint32_t memcg
) except -1 nogil:
    """Be memcg_reparent_objcgs(): the parent answers for all that this one did.

    The cgroup's own obj_cgroup held no css; those on a list each hold the list's.
    """
    cdef mem_cgroup *m = memcg_at(&w.m, memcg)
    cdef mem_cgroup *parent = memcg_at(&w.m, m.parent)
    cdef uint32_t own = m.objcg, inherited = m.objcg_list.length
    cdef uint32_t i = m.objcg_list.first
    while i != NIL:
        objcg_at(&w.m, i).memcg = m.parent
        i = objcg_at(&w.m, i).list.next
    objcg_at(&w.m, own).memcg = m.parent
    list_add(
        &parent.objcg_list, &objcg_at(&w.m, 0).list, sizeof(obj_cgroup), own
    )
    list_splice(
        &m.objcg_list,
        &parent.objcg_list,
        &objcg_at(&w.m, 0).list,
        sizeof(obj_cgroup),
    )
    m.objcg = NIL
    w.n.objcgs_reparented += 1 + inherited
    parent.refs += 1 + inherited
    css_put(w, cpu, memcg, inherited)
    # percpu_ref_kill(): a grace period later the first reference goes.
    w.n.async_waits += 1
    call_rcu(&w.r, cpu, CB_OBJCG_KILLED, own)
    return 0


cdef inline int offline_work(world *w, task *t, frame *f) except -1 nogil:
    """Take cgroup a offline, then each parent that only waited for it."""
    cdef mem_cgroup *m
    cdef root_cache *r
    cdef uint32_t i, parent
    cdef int64_t hops
    while True:
        if f.pc == 0:
            note(w, EV_CSS_KILLED_WORK, t.cpu, f.a, NIL)
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            f.n = w.cost.css_offline
            if w.k.deactivation != DEACT_NONE:
                # Those that it inherited were deactivated with their own cgroup.
                f.n += memcg_at(&w.m, f.a).filled * w.cost.deactivate
            if passes(w, t, spend(w, T_CGROUPS, f.n)):
                continue
            return RUN
        elif f.pc == 2:
            note(w, EV_CSS_OFFLINE, t.cpu, f.a, NIL)
            m = memcg_at(&w.m, f.a)
            f.i = m.kmem_online
            f.pc = 3
            if m.kmem_online:
                m.kmem_online = 0
                if w.k.children and w.k.deactivation != DEACT_NONE:
                    return call(t, F_DEACTIVATE, f.a, NIL)
                if w.k.by_object:
                    hops = m.objcg_list.length
                    w.n.hops[HOPS_REPARENT] += hops
                    if passes(w, t, hop_ns(w, hops, hops)):
                        continue
                    return RUN
        else:
            m = memcg_at(&w.m, f.a)
            if f.i and w.k.by_object:
                reparent_objcgs(w, t.cpu, f.a)
            if f.i:
                if w.k.children:
                    for i in range(w.c.accounted.used):
                        r = root_at(&w.c, accounted_at(&w.c, i))
                        if not r.shut:
                            slot_forget_miss(&w.c, &r.slots[m.kmemcg_id])
                id_give(&w.m.kmemcg_ids, m.kmemcg_id)
                m.kmemcg_id = -1
            m.online = 0
            if not w.k.css_ids:
                memcg_id_put(&w.m, f.a)
            w.n.offlined += 1
            w.n.offlined_at = w.s.now
            if w.watches.used:
                came_about(w, WATCH_CACHE, NIL, f.a, 0)
                came_about(w, WATCH_OFFLINE, NIL, f.a, 1)
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
            note(w, EV_CSS_RELEASE_WORK, t.cpu, f.a, NIL)
            f.pc = 1
            return lock(w, t, CGROUP_MUTEX)
        elif f.pc == 1:
            f.pc = 2
            if passes(w, t, spend(w, T_CGROUPS, w.cost.css_release)):
                continue
            return RUN
        else:
            if f.b == CB_CGROUP_FREE:
                note(w, EV_CGROUP_RELEASE, t.cpu, f.a, NIL)
                memcg_at(&w.m, f.a).released = 1
            unlock(w, CGROUP_MUTEX)
            w.n.async_waits += 1
            call_rcu(&w.r, t.cpu, f.b, f.a)
            return DONE


cdef inline int free_work(world *w, task *t, frame *f) except -1 nogil:
    """Free the css of cgroup a."""
    cdef uint32_t parent
    while True:
        if f.pc == 0:
            note(w, EV_CSS_FREE_WORK, t.cpu, f.a, NIL)
            f.pc = 1
            if passes(w, t, spend(w, T_CGROUPS, w.cost.css_free)):
                continue
            return RUN
        elif f.pc == 1:
            note(w, EV_CSS_FREE, t.cpu, f.a, NIL)
            f.pc = 2
            if w.k.reparenting:
                if memcg_at(&w.m, f.a).kmem_caches.length:
                    with gil:
                        raise RuntimeError("a cgroup is freed with caches left")
            elif w.k.children:
                return call(t, F_DESTROY, f.a, NIL)
        else:
            if w.k.css_ids:
                memcg_id_put(&w.m, f.a)
            parent = memcg_at(&w.m, f.a).parent
            if parent:
                css_put(w, t.cpu, parent, 1)
            queue_new_work(w, t.cpu, CGROUP_DESTROY, W_CGROUP_RELEASE, f.a, NIL)
            return DONE


cdef inline int cgroup_free_work(
    world *w, task *t, frame *f
) except -1 nogil:
    """Free cgroup a: the only place where its memory goes back."""
    if f.pc == 0:
        note(w, EV_CSS_FREE_WORK, t.cpu, f.a, NIL)
        f.pc = 1
        if not passes(w, t, spend(w, T_CGROUPS, w.cost.cgroup_free)):
            return RUN
    if w.watches.used:
        came_about(w, WATCH_FREED, NIL, f.a, 1)
    memcg_at(&w.m, f.a).generation += 1
    list_del(&w.m.all, &memcg_at(&w.m, 0).siblings, sizeof(mem_cgroup), f.a)
    arena_give(&w.m.groups, f.a)
    w.n.freed_at = w.s.now
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
            if passes(w, t, spend(w, T_CGROUPS, w.cost.cgroup_attach)):
                continue
            return RUN
        else:
            if memcg_alive(w, f.a, f.b):
                note(w, EV_ATTACH_TASK, t.cpu, f.a, NIL)
                t.memcg = f.a
                memcg_at(&w.m, f.a).tasks += 1
            if w.k.join_waits:
                rcu_sync_exit(w, t.cpu)
            unlock(w, CGROUP_MUTEX)
            return DONE
