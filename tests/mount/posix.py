"""System calls on files of the current directory, which is empty: prints what each
gave, so that two file systems can be compared. Run as root, umask 022.

"""
import ctypes, errno, fcntl, mmap, os, select, socket, sqlite3, stat, sys

libc = ctypes.CDLL(None, use_errno=True)


def say(name, call, *args):
    try:
        print(name, call(*args))
    except OSError as failure:
        print(name, errno.errorcode[failure.errno])


def rename(old, new, flags):
    if libc.renameat2(-100, old.encode(), -100, new.encode(), flags):
        raise OSError(ctypes.get_errno(), "")


def put(name, text=""):
    with open(name, "w") as file:
        file.write(text)


def names():
    for name in "abcd":
        put(name, name)
    os.mkdir("dir")
    put("dir/x")
    os.symlink("a", "link")
    os.symlink("/nowhere/x", "dangling")
    say("noreplace", rename, "a", "b", 1)
    say("exchange", rename, "a", "b", 2)
    print(open("a").read(), open("b").read())
    say("exchange missing", rename, "a", "none", 2)
    say("over a directory", os.rename, "a", "dir")
    say("into itself", os.rename, "dir", "dir/sub")
    say("mkdir", os.mkdir, "dir")
    say("rmdir full", os.rmdir, "dir")
    say("rmdir of a file", os.rmdir, "a")
    say("unlink of a directory", os.unlink, "dir")
    say("link of a directory", os.link, "dir", "dir2")
    say("link over", os.link, "a", "b")
    say("link", os.link, "c", "c2")
    print(os.stat("c").st_nlink, os.stat("c").st_ino == os.stat("c2").st_ino)
    say("link of a link", lambda: os.link("link", "link2", follow_symlinks=False))
    say("readlink", os.readlink, "link2")
    say("dangling", os.open, "dangling", os.O_RDONLY)
    say("exclusive", os.open, "a", os.O_CREAT | os.O_EXCL | os.O_WRONLY)
    say("directory for writing", os.open, "dir", os.O_WRONLY)
    say("nofollow", os.open, "link", os.O_NOFOLLOW)
    say("file as directory", os.open, "a", os.O_DIRECTORY)
    say("below a file", os.open, "a/x", os.O_RDONLY)
    say("long name", os.open, "x" * 256, os.O_CREAT)
    say("longest name", put, "y" * 255)
    say("odd name", put, "na\u00efve\n\x01 \\")
    for i in range(1000):
        put("many-%d" % i)
    print(len(os.listdir(".")), sum(1 for e in os.scandir(".") if e.is_file()))
    for i in range(1000):
        os.unlink("many-%d" % i)
    print(sorted(os.listdir(".")))


def attributes():
    for name, mode in (("reg", stat.S_IFREG), ("fifo", stat.S_IFIFO), ("sock", stat.S_IFSOCK)):
        say("mknod " + name, os.mknod, name, 0o640 | mode)
    say("mknod dev", os.mknod, "dev", 0o600 | stat.S_IFCHR, os.makedev(1, 3))
    os.mkdir("set")
    os.chown("set", 3, 12)
    os.chmod("set", 0o2775)
    put("set/f")
    os.mkdir("set/d")
    os.symlink("f", "set/l")
    os.chown("set/l", 5, 6, follow_symlinks=False)
    os.utime("set/l", ns=(5, 6), follow_symlinks=False)
    os.chown("reg", 7, 8)
    os.chmod("reg", 0o4755)
    for name in ("reg", "fifo", "sock", "dev", "set", "set/f", "set/d", "set/l"):
        s = os.lstat(name)
        print(name, oct(s.st_mode), s.st_uid, s.st_gid, s.st_nlink, s.st_rdev)
    os.chown("reg", 9, -1)
    print(oct(os.stat("reg").st_mode), os.stat("reg").st_uid)
    os.utime("reg", ns=(123456789, 987654321))
    print(os.stat("reg").st_atime_ns, os.stat("reg").st_mtime_ns, os.lstat("set/l").st_mtime_ns)
    os.utime("reg")
    print(os.stat("reg").st_mtime > 1)
    say("truncate", os.truncate, "reg", 100000)
    print(os.stat("reg").st_size)
    say("set", os.setxattr, "reg", "user.k", b"v")
    say("get", os.getxattr, "reg", "user.k")
    say("create", os.setxattr, "reg", "user.k", b"w", os.XATTR_CREATE)
    say("long", os.setxattr, "reg", "user.long", b"x" * 1000)
    say("get long", lambda: len(os.getxattr("reg", "user.long")))
    say("list", lambda: sorted(os.listxattr("reg")))
    say("remove", os.removexattr, "reg", "user.k")
    say("gone", os.getxattr, "reg", "user.k")
    say("trusted", os.setxattr, "set", "trusted.k", b"v")
    say("list", os.listxattr, "set")
    say("longest name", lambda: os.statvfs(".").f_namemax)


def data():
    fd = os.open("io", os.O_RDWR | os.O_CREAT, 0o600)
    say("pwrite", os.pwrite, fd, b"abc", 5)
    say("pread", os.pread, fd, 100, 0)
    say("ftruncate", os.ftruncate, fd, 2)
    say("longer", os.ftruncate, fd, 4)
    say("pread", os.pread, fd, 10, 0)
    say("fallocate", os.posix_fallocate, fd, 0, 10000)
    print(os.fstat(fd).st_size)
    end = os.open("io", os.O_WRONLY | os.O_APPEND)
    say("append", os.write, end, b"END")
    say("pread", os.pread, fd, 10, 9998)
    say("write of a reader", os.write, os.open("io", os.O_RDONLY), b"x")
    os.unlink("io")
    print(os.fstat(fd).st_nlink)
    say("unlinked pwrite", os.pwrite, fd, b"zz", 0)
    say("unlinked pread", os.pread, fd, 2, 0)
    say("unlinked fchmod", os.fchmod, fd, 0o644)
    say("unlinked ftruncate", os.ftruncate, fd, 1)
    print(os.fstat(fd).st_size, oct(os.fstat(fd).st_mode))
    say("truncating open", lambda: os.close(os.open("a", os.O_TRUNC | os.O_WRONLY)))
    print(os.stat("a").st_size)

    fd = os.open("sparse", os.O_RDWR | os.O_CREAT)
    os.pwrite(fd, b"d", 1 << 20)
    print(os.fstat(fd).st_blocks < 100)
    say("data", os.lseek, fd, 0, os.SEEK_DATA)
    say("hole", os.lseek, fd, 0, os.SEEK_HOLE)
    say("end", os.lseek, fd, 0, os.SEEK_END)
    say("no data", os.lseek, fd, 2 << 20, os.SEEK_DATA)
    copy = os.open("copy", os.O_RDWR | os.O_CREAT)
    say("copy", os.copy_file_range, fd, copy, 1 << 20, (1 << 20) - 5, 0)
    say("copied", os.pread, copy, 100, 0)
    shared = mmap.mmap(fd, 1 << 20, mmap.MAP_SHARED)
    shared[0:5] = b"mmap!"
    shared.flush()
    say("mapped", os.pread, fd, 5, 0)
    os.pwrite(fd, b"PW", 0)
    print(shared[0:5])
    say("fsync", os.fsync, fd)
    say("fsync of a directory", os.fsync, os.open(".", os.O_RDONLY))
    say("select", lambda: [len(x) for x in select.select([fd], [fd], [], 0)])

    first, second = open("lock", "w"), open("lock", "w")
    say("flock", fcntl.flock, first, fcntl.LOCK_EX | fcntl.LOCK_NB)
    say("flock again", fcntl.flock, second, fcntl.LOCK_EX | fcntl.LOCK_NB)
    say("lockf", fcntl.lockf, first, fcntl.LOCK_EX | fcntl.LOCK_NB)


def special():
    server, client = socket.socket(socket.AF_UNIX), socket.socket(socket.AF_UNIX)
    server.bind("server")
    server.listen(1)
    client.connect("server")
    client.send(b"through a socket")
    print(server.accept()[0].recv(100))
    os.mkfifo("pipe")
    if os.fork() == 0:
        put("pipe", "through a pipe")
        os._exit(0)
    print(open("pipe").read())
    os.wait()
    base = sqlite3.connect("base")
    base.execute("pragma journal_mode=wal")
    base.execute("create table t(x)")
    base.executemany("insert into t values(?)", [(i,) for i in range(1000)])
    base.commit()
    print(sqlite3.connect("base").execute("select sum(x) from t").fetchone())
    os.mkdir("gone")
    os.chdir("gone")
    os.rmdir("../gone")
    say("in a removed directory", put, "x")
    say("listing of it", os.listdir, ".")
    os.chdir("..")


def become_user():
    os.chmod(".", 0o777)
    os.umask(0o027)
    for name in ("suid", "suid2", "suid3", "theirs", "kept"):
        put(name)
    os.chown("suid", 1000, 1000)
    for name in ("suid", "suid2", "suid3"):
        os.chmod(name, 0o6777)
    os.mkdir("sticky")
    os.chmod("sticky", 0o1777)
    put("sticky/r")
    os.setgroups([12])
    os.setgid(1000)
    os.setuid(1000)


def show(name):
    s = os.lstat(name)
    print(name, oct(s.st_mode), s.st_uid, s.st_gid)


def user():
    become_user()
    put("mine")
    os.mkdir("mydir")
    os.symlink("x", "mylink")
    os.mkfifo("mypipe")
    put("set/mine")
    os.mkdir("set/mydir")
    for name in ("mine", "mydir", "mylink", "mypipe", "set/mine", "set/mydir"):
        show(name)
    put("suid", "x")
    os.close(os.open("suid2", os.O_WRONLY | os.O_TRUNC))
    os.truncate("suid3", 5)
    for name in ("suid", "suid2", "suid3"):
        show(name)
    with open("suid", "r+") as file:
        os.chmod("suid", 0o6777)
        file.write("y")
        file.flush()
        show("suid")
        os.chmod("suid", 0o6777)
        file.truncate(0)
        show("suid")
    say("give away", os.chown, "mine", 0, 0)
    say("to my group", os.chown, "mine", -1, 12)
    say("to another group", os.chown, "mine", -1, 13)
    say("chmod of theirs", os.chmod, "theirs", 0o777)
    say("read theirs", os.open, "theirs", os.O_RDONLY)
    say("truncate theirs", os.truncate, "theirs", 0)
    say("their sticky", os.unlink, "sticky/r")
    say("device", os.mknod, "mydev", 0o600 | stat.S_IFCHR, 259)
    os.chmod("mine", 0)
    say("without a right", os.open, "mine", os.O_RDONLY)
    os._exit(0)


for part in (names, attributes, data, special, user):
    print("---", part.__name__)
    sys.stdout.flush()
    if part is user and os.fork():
        os.wait()
        break
    try:
        part()
    finally:
        sys.stdout.flush()
