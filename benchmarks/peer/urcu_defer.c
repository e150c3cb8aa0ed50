/* liburcu's defer_rcu, from enqueue to invoked: nanoseconds a callback.
 *
 *   urcu_defer BATCH sequential|shuffled
 *
 * A ring of the thread's own; who queues into a full one waits for a grace period and
 * invokes all itself. CPU time of the whole process, as in urcu_call_rcu.c.
 */
#include <urcu.h>
#include <urcu-defer.h>

#include "../floor/floor.h"

enum { ALL = 400000 };

static void write_word(void *word)
{
	++*(uint64_t *)word;
}

static double process_ns(void)
{
	struct timespec t;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

int main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 1);
	int shuffled = !strcmp(argument(argc, argv, 2, "sequential"), "shuffled");
	size_t rounds = ALL / n ? ALL / n : 1;
	uint32_t *objects = order(n, shuffled, 1);
	/* As large as an object of urcu_call_rcu.c, which has its callback inside. */
	struct { uint64_t word, rest[2]; } *at = pages(n * sizeof *at);
	double took[MAX_TRIALS];
	rcu_register_thread();
	rcu_defer_register_thread();
	for (int t = 0; t < 3; t++) {
		memset(at, 0, n * sizeof *at);
		double began = process_ns();
		for (size_t round = 0; round < rounds; round++) {
			for (size_t k = 0; k < n; k++)
				defer_rcu(write_word, &at[objects[k]].word);
			rcu_defer_barrier();
		}
		took[t] = process_ns() - began;
		for (size_t i = 0; i < n; i++)
			demand(at[i].word == rounds, "a callback was not invoked");
	}
	report(took, 3, (double)(rounds * n));
	rcu_defer_unregister_thread();
	rcu_unregister_thread();
	return 0;
}
