/* Timed events on a calendar queue: nanoseconds an event, at a steady number pending.
 *
 *   calendar_queue PENDING
 *
 * The hold model: take the earliest event, queue it again after a delay. Delays are
 * exponential, drawn beforehand. Events of one instant come in the order in which they
 * were queued.
 */
#include <math.h>

#include "floor.h"

enum { DELAYS = 1 << 16, ALL = 1000000, AHEAD = 8 };

struct event {
	int64_t when;
	uint32_t next, id;
};

struct calendar {
	struct event *events;
	uint32_t *first; /* of each day's list, sorted; a day comes again every year */
	size_t days;
	int shift; /* a day is 1 << shift ns long */
	int64_t today;
};

static void put(struct calendar *c, uint32_t i, int64_t when)
{
	struct event *e = &c->events[i];
	uint32_t *link = &c->first[(size_t)(when >> c->shift) & (c->days - 1)];
	e->when = when;
	while (*link != NIL && c->events[*link].when <= when)
		link = &c->events[*link].next;
	e->next = *link;
	*link = i;
}

/* Days without an event of this year are skipped. */
static uint32_t take(struct calendar *c)
{
	for (;; c->today++) {
		uint32_t *first = &c->first[(size_t)c->today & (c->days - 1)];
		uint32_t i = *first;
		uint32_t later = c->first[(size_t)(c->today + AHEAD) & (c->days - 1)];
		if (later != NIL)
			prefetch(&c->events[later]);
		if (i != NIL && c->events[i].when >> c->shift == c->today) {
			*first = c->events[i].next;
			return i;
		}
	}
}

static uint64_t hold(struct calendar *c, const int64_t *delays, size_t n, uint64_t sum)
{
	for (size_t k = 0; k < n; k++) {
		uint32_t i = take(c);
		int64_t now = c->events[i].when;
		sum = sum * 31 + c->events[i].id;
		put(c, i, now + delays[k & (DELAYS - 1)]);
	}
	return sum;
}

/* The same with a binary heap, which is the judge of the order. */
struct entry { int64_t when; uint64_t number; uint32_t id; };

static int before(const struct entry *a, const struct entry *b)
{
	return a->when < b->when || (a->when == b->when && a->number < b->number);
}

static void sift(struct entry *heap, size_t n, size_t i)
{
	struct entry e = heap[i];
	for (size_t down; (down = 2 * i + 1) < n; i = down) {
		down += down + 1 < n && before(&heap[down + 1], &heap[down]);
		if (!before(&heap[down], &e))
			break;
		heap[i] = heap[down];
	}
	heap[i] = e;
}

static uint64_t judged(const int64_t *at, size_t pending, const int64_t *delays,
		       size_t n)
{
	struct entry *heap = pages(pending * sizeof *heap);
	uint64_t sum = 0, number = pending;
	for (size_t i = 0; i < pending; i++)
		heap[i] = (struct entry){ at[i], i, (uint32_t)i };
	for (size_t i = pending; i-- > 0;)
		sift(heap, pending, i);
	for (size_t k = 0; k < n; k++) {
		sum = sum * 31 + heap[0].id;
		heap[0].when += delays[k & (DELAYS - 1)];
		heap[0].number = number++;
		sift(heap, pending, 0);
	}
	free(heap);
	return sum;
}

int main(int argc, char **argv)
{
	size_t pending = size_argument(argc, argv, 1);
	const double mean = 1e6;
	int64_t *delays = pages(DELAYS * sizeof *delays);
	int64_t *at = pages(pending * sizeof *at);
	struct calendar c = { pages(pending * sizeof *c.events), NULL, 1, 0, 0 };
	double took[MAX_TRIALS];
	uint64_t seed = 1, wanted;
	for (size_t k = 0; k < DELAYS; k++)
		delays[k] = 1 + (int64_t)(-mean * log((random_next(&seed) >> 11) * 0x1p-53
						      + 0x1p-54));
	for (size_t i = 0; i < pending; i++)
		at[i] = delays[random_below(&seed, DELAYS)];
	/* An event a day; what comes in later years lies behind on its day. */
	while (c.shift < 40 && (int64_t)1 << c.shift < (int64_t)(mean / pending))
		c.shift++;
	while (c.days < 4 * pending)
		c.days *= 2;
	c.first = pages(c.days * sizeof *c.first);
	wanted = judged(at, pending, delays, ALL);
	for (int t = 0; t < trials(ALL); t++) {
		memset(c.first, 0xff, c.days * sizeof *c.first);
		c.today = 0;
		for (size_t i = 0; i < pending; i++) {
			c.events[i].id = (uint32_t)i;
			put(&c, (uint32_t)i, at[i]);
		}
		double began = cpu_ns();
		uint64_t sum = hold(&c, delays, ALL, 0);
		took[t] = cpu_ns() - began;
		demand(sum == wanted, "events came out of order");
	}
	report(took, trials(ALL), ALL);
	return 0;
}
