/* Concurrency Kit's epochs, from ck_epoch_call to dispatched: nanoseconds a callback.
 *
 *   ck_epoch BATCH sequential|shuffled [POLL]
 *
 * One thread, real atomic operations. BATCH calls and a barrier; with POLL an attempt
 * to move on after as many calls, which keeps the objects in the cache.
 */
#include <ck_epoch.h>

#include "../floor/floor.h"

enum { ALL = 2000000 };

struct object { ck_epoch_entry_t entry; uint64_t word; };

static void write_word(ck_epoch_entry_t *entry)
{
	((struct object *)entry)->word++;
}

int main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 1);
	int shuffled = !strcmp(argument(argc, argv, 2, "sequential"), "shuffled");
	size_t poll = argc > 3 ? size_argument(argc, argv, 3) : 0;
	size_t rounds = ALL / n ? ALL / n : 1;
	uint32_t *objects = order(n, shuffled, 1);
	struct object *at = pages(n * sizeof *at);
	static ck_epoch_t epoch;
	static ck_epoch_record_t record;
	double took[MAX_TRIALS];
	ck_epoch_init(&epoch);
	ck_epoch_register(&epoch, &record, NULL);
	for (int t = 0; t < trials(rounds * n); t++) {
		memset(at, 0, n * sizeof *at);
		double began = cpu_ns();
		for (size_t round = 0; round < rounds; round++) {
			for (size_t k = 0; k < n; k++) {
				ck_epoch_call(&record, &at[objects[k]].entry,
					      write_word);
				if (poll && k % poll == poll - 1)
					ck_epoch_poll(&record);
			}
			ck_epoch_barrier(&record);
		}
		took[t] = cpu_ns() - began;
		for (size_t i = 0; i < n; i++)
			demand(at[i].word == rounds, "a callback was not invoked");
	}
	report(took, trials(rounds * n), (double)(rounds * n));
	return 0;
}
