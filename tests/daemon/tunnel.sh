#!/bin/bash
# A tunnel with custody between two daemons, over a wire that loses the first encapsulation and the first answer:
# what went in without custody comes out once, also when the near end is killed while it waits; status; tshark.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="${OWLT_BIN:-$PWD/build/bin}:$PATH"
here=$PWD
unset OWLT_SOCKET OWLT_BIN
T=$(mktemp -d /tmp/owlt-tunnel-XXXXXX)
port=$(tests/free-ports 4) || exit 2
bad=0
cleanup() { for p in "$T"/*.pid; do kill -9 "$(cat "$p")" 2>/dev/null; done; rm -rf "$T"; }
trap cleanup EXIT
ok() { echo "ok $1"; }
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then ok "$name"; else echo "not ok $name"; bad=1; sed 's/^/# /' "$T/check.log" | tail -5; fi; }
# until SECONDS COMMAND...: it holds in time
until_holds() { local end=$((SECONDS + $1)); shift; until "$@"; do [ $SECONDS -lt $end ] || return 1; read -r -t 0.1 <>"$T/never"; done; return 0; }
mkfifo "$T/never" "$T/ready"

# start NAME COMMAND...: says "ready" on stdout
start() {
	local name=$1 line
	shift
	"$@" >"$T/ready" 2>>"$T/$name.err" &
	echo $! >"$T/$name.pid"
	read -r line <"$T/ready" && [ "$line" = ready ]
}
node() { # node NAME ID LOCAL REMOTE PEER BIBE
	printf '{"node": {"id": "%s"}, "control": {"socket": "%s/%s.sock"}, "store": {"path": "%s/%s.store"},
 "links": [{"name": "wire", "peer": "%s", "local": "127.0.0.1:%s", "remote": "127.0.0.1:%s"}],
 "bibe": {%s}, "custody": {"signal_delay": "100ms", "interval": "3s"}}\n' \
		"$2" "$T" "$1" "$T" "$1" "$5" "$3" "$4" "$6" >"$T/$1.json"
}
node near ipn:1.0 $port $((port + 1)) ipn:2.0 '"tunnels": [{"to": "ipn:2.0", "for": ["ipn:2.*"], "custody": true}]'
node far ipn:2.0 $((port + 3)) $((port + 2)) ipn:1.0 '"peers": ["ipn:1.0"]'
check wire start wire /usr/bin/python3 "$here/tests/daemon/tunnel.py" $port $((port + 1)) $((port + 2)) $((port + 3)) "$T/wire.pcap"
check far start far owltd -c "$T/far.json"
check near start near owltd -c "$T/near.json"

tunnels() { owlt status --socket "$T/near.sock" tunnels --json >"$T/status" && grep -qE "$1" "$T/status"; }
echo "one" | owlt send --socket "$T/near.sock" ipn:2.42
check waits until_holds 60 tunnels '"custody":true.*"n_waiting":1'
check lost_twice until_holds 120 tunnels '"n_waiting":0,"n_answered":1,"n_refused":0,"n_late":[1-9]'
check gone_here until_holds 60 bash -c "owlt status --socket $T/near.sock --json | grep -q '\"n_bundles\":0'"

# The far end is dead: it waits; the near end is killed and goes on.
kill -9 "$(cat "$T/far.pid")"
echo "two" | owlt send --socket "$T/near.sock" ipn:2.42
check waits_for_the_dead until_holds 60 tunnels '"n_waiting":1'
kill -9 "$(cat "$T/near.pid")"
check near_again start near owltd -c "$T/near.json"
check kept until_holds 60 bash -c "owlt status --socket $T/near.sock bundles --json | grep -q '\"dest\":\"ipn:2.42\"'"
check far_again start far owltd -c "$T/far.json"
check answered until_holds 120 tunnels '"n_waiting":0,"n_answered":[1-9]'
mkdir "$T/in"; timeout 120 owlt recv --socket "$T/far.sock" ipn:2.42 -n 2 -o "$T/in"
check received bash -c "cat $T/in/* | sort | cmp - <(printf 'one\ntwo\n')"
check nothing_twice until_holds 60 bash -c "owlt status --socket $T/far.sock --json | grep -q '\"n_for_apps\":0'" # the last acknowledgement is noted
kill "$(cat "$T/near.pid")" "$(cat "$T/far.pid")" "$(cat "$T/wire.pid")"

if ! command -v tshark >/dev/null; then
	echo "skip tshark: not installed"
else
	tshark -n -V -r "$T/wire.pcap" >"$T/text" 2>"$T/tshark.err"
	check tshark_records bash -c "grep -q 'Record Type Code: .*(7)' $T/text && grep -q 'Record Type Code: .*(8)' $T/text"
	check tshark_good_crcs bash -c "grep -q 'CRC Status: Good' $T/text && ! grep -qE 'CRC Status: Bad|Malformed' $T/text"
fi
exit $bad
