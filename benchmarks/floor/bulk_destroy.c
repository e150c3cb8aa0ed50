/* Destroy memcgs, each of whose caches is on three lists: nanoseconds a cache.
 *
 *   bulk_destroy plain|prefetch CACHES interleaved|clustered
 *
 * plain walks one memcg's list after the other, and each hop waits for the one before.
 * prefetch walks 32 memcgs at a time, so that 32 misses are under way at once.
 */
#include "hot.h"

enum { LANES = 32 };

static void destroy_plain(struct plane *p, const uint32_t *victims)
{
	for (size_t v = 0; v < p->memcgs; v++) {
		for (uint32_t i = p->first[victims[v]]; i != NIL; i = p->at[i].own_next)
			plane_unlink(p, &p->at[i]);
		p->first[victims[v]] = NIL;
	}
}

/* A lane holds a cache whose neighbours have been asked for a round ago. */
static void destroy_prefetch(struct plane *p, const uint32_t *victims)
{
	struct lane { uint32_t ready, next; } lanes[LANES];
	size_t taken = 0;
	int running = 0;
	for (; running < LANES && taken < p->memcgs; running++) {
		uint32_t *first = &p->first[victims[taken++]];
		lanes[running].ready = NIL;
		lanes[running].next = *first;
		prefetch(&p->at[*first]);
		*first = NIL;
	}
	while (running) {
		for (int l = 0; l < running; l++) {
			struct lane *lane = &lanes[l];
			if (lane->ready != NIL)
				plane_unlink(p, &p->at[lane->ready]);
			lane->ready = lane->next;
			if (lane->next == NIL) {
				lanes[l--] = lanes[--running];
				continue;
			}
			struct hot *c = &p->at[lane->next];
			plane_ask_for_neighbours(p, c);
			lane->next = c->own_next;
			if (lane->next == NIL && taken < p->memcgs) {
				uint32_t *first = &p->first[victims[taken++]];
				if (taken + LANES < p->memcgs)
					prefetch(&p->first[victims[taken + LANES]]);
				lane->next = *first;
				*first = NIL;
			}
			if (lane->next != NIL)
				prefetch(&p->at[lane->next]);
		}
	}
}

int main(int argc, char **argv)
{
	int ahead = !strcmp(argument(argc, argv, 1, "plain"), "prefetch");
	size_t n = size_argument(argc, argv, 2) / A_MEMCG * A_MEMCG;
	int interleaved = !strcmp(argument(argc, argv, 3, "interleaved"), "interleaved");
	uint32_t *owner = plane_owners(n, interleaved);
	uint32_t *victims = plane_victims(n / A_MEMCG, interleaved);
	double took[MAX_TRIALS];
	struct plane p;
	plane_open(&p, n);
	for (int t = 0; t < trials(n); t++) {
		plane_fill(&p, owner);
		double began = cpu_ns();
		if (ahead)
			destroy_prefetch(&p, victims);
		else
			destroy_plain(&p, victims);
		took[t] = cpu_ns() - began;
		plane_demand_empty(&p);
	}
	report(took, trials(n), (double)n);
	return 0;
}
