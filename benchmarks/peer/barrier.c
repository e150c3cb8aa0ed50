/* A barrier with nothing queued: nanoseconds of the wall clock a call, as it sleeps.
 *
 *   barrier CALLS
 *
 * One callback was queued before, so that liburcu's worker thread is there. Compiled
 * with -DCK for ck_epoch_barrier, otherwise for liburcu's rcu_barrier.
 */
#ifdef CK
#include <ck_epoch.h>
#else
#include <urcu.h>
#endif

#include "../floor/floor.h"

static int invoked;

static double wall_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

#ifdef CK
static ck_epoch_t epoch;
static ck_epoch_record_t record;
static ck_epoch_entry_t entry;

static void count(ck_epoch_entry_t *unused) { (void)unused; invoked++; }

static void begin(void)
{
	ck_epoch_init(&epoch);
	ck_epoch_register(&epoch, &record, NULL);
	ck_epoch_call(&record, &entry, count);
}

static void barrier(void) { ck_epoch_barrier(&record); }
#else
static struct rcu_head head;

static void count(struct rcu_head *unused) { (void)unused; invoked++; }

static void begin(void)
{
	rcu_register_thread();
	call_rcu(&head, count);
}

static void barrier(void) { rcu_barrier(); }
#endif

int main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 1);
	double took[3];
	begin();
	barrier();
	demand(invoked == 1, "a callback was not invoked");
	for (int t = 0; t < 3; t++) {
		double began = wall_ns();
		for (size_t i = 0; i < n; i++)
			barrier();
		took[t] = wall_ns() - began;
	}
	report(took, 3, (double)n);
	return 0;
}
