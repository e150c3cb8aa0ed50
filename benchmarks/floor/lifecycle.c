/* Replay the events of cgroups' lives on the data plane: nanoseconds an event.
 *
 *   lifecycle plain|prefetch ALIVE [CACHES]
 *
 * A life is mkdir, CACHES first allocations that make a cache each, twice as many later
 * ones that are counted, and offline; with 10 caches that is 32 events and 60 list
 * operations. ALIVE lives go on at once, their events mixed. An offline memcg waits for
 * a grace period in a ring; when it has passed its caches leave their three lists.
 * prefetch asks for the memcgs and caches of the events to come.
 */
#include "floor.h"

enum {
	ROOTS = 64, PERIOD = 1024, FAR = 32, NEAR = 16, ALL = 2000000,
	MKDIR = 0, ALLOC = 1, OFFLINE = 2
};

struct event { uint32_t memcg; uint16_t kind, root; };

struct record {
	uint32_t all_next, all_prev, root_next, root_prev, own_next, own_prev;
	uint32_t objects;
	uint16_t root, dying;
};
_Static_assert(sizeof(struct record) == 32, "two records a line");


struct plane {
	struct record *at; /* caches, then the head of all, then the roots' */
	uint32_t *memcgs; /* of each: its first own cache, then its child of each root */
	uint32_t *spare, *ring;
	uint32_t all, spares, caches, width;
	size_t ring_size, queued, released;
	uint64_t made, destroyed, objects;
};

/* What a replay must end with is counted while its events are drawn. */
struct script {
	struct event *events;
	size_t n;
	uint64_t made, objects;
};

static void link_cache(struct plane *p, uint32_t *m, uint32_t root)
{
	uint32_t i = p->spare[--p->spares], head = p->all + 1 + root;
	struct record *c = &p->at[i];
	c->all_next = p->all;
	c->all_prev = p->at[p->all].all_prev;
	p->at[c->all_prev].all_next = i;
	p->at[p->all].all_prev = i;
	c->root_next = head;
	c->root_prev = p->at[head].root_prev;
	p->at[c->root_prev].root_next = i;
	p->at[head].root_prev = i;
	c->own_prev = NIL;
	c->own_next = m[0];
	if (m[0] != NIL)
		p->at[m[0]].own_prev = i;
	m[0] = m[1 + root] = i;
	c->objects = 1;
	c->root = (uint16_t)root;
	c->dying = 0;
	p->made++;
}

static uint32_t *memcg_at(struct plane *p, uint32_t memcg)
{
	return &p->memcgs[(size_t)memcg * p->width];
}

static void destroy_memcg(struct plane *p, uint32_t memcg)
{
	for (uint32_t i = *memcg_at(p, memcg); i != NIL;) {
		struct record *c = &p->at[i];
		p->at[c->all_prev].all_next = c->all_next;
		p->at[c->all_next].all_prev = c->all_prev;
		p->at[c->root_prev].root_next = c->root_next;
		p->at[c->root_next].root_prev = c->root_prev;
		p->objects += c->objects;
		p->destroyed++;
		p->spare[p->spares++] = i;
		i = c->own_next;
	}
}

static void pass_grace_period(struct plane *p, size_t until)
{
	for (; p->released < until; p->released++)
		destroy_memcg(p, p->ring[p->released & (p->ring_size - 1)]);
}

/* memcgs named in the events are slots; the one that a slot stands for is found here,
 * as a dying one lives on beside its slot's next. */
static inline __attribute__((always_inline)) void replay(
	struct plane *p, const struct event *events, size_t n, uint32_t *named,
	uint32_t *free_memcgs, uint32_t *spare_memcgs, int ahead)
{
	size_t waiting = 0, released;
	for (size_t k = 0; k < n; k++) {
		struct event e = events[k];
		uint32_t *m;
		if (ahead && k + FAR < n) {
			/* A mkdir in between may change it: a line was fetched in vain. */
			const struct event *far = &events[k + FAR];
			const struct event *near = &events[k + NEAR];
			uint32_t i = memcg_at(p, named[near->memcg])[1 + near->root];
			prefetch(memcg_at(p, named[far->memcg]));
			if (i != NIL)
				prefetch(&p->at[i]);
		}
		if (e.kind == MKDIR) {
			named[e.memcg] = free_memcgs[--*spare_memcgs];
			m = memcg_at(p, named[e.memcg]);
			for (uint32_t slot = 0; slot < p->width; slot++)
				m[slot] = NIL;
		} else if (e.kind == ALLOC) {
			m = memcg_at(p, named[e.memcg]);
			if (m[1 + e.root] == NIL)
				link_cache(p, m, e.root);
			else
				p->at[m[1 + e.root]].objects++;
		} else {
			m = memcg_at(p, named[e.memcg]);
			for (uint32_t i = m[0]; i != NIL; i = p->at[i].own_next)
				p->at[i].dying = 1;
			p->ring[p->queued++ & (p->ring_size - 1)] = named[e.memcg];
		}
		if (k % PERIOD == PERIOD - 1 || k == n - 1) {
			/* Those that were queued before the last period began. */
			released = p->released;
			pass_grace_period(p, k == n - 1 ? p->queued : waiting);
			for (; released < p->released; released++)
				free_memcgs[(*spare_memcgs)++] =
					p->ring[released & (p->ring_size - 1)];
			waiting = p->queued;
		}
	}
}

static struct script draw(size_t alive, uint32_t caches)
{
	size_t life = 2 + 3 * (size_t)caches;
	size_t most = (ALL > alive * life ? ALL : alive * life) + alive;
	struct script s = { pages((most + alive) * sizeof *s.events), 0, 0, 0 };
	uint32_t *done = pages(alive * sizeof *done);
	uint64_t seed = 1;
	while (s.n < most) {
		uint32_t m = (uint32_t)random_below(&seed, alive);
		struct event e = { m, ALLOC, 0 };
		if (done[m] == 0) {
			e.kind = MKDIR;
		} else if (done[m] == life - 1) {
			e.kind = OFFLINE;
		} else {
			e.root = (uint16_t)((done[m] - 1) % caches);
			s.made += done[m] <= caches;
			s.objects++;
		}
		done[m] = (uint32_t)((done[m] + 1) % life);
		s.events[s.n++] = e;
	}
	for (uint32_t m = 0; m < alive; m++)
		if (done[m])
			s.events[s.n++] = (struct event){ m, OFFLINE, 0 };
	free(done);
	return s;
}

int main(int argc, char **argv)
{
	int ahead = !strcmp(argument(argc, argv, 1, "plain"), "prefetch");
	size_t alive = size_argument(argc, argv, 2);
	uint32_t caches = argc > 3 ? (uint32_t)size_argument(argc, argv, 3) : 10;
	demand(caches <= ROOTS, "a cgroup has at most 64 caches");
	struct script s = draw(alive, caches);
	size_t memcgs = alive + 2 * PERIOD + alive;
	struct plane p = { 0 };
	p.caches = (uint32_t)(memcgs * caches);
	p.width = 1 + caches;
	p.all = p.caches;
	p.at = pages((p.caches + 1 + ROOTS) * sizeof *p.at);
	p.memcgs = pages(memcgs * p.width * sizeof *p.memcgs);
	p.spare = pages(p.caches * sizeof *p.spare);
	for (p.ring_size = 1; p.ring_size < memcgs;)
		p.ring_size *= 2;
	p.ring = pages(p.ring_size * sizeof *p.ring);
	uint32_t *named = pages(alive * sizeof *named);
	uint32_t *free_memcgs = pages(memcgs * sizeof *free_memcgs), spare_memcgs;
	double took[MAX_TRIALS];
	for (int t = 0; t < trials(s.n); t++) {
		for (uint32_t head = p.all; head <= p.all + ROOTS; head++) {
			struct record *h = &p.at[head];
			h->all_next = h->all_prev = h->root_next = h->root_prev = head;
		}
		/* The lowest number is handed out first. */
		for (p.spares = 0; p.spares < p.caches; p.spares++)
			p.spare[p.spares] = p.caches - 1 - p.spares;
		for (spare_memcgs = 0; spare_memcgs < memcgs; spare_memcgs++)
			free_memcgs[spare_memcgs] =
				(uint32_t)(memcgs - 1 - spare_memcgs);
		p.queued = p.released = 0;
		p.made = p.destroyed = p.objects = 0;
		double began = cpu_ns();
		if (ahead)
			replay(&p, s.events, s.n, named, free_memcgs, &spare_memcgs, 1);
		else
			replay(&p, s.events, s.n, named, free_memcgs, &spare_memcgs, 0);
		took[t] = cpu_ns() - began;
		demand(p.made == s.made && p.destroyed == s.made, "caches are left");
		demand(p.objects == s.objects, "objects were miscounted");
		demand(p.at[p.all].all_next == p.all, "the list of all is not empty");
	}
	report(took, trials(s.n), (double)s.n);
	return 0;
}
