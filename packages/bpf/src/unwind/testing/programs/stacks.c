/* SPDX-License-Identifier: Apache-2.0 */
/* Stack frames of the less usual kinds, as the compiler describes them. */
#include <alloca.h>
#include <string.h>

/* Realigned stack: GCC keeps the caller's stack pointer in r10, then in the frame. */
__attribute__((noinline)) int aligned(int count, void (*call)(char *))
{
	char vectors[64] __attribute__((aligned(64)));
	char *more = alloca(count);

	memset(more, 0, count);
	call(vectors);
	call(more);
	return vectors[count & 63];
}

__attribute__((noinline)) int large(void (*call)(char *))
{
	char buffer[200000];

	call(buffer);
	return buffer[7];
}

static void touch(char *bytes)
{
	bytes[0] = 1;
}

int main(int argc, char **argv)
{
	(void)argv;
	return aligned(argc, touch) + large(touch);
}
