/* slabcore from C and C++: kernels, files of theirs, lists and RCU queues.
 *
 * slabcore_import() first, in each file that includes this one: it imports slabcore
 * into the running interpreter and finds the functions. All of them want the GIL held.
 * Those that may take long (advance, drain, alloc, free, pin, drop_caches, mkdir,
 * rmdir, read) let go of it while a kernel runs; the kernel refuses what other threads
 * ask of it then.
 *
 * A function returns SLABCORE_OK or an error below 0, and writes its results only if it
 * returns SLABCORE_OK. It raises nothing and leaves a Python exception that is set
 * alone. slabcore_last_error() says in one line what was wrong.
 *
 * A handle, such as a slabcore_kernel *, is a number in a pointer's clothes: nobody
 * dereferences it. One that is NULL, was freed, was made up or is of another kind is
 * SLABCORE_ESTALE wherever it is given.
 */
#ifndef SLABCORE_H
#define SLABCORE_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <stddef.h>
#include <stdint.h>

#if UINTPTR_MAX < UINT64_MAX
#error "slabcore.h: handles have 64 bits"
#endif

/* What is compiled for one number works with every slabcore of that number that is not
 * older; slabcore_import() refuses another. */
#define SLABCORE_ABI 1

#ifdef __cplusplus
extern "C" {
#endif

typedef struct slabcore_kernel slabcore_kernel;
typedef struct slabcore_file slabcore_file;
typedef struct slabcore_bytes slabcore_bytes;
typedef struct slabcore_list slabcore_list;
typedef struct slabcore_field slabcore_field;
typedef struct slabcore_queue slabcore_queue;

/* A root cache and a memory cgroup know whose they are: another kernel refuses them. */
typedef struct {
    const slabcore_kernel *kernel;
    int64_t number;
} slabcore_cache;

typedef struct {
    const slabcore_kernel *kernel;
    int64_t handle;
} slabcore_memcg;

/* That what was begun, held or watched has come to its end. */
typedef struct {
    int64_t number;             /* as the call that began it gave it */
    int64_t at_ns;
    int64_t value;              /* of a mkdir the cgroup's handle; of a watch and of a
                                 * hold 1, or 0 if it went before it came about */
    int code;                   /* what the call itself would have returned */
} slabcore_end;

enum {
    SLABCORE_OK = 0,
    SLABCORE_EINPUT = -1,       /* an operand is none: a NULL, a name, a number */
    SLABCORE_ESTALE = -2,       /* a handle names nothing that is there */
    SLABCORE_EBUSY = -3,        /* it is in use: children, tasks, objects */
    SLABCORE_ELIFECYCLE = -4,   /* a step out of order; a kernel that runs */
    SLABCORE_ECORRUPT = -5,     /* a broken invariant, found by a check */
    SLABCORE_ENOMEM = -6,
    SLABCORE_EOS = -7,          /* a system call of the modelled kernel failed */
    SLABCORE_EINTERRUPTED = -8, /* a signal's handler raised, as Ctrl-C does */
    SLABCORE_EPYTHON = -9,      /* any other exception */
    SLABCORE_EGIL = -10         /* Python does not run, or the GIL is not held */
};

/* Of a cache to be. */
enum {
    SLABCORE_ACCOUNTED = 1,     /* cgroups get a cache of their own */
    SLABCORE_TYPESAFE = 2,      /* SLAB_TYPESAFE_BY_RCU */
    SLABCORE_RECLAIMABLE = 4,   /* slabcore_drop_caches() frees its pinned objects */
    SLABCORE_MERGEABLE = 8,     /* created after time 0, it may be an older one */
    SLABCORE_ALONE = 16         /* and it is not even looked whether it may */
};

/* Of slabcore_open(). */
enum {
    SLABCORE_CURSOR = 1         /* keep the place in the list, as no kernel does */
};

#define SLABCORE_NONE ((int64_t)-1)     /* no entry of a list */

#ifdef __cplusplus
}
#endif

/* --- what there is ------------------------------------------------------------------
 *
 * int slabcore_import(void);
 *     0, or -1 with a Python exception set: an ImportError if slabcore is missing or of
 *     another SLABCORE_ABI.
 * int slabcore_abi(void);
 *     The number that the slabcore in use was made for.
 * const char *slabcore_last_error(void);
 *     What this thread's last failed call said; good until the next one fails.
 *
 * Kernels
 *
 * int slabcore_kernel_new(const char *design, const char *const *settings,
 *      slabcore_kernel **kernel);
 *     Boot the kernel of a design, "4.9", at time 0. settings: texts PATH=VALUE and a
 *     NULL, as in {"machine.cpus=2", "design.root_list=true", "log=true", NULL}; paths
 *     are below machine, costs and design, or walk, sample_ns, log. NULL is none.
 * int slabcore_kernel_of(PyObject *object, slabcore_kernel **kernel);
 *     A handle of a slabcore.Kernel that Python has made; it is kept until free.
 * int slabcore_kernel_object(slabcore_kernel *kernel, PyObject **object);
 *     The slabcore.Kernel; the reference is the caller's.
 * int slabcore_kernel_free(slabcore_kernel *kernel);
 *     Give the handle up. What was made by it is stale then, but for its open files.
 * int slabcore_kernel_fork(slabcore_kernel *kernel, slabcore_kernel **other);
 *     Another kernel that is as this one is now. Its caches have the same numbers, its
 *     cgroups the same handles: put the new kernel into copies of those structs.
 * int slabcore_snapshot(slabcore_kernel *kernel, slabcore_bytes **bytes);
 * int slabcore_restore(const void *data, size_t size, slabcore_kernel **kernel);
 *     The whole kernel as bytes, and a kernel of them, here or in another process. What
 *     is no whole snapshot of this version of slabcore is SLABCORE_EINPUT.
 * int slabcore_bytes_get(slabcore_bytes *bytes, const void **data, size_t *size);
 *     Where they are, until they are freed.
 * int slabcore_bytes_free(slabcore_bytes *bytes);
 *
 * Caches and cgroups: as the methods of slabcore.Kernel
 *
 * int slabcore_create_cache(slabcore_kernel *kernel, const char *name,
 *      int64_t object_size, int flags, slabcore_cache *cache);
 * int slabcore_destroy_cache(slabcore_kernel *kernel, const char *name);
 * int slabcore_mkdir(slabcore_kernel *kernel, const char *path, slabcore_memcg *memcg);
 * int slabcore_rmdir(slabcore_kernel *kernel, slabcore_memcg memcg);
 * int slabcore_alloc(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count);
 * int slabcore_pin(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count);
 * int slabcore_free(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count);
 * int slabcore_drop_caches(slabcore_kernel *kernel);
 *
 * Time, in virtual nanoseconds
 *
 * int slabcore_now_ns(slabcore_kernel *kernel, int64_t *now_ns);
 * int slabcore_next_event_ns(slabcore_kernel *kernel, int64_t *event_ns);
 *     When something can happen next without a further call.
 * int slabcore_advance_to(slabcore_kernel *kernel, int64_t when_ns);
 * int slabcore_drain(slabcore_kernel *kernel);
 *
 * Calls that run beside one another: as begin(), watch() and hold() of slabcore.Kernel
 *
 * int slabcore_begin_mkdir(slabcore_kernel *kernel, const char *path,
 *      int64_t *number);
 * int slabcore_begin_rmdir(slabcore_kernel *kernel, slabcore_memcg memcg,
 *      int64_t *number);
 * int slabcore_begin_join(slabcore_kernel *kernel, slabcore_memcg memcg,
 *      int64_t *number);
 * int slabcore_begin_alloc(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count, int64_t *number);
 * int slabcore_begin_pin(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count, int64_t *number);
 * int slabcore_begin_free(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t count, int64_t *number);
 * int slabcore_begin_drop_caches(slabcore_kernel *kernel, int64_t *number);
 *     Begin it as a task of its own, which runs as time passes. number: by which
 *     slabcore_finished() tells its end.
 * int slabcore_watch_cache(slabcore_kernel *kernel, slabcore_cache cache,
 *      slabcore_memcg memcg, int64_t *number);
 * int slabcore_watch_offline(slabcore_kernel *kernel, slabcore_memcg memcg,
 *      int64_t *number);
 * int slabcore_watch_freed(slabcore_kernel *kernel, slabcore_memcg memcg,
 *      int64_t *number);
 *     Be told when the cgroup has a cache of its own or needs none, is offline, is gone.
 * int slabcore_hold(slabcore_kernel *kernel, const char *mutex, int64_t *number);
 * int slabcore_let_go(slabcore_kernel *kernel, int64_t number);
 *     Get in line for "cgroup_mutex" or "slab_mutex", and own it from its end on until
 *     it is let go. Calls that do not begin with begin_ are refused meanwhile.
 * int slabcore_line(slabcore_kernel *kernel, const char *mutex, int *owned,
 *      size_t *waiting);
 * int slabcore_advance_to_finished(slabcore_kernel *kernel, int64_t when_ns,
 *      int *finished);
 *     Advance until something has finished, at most to when_ns.
 * int slabcore_finished(slabcore_kernel *kernel, slabcore_end *ends, size_t room,
 *      size_t *count);
 *     What has finished and was not told yet, the first first; as many as there was
 *     room for may not be all. slabcore_last_error() is of the last that failed.
 *
 * What comes out
 *
 * int slabcore_counter(slabcore_kernel *kernel, const char *name, int64_t *value);
 * int slabcore_counter_real(slabcore_kernel *kernel, const char *name, double *value);
 *     By the names in Kernel.counters, joined by dots: "list_hops.offline". The load
 *     averages are no whole numbers: "load1".
 * int slabcore_validate(slabcore_kernel *kernel);
 * int slabcore_open(slabcore_kernel *kernel, const char *path, int flags,
 *      slabcore_file **file);
 * int slabcore_read(slabcore_file *file, void *to, size_t size, size_t *read);
 *     One read(2): it may be less than was asked for; 0 is the end.
 * int slabcore_lseek(slabcore_file *file, int64_t offset, int whence,
 *      int64_t *position);
 * int slabcore_close(slabcore_file *file);
 *
 * Lists of int64 values: slabcore.IntrusiveList. An entry is a number that is never
 * used again; one that was removed is SLABCORE_ESTALE.
 *
 * int slabcore_list_new(const char *const *fields, slabcore_list **list);
 *     fields: names and a NULL, of what more lists the entries may be on; or NULL.
 * int slabcore_list_of(PyObject *object, slabcore_list **list);
 * int slabcore_list_object(slabcore_list *list, PyObject **object);
 * int slabcore_list_free(slabcore_list *list);
 * int slabcore_list_length(slabcore_list *list, size_t *length);
 * int slabcore_list_add(slabcore_list *list, int64_t value, int64_t *entry);
 * int slabcore_list_add_tail(slabcore_list *list, int64_t value, int64_t *entry);
 * int slabcore_list_insert_before(slabcore_list *list, int64_t following,
 *      int64_t value, int64_t *entry);
 * int slabcore_list_remove(slabcore_list *list, int64_t entry);
 * int slabcore_list_move(slabcore_list *list, int64_t entry);
 * int slabcore_list_move_tail(slabcore_list *list, int64_t entry);
 * int slabcore_list_value(slabcore_list *list, int64_t entry, int64_t *value);
 * int slabcore_list_first(slabcore_list *list, int64_t *entry);
 * int slabcore_list_last(slabcore_list *list, int64_t *entry);
 * int slabcore_list_next(slabcore_list *list, int64_t entry, int64_t *next);
 * int slabcore_list_prev(slabcore_list *list, int64_t entry, int64_t *prev);
 *     SLABCORE_NONE behind the last, before the first and of an empty list.
 *
 * More lists over the same entries: slabcore.FieldList. An entry may be on one list of
 * each field, by the same number; slabcore_list_remove() takes it off all of them.
 *
 * int slabcore_field_new(slabcore_list *list, const char *name,
 *      slabcore_field **field);
 *     An empty list of a field; there may be as many of one as you like.
 * int slabcore_field_free(slabcore_field *field);
 * int slabcore_field_length(slabcore_field *field, size_t *length);
 * int slabcore_field_add(slabcore_field *field, int64_t entry);
 * int slabcore_field_add_tail(slabcore_field *field, int64_t entry);
 * int slabcore_field_remove(slabcore_field *field, int64_t entry);
 * int slabcore_field_move(slabcore_field *field, int64_t entry);
 * int slabcore_field_move_tail(slabcore_field *field, int64_t entry);
 *     From whatever list of the field it is on.
 * int slabcore_field_first(slabcore_field *field, int64_t *entry);
 * int slabcore_field_next(slabcore_field *field, int64_t entry, int64_t *next);
 * int slabcore_field_splice(slabcore_field *field, slabcore_field *other);
 * int slabcore_field_splice_tail(slabcore_field *field, slabcore_field *other);
 *     Put all entries of the other first, or last; the other is empty then.
 *
 * What waits for a grace period: slabcore.RcuQueue of int64 values
 *
 * int slabcore_queue_new(int cpus, slabcore_queue **queue);
 * int slabcore_queue_free(slabcore_queue *queue);
 * int slabcore_queue_call(slabcore_queue *queue, int64_t value, int cpu);
 * int slabcore_queue_start(slabcore_queue *queue, int64_t *number);
 * int slabcore_queue_quiescent(slabcore_queue *queue, int cpu, int *over);
 * int slabcore_queue_pending(slabcore_queue *queue, size_t *pending);
 * int slabcore_queue_invoke(slabcore_queue *queue, int64_t *values, size_t room,
 *      size_t *count);
 *     What is due, a batch of each CPU at a time as long as there is room for all
 *     that is pending.
 * int slabcore_queue_barrier(slabcore_queue *queue, int64_t *values, size_t room,
 *      size_t *count);
 */
#ifndef SLABCORE_CAPI
#include "capi_api.h"

static int slabcore_import(void)
{
    PyObject *core = PyImport_ImportModule("slabcore._core"), *number;
    long found = 0;
    if (core == NULL)
        return -1;
    number = PyObject_GetAttrString(core, "SLABCORE_ABI");
    Py_DECREF(core);
    if (number == NULL)
        PyErr_Clear();          /* it is older than the number: 0 */
    else {
        found = PyLong_AsLong(number);
        Py_DECREF(number);
    }
    if (found != SLABCORE_ABI) {
        PyErr_Format(PyExc_ImportError,
                     "slabcore: SLABCORE_ABI is %ld; expected %d, which this was "
                     "compiled for", found, SLABCORE_ABI);
        return -1;
    }
    return import_slabcore__capi();
}
#endif

#endif
