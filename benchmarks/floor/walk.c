/* Visit every node of a list in order, summing what lies there: nanoseconds a node.
 *
 *   walk chase|anchors|array NODES sequential|shuffled
 *
 * chase follows the links. anchors knows 16 nodes a sixteenth of the list apart and
 * walks from all at once, each into its part of the result. array has the list's order
 * in an array and gathers. All write the nodes' payloads in list order.
 */
#include "floor.h"

enum { ANCHORS = 16, FAR = 32 };

struct node { uint32_t next, prev; };

static void chase(const struct node *at, uint32_t head, const uint32_t *load,
		  uint32_t *out)
{
	size_t k = 0;
	for (uint32_t i = at[head].next; i != head; i = at[i].next)
		out[k++] = load[i];
}

/* Part a begins at list position a * part; the last one takes what is left over. */
static void from_anchors(const struct node *at, const uint32_t *anchor, size_t n,
			 const uint32_t *load, uint32_t *out)
{
	size_t part = n / ANCHORS, k;
	uint32_t i[ANCHORS];
	memcpy(i, anchor, sizeof i);
	for (k = 0; k < part; k++)
		for (int a = 0; a < ANCHORS; a++) {
			out[a * part + k] = load[i[a]];
			i[a] = at[i[a]].next;
		}
	for (k = ANCHORS * part; k < n; k++) {
		out[k] = load[i[ANCHORS - 1]];
		i[ANCHORS - 1] = at[i[ANCHORS - 1]].next;
	}
}

static void gather(const uint32_t *in_order, size_t n, const uint32_t *load,
		   uint32_t *out)
{
	for (size_t k = 0; k < n; k++) {
		if (k + FAR < n)
			prefetch(&load[in_order[k + FAR]]);
		out[k] = load[in_order[k]];
	}
}

int main(int argc, char **argv)
{
	const char *how = argument(argc, argv, 1, "chase");
	size_t n = size_argument(argc, argv, 2);
	int shuffled = !strcmp(argument(argc, argv, 3, "shuffled"), "shuffled");
	uint32_t *in_order = order(n, shuffled, 1);
	struct node *at = pages((n + 1) * sizeof *at);
	uint32_t *load = pages(n * sizeof *load), *out = pages(n * sizeof *out);
	uint32_t anchor[ANCHORS], head = (uint32_t)n;
	double took[MAX_TRIALS];
	uint32_t before = head;
	for (size_t k = 0; k < n; k++) {
		uint32_t i = in_order[k];
		at[before].next = i;
		at[i].prev = before;
		load[i] = (uint32_t)k;
		before = i;
	}
	at[before].next = head;
	at[head].prev = before;
	for (int a = 0; a < ANCHORS; a++)
		anchor[a] = in_order[a * (n / ANCHORS)];
	for (int t = 0; t < trials(n); t++) {
		memset(out, 0xff, n * sizeof *out);
		double began = cpu_ns();
		if (!strcmp(how, "chase"))
			chase(at, head, load, out);
		else if (!strcmp(how, "anchors"))
			from_anchors(at, anchor, n, load, out);
		else
			gather(in_order, n, load, out);
		took[t] = cpu_ns() - began;
		for (size_t k = 0; k < n; k++)
			demand(out[k] == k, "a node is out of order");
	}
	report(took, trials(n), (double)n);
	return 0;
}
