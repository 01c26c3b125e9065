/* Who sent a request: the user, and the session that replies belong to. */
#ifndef FS_CALLER_H
#define FS_CALLER_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

/* Who entered our pid namespace from outside still leads or has a session, whose number nobody here can see:
 * all of those are one. */
#define CALLER_OUTER_SESSION (-1)

struct caller {
	pid_t tid; /* 0: outside our pid namespace */
	uid_t uid;
	pid_t sid; /* session (setsid), CALLER_OUTER_SESSION, 0: unknown */
	/* Start time of its leader in clock ticks: tells a reused number apart. */
	uint64_t sid_start;
};

/* Look the session up in /proc (proc_pid_stat(5), fields 6 and 22). A few microseconds. */
void caller_read(pid_t tid, uid_t uid, struct caller *ret);

/* Has the process of this thread a descriptor left of the file with this inode number below `mnt`? Shells
 * duplicate and close descriptors as they like; what counts is the last one. Source: proc_pid_fdinfo(5), ino
 * (Linux 5.19). False when it cannot be looked into. */
bool caller_has_open(pid_t tid, const char *mnt, uint64_t ino);
/* Has any process? It looks at all of them: for a worker thread, and for what is rare. */
bool caller_is_open_anywhere(const char *mnt, uint64_t ino);

/* Which signals end a wait? */
enum caller_signals {
	CALLER_ANY_SIGNAL, /* blocked reads and writes: whatever would end a read(2) elsewhere */
	CALLER_END_SIGNALS /* commands: SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGKILL */
};
/* FUSE sends one INTERRUPT for any signal, a stop, a child's end and a tracer too. Is one pending for this
 * thread that counts? True when the thread has gone. Source: proc_pid_status(5), SigPnd, ShdPnd, SigBlk, SigIgn, SigCgt. */
bool caller_has_signal(pid_t tid, enum caller_signals which);

#endif
