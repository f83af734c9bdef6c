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

# until SECONDS COMMAND...: true as soon as the command is.
until_true() {
	local end=$((SECONDS + $1)); shift
	while ! "$@" >/dev/null 2>&1; do
		[ $SECONDS -lt $end ] || return 1
		sleep 0.05
	done
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

alive() { kill -0 "$1" 2>/dev/null && [ "$(cut -d')' -f2- "/proc/$1/stat" 2>/dev/null | cut -d' ' -f2)" != Z ]; }

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

# gone PIDS SPACES RUN: no process, no namespace held by anything, no socket of that lab.
gone() {
	local p ns
	for p in $1; do ! alive "$p" || return 1; done
	for ns in $2; do
		for p in /proc/[0-9]*; do
			[ "$(readlink "$p"/ns/net 2>/dev/null)" != "$ns" ] || return 1
		done
		! ls -l /proc/[0-9]*/fd 2>/dev/null | grep -qF "$ns" || return 1
	done
	[ -z "$(find "$3" -type s)" ]
}
