#!/bin/bash
# A flood that passes the source filter: flooder.c sends as node 1's address and port, FLOOD_N datagrams
# (100000) at half the rate node 2 was seen to take (FLOOD_RATE), while 50 custody bundles go to it and 5 come back.
# Memory stays, every datagram is counted by the reason it was sent for, every bundle arrives once.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
unset OWLT_SOCKET
N=${FLOOD_N:-100000} BUNDLES=50 BACK=5 BURST=3000
T=$(mktemp -d /tmp/owlt-flood-XXXXXX)
port=$(tests/free-ports 4) || exit 2
declare -A pid
bad=0

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1${2:+: $2}"; bad=1; }
same() { if [ "$2" = "$3" ]; then ok "$1"; else not_ok "$1" "$2, not $3"; fi; } # NAME GOT WANT
cleanup() { for p in "${pid[@]}"; do kill -9 "$p" && wait "$p"; done 2>/dev/null; rm -rf "$T"; }
trap cleanup EXIT

why=$(tests/socket-room 16000000) || { echo "skip flood_as_peer: $why"; exit 0; }
read -r -a cc <<<"${CC:-gcc}"
if ! "${cc[@]}" -std=c17 -D_GNU_SOURCE -Wall -Wextra -Werror -O2 -I. -o "$T/flooder" tests/daemon/flooder.c \
	build/release/libowlt.a -lcrypto -lcjson -lm 2>"$T/cc.log"; then
	not_ok flooder_builds "$(head -n 3 "$T/cc.log")"; exit 1
fi

start() { # NAME ID LOCAL REMOTE PEER: waits for its "ready"
	local line
	cat >"$T/$1.json" <<END
{"node":{"id":"ipn:$2.0"},"store":{"path":"$T/$1.store"},"control":{"socket":"$T/$1.sock"},
 "custody":{"signal_delay":"100ms","interval":"2s"},"log":{"level":"error"},
 "links":[{"name":"l","local":"127.0.0.1:$3","remote":"127.0.0.1:$4","peer":"ipn:$5.0"}]}
END
	mkfifo "$T/$1.fifo"
	owltd -c "$T/$1.json" >"$T/$1.fifo" 2>>"$T/$1.log" &
	pid[$1]=$!
	read -r -t 60 line <"$T/$1.fifo" && [ "$line" = ready ] && return 0
	not_ok "start_$1"; cat "$T/$1.log"; return 1
}
# status NODE KEY...: numbers of the summary and of the link, by dotted path; 0 where there is none
status() {
	local node=$1; shift
	{ owlt status --socket "$T/$node.sock" --json; owlt status --socket "$T/$node.sock" links --json; } |
		/usr/bin/python3 -c '
import json, sys
doc = json.loads(sys.stdin.readline()); doc["link"] = json.loads(sys.stdin.readline())["links"][0]
for path in sys.argv[1:]:
    v = doc
    for key in path.split("."): v = v.get(key, 0) if isinstance(v, dict) else 0
    print(v)' "$@"
}
# reasons FILE: the flooder's words and node 2's counters for them, as the same lines
reasons() {
	owlt status --socket "$T/b.sock" --json >"$T/summary" && owlt status --socket "$T/b.sock" links --json >"$T/links" &&
		/usr/bin/python3 - "$T" >"$1" <<'END'
import json, sys
s, link = (json.load(open(f"{sys.argv[1]}/{f}")) for f in ("summary", "links"))
for kind in ("ignored", "rejected"):
    for word, n in s[kind].items(): print(kind, word, n)
n, link = s["counters"], link["links"][0]
assert n["bundle_rejected"] == sum(s["rejected"].values()) and n["frame_ignored"] == sum(s["ignored"].values())
print("keepalive", link["keepalives_rx"])
print("sent", n["bundle_rejected"] + n["frame_ignored"] + link["keepalives_rx"])
END
}
# sent FILE: the same of the flooder; $drops: what the kernel dropped at node 2's socket
sent() {
	local line
	: >"$1"
	echo counts >&"$in"
	while read -r -t 200 line <&"$out" && [ "$line" != end ]; do
		case $line in drops*) drops=${line#drops };; *) echo "$line" >>"$1";; esac
	done
}
# until_is NODE KEY WANT: at most 200 s
until_is() {
	local end=$((SECONDS + 200)) got
	until got=$(status "$1" "$2"); [ "$got" = "$3" ] || [ $SECONDS -ge $end ]; do :; done
}
rss() { awk '/^VmRSS/ {print $2}' "/proc/${pid[b]}/status"; }
custody() { # NODE DEST TEXT
	echo "$3" | owlt send --socket "$T/$1.sock" --custody "$2" >/dev/null || not_ok "send_$1_$3"
}

# -- bundles to spoil: the golden ones, some of about 1 kB, and large ones
good=()
for f in tests/vectors/g?.hex tests/vectors/g5?.hex; do
	/usr/bin/python3 -c 'import sys; sys.stdout.buffer.write(bytes.fromhex(open(sys.argv[1]).read()))' "$f" \
		>"$T/$(basename "$f" .hex)"
	good+=("$T/$(basename "$f" .hex)")
done
for n in $(seq 600 40 1400) 3000 10000 30000 59000; do
	head -c $n /dev/urandom >"$T/payload"
	owlt bundle make --source ipn:1.5 --dest ipn:2.9 --prev ipn:1.0 --hop 30,1 --cteb $n,1,ipn:1.0 \
		--payload "$T/payload" >"$T/made$n" || not_ok "make_$n"
	good+=("$T/made$n")
done

start a 1 "$port" $((port + 1)) 2 || exit 1
start b 2 $((port + 1)) "$port" 1 || exit 1
mkfifo "$T/to" "$T/from"
exec {in}<>"$T/to"
"$T/flooder" "$port" $((port + 1)) "${pid[b]}" "${FLOOD_SEED:-1}" "${good[@]}" <"$T/to" >"$T/from" 2>"$T/flooder.log" &
pid[flooder]=$!
exec {out}<"$T/from"
read -r -t 60 line <&"$out" || {
	if grep -q 'raw socket: Operation not permitted' "$T/flooder.log"; then
		echo "skip flood_as_peer: a raw socket needs CAP_NET_RAW"; exit 0
	fi
	not_ok flooder_starts "$(cat "$T/flooder.log")"; exit 1
}

# -- warm-up: node 2's rate in bursts, all sizes, custody
# rate_of COMMAND: $rate is the median of three bursts
rate_of() {
	local all=()
	for _ in 1 2 3; do
		echo "$1 $BURST" >&"$in"
		read -r -t 200 _ rate <&"$out" && all+=("$rate")
	done
	rate=$(printf '%s\n' "${all[@]}" | sort -n | sed -n 2p)
	[ -n "$rate" ] || { not_ok "measured_$1" "$(cat "$T/flooder.log")"; exit 1; }
}
rate_of drain; drained=$rate
rate_of burst; taken=$rate
owlt recv --socket "$T/b.sock" ipn:2.5 -n $BUNDLES -o "$T/warm" --timeout 200 >/dev/null & receiver=$!
for i in $(seq $BUNDLES); do custody a ipn:2.5 "warm $i"; done
wait $receiver || not_ok warm_up
until_is a counters.custody_released $BUNDLES
sent "$T/want"; reasons "$T/got"
if cmp -s <(sort "$T/want") <(sort "$T/got"); then ok burst_counted; else not_ok burst_counted; diff "$T/want" "$T/got" | sed 's/^/# /'; fi
same burst_without_drops "$drops" 0
rss_before=$(rss)

# -- the flood, and a custody bundle at each fiftieth of it
owlt recv --socket "$T/b.sock" ipn:2.6 -n $BUNDLES -o "$T/in" --timeout 1000 >/dev/null & receiver=$!
owlt recv --socket "$T/a.sock" ipn:1.6 -n $BACK -o "$T/back" --timeout 1000 >/dev/null & receiver_back=$!
rate=${FLOOD_RATE:-$((taken / 2))} n=0
echo "flood $N $rate" >&"$in"
while read -r -t 200 word a _ b <&"$out" && [ "$word" = at ]; do
	n=$((n + 1))
	custody a ipn:2.6 "bundle $n"
	[ $((n % (BUNDLES / BACK))) -ne 0 ] || custody b ipn:1.6 "back $n"
done
took=$a held=$b
[ "$word" = took ] || { not_ok flood_ended "$(cat "$T/flooder.log")"; exit 1; }
same custody_sent $n $BUNDLES
wait $receiver; same custody_received $? 0
wait $receiver_back; same custody_back $? 0
until_is a counters.custody_released $((2 * BUNDLES))
until_is b counters.custody_released $BACK
rss_after=$(rss)
sent "$T/want"; reasons "$T/got"

echo "# receive rate measured $taken/s ($drained/s from a full socket), sent $N at $rate/s in $took s ($(awk "BEGIN {printf \"%.0f\", $N / $took}")/s), held back $held times"
echo "# RSS $rss_before KiB before, $rss_after KiB after"
sort "$T/got" | sed 's/^/# /'
same no_drops_at_the_socket "$drops" 0
if [ $((rss_after - rss_before)) -le 1024 ]; then ok memory; else not_ok memory "$rss_before to $rss_after KiB"; fi
if cmp -s <(sort "$T/want") <(sort "$T/got"); then ok counted_by_reason; else not_ok counted_by_reason; diff <(sort "$T/want") <(sort "$T/got") | sed 's/^/# /'; fi
same all_counted "$(sed -n 's/^sent //p' "$T/got")" $((N + 6 * BURST))
same each_bundle_once "$(cat "$T"/in/*.bin | sort -k2n)" "$(for i in $(seq $BUNDLES); do echo "bundle $i"; done)"
same each_back_once "$(cat "$T"/back/*.bin | sort -k2n)" "$(for i in $(seq $BACK); do echo "back $((i * BUNDLES / BACK))"; done)"
same custody_released "$(status a counters.custody_released n_custody_held | xargs)" "$((2 * BUNDLES)) 0"
same delivered_once "$(status b counters.bundle_delivered counters.custody_released n_custody_held | xargs)" "$((2 * BUNDLES)) $BACK 0"
same no_event_lost "$(status b counters.events_lost)" 0
exit $bad
