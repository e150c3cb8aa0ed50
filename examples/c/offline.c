/* What removing one cgroup costs under two kernels, from a program with its own loop. */

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#include "slabcore.h"

static void check(int code)
{
    if (code != SLABCORE_OK) {
        fprintf(stderr, "offline: %s\n", slabcore_last_error());
        exit(1);
    }
}

/* Run Python inside of this program, as the interpreter that slabcore is installed for. */
static void start(const char *python)
{
    PyStatus status;
    PyConfig config;
    PyConfig_InitIsolatedConfig(&config);
    status = PyConfig_SetBytesString(&config, &config.executable, python);
    if (!PyStatus_Exception(status))
        status = Py_InitializeFromConfig(&config);
    PyConfig_Clear(&config);
    if (PyStatus_Exception(status))
        Py_ExitStatusException(status);
    if (slabcore_import() < 0) {
        PyErr_Print();
        exit(1);
    }
}

static void offline(const char *design)
{
    const char *settings[] = {"machine.cpus=2", NULL};
    slabcore_kernel *kernel;
    slabcore_cache dentry;
    slabcore_memcg web;
    int64_t dying, waits, event, now;

    check(slabcore_kernel_new(design, settings, &kernel));
    check(slabcore_create_cache(kernel, "dentry", 192, SLABCORE_ACCOUNTED, &dentry));
    check(slabcore_mkdir(kernel, "/web", &web));
    check(slabcore_alloc(kernel, dentry, web, 100));
    /* The cgroup's own cache is made by a kworker; allocate from that one as well. */
    check(slabcore_drain(kernel));
    check(slabcore_alloc(kernel, dentry, web, 100));
    check(slabcore_free(kernel, dentry, web, 200));
    check(slabcore_rmdir(kernel, web));

    /* Any simulator's loop: look when something happens, and go there. */
    do {
        check(slabcore_next_event_ns(kernel, &event));
        check(slabcore_advance_to(kernel, event));
        check(slabcore_counter(kernel, "cgroups.dying", &dying));
    } while (dying);

    check(slabcore_now_ns(kernel, &now));
    check(slabcore_counter(kernel, "grace_periods.synchronous", &waits));
    printf("%s: grace periods waited for: %" PRId64 ", over at %.1f ms\n", design, waits,
           now / 1e6);
    check(slabcore_validate(kernel));
    check(slabcore_kernel_free(kernel));

    if (slabcore_alloc(kernel, dentry, web, 1) == SLABCORE_ESTALE)
        printf("  afterwards: %s\n", slabcore_last_error());
}

/* How long a mkdir takes that begins 20 ms after the removal of a cgroup with 20 caches. */
static void beside(const char *design)
{
    const char *settings[] = {"machine.cpus=2", NULL};
    int64_t removing, making, began, second = 1000000000;
    slabcore_kernel *kernel;
    slabcore_cache cache;
    slabcore_memcg web;
    slabcore_end ends[4];
    size_t count, i;
    char name[32];
    int any;

    check(slabcore_kernel_new(design, settings, &kernel));
    check(slabcore_mkdir(kernel, "/web", &web));
    for (i = 0; i < 20; i++) {
        snprintf(name, sizeof name, "cache-%zu", i);
        check(slabcore_create_cache(kernel, name, 192, SLABCORE_ACCOUNTED, &cache));
        check(slabcore_alloc(kernel, cache, web, 1));
    }
    check(slabcore_drain(kernel));

    check(slabcore_begin_rmdir(kernel, web, &removing));
    check(slabcore_now_ns(kernel, &began));
    began += second / 50;           /* its caches are being taken down by then */
    check(slabcore_advance_to(kernel, began));
    check(slabcore_begin_mkdir(kernel, "/db", &making));
    for (;;) {
        check(slabcore_advance_to_finished(kernel, began + 10 * second, &any));
        if (!any)
            break;
        check(slabcore_finished(kernel, ends, 4, &count));
        for (i = 0; i < count; i++)
            if (ends[i].number == making && ends[i].code == SLABCORE_OK)
                printf("%s: mkdir beside a removal takes %.1f ms\n", design,
                       (ends[i].at_ns - began) / 1e6);
    }
    check(slabcore_kernel_free(kernel));
}

/* A file of the kernel's, one read(2) at a time. */
static void slabinfo(void)
{
    slabcore_kernel *kernel;
    slabcore_cache cache;
    slabcore_file *file;
    char text[4096];
    size_t size;

    check(slabcore_kernel_new("4.11", NULL, &kernel));
    check(slabcore_create_cache(kernel, "dentry", 192, SLABCORE_ACCOUNTED, &cache));
    check(slabcore_open(kernel, "/proc/slabinfo", 0, &file));
    do {
        check(slabcore_read(file, text, sizeof text, &size));
        fwrite(text, 1, size, stdout);
    } while (size);
    check(slabcore_close(file));
    check(slabcore_kernel_free(kernel));
}

/* The least recently used of a few: a list on which what is used moves to the front. */
static void least_recently_used(void)
{
    int64_t entries[4], last, value;
    slabcore_list *list;
    int i;

    check(slabcore_list_new(NULL, &list));
    for (i = 0; i < 4; i++)
        check(slabcore_list_add(list, 100 + i, &entries[i]));
    check(slabcore_list_move(list, entries[0]));
    check(slabcore_list_last(list, &last));
    check(slabcore_list_value(list, last, &value));
    printf("least recently used: %" PRId64 "\n", value);
    check(slabcore_list_remove(list, last));
    if (slabcore_list_value(list, last, &value) == SLABCORE_ESTALE)
        printf("  afterwards: %s\n", slabcore_last_error());
    check(slabcore_list_free(list));
}

int main(int argc, char **argv)
{
    slabcore_kernel *none = NULL;

    if (argc != 2) {
        fprintf(stderr, "usage: offline PYTHON\n");
        return 2;
    }
    start(argv[1]);
    offline("4.8");
    offline("4.11");
    beside("4.8");
    beside("4.11");
    slabinfo();
    least_recently_used();
    if (slabcore_kernel_new("4.99", NULL, &none) == SLABCORE_EINPUT)
        printf("no such kernel: %s\n", slabcore_last_error());
    if (slabcore_drain(none) == SLABCORE_ESTALE)
        printf("no kernel at all: %s\n", slabcore_last_error());
    return Py_FinalizeEx() < 0;
}
