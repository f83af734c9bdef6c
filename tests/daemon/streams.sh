#!/bin/bash
# Large payloads between applications and one owltd: streams.py.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
/usr/bin/python3 -c 'import cbor2' 2>/dev/null || { echo "skip streams: python3-cbor2 is not installed"; exit 0; }
T=$(mktemp -d /tmp/owlt-streams-XXXXXX)
trap 'kill -9 "$pid" 2>/dev/null; rm -rf "$T"' EXIT
cat >"$T/a.json" <<END
{"node":{"id":"ipn:1.0"},"store":{"path":"$T/store","stage_bytes":"1Mi"},"control":{"socket":"$T/a.sock"},"log":{"level":"warn"}}
END
mkfifo "$T/fifo"
owltd -c "$T/a.json" >"$T/fifo" 2>"$T/log" &
pid=$!
read -r -t 20 line <"$T/fifo" && [ "$line" = ready ] || { echo "not ok start"; cat "$T/log"; exit 1; }
PYTHONDONTWRITEBYTECODE=1 timeout 120 /usr/bin/python3 tests/daemon/streams.py "$T/a.sock" $pid || bad=1
kill -TERM $pid
wait $pid
[ $? -eq 0 ] && echo "ok streams_end" || { echo "not ok streams_end"; cat "$T/log"; }
exit ${bad:-0}
