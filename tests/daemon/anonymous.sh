#!/bin/bash
# Two bundles without a source that have the same time and number (two nodes without a clock): both are delivered, and
# neither takes the file of the other.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
unset OWLT_SOCKET
T=$(mktemp -d /tmp/owlt-anonymous-XXXXXX)
port=$(tests/free-ports 2) || exit 2
bad=0

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1${2:+: $2}"; bad=1; }
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name"; fi; }
cleanup() { kill -9 "$pid" && wait "$pid"; rm -rf "$T"; } 2>/dev/null
trap cleanup EXIT

cat >"$T/b.json" <<END
{"node":{"id":"ipn:2.0"},"control":{"socket":"$T/b.sock"},"log":{"level":"error"},
 "links":[{"name":"x","local":"127.0.0.1:$port","remote":"127.0.0.1:$((port + 1))","peer":"ipn:1.0"}]}
END
mkfifo "$T/fifo"
owltd -c "$T/b.json" >"$T/fifo" 2>"$T/log" & pid=$!
read -r -t 60 line <"$T/fifo" && [ "$line" = ready ] || { not_ok start "$(cat "$T/log")"; exit 1; }
for i in one two; do
	echo "$i" >"$T/$i"
	owlt bundle make --source dtn:none --dest ipn:2.5 --creation 0,1 --age 1000 --flags no-fragment \
		--payload "$T/$i" >"$T/$i.bundle" || not_ok "make_$i"
done
/usr/bin/python3 - $((port + 1)) "$port" "$T/one.bundle" "$T/two.bundle" <<'END'
import socket, sys
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
for name in sys.argv[3:]:
    s.sendto(open(name, "rb").read(), ("127.0.0.1", int(sys.argv[2])))
END
owlt recv --socket "$T/b.sock" ipn:2.5 -n 2 -o "$T/in" --timeout 90 >"$T/out"
check both_delivered [ $? -eq 0 ]
check both_are_there [ "$(cat "$T"/in/* | sort | tr '\n' ' ')" = "one two " ]
[ $bad -eq 0 ]
