/* Destroy one memcg a call, knowing nothing of the next: nanoseconds a cache.
 *
 *   one_memcg_a_call chain|array CACHES interleaved|clustered
 *
 * chain follows the memcg's own list. array has the numbers of the memcg's caches in
 * an array, so that all their lines are asked for before the first is needed.
 */
#include "hot.h"

static __attribute__((noinline)) void destroy_chain(struct plane *p, uint32_t memcg)
{
	for (uint32_t i = p->first[memcg]; i != NIL; i = p->at[i].own_next)
		plane_unlink(p, &p->at[i]);
	p->first[memcg] = NIL;
}

static __attribute__((noinline)) void destroy_array(
	struct plane *p, const uint32_t *caches, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++)
		prefetch(&p->at[caches[i]]);
	for (uint32_t i = 0; i < count; i++)
		plane_ask_for_neighbours(p, &p->at[caches[i]]);
	for (uint32_t i = 0; i < count; i++)
		plane_unlink(p, &p->at[caches[i]]);
}

/* Each memcg's caches one after the other: A_MEMCG of them. */
static uint32_t *own_arrays(const uint32_t *owner, size_t n)
{
	uint32_t *caches = pages(n * sizeof *caches);
	uint32_t *used = pages(n / A_MEMCG * sizeof *used);
	for (uint32_t i = 0; i < n; i++)
		caches[(size_t)owner[i] * A_MEMCG + used[owner[i]]++] = i;
	free(used);
	return caches;
}

int main(int argc, char **argv)
{
	int array = !strcmp(argument(argc, argv, 1, "chain"), "array");
	size_t n = size_argument(argc, argv, 2) / A_MEMCG * A_MEMCG;
	int interleaved = !strcmp(argument(argc, argv, 3, "interleaved"), "interleaved");
	uint32_t *owner = plane_owners(n, interleaved);
	uint32_t *victims = plane_victims(n / A_MEMCG, interleaved);
	uint32_t *own = own_arrays(owner, n);
	double took[MAX_TRIALS];
	struct plane p;
	plane_open(&p, n);
	for (int t = 0; t < trials(n); t++) {
		plane_fill(&p, owner);
		double began = cpu_ns();
		for (size_t v = 0; v < p.memcgs; v++) {
			uint32_t memcg = victims[v];
			if (array)
				destroy_array(&p, &own[(size_t)memcg * A_MEMCG], A_MEMCG);
			else
				destroy_chain(&p, memcg);
		}
		took[t] = cpu_ns() - began;
		plane_demand_empty(&p);
	}
	report(took, trials(n), (double)n);
	return 0;
}
