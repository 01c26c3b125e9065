/* Nanoseconds of CLOCK_REALTIME, as in base/clock.h, which is not linked here. */
#ifndef RUNTIME_SHIM_CLOCK_H
#define RUNTIME_SHIM_CLOCK_H

#include <stdint.h>
#include <time.h>

static inline int64_t clock_realtime_ns(void)
{
	struct timespec now;
	clock_gettime(CLOCK_REALTIME, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

#endif
