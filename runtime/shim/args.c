/* The command line that ps shows, in the memory where the kernel put it. */
#include "runtime/shim/sandbox.h"

#include <string.h>
#include <sys/prctl.h>

void args_set(char *args, size_t args_size, const char *words, size_t len)
{
	if (args_size < len)
		return;
	memset(args, 0, args_size);
	memcpy(args, words, len);
	/* A kernel without this call leaves a few blanks at the end. */
	prctl(PR_SET_MM, PR_SET_MM_ARG_END, args + len, 0, 0, 0);
}
