# The control groups of one engine, found as the engine names them: in each hierarchy
# containerfs/INSTANCE, where INSTANCE comes from its root. For lib.bash and tests/run-bats.
# shellcheck shell=bash

# get_instance ROOT: 32 bits of FNV-1a, as fs/server.c does.
get_instance() {
	local LC_ALL=C hash=2166136261 i byte
	for ((i = 0; i < ${#1}; i++)); do
		printf -v byte %d "'${1:i:1}"
		hash=$((((hash ^ byte) * 16777619) & 0xffffffff))
	done
	printf '%08x\n' "$hash"
}

# Where hierarchies are mounted.
list_hierarchies() {
	awk '/ - cgroup2? / && !seen[$5]++ { print $5 }' /proc/self/mountinfo
}

# list_instance_groups INSTANCE: those that there are, in every hierarchy (HIERARCHIES, one a line).
list_instance_groups() {
	local dir
	: "${HIERARCHIES:=$(list_hierarchies)}"
	while read -r dir; do
		if [ -d "$dir/containerfs/$1" ]; then
			echo "$dir/containerfs/$1"
		fi
	done <<<"$HIERARCHIES"
}

# remove_instance_groups INSTANCE: kills who is in there. Fails when one stays.
remove_instance_groups() {
	local group tries
	for ((tries = 0; tries < 500; tries++)); do
		while read -r group; do
			find "$group" -name cgroup.procs -exec cat {} + 2>/dev/null | xargs -r kill -KILL 2>/dev/null
			find "$group" -depth -type d -exec rmdir {} + 2>/dev/null
		done < <(list_instance_groups "$1")
		[ -n "$(list_instance_groups "$1")" ] || return 0
		sleep 0.02
	done
	return 1
}
