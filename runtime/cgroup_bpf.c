/* The default device list: a BPF program on a version 2 group, or the lines of
 * the devices controller of version 1.
 *
 * Both say the same, Docker's: any node may be made; null, zero, full, random,
 * urandom, tty, console, ptmx and the slaves of pts may be read and written;
 * nothing else. The program is loaded once and attached to each leaf: the
 * kernel keeps one copy whatever the number of containers.
 *
 * Source: bpf(2), linux/bpf.h (struct bpf_cgroup_dev_ctx), the kernel's
 * cgroup-v1/devices.rst; numbers in the kernel's devices.txt.
 */
#include "runtime/cgroup_internal.h"

#include "base/path.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <string.h>
#include <sys/syscall.h>

/* struct bpf_insn spelled out: operation, destination and source register,
 * instructions to jump over, constant. */
/* clang-format off */
#define LOAD(dst, field) \
	{ BPF_LDX | BPF_W | BPF_MEM, dst, BPF_REG_1, offsetof(struct bpf_cgroup_dev_ctx, field), 0 }
#define COPY(dst, src)          { BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0 }
#define SET(dst, value)         { BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, value }
#define AND(dst, value)         { BPF_ALU | BPF_AND | BPF_K, dst, 0, 0, value }
#define SHIFT_RIGHT(dst, bits)  { BPF_ALU | BPF_RSH | BPF_K, dst, 0, 0, bits }
#define IF_EQ(dst, value, skip) { BPF_JMP | BPF_JEQ | BPF_K, dst, 0, skip, value }
#define IF_NE(dst, value, skip) { BPF_JMP | BPF_JNE | BPF_K, dst, 0, skip, value }
#define IF_GT(dst, value, skip) { BPF_JMP | BPF_JGT | BPF_K, dst, 0, skip, value }
#define IF_LE(dst, value, skip) { BPF_JMP | BPF_JLE | BPF_K, dst, 0, skip, value }
#define JUMP(skip)              { BPF_JMP | BPF_JA, 0, 0, skip, 0 }
#define EXIT                    { BPF_JMP | BPF_EXIT, 0, 0, 0, 0 }

static const struct bpf_insn device_program[] = {
	LOAD(BPF_REG_2, access_type),
	COPY(BPF_REG_3, BPF_REG_2),
	AND(BPF_REG_3, 0xffff),                    /* 3: block or character */
	SHIFT_RIGHT(BPF_REG_2, 16),                /* 2: access */
	LOAD(BPF_REG_4, major),
	LOAD(BPF_REG_5, minor),
	SET(BPF_REG_0, 1),
	IF_EQ(BPF_REG_2, BPF_DEVCG_ACC_MKNOD, 11), /* allow: any node may be made */
	IF_NE(BPF_REG_3, BPF_DEVCG_DEV_CHAR, 9),   /* deny */
	IF_EQ(BPF_REG_4, 136, 9),                  /* allow pts */
	IF_EQ(BPF_REG_4, 5, 6),
	IF_NE(BPF_REG_4, 1, 6),                    /* deny */
	IF_EQ(BPF_REG_5, 3, 6),                    /* allow null */
	IF_EQ(BPF_REG_5, 5, 5),                    /* allow zero */
	IF_GT(BPF_REG_5, 9, 3),                    /* deny */
	IF_GT(BPF_REG_5, 6, 3),                    /* allow full, random, urandom */
	JUMP(1),                                   /* deny */
	IF_LE(BPF_REG_5, 2, 1),                    /* allow tty, console, ptmx */
	SET(BPF_REG_0, 0),
	EXIT,
};
/* clang-format on */

static const char *const v1_lines[] = {
	"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int bpf(int command, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

int cgroup_bpf_load_devices(void)
{
	union bpf_attr attr;
	int fd;

	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)device_program;
	attr.insn_cnt = sizeof(device_program) / sizeof(device_program[0]);
	attr.license = (uint64_t)(uintptr_t) "GPL";
	fd = bpf(BPF_PROG_LOAD, &attr);
	if (fd >= 0)
		fcntl(fd, F_SETFD, FD_CLOEXEC);
	return fd;
}

/* ALLOW_MULTI: groups that the container makes below may add programs of their
 * own, which can only take away. */
int cgroup_bpf_attach(int prog_fd, int group_fd)
{
	union bpf_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.target_fd = (uint32_t)group_fd;
	attr.attach_bpf_fd = (uint32_t)prog_fd;
	attr.attach_type = BPF_CGROUP_DEVICE;
	attr.attach_flags = BPF_F_ALLOW_MULTI;
	return bpf(BPF_PROG_ATTACH, &attr);
}

static int write_line(int group_fd, const char *file, const char *line, struct error *err)
{
	auto_fd int fd = openat(group_fd, file, O_WRONLY | O_CLOEXEC);
	int ret = fd < 0 ? -errno : path_write_all(fd, line, strlen(line));

	if (ret < 0)
		return error_set_sys(err, -ret, "cannot write '%s' to %s", line, file);
	return 0;
}

int cgroup_v1_allow_devices(int group_fd, struct error *err)
{
	int ret = write_line(group_fd, "devices.deny", "a", err);

	for (size_t i = 0; ret == 0 && i < sizeof(v1_lines) / sizeof(v1_lines[0]); i++)
		ret = write_line(group_fd, "devices.allow", v1_lines[i], err);
	return ret;
}
