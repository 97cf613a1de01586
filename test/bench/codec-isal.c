/*
 * Comparator of the codec benchmark: Intel ISA-L's kernels, called by name so that each instruction set is
 * measured on the same core. Compiled by codec-native.ts where a compiler and libisal are found.
 *
 * Reads lines "variant dataShards parityShards cellBytes rows rounds" from standard input: variant 0 SSE, 1 AVX2,
 * 2 AVX-512; rows = coded cells per call. Answers each with the CPU seconds that the rounds took.
 */
#define _GNU_SOURCE
#include <isa-l/erasure_code.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

typedef void encoder(int, int, int, unsigned char *, unsigned char **, unsigned char **);
extern void ec_encode_data_avx512(int, int, int, unsigned char *, unsigned char **, unsigned char **);

static double cpu_seconds(void)
{
	struct timespec now;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return now.tv_sec + now.tv_nsec * 1e-9;
}

static double measure(encoder *encode, int k, int m, size_t cell_bytes, int rows, long rounds)
{
	/* The same distance of cells as the WebAssembly pool uses: see strideFor in wasm/stripe-pool.ts. */
	size_t stride = ((((cell_bytes + 8 + 4095) / 4096) | 1) * 4096) + 320;
	unsigned char *matrix = malloc((size_t)(k + m) * k);
	unsigned char *tables = malloc((size_t)32 * k * m);
	/* In huge pages where the system grants them, as the WebAssembly pool. */
	size_t huge = (size_t)2 << 20, bytes = (stride * (k + m) + huge - 1) / huge * huge;
	unsigned char *cells = aligned_alloc(huge, bytes);
	unsigned char *shards[256];

	gf_gen_cauchy1_matrix(matrix, k + m, k);
	ec_init_tables(k, m, matrix + (size_t)k * k, tables);
	madvise(cells, bytes, MADV_HUGEPAGE);
	memset(cells, 7, bytes);
	for (int i = 0; i < k + m; i++)
		shards[i] = cells + i * stride;
	double start = cpu_seconds();
	for (long i = 0; i < rounds; i++)
		encode(cell_bytes, k, rows, tables, shards, shards + k);
	double seconds = cpu_seconds() - start;
	free(cells);
	free(tables);
	free(matrix);
	return seconds;
}

int main(void)
{
	encoder *encoders[] = { (encoder *)ec_encode_data_sse, (encoder *)ec_encode_data_avx2, ec_encode_data_avx512 };
	int variant, k, m, rows;
	size_t cell_bytes;
	long rounds;

	while (scanf("%d %d %d %zu %d %ld", &variant, &k, &m, &cell_bytes, &rows, &rounds) == 6) {
		printf("%.9f\n", measure(encoders[variant], k, m, cell_bytes, rows, rounds));
		fflush(stdout);
	}
	return 0;
}
