/* Caches as hot records: three pairs of 32-bit links and the state in 32 bytes.
 *
 * Two records share a cache line, so one miss brings a cache's own links, its links in
 * the list of all and among its root's children, and its state.
 */
#ifndef HOT_H
#define HOT_H
#include "floor.h"

enum { ROOTS = 10, A_MEMCG = 10, ALIVE = 1, DEAD = 2 };

struct hot {
	uint32_t all_next, all_prev;   /* every cache, in order of creation */
	uint32_t root_next, root_prev; /* the children of one root */
	uint32_t own_next, own_prev;   /* the caches of one memcg */
	uint32_t state, owner;
};
_Static_assert(sizeof(struct hot) == 32, "two records a line");

/* Records 0 to n - 1 are caches, then come the heads: of all, and of each root. */
struct plane {
	struct hot *at;
	size_t n, memcgs;
	uint32_t all, roots;
	uint32_t *first, *last; /* own list of each memcg, ended by NIL */
	size_t live;
};

static inline void plane_open(struct plane *p, size_t n)
{
	p->n = n;
	p->memcgs = n / A_MEMCG;
	p->at = pages((n + 1 + ROOTS) * sizeof *p->at);
	p->first = pages(p->memcgs * sizeof *p->first);
	p->last = pages(p->memcgs * sizeof *p->last);
	p->all = (uint32_t)n;
	p->roots = (uint32_t)n + 1;
}

/* The memcg of each cache in order of creation: clustered, a memcg's caches are made
 * one after the other; interleaved, in random order with those of others. */
static inline uint32_t *plane_owners(size_t n, int interleaved)
{
	uint32_t *owner = order(n, interleaved, 1);
	for (size_t i = 0; i < n; i++)
		owner[i] /= A_MEMCG;
	return owner;
}

/* The order in which memcgs are destroyed. */
static inline uint32_t *plane_victims(size_t memcgs, int interleaved)
{
	return order(memcgs, interleaved, 2);
}

static inline void plane_fill(struct plane *p, const uint32_t *owner)
{
	for (uint32_t head = p->all; head <= p->all + ROOTS; head++) {
		struct hot *h = &p->at[head];
		h->all_next = h->all_prev = h->root_next = h->root_prev = head;
	}
	memset(p->first, 0xff, p->memcgs * sizeof *p->first);
	for (uint32_t i = 0; i < p->n; i++) {
		struct hot *c = &p->at[i];
		uint32_t root = p->roots + i % ROOTS, own = owner[i];
		c->all_next = p->all;
		c->all_prev = p->at[p->all].all_prev;
		p->at[c->all_prev].all_next = i;
		p->at[p->all].all_prev = i;
		c->root_next = root;
		c->root_prev = p->at[root].root_prev;
		p->at[c->root_prev].root_next = i;
		p->at[root].root_prev = i;
		c->own_next = NIL;
		c->own_prev = NIL;
		if (p->first[own] == NIL) {
			p->first[own] = i;
		} else {
			c->own_prev = p->last[own];
			p->at[p->last[own]].own_next = i;
		}
		p->last[own] = i;
		c->state = ALIVE;
		c->owner = own;
	}
	p->live = p->n;
}

/* A cache leaves the list of all and its root's; its memcg drops the own list whole. */
static inline void plane_unlink(struct plane *p, struct hot *c)
{
	p->at[c->all_prev].all_next = c->all_next;
	p->at[c->all_next].all_prev = c->all_prev;
	p->at[c->root_prev].root_next = c->root_next;
	p->at[c->root_next].root_prev = c->root_prev;
	c->state = DEAD;
	p->live--;
}

static inline void plane_ask_for_neighbours(struct plane *p, const struct hot *c)
{
	prefetch(&p->at[c->all_prev]);
	prefetch(&p->at[c->all_next]);
	prefetch(&p->at[c->root_prev]);
	prefetch(&p->at[c->root_next]);
}

static inline void plane_demand_empty(const struct plane *p)
{
	int empty = p->live == 0 && p->at[p->all].all_next == p->all;
	for (uint32_t root = p->roots; root < p->roots + ROOTS; root++)
		empty &= p->at[root].root_next == root;
	for (size_t i = 0; i < p->n; i++)
		empty &= p->at[i].state == DEAD;
	demand(empty, "caches are left on a list");
}

#endif
