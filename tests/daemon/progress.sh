#!/bin/bash
# owlt recv on a terminal tells how far a file of chunks is, and nothing where no terminal is.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
T=$(mktemp -d /tmp/owlt-progress-XXXXXX)
export OWLT_SOCKET=$T/a.sock
pid=
trap '[ -z "$pid" ] || kill -9 $pid; rm -rf "$T"' EXIT
printf '{"node":{"id":"ipn:1.0"},"control":{"socket":"%s"}}' "$OWLT_SOCKET" >"$T/a.json"
mkfifo "$T/fifo"
env -u OWLT_SOCKET owltd -c "$T/a.json" >"$T/fifo" 2>"$T/log" &
pid=$!
read -r -t 60 line <"$T/fifo" && [ "$line" = ready ] || { echo "not ok start"; cat "$T/log"; exit; }
/usr/bin/python3 tests/daemon/progress.py "$T"

# A full disk, or a full standard output: told with its place, and the bundle stays at the node.
left() { owlt status --json | /usr/bin/python3 -c 'import json,sys; print(json.load(sys.stdin)["n_for_apps"])'; }
head -c 300000 /dev/urandom >"$T/data"
owlt send ipn:1.6 "$T/data" >/dev/null
owlt recv ipn:1.6 -n 1 --timeout 90 >/dev/full 2>"$T/err"
rc=$?
if [ $rc -eq 2 ] && grep -q 'recv: standard output: No space left on device; the node keeps' "$T/err" && [ "$(left)" = 1 ]; then
	echo "ok full-output"
else
	echo "not ok full-output: exit $rc, left $(left)"; cat "$T/err"
fi
owlt recv ipn:1.6 -n 1 --timeout 90 >"$T/got"
cmp "$T/data" "$T/got" && echo "ok full-output-then-all" || echo "not ok full-output-then-all"
owlt status >/dev/full 2>"$T/err"; rc=$?
[ $rc -eq 2 ] && grep -q 'standard output: No space left' "$T/err" && echo "ok full-status" || echo "not ok full-status: $rc"
owlt status --json >/dev/full 2>"$T/err"; rc=$?
[ $rc -eq 2 ] && echo "ok full-status-json" || echo "not ok full-status-json: $rc"
