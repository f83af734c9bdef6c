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
read -r -t 20 line <"$T/fifo" && [ "$line" = ready ] || { echo "not ok start"; cat "$T/log"; exit; }
/usr/bin/python3 tests/daemon/progress.py "$T"
