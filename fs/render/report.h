/* Texts about a container that take a look at the disk or at processes: made on worker
 * threads only. The renderers of fs/render/render.h, which wait for nothing, are the others.
 */
#ifndef FS_RENDER_REPORT_H
#define FS_RENDER_REPORT_H

#include "base/strbuf.h"
#include "runtime/engine.h"

/* 'C /etc', 'A /etc/new', 'D /etc/old', a line each, sorted by the bytes of the path; a path's odd bytes
 * are escaped. 0 or -errno with a sentence. */
int report_changes(struct container *c, struct strbuf *out, struct error *err);
/* The processes as `ps -ef` shows them: UID PID PPID C STIME TTY TIME CMD, pids of the host. Nothing when it
 * does not run. */
int report_top(struct container *c, struct strbuf *out, struct error *err);
/* INTERFACE section 11: 'Key:<tab>value' lines, of one moment. Nothing when it does not run. */
int report_stats(struct container *c, struct strbuf *out, struct error *err);

#endif
