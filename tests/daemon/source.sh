#!/bin/bash
# One source floods a node over a link of its own, beyond its rate and then beyond its share of the store; what
# another source sends meanwhile all arrives. Node 2 has two links: node 1, and the flooder as node 66.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
unset OWLT_SOCKET
T=$(mktemp -d /tmp/owlt-source-XXXXXX)
port=$(tests/free-ports 4) || exit 2
declare -A pid
bad=0

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1${2:+: $2}"; bad=1; }
check() { local name=$1; shift; if "$@"; then ok "$name"; else not_ok "$name"; fi; }
cleanup() { for p in "${pid[@]}"; do kill -9 "$p" && wait "$p"; done 2>/dev/null; rm -rf "$T"; }
trap cleanup EXIT

start() { # NAME: waits for its "ready"
	local line
	mkfifo "$T/$1.fifo"
	owltd -c "$T/$1.json" >"$T/$1.fifo" 2>>"$T/$1.log" &
	pid[$1]=$!
	read -r -t 60 line <"$T/$1.fifo" && [ "$line" = ready ] && return 0
	not_ok "start_$1" "$(cat "$T/$1.log")"; return 1
}
# refused WORD: how many bundles node 2 refused with that word
refused() {
	owlt status --socket "$T/b.sock" --json | /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["refused"].get(sys.argv[1], 0))' "$1"
}
# datagrams: how many came in on the flooder link
datagrams() {
	owlt status --socket "$T/b.sock" links --json | /usr/bin/python3 -c '
import json, sys
print(json.load(sys.stdin)["links"][1]["bundles_rx"])'
}
cat >"$T/a.json" <<END
{"node":{"id":"ipn:1.0"},"control":{"socket":"$T/a.sock"},"custody":{"signal_delay":"100ms","interval":"2s"},"log":{"level":"error"},
 "links":[{"name":"b","local":"127.0.0.1:$port","remote":"127.0.0.1:$((port + 1))","peer":"ipn:2.0"}]}
END
cat >"$T/b.json" <<END
{"node":{"id":"ipn:2.0"},"store":{"path":"$T/b.store","max_bundles":2000},"control":{"socket":"$T/b.sock"},
 "agent":{"source_per_s":1000},"custody":{"signal_delay":"100ms"},"log":{"level":"error"},
 "links":[{"name":"a","local":"127.0.0.1:$((port + 1))","remote":"127.0.0.1:$port","peer":"ipn:1.0"},
	{"name":"x","local":"127.0.0.1:$((port + 2))","remote":"127.0.0.1:$((port + 3))","peer":"ipn:66.0"}]}
END
start a || exit 1
start b || exit 1
owlt recv --socket "$T/b.sock" ipn:2.5 -n 40 -o "$T/in" --timeout 200 >/dev/null & receiver=$!

# 20000 bundles for an application that never comes: first the rate refuses, then the share, half of 2000
/usr/bin/python3 tests/daemon/source_flood.py $((port + 3)) $((port + 2)) 20000 66 2.9 & flood=$!
for i in $(seq 40); do
	echo "bundle $i" | owlt send --socket "$T/a.sock" --custody ipn:2.5 >/dev/null || not_ok "send_$i"
done
wait $flood
wait $receiver; check other_source_loses_nothing [ $? -eq 0 ]
check each_once [ "$(cat "$T"/in/*.bin | sort -u | wc -l)" -eq 40 ]
first=20000
until [ "$(refused source-quota)" -gt 0 ] || [ $first -ge 90000 ]; do # the rate lets its share in bit by bit
	/usr/bin/python3 tests/daemon/source_flood.py $((port + 3)) $((port + 2)) 1000 66 2.9 $first
	first=$((first + 1000))
done
# Of one moment: no datagram was read between the two answers about the link. Then a difference is a custody signal of
# node 2 that is still stored, and it leaves by itself.
moment() {
	local before
	before=$(datagrams)
	read -r rate quota stored < <(owlt status --socket "$T/b.sock" --json | /usr/bin/python3 -c '
import json, sys
s = json.load(sys.stdin)
print(s["refused"].get("source-rate", 0), s["refused"].get("source-quota", 0), s["store"]["n_bundles"])')
	all=$(datagrams)
	[ "$before" = "$all" ] && [ $((rate + quota + stored)) -eq "$all" ]
}
end=$((SECONDS + 200))
until moment || [ $SECONDS -ge $end ]; do :; done
check beyond_the_rate [ "$rate" -gt 0 ]
check beyond_the_share [ "$quota" -gt 0 ]
check half_of_the_store [ "$stored" -eq 1000 ]
check all_are_counted [ $((rate + quota + stored)) -eq "$all" ]
echo "# $all came in: $stored stored, $rate beyond the rate, $quota beyond the share"
echo last | owlt send --socket "$T/a.sock" --custody ipn:2.6 >/dev/null
check room_for_others timeout 100 owlt recv --socket "$T/b.sock" ipn:2.6 -n 1 -o "$T/last" --timeout 90
exit $bad
