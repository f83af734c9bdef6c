#!/bin/bash
# A socket that finds no room for what is sent, 60 times in turn: all of it leaves as soon as there is room, in order,
# each bundle in its place and none after a second of its own; owlt status counts how often it was so.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="${OWLT_BIN:-$PWD/build/bin}:$PATH"
unset OWLT_SOCKET OWLT_BIN
T=$(mktemp -d /tmp/owlt-full-socket-XXXXXX)
port=$((20000 + ($$ + 5555) % 20000))
bad=0
cleanup() { for p in "$T"/*.pid; do kill -9 "$(cat "$p")" && wait "$(cat "$p")"; done 2>/dev/null; rm -rf "$T"; }
trap cleanup EXIT
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then echo "ok $name"; else echo "not ok $name"; bad=1; sed 's/^/# /' "$T/check.log" | tail -5; fi; }
read -r -a cc <<<"${CC:-gcc}"
if ! "${cc[@]}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -shared -fPIC -o "$T/full_socket.so" tests/daemon/full_socket.c \
	2>"$T/cc.log"; then
	echo "not ok full_socket_builds: $(head -n 3 "$T/cc.log")"; exit 1
fi
if ldd "$(command -v owltd)" | grep -q libasan; then echo "skip full_socket: LD_PRELOAD and a sanitizer"; exit 0; fi
mkfifo "$T/ready"

start() { # NAME ID LOCAL REMOTE PEER PRELOAD
	local line
	printf '{"node": {"id": "%s"}, "control": {"socket": "%s/%s.sock"},
 "links": [{"name": "wire", "peer": "%s", "local": "127.0.0.1:%s", "remote": "127.0.0.1:%s"}]}\n' \
		"$2" "$T" "$1" "$5" "$3" "$4" >"$T/$1.json"
	LD_PRELOAD=$6 FULL_SOCKET=60 owltd -c "$T/$1.json" >"$T/ready" 2>>"$T/$1.err" &
	echo $! >"$T/$1.pid"
	read -r line <"$T/ready" && [ "$line" = ready ]
}
check far start far ipn:2.0 $((port + 1)) $port ipn:1.0 ""
check near start near ipn:1.0 $port $((port + 1)) ipn:2.0 "$T/full_socket.so"
timeout 40 owlt recv --socket "$T/far.sock" --json -o "$T" ipn:2.42 -n 20 >"$T/got" &
receiver=$!
for i in $(seq 20); do echo "$i" | owlt send --socket "$T/near.sock" ipn:2.42; done >"$T/sent"
check in_time wait $receiver
check in_order diff <(seq 20) <(sed 's/.*"seq":\([0-9]*\),.*/\1/' "$T/got")
check counted bash -c "owlt status --socket $T/near.sock links --json | grep -q '\"n_blocked\":60'"
exit $bad
