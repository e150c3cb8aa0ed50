/* One list whose links lie in an array of their own, 8 bytes a node, worked on in bulk
 * by an array of 64-bit numbers: nanoseconds a node.
 *
 *   side_list add|remove|remove-prefetch NODES sequential|shuffled
 *
 * The order is that of the numbers against memory; removal goes in another random
 * order. A node that is on no list links to NIL, and both operations look first.
 */
#include "floor.h"

enum { FAR = 32, NEAR = 16 };

struct pair { uint32_t next, prev; };

struct list {
	struct pair *at;
	uint32_t head;
	size_t length;
};

static int add(struct list *l, const int64_t *ids, size_t n)
{
	uint32_t last = l->at[l->head].prev;
	for (size_t k = 0; k < n; k++) {
		uint64_t i = (uint64_t)ids[k];
		if (i >= l->head || l->at[i].next != NIL)
			return 0;
		if (k + FAR < n)
			prefetch(&l->at[ids[k + FAR]]);
		l->at[i].prev = last;
		l->at[last].next = (uint32_t)i;
		/* Marks it as listed for the look at a later one of the same number. */
		l->at[i].next = l->head;
		last = (uint32_t)i;
	}
	l->at[l->head].prev = last;
	l->length += n;
	return 1;
}

static int unlink_one(struct list *l, uint64_t i)
{
	struct pair *p;
	if (i >= l->head || l->at[i].next == NIL)
		return 0;
	p = &l->at[i];
	l->at[p->prev].next = p->next;
	l->at[p->next].prev = p->prev;
	p->next = p->prev = NIL;
	return 1;
}

static int remove_plain(struct list *l, const int64_t *ids, size_t n)
{
	for (size_t k = 0; k < n; k++)
		if (!unlink_one(l, (uint64_t)ids[k]))
			return 0;
	l->length -= n;
	return 1;
}

/* A node's line is asked for long ahead, and its neighbours' when it has come. */
static int remove_prefetch(struct list *l, const int64_t *ids, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (k + FAR < n)
			prefetch(&l->at[(uint32_t)ids[k + FAR]]);
		if (k + NEAR < n && (uint64_t)ids[k + NEAR] < l->head) {
			struct pair p = l->at[ids[k + NEAR]];
			if (p.next != NIL) {
				prefetch(&l->at[p.next]);
				prefetch(&l->at[p.prev]);
			}
		}
		if (!unlink_one(l, (uint64_t)ids[k]))
			return 0;
	}
	l->length -= n;
	return 1;
}

static int64_t *numbers(size_t n, int shuffled, uint64_t seed)
{
	uint32_t *in = order(n, shuffled, seed);
	int64_t *out = pages(n * sizeof *out);
	for (size_t i = 0; i < n; i++)
		out[i] = in[i];
	free(in);
	return out;
}

/* The list must hold the numbers in the order in which they were added. */
static void demand_order(const struct list *l, const int64_t *ids, size_t n)
{
	uint32_t i = l->at[l->head].next;
	size_t k = 0;
	for (; i != l->head && k < n && i == ids[k]; k++)
		i = l->at[i].next;
	demand(k == n && i == l->head && l->length == n, "the list is out of order");
}

int main(int argc, char **argv)
{
	const char *what = argument(argc, argv, 1, "add");
	size_t n = size_argument(argc, argv, 2);
	int shuffled = !strcmp(argument(argc, argv, 3, "shuffled"), "shuffled");
	int64_t *in = numbers(n, shuffled, 1), *out = numbers(n, 1, 2);
	double took[MAX_TRIALS];
	struct list l = { pages((n + 1) * sizeof(struct pair)), (uint32_t)n, 0 };
	memset(l.at, 0xff, n * sizeof *l.at);
	l.at[n].next = l.at[n].prev = l.head;
	for (int t = 0; t < trials(n); t++) {
		int done;
		double began = cpu_ns();
		done = add(&l, in, n);
		took[t] = cpu_ns() - began;
		demand(done, "add found a node on a list");
		demand_order(&l, in, n);
		if (!strcmp(what, "remove")) {
			began = cpu_ns();
			done = remove_plain(&l, out, n);
			took[t] = cpu_ns() - began;
		} else {
			began = cpu_ns();
			done = remove_prefetch(&l, out, n);
			if (strcmp(what, "add"))
				took[t] = cpu_ns() - began;
		}
		demand(done, "remove found a node on no list");
		demand_order(&l, out, 0);
	}
	report(took, trials(n), (double)n);
	return 0;
}
