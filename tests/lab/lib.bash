# Common to the tests of labs. A test runs its body once for each kind of rights: as root, and as an
# unprivileged user in a user namespace (its own copy of the programs, so that it may read them).
set -u
here=$PWD/tests/lab
work=$(mktemp -d /tmp/owlt-lab-XXXXXX) || exit 2
chmod 755 "$work"
trap 'lab_cleanup' EXIT

lab_cleanup() {
	for f in "$work"/*/run/run.json; do
		[ -e "$f" ] || continue
		pid=$(field "$f" runner_pid)
		# Only what this test started: the runner of its own directory.
		[ -d "/proc/$pid" ] && grep -q "$work" "/proc/$pid/cmdline" 2>/dev/null && kill -TERM "$pid"
	done
	rm -rf "$work"
}

# field FILE EXPRESSION: a value of a JSON file, by a Python expression on d (or a top-level name).
field() {
	/usr/bin/python3 - "$1" "$2" <<-'P'
	import json, sys
	d = json.load(open(sys.argv[1]))
	print(d[sys.argv[2]] if sys.argv[2] in d else eval(sys.argv[2]))
	P
}

# until SECONDS COMMAND...: true as soon as the command is. The seconds only bound how long a broken one is waited for:
# take plenty. What the last try said is told.
until_true() {
	local end=$((SECONDS + $1)); shift
	while [ $SECONDS -lt $end ]; do
		"$@" >/dev/null 2>&1 && return 0
		sleep 0.05
	done
	"$@"
}

check() { # check NAME COMMAND...
	local name=$1; shift
	if "$@"; then echo "ok $name"; else echo "not ok $name"; echo "  failed: $*"; fi
}

can_userns() { $1 unshare -U true 2>/dev/null; }

# each_rights BODY: calls BODY with $who, $as (command prefix), $bin and $dir set.
each_rights() {
	local user="setpriv --reuid=65534 --regid=65534 --clear-groups env XDG_RUNTIME_DIR= HOME=/tmp"
	if [ "$(id -u)" -eq 0 ]; then
		who=root as="env XDG_RUNTIME_DIR=" bin=$PWD/build/bin dir=$work/root
		mkdir -p "$dir"
		"$1"
	else
		echo "skip $(basename "$0" .sh)-root: not root"
		user="env XDG_RUNTIME_DIR="
	fi
	if ! can_userns "$user"; then
		echo "skip $(basename "$0" .sh)-user: user namespaces are off on this machine"
		return
	fi
	who=user as=$user bin=$work/bin dir=$work/user
	mkdir -p "$dir" "$bin"
	cp build/bin/owlt build/bin/owltd "$bin"/ 2>/dev/null
	cp "$here"/talker.py "$work"/
	[ "$(id -u)" -ne 0 ] || chown -R 65534:65534 "$work"/user "$work"/bin
	"$1"
}

# pids RUN: runner, emulator, janitor, daemons of a lab.
pids() {
	local r; r=$(field "$1"/run.json runner_pid)
	echo "$r" $(cat /proc/"$r"/task/"$r"/children)
}
child() { # child RUNNER NAME
	local c; for c in $(cat /proc/"$1"/task/"$1"/children); do
		[ "$(cat /proc/"$c"/comm)" = "$2" ] && echo "$c"
	done
}
spaces() { local p; for p in $(pids "$1"); do readlink /proc/"$p"/ns/net; done | grep -vF "$(readlink /proc/self/ns/net)" | sort -u; }
ready() { [ -s "$1"/lab.sock -o -S "$1"/lab.sock ] && grep -q 'nodes ready' "$2"; }

# gone PIDS SPACES RUN: no process, no namespace held by anything, no socket of that lab. One look at all of /proc.
gone() {
	/usr/bin/python3 - "$@" <<-'P'
	import glob, os, stat, sys
	pids, spaces, run = sys.argv[1].split(), set(sys.argv[2].split()), sys.argv[3]
	for p in pids:
	    try:
	        state = open("/proc/%s/stat" % p).read().rsplit(")", 1)[1].split()[0]
	    except OSError:
	        continue
	    if state != "Z":
	        sys.exit("process %s is still there" % p)
	for link in glob.glob("/proc/[0-9]*/ns/net") + glob.glob("/proc/[0-9]*/fd/*"):
	    try:
	        held = os.readlink(link)
	    except OSError:
	        continue
	    if held in spaces:
	        sys.exit("%s is %s" % (link, held))
	for folder, _, files in os.walk(run):
	    for f in files:
	        if stat.S_ISSOCK(os.lstat(os.path.join(folder, f)).st_mode):
	            sys.exit("%s/%s is still there" % (folder, f))
	P
}
