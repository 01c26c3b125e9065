/* The device list: a BPF program on a version 2 group, or the lines of the
 * devices controller of version 1.
 *
 * Both say the same, Docker's: any node may be made; null, zero, full, random,
 * urandom, tty, console, ptmx and the slaves of pts may be read and written;
 * nothing else but what a container's own rules allow. The program without any
 * is loaded once and attached to each leaf: the kernel keeps one copy whatever
 * the number of containers. Rules stand before it, each a block that allows or
 * falls through to the next.
 *
 * Source: bpf(2), linux/bpf.h (struct bpf_cgroup_dev_ctx), the kernel's
 * cgroup-v1/devices.rst; numbers in the kernel's devices.txt.
 */
#include "runtime/cgroup/cgroup_internal.h"

#include "base/path.h"

#include <fcntl.h>
#include <linux/bpf.h>
#include <stdlib.h>
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

static const struct bpf_insn device_begin[] = {
	LOAD(BPF_REG_2, access_type),
	COPY(BPF_REG_3, BPF_REG_2),
	AND(BPF_REG_3, 0xffff),                    /* 3: block or character */
	SHIFT_RIGHT(BPF_REG_2, 16),                /* 2: access */
	LOAD(BPF_REG_4, major),
	LOAD(BPF_REG_5, minor),
};

static const struct bpf_insn device_usual[] = {
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

#define RULE_INSNS_MAX 8

/* Append a rule's block. Each condition that does not hold skips what is left of it. */
static size_t add_rule(const struct device_rule *rule, struct bpf_insn *out)
{
	int type = rule->type == 'b' ? BPF_DEVCG_DEV_BLOCK : BPF_DEVCG_DEV_CHAR;
	const struct bpf_insn conditions[] = {
		IF_NE(BPF_REG_3, type, 0),
		IF_NE(BPF_REG_4, rule->major, 0),
		IF_NE(BPF_REG_5, rule->minor, 0),
	};
	const struct bpf_insn allow[] = {
		COPY(BPF_REG_6, BPF_REG_2),
		AND(BPF_REG_6, (int)(~rule->access & 7)), /* what was not allowed of it */
		IF_NE(BPF_REG_6, 0, 2),
		SET(BPF_REG_0, 1),
		EXIT,
	};
	const bool wanted[] = { rule->type != 'a', rule->major >= 0, rule->minor >= 0 };
	size_t count = 0;

	for (size_t i = 0; i < 3; i++)
		if (wanted[i])
			out[count++] = conditions[i];
	for (size_t i = 0; i < count; i++)
		out[i].off = (int16_t)(count - i - 1 + sizeof(allow) / sizeof(allow[0]));
	memcpy(&out[count], allow, sizeof(allow));
	return count + sizeof(allow) / sizeof(allow[0]);
}

static const char *const v1_lines[] = {
	"c *:* m",   "b *:* m",   "c 1:3 rwm", "c 1:5 rwm", "c 1:7 rwm",   "c 1:8 rwm",
	"c 1:9 rwm", "c 5:0 rwm", "c 5:1 rwm", "c 5:2 rwm", "c 136:* rwm",
};

static int bpf(int command, union bpf_attr *attr)
{
	long ret = syscall(SYS_bpf, command, attr, sizeof(*attr));

	return ret < 0 ? -errno : (int)ret;
}

int cgroup_bpf_load_devices(const struct device_rule *rules, size_t count)
{
	const size_t begin = sizeof(device_begin) / sizeof(device_begin[0]);
	const size_t usual = sizeof(device_usual) / sizeof(device_usual[0]);
	auto_free struct bpf_insn *program =
		calloc(begin + usual + count * RULE_INSNS_MAX, sizeof(*program));
	size_t len = begin;
	union bpf_attr attr;
	int fd;

	if (!program)
		return -ENOMEM;
	memcpy(program, device_begin, sizeof(device_begin));
	for (size_t i = 0; i < count; i++)
		len += add_rule(&rules[i], &program[len]);
	memcpy(&program[len], device_usual, sizeof(device_usual));
	memset(&attr, 0, sizeof(attr));
	attr.prog_type = BPF_PROG_TYPE_CGROUP_DEVICE;
	attr.insns = (uint64_t)(uintptr_t)program;
	attr.insn_cnt = (uint32_t)(len + usual);
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

/* Version 1 takes "a" for everything, whatever follows: it is both types to us. */
static int allow_rule(int group_fd, const struct device_rule *rule, struct error *err)
{
	char line[DEVICE_RULE_SIZE];
	int ret = 0;

	for (const char *type = "bc"; ret == 0 && *type; type++) {
		if (rule->type != 'a' && rule->type != *type)
			continue;
		device_rule_render(rule, *type, line);
		ret = write_line(group_fd, "devices.allow", line, err);
	}
	return ret;
}

int cgroup_v1_allow_devices(int group_fd, const struct device_rule *rules, size_t count,
			    struct error *err)
{
	int ret = write_line(group_fd, "devices.deny", "a", err);

	for (size_t i = 0; ret == 0 && i < sizeof(v1_lines) / sizeof(v1_lines[0]); i++)
		ret = write_line(group_fd, "devices.allow", v1_lines[i], err);
	for (size_t i = 0; ret == 0 && i < count; i++)
		ret = allow_rule(group_fd, &rules[i], err);
	return ret;
}
