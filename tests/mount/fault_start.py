"""Starts of a container whose 1st, 2nd, 3rd... call to the kernel fails (fault.c), until one is
through: whatever the engine says, nothing may be left of it, and the next start must work.

fault_start.py [--kill] [--fresh BRIDGE] MNT DIRECTORY... -- WORD...

WORDs: run's options, image and program, for a container x. In the DIRECTORYs nothing may stay. With
--kill the engine is killed at that call instead. With --fresh the bridge is deleted before each
start, so that it is made again. FAULT_FILE is fault.c's. Prints a line for each call: its number
and name, and the errno of the start or "started"; at last how many there were, and with --kill how many deaths.
"""
import argparse, collections, errno, json, mmap, os, re, signal, struct, subprocess, sys, time

DEADLINE_S = 30
REST_SAMPLES = 5 # states are copied to the disk a second after a change
PLAN = struct.Struct("III52s")

parser = argparse.ArgumentParser()
parser.add_argument("--kill", action="store_true")
parser.add_argument("--fresh", metavar="BRIDGE")
parser.add_argument("mnt")
parser.add_argument("directories", nargs="*")
at = sys.argv.index("--")
options = parser.parse_args(sys.argv[1:at])
command = "run --name x " + " ".join(sys.argv[at + 1 :])

with open(os.environ["FAULT_FILE"], "r+b") as file:
    plan = mmap.mmap(file.fileno(), PLAN.size)


def arm(number):
    PLAN.pack_into(plan, 0, 0, number, 0, b"")
    plan[0] = 2 if options.kill else 1


def disarm():
    """The name of the call that failed, or None."""
    plan[0] = 0
    return PLAN.unpack_from(plan)[3].rstrip(b"\0").decode() or None


def ctl(text):
    """The errno's name; None when it was done."""
    fd = os.open(options.mnt + "/ctl", os.O_RDWR)
    try:
        os.write(fd, (text + "\n").encode())
    except OSError as failure:
        return errno.errorcode[failure.errno]
    finally:
        os.close(fd)


def read(path):
    with open(path) as file:
        return file.read()


def get_engine():
    info = read(options.mnt + "/info").splitlines()
    return next(line.split("\t")[1] for line in info if line.startswith("Pid:"))


def list_files():
    for directory in options.directories:
        for path, names, files in os.walk(directory):
            for name in names + files:
                yield "file " + os.path.join(path, name)


def list_processes():
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            name = read(f"/proc/{pid}/comm").strip()
        except OSError:
            continue
        if name.startswith(("containerfs", "cfs-", "memfd", "sleep")):
            yield "process " + name


def forget_spares(everything):
    """Shims in stock, each with a socket of the engine's, go when nobody has asked for their kind in a while."""
    spares = everything.pop("process cfs-spare", 0)
    everything["descriptor socket:[N]"] -= spares
    return everything


def list_descriptors(engine):
    """What they are of, without numbers."""
    for fd in os.listdir(f"/proc/{engine}/fd"):
        try:
            target = os.readlink(f"/proc/{engine}/fd/{fd}")
        except OSError:
            continue
        yield "descriptor " + re.sub("[0-9a-f]{12,}|[0-9]+", "N", target)


def list_rules():
    text = subprocess.run(["nft", "-j", "list", "ruleset"], capture_output=True, check=True).stdout
    for item in json.loads(text)["nftables"]:
        for kind, value in item.items():
            value.pop("handle", None)
            yield f"rule {kind} " + json.dumps(value, sort_keys=True)


def list_all():
    """What a start makes, as text."""
    engine = get_engine()
    links = [line for line in read("/proc/net/dev").splitlines() if ":" in line]
    lines = [f"links {len(links)}", *list_descriptors(engine)]
    for pid in engine, "self":
        for line in read(f"/proc/{pid}/mountinfo").splitlines():
            lines.append(f"mount {pid == 'self'} " + " ".join(line.split()[3:5]))
    return forget_spares(collections.Counter([*lines, *list_files(), *list_processes(), *list_rules()]))


def remove():
    code = ctl("rm -f x")
    if code not in (None, "ENOENT"):
        sys.exit(f"rm: {code}")


def start_well(why):
    code = ctl(command)
    if code:
        sys.exit(f"after {why} the next start fails: {code}, {read(options.mnt + '/error')}")
    remove()


def settle(before, why):
    """Some things go a while after the answer; a start fills the stock of namespaces."""
    end = time.monotonic() + DEADLINE_S
    while (now := list_all()) != before:
        if time.monotonic() > end:
            gone, come = sorted((before - now).elements()), sorted((now - before).elements())
            sys.exit(f"after {why}: gone {gone}, come {come}")
        time.sleep(0.01)


def make_fresh():
    if options.fresh:
        subprocess.run(["ip", "link", "delete", options.fresh], check=True)


def find_rest():
    """How it is when nothing happens any more. An engine that comes after another has less in store."""
    if options.kill:
        os.kill(int(get_engine()), signal.SIGKILL)
    make_fresh()
    start_well("nothing")
    before, same = None, 0
    while same < REST_SAMPLES:
        now = list_all()
        same = same + 1 if now == before else 0
        before = now
        time.sleep(0.5)
    return now


before = find_rest()
number = 0
while True:
    number += 1
    make_fresh()
    arm(number)
    code = ctl(command)
    name = disarm()
    remove()
    if not name:
        break
    print(number, name, code or "started", flush=True)
    start_well(f"call {number}, {name},")
    settle(before, f"call {number}, {name},")
print(number - 1 + options.kill)
