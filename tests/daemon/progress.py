"""owlt recv takes a file of three chunks. The second is sent more than a second after the first was taken, so that
the line is due whatever the machine's speed; without a terminal nothing is printed."""
import hashlib, os, pty, subprocess, sys, time
import cbor2

work = sys.argv[1]
data = os.urandom(3000)


def check(name, good, why=""):
    print(("ok " if good else "not ok ") + name + ("" if good else f": {why}"))


def send(part):
    chunk = ["owlt-chunk", 1, "a file", len(data), hashlib.sha256(data).digest(), part * 1000, data[part * 1000:][:1000]]
    subprocess.run(["owlt", "send", "ipn:1.5", "-"], input=cbor2.dumps(chunk), check=True, stdout=subprocess.DEVNULL)


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


ours, theirs = pty.openpty()
said = run("terminal", theirs, lambda: (os.close(theirs), os.read(ours, 65536))[1])
check("terminal-tells", b"owlt: recv: a%20file: 67 % of 0.0 MB" in said, said)
check("terminal-is-cleared", said.endswith(b"\r\x1b[K"), said)
with open(f"{work}/err", "wb+") as err:
    said = run("file", err, lambda: open(f"{work}/err", "rb").read())
check("file-stays-silent", said == b"", said)
