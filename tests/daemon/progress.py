"""owlt recv takes a file of three chunks. The second is sent more than a second after the first was taken, so that
the line is due whatever the machine's speed; without a terminal nothing is printed."""
import hashlib, os, pty, subprocess, sys, time
import cbor2

work = sys.argv[1]
data = os.urandom(3000)


def check(name, good, why=""):
    print(("ok " if good else "not ok ") + name + ("" if good else f": {why}"))


def put(dest, size, offset, part):
    chunk = ["owlt-chunk", 1, "a file", size, hashlib.sha256(data).digest(), offset, part]
    subprocess.run(["owlt", "send", dest, "-"], input=cbor2.dumps(chunk), check=True, stdout=subprocess.DEVNULL)


def send(part, dest="ipn:1.5"):
    put(dest, len(data), part * 1000, data[part * 1000:][:1000])


def run(name, stderr, read):
    out = f"{work}/{name}"
    recv = subprocess.Popen(["owlt", "recv", "ipn:1.5", "-n", "1", "-o", out, "--timeout", "60"],
                            stderr=stderr, stdout=subprocess.PIPE)
    send(0)
    while not any(f.endswith(".have") and os.path.getsize(f"{out}/{f}") for f in (os.listdir(out) if os.path.isdir(out) else [])):
        time.sleep(0.01)
    until = time.monotonic() + 1.2
    while time.monotonic() < until:
        time.sleep(0.05)
    send(1)
    send(2)
    recv.communicate(timeout=60)
    check(f"{name}-exit", recv.returncode == 0, recv.returncode)
    check(f"{name}-same", open(f"{out}/a%20file", "rb").read() == data)
    return read()


# Twice, backwards, and one that claims a larger file under the same sum: complete only when nothing is missing.
for part in (2, 2, 0, 2):
    send(part, "ipn:1.4")
put("ipn:1.4", 9000, 5000, bytes(1000))
send(1, "ipn:1.4")
done = subprocess.run(["owlt", "recv", "ipn:1.4", "-n", "1", "-o", f"{work}/gaps", "--timeout", "20"], stdout=subprocess.DEVNULL)
check("gaps-exit", done.returncode == 0, done.returncode)
got = open(f"{work}/gaps/a%20file", "rb").read()
check("gaps-same", got == data, len(got))
ours, theirs = pty.openpty()
said = run("terminal", theirs, lambda: (os.close(theirs), os.read(ours, 65536))[1])
check("terminal-tells", b"owlt: recv: a%20file: 67 % of 0.0 MB" in said, said)
check("terminal-is-cleared", said.endswith(b"\r\x1b[K"), said)
with open(f"{work}/err", "wb+") as err:
    said = run("file", err, lambda: open(f"{work}/err", "rb").read())
check("file-stays-silent", said == b"", said)
