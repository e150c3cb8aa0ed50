/* What the floors share: a clock, numbers, orders, memory, and the line they print.
 *
 * A program measures one variant at one size and prints one line of JSON. It builds
 * what it works on outside the timed part, checks that the work was done, and says the
 * median of its trials in nanoseconds an item.
 */
#ifndef FLOOR_H
#define FLOOR_H
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#define NIL UINT32_MAX
#define MAX_TRIALS 64

static inline void prefetch(const void *p) { __builtin_prefetch(p); }

/* A wrong floor would make a right product look slow or fast: it ends at once. */
static inline void demand(int truth, const char *what)
{
	if (!truth) {
		fprintf(stderr, "%s\n", what);
		exit(1);
	}
}

static inline const char *argument(int argc, char **argv, int i, const char *otherwise)
{
	return i < argc ? argv[i] : otherwise;
}

static inline size_t size_argument(int argc, char **argv, int i)
{
	size_t n = i < argc ? strtoull(argv[i], NULL, 10) : 0;
	demand(n > 0, "a size is wanted");
	return n;
}

/* CPU time of the thread: what others do on the machine is not in it. Reading it is a
 * system call, so it stands around batches and never inside. */
static inline double cpu_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static inline uint64_t random_next(uint64_t *state)
{
	uint64_t z = *state += 0x9e3779b97f4a7c15u; /* splitmix64 */
	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
	z = (z ^ z >> 27) * 0x94d049bb133111ebu;
	return z ^ z >> 31;
}

static inline size_t random_below(uint64_t *state, size_t n)
{
	return (size_t)((unsigned __int128)random_next(state) * n >> 64);
}

/* Memory whose pages are there before the first timed access; huge if it is large. */
static inline void *pages(size_t bytes)
{
	size_t huge = 2u << 20, whole = (bytes + huge - 1) / huge * huge;
	void *p = aligned_alloc(huge, whole);
	demand(p != NULL, "out of memory");
	if (bytes >= 4u << 20)
		madvise(p, whole, MADV_HUGEPAGE);
	memset(p, 0, whole);
	return p;
}

static inline void sequence(uint32_t *a, size_t n)
{
	for (size_t i = 0; i < n; i++)
		a[i] = (uint32_t)i;
}

static inline void shuffle(uint32_t *a, size_t n, uint64_t seed)
{
	for (size_t i = n; i > 1; i--) {
		size_t j = random_below(&seed, i);
		uint32_t t = a[i - 1];
		a[i - 1] = a[j];
		a[j] = t;
	}
}

static inline uint32_t *order(size_t n, int shuffled, uint64_t seed)
{
	uint32_t *a = pages(n * sizeof *a);
	sequence(a, n);
	if (shuffled)
		shuffle(a, n, seed);
	return a;
}

/* Fewer trials where one is long. */
static inline int trials(size_t items)
{
	return items <= 20000 ? 51 : items <= 200000 ? 15 : items <= 2000000 ? 5 : 3;
}

static int by_value(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;
	return (x > y) - (x < y);
}

static inline void report(double *took, int n, double items)
{
	qsort(took, n, sizeof *took, by_value);
	printf("{\"ns\": %.4f, \"least\": %.4f, \"most\": %.4f, \"items\": %.0f, "
	       "\"trials\": %d}\n",
	       took[n / 2] / items, took[0] / items, took[n - 1] / items, items, n);
}

#endif
