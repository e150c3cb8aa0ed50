/* Destroy memcgs whose caches are on three lists of pointers: nanoseconds a cache.
 *
 *   pointer_caches plain|prefetch CACHES interleaved|clustered
 *
 * Nodes of 256 bytes, each from malloc, with three list_head as in struct kmem_cache.
 * plain is a loop of list_del; prefetch walks 32 memcgs at a time.
 */
#include <stddef.h>

#include "../floor/floor.h"

enum { ROOTS = 10, A_MEMCG = 10, ALIVE = 1, DEAD = 2, LANES = 32 };

struct link { struct link *next, *prev; };

struct cache {
	struct link all, root, own;
	uint32_t state, owner;
	char rest[256 - 3 * sizeof(struct link) - 8];
};

#define CACHE_OF(link) ((struct cache *)((char *)(link) - offsetof(struct cache, own)))

static void link_init(struct link *head) { head->next = head->prev = head; }

static void link_add_tail(struct link *new, struct link *head)
{
	new->next = head;
	new->prev = head->prev;
	head->prev->next = new;
	head->prev = new;
}

static void link_del(struct link *l)
{
	l->prev->next = l->next;
	l->next->prev = l->prev;
	l->next = l->prev = l;
}

static void unlink_cache(struct cache *c)
{
	link_del(&c->all);
	link_del(&c->root);
	link_del(&c->own);
	c->state = DEAD;
}

static void destroy_plain(struct link *memcgs, const uint32_t *victims, size_t n)
{
	for (size_t v = 0; v < n; v++) {
		struct link *head = &memcgs[victims[v]];
		while (head->next != head)
			unlink_cache(CACHE_OF(head->next));
	}
}

static void destroy_prefetch(struct link *memcgs, const uint32_t *victims, size_t n)
{
	/* A cache whose neighbours were asked for, one that was itself, and the end. */
	struct lane { struct cache *ready; struct link *next, *head; } lanes[LANES];
	size_t taken = 0;
	int running = 0;
	for (; running < LANES && taken < n; running++) {
		struct link *head = &memcgs[victims[taken++]];
		lanes[running] = (struct lane){ NULL, head->next, head };
		prefetch(CACHE_OF(head->next));
	}
	while (running) {
		for (int l = 0; l < running; l++) {
			struct lane *lane = &lanes[l];
			struct cache *c;
			if (lane->ready != NULL)
				unlink_cache(lane->ready);
			lane->ready = NULL;
			if (lane->next == lane->head) {
				if (taken == n) {
					lanes[l--] = lanes[--running];
					continue;
				}
				lane->head = &memcgs[victims[taken++]];
				if (taken + LANES < n)
					prefetch(&memcgs[victims[taken + LANES]]);
				lane->next = lane->head->next;
				prefetch(CACHE_OF(lane->next));
				continue;
			}
			c = lane->ready = CACHE_OF(lane->next);
			lane->next = c->own.next;
			prefetch(c->all.next);
			prefetch(c->all.prev);
			prefetch(c->root.next);
			prefetch(c->root.prev);
			if (lane->next != lane->head)
				prefetch(CACHE_OF(lane->next));
		}
	}
}

int main(int argc, char **argv)
{
	int ahead = !strcmp(argument(argc, argv, 1, "plain"), "prefetch");
	size_t n = size_argument(argc, argv, 2) / A_MEMCG * A_MEMCG, memcgs = n / A_MEMCG;
	int interleaved = !strcmp(argument(argc, argv, 3, "interleaved"), "interleaved");
	uint32_t *owner = order(n, interleaved, 1);
	uint32_t *victims = order(memcgs, interleaved, 2);
	struct cache **caches = malloc(n * sizeof *caches);
	struct link *own = pages(memcgs * sizeof *own), all, root[ROOTS];
	double took[MAX_TRIALS];
	demand(caches != NULL, "out of memory");
	for (size_t i = 0; i < n; i++) {
		caches[i] = malloc(sizeof **caches);
		demand(caches[i] != NULL, "out of memory");
		memset(caches[i], 0, sizeof **caches);
	}
	for (int t = 0; t < trials(n); t++) {
		link_init(&all);
		for (int r = 0; r < ROOTS; r++)
			link_init(&root[r]);
		for (size_t m = 0; m < memcgs; m++)
			link_init(&own[m]);
		for (size_t i = 0; i < n; i++) {
			struct cache *c = caches[i];
			c->state = ALIVE;
			c->owner = owner[i] / A_MEMCG;
			link_add_tail(&c->all, &all);
			link_add_tail(&c->root, &root[i % ROOTS]);
			link_add_tail(&c->own, &own[c->owner]);
		}
		double began = cpu_ns();
		if (ahead)
			destroy_prefetch(own, victims, memcgs);
		else
			destroy_plain(own, victims, memcgs);
		took[t] = cpu_ns() - began;
		int empty = all.next == &all;
		for (int r = 0; r < ROOTS; r++)
			empty &= root[r].next == &root[r];
		for (size_t i = 0; i < n; i++)
			empty &= caches[i]->state == DEAD;
		demand(empty, "caches are left on a list");
	}
	report(took, trials(n), (double)n);
	return 0;
}
