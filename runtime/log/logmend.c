/* Mending a log whose shim was killed: what the next shim would do first. The shim's own code does it, so
 * that both agree; it is compiled into the engine here. */
#include "runtime/log/logview.h"

#include "base/cleanup.h"

#include "runtime/shim/logfiles.c" /* NOLINT(bugprone-suspicious-include) */

#define CHUNK_BYTES (1U << 20)

int logview_repair(int dir_fd, unsigned run, int64_t now_ns, struct error *err)
{
	const struct log_bounds any = { 0 };
	struct log_span span;
	struct logfiles logs;

	int r = logformat_scan(dir_fd, &span);
	if (r < 0)
		return error_set_sys(err, -r, "cannot look for the container's log");
	if (!span.has_index && !span.has_log)
		return 0; /* it never wrote one */
	auto_free char *chunk = malloc(CHUNK_BYTES);
	if (!chunk)
		return error_set_sys(err, ENOMEM, "cannot mend the container's log");
	r = logfiles_open(&logs, dir_fd, run, any, now_ns, chunk, CHUNK_BYTES, err);
	logfiles_close(&logs);
	return r;
}
