/* Rows of /proc/slabinfo into 4 KiB chunks: nanoseconds a row.
 *
 *   rows memcpy|cached|sprintf ROWS sequential|shuffled
 *
 * memcpy copies the finished text of all rows, chunk by chunk: no reader can do with
 * less. cached copies each row from where its text is kept. sprintf prints each row, as
 * the kernel's seq_printf does. A chunk ends with a whole row. Nine of ten names are
 * those of a memcg's cache. The order is that of the rows against memory.
 */
#include "floor.h"

enum { CHUNK = 4096, NAME = 40, TEXT = 192, AHEAD = 4 };

struct row {
	uint64_t active, objects, active_slabs, slabs;
	uint32_t size, per_slab, pages;
	char name[NAME];
};

struct kept { uint32_t length; char text[TEXT - 4]; };

static int print(char *to, const struct row *r)
{
	return sprintf(to,
		       "%-17s %6lu %6lu %6u %4u %4d : tunables %4u %4u %4u"
		       " : slabdata %6lu %6lu %6lu\n",
		       r->name, r->active, r->objects, r->size, r->per_slab,
		       (int)r->pages, 0u, 0u, 0u, r->active_slabs, r->slabs, 0ul);
}

static void make_rows(struct row *rows, size_t n)
{
	static const char *const roots[] = { "dentry", "kmalloc-192", "inode_cache",
					     "filp", "cred_jar", "vm_area_struct" };
	uint64_t seed = 1;
	for (size_t i = 0; i < n; i++) {
		struct row *r = &rows[i];
		const char *root = roots[random_below(&seed, 6)];
		r->per_slab = 8 + (uint32_t)random_below(&seed, 32);
		r->slabs = 1 + random_below(&seed, 999);
		r->active_slabs = r->slabs;
		r->objects = r->slabs * r->per_slab;
		r->active = random_below(&seed, r->objects);
		r->size = 8 * (8 + (uint32_t)random_below(&seed, 128));
		r->pages = 1u << random_below(&seed, 4);
		if (i % 10)
			snprintf(r->name, NAME, "%s(%zu:app-%zu)", root, i / 10, i % 97);
		else
			snprintf(r->name, NAME, "%s", root);
	}
}

/* What was read so far: its bytes, and their sum, so that every chunk is looked at. */
struct reader { size_t bytes; uint64_t sum; };

static void took_chunk(struct reader *r, const char *chunk, size_t length)
{
	r->bytes += length;
	r->sum = r->sum * 31 + (unsigned char)chunk[0] + (unsigned char)chunk[length - 1];
}

static __attribute__((noinline)) void copy_all(
	struct reader *r, char *chunk, const char *text, const uint32_t *ends, size_t n)
{
	for (size_t k = 0; k < n; k++) {
		size_t length = ends[k] - r->bytes;
		memcpy(chunk, text + r->bytes, length);
		took_chunk(r, chunk, length);
	}
}

static __attribute__((noinline)) void copy_rows(
	struct reader *r, char *chunk, const struct kept *kept, const uint32_t *at,
	size_t n)
{
	size_t used = 0;
	for (size_t k = 0; k < n; k++) {
		const struct kept *row = &kept[at[k]];
		if (k + AHEAD < n) {
			prefetch(&kept[at[k + AHEAD]]);
			prefetch(kept[at[k + AHEAD]].text + 64);
		}
		if (used + row->length > CHUNK) {
			took_chunk(r, chunk, used);
			used = 0;
		}
		/* Whole lines are quicker than the right length; there is room behind. */
		memcpy(chunk + used, row->text, 64);
		memcpy(chunk + used + 64, row->text + 64, 64);
		if (row->length > 128)
			memcpy(chunk + used + 128, row->text + 128, TEXT - 4 - 128);
		used += row->length;
	}
	took_chunk(r, chunk, used);
}

static __attribute__((noinline)) void print_rows(
	struct reader *r, char *chunk, const struct row *rows, const uint32_t *at,
	size_t n)
{
	size_t used = 0;
	for (size_t k = 0; k < n; k++) {
		char text[TEXT];
		size_t length = (size_t)print(text, &rows[at[k]]);
		if (used + length > CHUNK) {
			took_chunk(r, chunk, used);
			used = 0;
		}
		memcpy(chunk + used, text, length);
		used += length;
	}
	took_chunk(r, chunk, used);
}

int main(int argc, char **argv)
{
	const char *how = argument(argc, argv, 1, "memcpy");
	size_t n = size_argument(argc, argv, 2), bytes = 0, chunks = 0, used = 0;
	int shuffled = !strcmp(argument(argc, argv, 3, "sequential"), "shuffled");
	uint32_t *at = order(n, shuffled, 1);
	struct row *rows = pages(n * sizeof *rows);
	struct kept *kept = pages(n * sizeof *kept);
	uint32_t *ends = pages(n * sizeof *ends);
	char *text = pages(n * TEXT), *chunk = pages(CHUNK + TEXT);
	struct reader wanted = { 0 };
	double took[MAX_TRIALS];
	make_rows(rows, n);
	for (size_t k = 0; k < n; k++) {
		struct kept *row = &kept[at[k]];
		row->length = (uint32_t)print(row->text, &rows[at[k]]);
		if (used + row->length > CHUNK) {
			ends[chunks++] = (uint32_t)bytes;
			used = 0;
		}
		memcpy(text + bytes, row->text, row->length);
		used += row->length;
		bytes += row->length;
	}
	ends[chunks++] = (uint32_t)bytes;
	copy_all(&wanted, chunk, text, ends, chunks);
	for (int t = 0; t < trials(n); t++) {
		struct reader r = { 0 };
		double began = cpu_ns();
		if (!strcmp(how, "memcpy"))
			copy_all(&r, chunk, text, ends, chunks);
		else if (!strcmp(how, "cached"))
			copy_rows(&r, chunk, kept, at, n);
		else
			print_rows(&r, chunk, rows, at, n);
		took[t] = cpu_ns() - began;
		demand(r.bytes == bytes && r.sum == wanted.sum, "the text is not the same");
	}
	report(took, trials(n), (double)n);
	return 0;
}
