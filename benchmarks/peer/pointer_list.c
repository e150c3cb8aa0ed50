/* One list of pointers in nodes from malloc, worked on by numbers: nanoseconds a node.
 *
 *   pointer_list add|remove|remove-prefetch NODES sequential|shuffled
 *
 * A table leads from a number to its node, as any interface with numbers over such a
 * list must have one. With -DURCU the list is liburcu's cds_list.
 */
#include "../floor/floor.h"

#ifdef URCU
#include <urcu/list.h>
#define link cds_list_head
#define link_init CDS_INIT_LIST_HEAD
#define link_add_tail cds_list_add_tail
#define link_del cds_list_del
#else
struct link { struct link *next, *prev; };

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
}
#endif

enum { FAR = 32, MIDDLE = 16, NEAR = 8 };

struct node { struct link link; uint64_t id; char rest[24]; };
_Static_assert(sizeof(struct node) == 48, "as three list_head");

static void remove_prefetch(struct node **table, const int64_t *ids, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		if (k + FAR < n) {
			struct node *middle = table[ids[k + MIDDLE]];
			struct node *near = table[ids[k + NEAR]];
			prefetch(&table[ids[k + FAR]]);
			prefetch(middle);
			prefetch(near->link.next);
			prefetch(near->link.prev);
		}
		link_del(&table[ids[k]]->link);
	}
}

int main(int argc, char **argv)
{
	const char *what = argument(argc, argv, 1, "add");
	size_t n = size_argument(argc, argv, 2);
	int shuffled = !strcmp(argument(argc, argv, 3, "shuffled"), "shuffled");
	uint32_t *in = order(n, shuffled, 1), *out = order(n, 1, 2);
	int64_t *ids = pages(2 * n * sizeof *ids);
	struct node **table = pages(n * sizeof *table);
	struct link head;
	double took[MAX_TRIALS];
	for (size_t i = 0; i < n; i++) {
		ids[i] = in[i];
		ids[n + i] = out[i];
		table[i] = malloc(sizeof **table);
		demand(table[i] != NULL, "out of memory");
		memset(table[i], 0, sizeof **table);
		table[i]->id = i;
	}
	for (int t = 0; t < trials(n); t++) {
		link_init(&head);
		double began = cpu_ns();
		for (size_t k = 0; k < n; k++)
			link_add_tail(&table[ids[k]]->link, &head);
		took[t] = cpu_ns() - began;
		struct link *l = head.next;
		for (size_t k = 0; k < n; k++, l = l->next)
			demand(((struct node *)l)->id == in[k], "out of order");
		began = cpu_ns();
		if (!strcmp(what, "remove-prefetch"))
			remove_prefetch(table, ids + n, n);
		else
			for (size_t k = 0; k < n; k++)
				link_del(&table[ids[n + k]]->link);
		if (strcmp(what, "add"))
			took[t] = cpu_ns() - began;
		demand(head.next == &head && head.prev == &head, "the list is not empty");
	}
	report(took, trials(n), (double)n);
	return 0;
}
