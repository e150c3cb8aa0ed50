/* Scan a recording's lines for what an event is: nanoseconds a line.
 *
 *   trace_lines FILE
 *
 * Of each line the pid, the CPU, the time and where the event's name and body lie; a
 * line without "[CPU]" is no event. Prints the events and the sums of their fields too.
 */
#include "floor.h"

struct event { uint64_t ns; uint32_t pid, cpu, name, name_length; };

struct sums { uint64_t events, ns, pids, cpus, name_bytes; };

static int digit(char c) { return (unsigned char)(c - '0') < 10; }

static const char *number(const char *at, uint64_t *value)
{
	uint64_t n = 0;
	while (digit(*at))
		n = n * 10 + (uint64_t)(*at++ - '0');
	*value = n;
	return at;
}

/* A comm may hold anything: what counts is "[digits]" and a "seconds.fraction:". */
static int scan(const char *text, const char *line, const char *end, struct event *e)
{
	const char *at = line, *cpu, *pid;
	uint64_t value, whole;
	for (;; at++) {
		at = memchr(at, '[', (size_t)(end - at));
		if (at == NULL)
			return 0;
		cpu = number(at + 1, &value);
		if (cpu > at + 1 && *cpu == ']')
			break;
	}
	e->cpu = (uint32_t)value;
	for (pid = at; pid > line && !digit(pid[-1]); pid--)
		;
	for (; pid > line && digit(pid[-1]); pid--)
		;
	number(pid, &value);
	e->pid = (uint32_t)value;
	for (at = cpu + 1; at < end; at++) {
		const char *begun = at;
		if (!digit(*at) || digit(at[-1]))
			continue;
		at = number(at, &whole);
		if (*at != '.') {
			at = begun;
			continue;
		}
		begun = at + 1;
		at = number(begun, &value);
		if (*at == ':')
			break;
		at = begun;
	}
	if (at >= end)
		return 0;
	/* The recordings have microseconds. */
	e->ns = whole * 1000000000u + value * 1000u;
	for (at++; *at == ' '; at++)
		;
	e->name = (uint32_t)(at - text);
	at = memchr(at, ':', (size_t)(end - at));
	if (at == NULL)
		return 0;
	e->name_length = (uint32_t)(at - text) - e->name;
	return 1;
}

static struct sums scan_all(const char *text, size_t bytes, struct event *events)
{
	struct sums s = { 0 };
	const char *line = text, *stop = text + bytes, *end;
	for (; line < stop; line = end + 1) {
		struct event *e = &events[s.events];
		end = memchr(line, '\n', (size_t)(stop - line));
		if (end == NULL)
			end = stop;
		if (*line == '#' || !scan(text, line, end, e))
			continue;
		s.events++;
		s.ns += e->ns;
		s.pids += e->pid;
		s.cpus += e->cpu;
		s.name_bytes += e->name_length;
	}
	return s;
}

int main(int argc, char **argv)
{
	FILE *file = fopen(argument(argc, argv, 1, ""), "rb");
	demand(file != NULL, "no such file");
	fseek(file, 0, SEEK_END);
	size_t bytes = (size_t)ftell(file), lines = 0;
	rewind(file);
	char *text = pages(bytes + 64);
	demand(fread(text, 1, bytes, file) == bytes, "the file is cut off");
	fclose(file);
	for (size_t i = 0; i < bytes; i++)
		lines += text[i] == '\n';
	struct event *events = pages((lines + 1) * sizeof *events);
	struct sums first = scan_all(text, bytes, events);
	double took[MAX_TRIALS];
	for (int t = 0; t < trials(lines); t++) {
		double began = cpu_ns();
		struct sums s = scan_all(text, bytes, events);
		took[t] = cpu_ns() - began;
		demand(!memcmp(&s, &first, sizeof s), "two scans do not agree");
	}
	report(took, trials(lines), (double)lines);
	fprintf(stderr, "%lu events, %lu ns, pids %lu, cpus %lu, %lu bytes of names\n",
		first.events, first.ns, first.pids, first.cpus, first.name_bytes);
	return 0;
}
