#!/usr/bin/env python3
"""Trees of files for the tests of images.

    tree.py describe DIR     all that an image keeps, a line for each name, sorted
    tree.py dress DIR        give a tree of ordinary files what is hard to keep
    tree.py change DIR       change that tree, as a container might
"""
import hashlib
import os
import stat
import struct
import sys

KEPT = (b"user.", b"trusted.", b"security.capability")
LEFT_OUT = b"trusted.overlay."


def walk(top):
    """Every name below top but top, in order of bytes; links are not followed."""
    for entry in sorted(os.scandir(top), key=lambda e: e.name):
        yield entry.path
        if entry.is_dir(follow_symlinks=False):
            yield from walk(entry.path)


# --- describe ---------------------------------------------------------------------

def hash_file(path):
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def list_attributes(path):
    names = (os.fsencode(name) for name in os.listxattr(path, follow_symlinks=False))
    return {name: os.getxattr(path, name, follow_symlinks=False) for name in sorted(names)
            if name.startswith(KEPT) and not name.startswith(LEFT_OUT)}


def describe_one(path, first_names):
    st = os.lstat(path)
    parts = [ascii(path), oct(st.st_mode), st.st_uid, st.st_gid, st.st_mtime_ns]
    if stat.S_ISLNK(st.st_mode):
        parts.append(ascii(os.readlink(path)))
    elif stat.S_ISREG(st.st_mode):
        parts += [st.st_size, hash_file(path)]
    elif not stat.S_ISDIR(st.st_mode):
        parts.append(st.st_rdev)
    if not stat.S_ISDIR(st.st_mode) and st.st_nlink > 1:
        # The same file as the first of its names that this tree has.
        parts.append(ascii(first_names.setdefault((st.st_dev, st.st_ino), path)))
    parts.append(ascii(list_attributes(path)))
    return " ".join(map(str, parts))


def describe(top):
    # By short paths: top may be a link that costs a round trip at each walk.
    os.chdir(top)
    first_names = {}
    for path in [b".", *walk(b".")]:
        print(describe_one(path, first_names))


# --- dress --------------------------------------------------------------------------

def set_times(path, number):
    """Times of every kind: before 1970, whole seconds, nanoseconds, beyond 32 bits."""
    seconds = (1, 86400 * number, -5 - number, (1 << 33) + number)[number % 4]
    ns = seconds * 10**9 + (0, 123456789, 1, 999999999)[number // 4 % 4]
    os.utime(path, ns=(ns, ns), follow_symlinks=False)


def set_capability(path):
    """cap_net_raw+ep. Source: linux/capability.h, VFS_CAP_REVISION_2."""
    os.setxattr(path, "security.capability", struct.pack("<5I", 0x02000001, 1 << 13, 0, 0, 0))


def dress_file(path, number):
    os.lchown(path, number * 7 % 70000, number * 11 % 4000000000)
    if os.path.islink(path):
        return
    os.chmod(path, (0o644, 0o755, 0o4755, 0o2711, 0o600, 0o1777, 0o000)[number % 7])
    if number % 10 == 0:
        os.setxattr(path, "user.note", b"a\0b\nc \xff %d" % number)
    if number % 25 == 0:
        os.setxattr(path, "trusted.kept", b"")
    if number % 50 == 0:
        set_capability(path)


def make_odd(top):
    os.makedirs(os.path.join(top, b"odd/a dir"))
    odd = os.path.join(top, b"odd/")
    for name in (b"new\nline", b"\xff\xfe not utf-8", "\u00e9 composed".encode(),
                 "e\u0301 decomposed".encode(), b"n" * 255, b" ", b"-rf", b"back\\slash", b"*",
                 b"pax=1", b"a dir/.hidden"):
        with open(odd + name, "wb") as file:
            file.write(name)
    deep = odd.rstrip(b"/")
    for _ in range(12):
        deep += b"/" + b"d" * 200
        os.mkdir(deep)
    os.symlink(b"t" * 4000, odd + b"long link")
    os.symlink(b"\xff", odd + b"link \xff")
    with open(odd + b"sparse", "wb") as file:
        for offset in (0, 1 << 20, 9 << 20):
            file.seek(offset)
            file.write(b"data")
        file.truncate(20 << 20)
    with open(odd + b"hole", "wb") as file:
        file.truncate(5 << 20)
    open(odd + b"empty", "wb").close()
    os.mkfifo(odd + b"fifo")
    os.mknod(odd + b"null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(odd + b"disk", stat.S_IFBLK | 0o660, os.makedev(259, 70000))


def dress(top):
    os.chdir(top)
    make_odd(b".")
    paths = list(walk(b"."))
    files = [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]
    os.makedirs(b"links/far")
    for number, path in enumerate(files[::40]):
        os.link(path, b"links/" + (b"far/" if number % 2 else b"") + b"%d" % number)
    for number, path in enumerate(paths):
        dress_file(path, number)
    for number, path in enumerate(reversed(list(walk(b".")))):
        set_times(path, number)
    os.chmod(b".", 0o750)
    os.chown(b".", 12, 34)
    set_times(b".", 13)


# --- change --------------------------------------------------------------------------

def change_file(path, number):
    """One of what can be done to a file; most are left alone."""
    what = number % 30
    if what == 0:
        os.unlink(path)
    elif what == 1:
        with open(path, "ab") as file:
            file.write(b"more")
    elif what == 2:
        os.chmod(path, 0o4711)
    elif what == 3:
        os.lchown(path, 1, 2)
    elif what == 4:
        os.setxattr(path, "user.later", b"1")
    elif what == 5:
        os.rename(path, path[:-1] + b"~")
    elif what == 6:
        os.unlink(path)
        os.mkdir(path)
    elif what == 7:
        os.utime(path, ns=(1, 2))


def change(top):
    os.chdir(top)
    files = [path for path in walk(b".") if os.path.isfile(path) and not os.path.islink(path)]
    for number, path in enumerate(files):
        change_file(path, number)
    os.makedirs(b"new/one")
    make_odd(b"new")
    os.link(b"new/odd/sparse", b"new/one/same")
    os.setxattr(b"new/odd/empty", "user.note", b"new")
    set_capability(b"new/odd/ ")
    for number, path in enumerate(walk(b"new")):
        set_times(path, number)


if __name__ == "__main__":
    {"describe": describe, "dress": dress, "change": change}[sys.argv[1]](os.fsencode(sys.argv[2]))
