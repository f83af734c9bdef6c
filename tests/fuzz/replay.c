/*
 * Replays inputs through one fuzz target without libFuzzer, so that any compiler will do: every file
 * named, and every file of a folder named. Each is also given cut short, at 16 places at most.
 */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max);

/* Mutators of the targets are linked but never called. */
size_t LLVMFuzzerMutate(uint8_t *data, size_t size, size_t max)
{
	(void)data;
	return size < max ? size : max;
}

/* In memory of exactly its size, so that one byte beyond is seen. */
static void give(const uint8_t *bytes, size_t n)
{
	uint8_t *copy = malloc(n ? n : 1);

	if (!copy)
		abort();
	memcpy(copy, bytes, n);
	LLVMFuzzerTestOneInput(copy, n);
	free(copy);
}

static unsigned replay_file(const char *path)
{
	FILE *f = fopen(path, "rb");
	uint8_t *bytes = malloc(1 << 20);
	size_t n;

	if (!f || !bytes) {
		perror(path);
		exit(2);
	}
	n = fread(bytes, 1, 1 << 20, f);
	fclose(f);
	give(bytes, n);
	size_t step = n < 16 ? 1 : n / 16;
	for (size_t cut = 0; cut < n; cut += step)
		give(bytes, cut);
	free(bytes);
	return 1;
}

static unsigned replay_dir(const char *path)
{
	DIR *d = opendir(path);
	struct dirent *e;
	unsigned n = 0;

	if (!d) {
		perror(path);
		exit(2);
	}
	while ((e = readdir(d))) {
		char full[4096];

		if (e->d_name[0] == '.')
			continue;
		snprintf(full, sizeof full, "%s/%s", path, e->d_name);
		n += replay_file(full);
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	struct stat st;
	unsigned n = 0;

	for (int k = 1; k < argc; k++) {
		if (stat(argv[k], &st) != 0) {
			perror(argv[k]);
			return 2;
		}
		n += S_ISDIR(st.st_mode) ? replay_dir(argv[k]) : replay_file(argv[k]);
	}
	printf("%u inputs\n", n);
	return 0;
}
