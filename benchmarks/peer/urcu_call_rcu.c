/* liburcu's call_rcu, from enqueue to invoked: nanoseconds a callback.
 *
 *   urcu_call_rcu BATCH sequential|shuffled
 *
 * CPU time of the whole process, as liburcu's worker thread is a part of the work. Real
 * threads, real memory barriers. Compiled with -DRCU_MEMB or -DRCU_QSBR, which choose
 * the flavour, and linked with its library.
 */
#ifdef RCU_QSBR
#include <urcu-qsbr.h>
#else
#include <urcu.h>
#endif

#include "../floor/floor.h"

enum { ALL = 400000 };

struct object { struct rcu_head rcu; uint64_t word; };

static void write_word(struct rcu_head *head)
{
	((struct object *)head)->word++;
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
	/* A barrier waits for the worker, which looks every 10 ms. */
	rounds = rounds > 20 ? 20 : rounds;
	uint32_t *objects = order(n, shuffled, 1);
	struct object *at = pages(n * sizeof *at);
	double took[MAX_TRIALS];
	rcu_register_thread();
	for (int t = 0; t < 3; t++) {
		memset(at, 0, n * sizeof *at);
		double began = process_ns();
		for (size_t round = 0; round < rounds; round++) {
			for (size_t k = 0; k < n; k++)
				call_rcu(&at[objects[k]].rcu, write_word);
			rcu_barrier();
		}
		took[t] = process_ns() - began;
		for (size_t i = 0; i < n; i++)
			demand(at[i].word == rounds, "a callback was not invoked");
	}
	report(took, 3, (double)(rounds * n));
	rcu_unregister_thread();
	return 0;
}
