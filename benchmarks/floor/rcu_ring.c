/* Callbacks queued as 8-byte records and invoked after a grace period: nanoseconds from
 * enqueue to invoked, a callback.
 *
 *   rcu_ring BATCH sequential|shuffled
 *
 * A record says what kind of callback it is and for which object; to invoke it is to
 * switch on the kind and to write the object's word, asked for ahead. BATCH callbacks
 * are queued, then all are invoked, until two million have been.
 */
#include "floor.h"

enum { KINDS = 4, RUN = 64, FAR = 16, ALL = 2000000 };

struct callback { uint32_t kind, object; };

/* Head and tail only grow; FAR records behind the ring's end may be looked at. */
struct ring {
	struct callback *at;
	size_t capacity, head, tail;
};

/* As many of *n* records from *position* on as lie there without a break. */
static size_t unbroken(const struct ring *r, size_t position, size_t n)
{
	size_t left = r->capacity - (position & (r->capacity - 1));
	return n < left ? n : left;
}

static __attribute__((noinline)) void enqueue(struct ring *r, uint32_t kind,
					      const uint32_t *objects, size_t n)
{
	while (n) {
		struct callback *at = &r->at[r->tail & (r->capacity - 1)];
		size_t k, whole = unbroken(r, r->tail, n);
		for (k = 0; k < whole; k++)
			at[k] = (struct callback){ kind, objects[k] };
		r->tail += whole;
		objects += whole;
		n -= whole;
	}
}

static __attribute__((noinline)) void invoke(struct ring *r, uint32_t *words)
{
	while (r->head != r->tail) {
		const struct callback *at = &r->at[r->head & (r->capacity - 1)];
		size_t k, whole = unbroken(r, r->head, r->tail - r->head);
		for (k = 0; k < whole; k++) {
			uint32_t *word = &words[at[k].object];
			prefetch(&words[at[k + FAR].object]);
			switch (at[k].kind) {
			case 0: *word += 1; break;
			case 1: *word ^= 1; break;
			case 2: *word -= 1; break;
			default: *word += 3; break;
			}
		}
		r->head += whole;
	}
}

int main(int argc, char **argv)
{
	size_t n = size_argument(argc, argv, 1);
	int shuffled = !strcmp(argument(argc, argv, 2, "sequential"), "shuffled");
	size_t rounds = ALL / n ? ALL / n : 1;
	uint32_t *objects = order(n, shuffled, 1), *words = pages(n * sizeof *words);
	double took[MAX_TRIALS];
	struct ring r = { NULL, 1, 0, 0 };
	while (r.capacity < n)
		r.capacity *= 2;
	r.at = pages((r.capacity + FAR) * sizeof *r.at);
	for (int t = 0; t < trials(rounds * n); t++) {
		memset(words, 0, n * sizeof *words);
		double began = cpu_ns();
		for (size_t round = 0; round < rounds; round++) {
			for (size_t k = 0; k < n; k += RUN)
				enqueue(&r, k / RUN % KINDS, &objects[k],
					n - k < RUN ? n - k : RUN);
			invoke(&r, words);
		}
		took[t] = cpu_ns() - began;
		for (size_t k = 0; k < n; k++) {
			uint32_t m = (uint32_t)rounds;
			uint32_t left[KINDS] = { m, m & 1, -m, 3 * m };
			demand(words[objects[k]] == left[k / RUN % KINDS],
			       "an object was missed");
		}
	}
	report(took, trials(rounds * n), (double)(rounds * n));
	return 0;
}
