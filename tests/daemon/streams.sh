#!/bin/bash
# Large payloads between applications and one owltd: streams.py; then the node is killed while data comes in.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
/usr/bin/python3 -c 'import cbor2' 2>/dev/null || { echo "skip streams: python3-cbor2 is not installed"; exit 0; }
T=$(mktemp -d /tmp/owlt-streams-XXXXXX)
trap 'kill -9 "$pid" 2>/dev/null; rm -rf "$T"' EXIT
bad=0
check() { local name=$1; shift; if "$@"; then echo "ok streams_$name"; else echo "not ok streams_$name"; bad=1; fi; }
cat >"$T/a.json" <<END
{"node":{"id":"ipn:1.0"},"store":{"path":"$T/store","stage_bytes":"1Mi"},"control":{"socket":"$T/a.sock"},"log":{"level":"warn"}}
END
mkfifo "$T/fifo"
start() {
	local line
	owltd -c "$T/a.json" >"$T/fifo" 2>>"$T/log" &
	pid=$!
	read -r -t 60 line <"$T/fifo" && [ "$line" = ready ] || { echo "not ok streams_start"; cat "$T/log"; exit 1; }
}
stored() { owlt status --socket "$T/a.sock" --json | sed 's/.*"n_bundles":\([0-9]*\).*/\1/'; }

start
PYTHONDONTWRITEBYTECODE=1 timeout 600 /usr/bin/python3 tests/daemon/streams.py "$T/a.sock" $pid || bad=1
kill -TERM $pid; wait $pid
check end test $? -eq 0

# killed in the middle: the sender is told so, what was stored is there again, and the next send is whole
rm -rf "$T/store"
start
head -c 400000000 /dev/zero >"$T/file"
owlt send --socket "$T/a.sock" ipn:9.1 "$T/file" >/dev/null 2>"$T/err" &
sender=$!
begun() { local s=("$T"/store/seg-*); [ ${#s[@]} -gt 3 ]; }
until begun || ! kill -0 $sender 2>/dev/null; do :; done
kill -9 $pid; wait $pid 2>/dev/null
wait $sender
check sender_is_told test $? -eq 2 -a -s "$T/err"
start
n=$(stored)
check stored_part_is_there test "$n" -gt 10 -a "$n" -lt $((400000000 / 61440))
truncate -s 10000000 "$T/file"
check sends_again sh -c "owlt send --socket $T/a.sock ipn:9.1 $T/file >/dev/null"
check stored_again test "$(stored)" -eq $((n + 163))
kill -TERM $pid; wait $pid
check end_again test $? -eq 0

# data that stops coming holds nothing for ever, also not what is secured as it comes
rm -rf "$T/store"
owlt key make --kind hmac --sha 256 --id k -o "$T/keys.json" || bad=1
cat >"$T/a.json" <<END
{"node":{"id":"ipn:1.0"},"store":{"path":"$T/store","stage_bytes":"1Mi"},
 "control":{"socket":"$T/a.sock","send_idle":"5s"},"log":{"level":"error"},
 "security":{"keys":"$T/keys.json","rules":[{"role":"source","operation":"integrity","destination":"ipn:8.*","key":"k"}]}}
END
start
PYTHONDONTWRITEBYTECODE=1 timeout 600 /usr/bin/python3 tests/daemon/streams_idle.py "$T/a.sock" || bad=1
kill -TERM $pid; wait $pid
check end_idle test $? -eq 0
exit $bad
