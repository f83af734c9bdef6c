#!/bin/bash
# Two owltd on 127.0.0.1 with the smallest configuration, and every program that talks to them.
# Waits are for events (a line "ready", an exit), never for a time.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
unset OWLT_SOCKET
T=$(mktemp -d /tmp/owlt-daemon-XXXXXX)
port=$(tests/free-ports 4) || exit 2
declare -A pid
bad=0

ok() { echo "ok $1"; }
not_ok() { echo "not ok $1"; bad=1; }
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then ok "$name"; else not_ok "$name"; sed 's/^/# /' "$T/check.log" | tail -5; fi; }
# rc NAME WANT COMMAND...: the exit code is WANT
rc() { local name=$1 want=$2 got; shift 2; "$@" >"$T/rc.out" 2>"$T/rc.err"; got=$?
	if [ $got -eq "$want" ]; then ok "$name"; else not_ok "$name"; echo "# exit $got, not $want: $(tail -n 2 "$T/rc.err")"; fi; }
cleanup() { for p in "${pid[@]}"; do kill -9 "$p" 2>/dev/null; done; rm -rf "$T"; }
trap cleanup EXIT

start() { # NAME: waits for its "ready"
	local line
	[ -p "$T/$1.fifo" ] || mkfifo "$T/$1.fifo"
	owltd -c "$T/$1.json" >"$T/$1.fifo" 2>>"$T/$1.log" &
	pid[$1]=$!
	read -r -t 60 line <"$T/$1.fifo" && [ "$line" = ready ] && return 0
	not_ok "start_$1"; cat "$T/$1.log"; return 1
}
stop() { kill -TERM "${pid[$1]}"; wait "${pid[$1]}" 2>/dev/null; }

config() { # NAME ID LOCAL REMOTE PEER
	cat >"$T/$1.json" <<END
{"node":{"id":"$2"},"store":{"path":"$T/$1.store"},"control":{"socket":"$T/$1.sock"},
 "agent":{"reports":true,"reports_per_s":1000},"custody":{"signal_delay":"100ms","interval":"2s"},
 "log":{"events":"$T/$1.jsonl","level":"warn"},
 "links":[{"name":"to-$5","cl":"udp","local":"127.0.0.1:$3","remote":"127.0.0.1:$4","peer":"ipn:$5.0","rate":"400M"}]}
END
}
config a ipn:1.0 "$port" $((port + 1)) 2
config b ipn:2.0 $((port + 1)) "$port" 1
# Three reports shall go in one signal, also where the disk takes its time.
sed -i 's/"signal_delay":"100ms"/"signal_delay":"600ms"/' "$T/b.json"
A=(--socket "$T/a.sock") B=(--socket "$T/b.sock")
rc no_node_is_2 2 owlt status "${A[@]}"
rc help_config 0 owltd --help-config
start a || exit 1
start b || exit 1
ok start

# -- ping, status
rc ping 0 timeout 100 owlt ping "${A[@]}" ipn:2.0 -c 2 -i 0.1
check ping_summary grep -q '^2 packets transmitted, 2 received, 0% packet loss' "$T/rc.out"
rc ping_nobody_is_1 1 timeout 100 owlt ping "${A[@]}" ipn:2.99 -c 1 -W 0.2
rc health 0 owlt status "${A[@]}" --health
rc status_links 0 owlt status "${A[@]}" links --json
check status_links_json grep -q '"name":"to-2"' "$T/rc.out"
rc status_unknown_is_2 2 owlt status "${A[@]}" nonsense
rc bad_dest_is_2 2 owlt send "${A[@]}" nonsense /dev/null
rc foreign_source_is_1 1 owlt send "${A[@]}" --source ipn:9.1 ipn:2.5 "$T/a.json"
check foreign_source_text grep -q 'not an endpoint of this node' "$T/rc.err"
rc foreign_endpoint_is_1 1 owlt recv "${A[@]}" -n 1 ipn:9.1
rc admin_endpoint_is_2 2 owlt recv "${A[@]}" -n 1 ipn:1.0
rc bad_report_to_is_2 2 owlt send "${A[@]}" --report-to junk ipn:2.5 "$T/a.json"
rc bad_endpoint_is_2 2 owlt recv "${A[@]}" -n 1 ipn:1.x
rc no_lifetime_is_2 2 owlt send "${A[@]}" --lifetime 0 ipn:2.5 "$T/a.json"
rc ping_itself_is_2 2 timeout 100 owlt ping "${A[@]}" ipn:1.0 -c 1
rc ping_no_times_is_2 2 timeout 100 owlt ping "${A[@]}" ipn:2.0 -c 0

# -- send and receive
echo hello >"$T/hello"
rc send 0 owlt send "${A[@]}" ipn:2.5 "$T/hello"
check send_prints_id grep -Eq '^ipn:1\.[0-9]+ [0-9]+ [0-9]+$' "$T/rc.out"
rc recv_stdout 0 timeout 100 owlt recv "${B[@]}" ipn:2.5 -n 1 --timeout 90
check recv_same cmp "$T/hello" "$T/rc.out"
rc send_empty 0 owlt send "${A[@]}" ipn:2.5 /dev/null
rc send_stdin 0 bash -c "echo two | owlt send --socket $T/a.sock --json ipn:2.5"
check send_json grep -q '"bundle_id":"ipn:1' "$T/rc.out"
rc recv_files 0 timeout 100 owlt recv "${B[@]}" ipn:2.5 -n 2 -o "$T/in" --timeout 90
check recv_file_names bash -c "ls $T/in | grep -Eq '^ipn%3A1\.[0-9]+-[0-9]+-[0-9]+\.bin$' && [ \$(ls $T/in | wc -l) = 2 ]"
rc recv_timeout_is_1 1 timeout 100 owlt recv "${B[@]}" ipn:2.5 -n 1 --timeout 0.2
rc recv_needs_o_is_2 2 owlt recv "${B[@]}" ipn:2.5

# -- custody, --wait
timeout 100 owlt recv "${B[@]}" ipn:2.6 -n 1 --timeout 90 >"$T/waited" &
receiver=$!
rc send_custody_wait 0 timeout 100 owlt send "${A[@]}" --custody --wait ipn:2.6 "$T/hello"
wait $receiver
check custody_arrived cmp "$T/hello" "$T/waited"

# -- compressed reports: one signal tells about all chunks
timeout 100 owlt recv "${B[@]}" ipn:2.6 -n 1 -o "$T/compressed" --timeout 90 >"$T/rc.out" &
receiver=$!
rc send_compressed_wait 0 timeout 100 owlt send "${A[@]}" --report delivered --compressed --chunk 2 --wait ipn:2.6 "$T/hello"
wait $receiver
check compressed_arrived cmp "$T/hello" "$T/compressed/hello"
# One signal, if the three were taken well within custody.signal_delay; no more of them than bundles in any case.
compressed_together() {
	/usr/bin/python3 - "$T" <<'END'
import json, sys
a, b = ([json.loads(l) for l in open(f"{sys.argv[1]}/{n}.jsonl")] for n in "ab")
told = [e["n_reports"] for e in b if e["ev"] == "crs_tx"]
assert sum(told) == 3 and sum(e["n_known"] for e in a if e["ev"] == "crs_rx") == 3, told
taken = [e["t_us"] for e in b if e["ev"] == "bundle_delivered"][-3:]
assert len(told) == 1 or taken[-1] - taken[0] > 80000, (told, taken)
END
}
until_true() { local end=$((SECONDS + 20)); until "$@" 2>/dev/null || [ $SECONDS -ge $end ]; do :; done; "$@"; }
check compressed_is_one_signal until_true compressed_together
rc send_accepted_needs_compressed 2 owlt send "${A[@]}" --report accepted ipn:2.6 "$T/hello"
rc send_compressed_needs_report 2 owlt send "${A[@]}" --compressed ipn:2.6 "$T/hello"

# -- a file in chunks; the receiver is killed once and goes on
head -c 1048576 /dev/urandom >"$T/file"
rc send_chunks 0 owlt send "${A[@]}" --custody --chunk 20000 ipn:2.8 "$T/file"
owlt recv "${B[@]}" ipn:2.8 -n 1 -o "$T/chunks" --timeout 90 >"$T/chunks.out" &
receiver=$!
until ls "$T"/chunks/.file-*.have >/dev/null 2>&1 || ! kill -0 $receiver 2>/dev/null; do :; done
kill -9 $receiver 2>/dev/null; wait $receiver 2>/dev/null
[ -e "$T/chunks/file" ] || rc recv_chunks 0 timeout 100 owlt recv "${B[@]}" ipn:2.8 -n 1 -o "$T/chunks" --timeout 90
check chunks_joined cmp "$T/file" "$T/chunks/file"

# -- a bundle that has no way is given up
rc send_nowhere 0 owlt send "${A[@]}" ipn:77.5 "$T/hello"
read -r -a sent <"$T/rc.out"
# RFC 9171 5.12/1
rc cancel 0 owlt bundle cancel "${A[@]}" "${sent[@]}"
rc cancel_twice_is_1 1 owlt bundle cancel "${A[@]}" "${sent[@]}"
rc cancel_foreign_is_2 2 owlt bundle cancel "${A[@]}" ipn:2.5 1 1
check cancel_reason grep -q '"ev":"bundle_deleted".*"reason":"cancelled"' "$T/a.jsonl"

# -- large data as one bundle in fragments: a file, standard input, to a folder and to standard output
head -c 3000000 /dev/urandom >"$T/large"
if why=$(tests/socket-room 8000000); then
	rc send_large 0 timeout 100 owlt send "${A[@]}" ipn:2.11 "$T/large"
	check send_large_is_one test "$(wc -l <"$T/rc.out")" -eq 1
	rc recv_large 0 timeout 100 owlt recv "${B[@]}" ipn:2.11 -n 1 -o "$T/larges" --timeout 90
	check recv_large_same bash -c "cmp $T/large $T/larges/*.bin"
	rc send_large_stdin 0 timeout 100 bash -c "cat $T/large | owlt send --socket $T/a.sock --json ipn:2.11"
	check send_large_json grep -q '"bytes":3000000' "$T/rc.out"
	rc recv_large_stdout 0 timeout 100 owlt recv "${B[@]}" ipn:2.11 -n 1 --timeout 90
	check recv_large_stdout_same cmp "$T/large" "$T/rc.out"
	timeout 100 owlt recv "${B[@]}" ipn:2.11 -n 1 --timeout 90 >"$T/waited" &
	receiver=$!
	rc send_large_wait 0 timeout 100 owlt send "${A[@]}" --wait ipn:2.11 "$T/large"
	wait $receiver
else
	echo "skip send_large: $why"
fi
# killed while it takes a large payload: the next one gets all of it
head -c 40000000 /dev/urandom >"$T/larger"
rc send_larger 0 timeout 100 owlt send "${B[@]}" ipn:2.13 "$T/larger"
owlt recv "${B[@]}" ipn:2.13 -n 1 -o "$T/larger-got" --timeout 90 >/dev/null &
receiver=$!
until compgen -G "$T/larger-got/*" >/dev/null || ! kill -0 $receiver 2>/dev/null; do :; done
kill -9 $receiver 2>/dev/null; wait $receiver 2>/dev/null
compgen -G "$T/larger-got/*.bin" >/dev/null || rc recv_larger_again 0 timeout 100 owlt recv "${B[@]}" ipn:2.13 -n 1 -o "$T/larger-got" --timeout 90
check recv_larger_same bash -c "cmp $T/larger $T/larger-got/*.bin"
rm -f "$T/larger" "$T"/larger-got/*
# chunks that are large themselves, to the same node: no UDP datagram carries them
rc send_large_chunks 0 timeout 100 owlt send "${B[@]}" --no-fragment --chunk 500000 ipn:2.12 "$T/large"
check send_large_chunks_are_six test "$(wc -l <"$T/rc.out")" -eq 6
rc recv_large_chunks 0 timeout 100 owlt recv "${B[@]}" ipn:2.12 -n 1 --timeout 90
check recv_large_chunks_same cmp "$T/large" "$T/rc.out"
rc send_large_custody_is_1 1 owlt send "${A[@]}" --custody --chunk 0 ipn:2.11 "$T/large"
check send_large_custody_says_chunk grep -q 'custody bundles are never fragmented; cut it with --chunk' "$T/rc.err"
rc send_large_whole_is_1 1 owlt send "${A[@]}" --no-fragment --chunk 0 ipn:2.11 "$T/large"
check send_large_whole_says_chunk grep -q -- '--no-fragment forbids fragments; cut it with --chunk' "$T/rc.err"
rc send_too_large_is_1 1 bash -c "truncate -s 2G $T/huge; owlt send --socket $T/a.sock ipn:2.11 $T/huge"
check send_too_large_says_chunk grep -q 'send.max_bytes, .*--chunk SIZE cuts it' "$T/rc.err"
rm -f "$T/huge"

# -- kill -9 of the receiver's node with bundles stored
for i in 1 2 3 4 5 6 7 8 9 10; do echo "kept $i" | owlt send "${A[@]}" --custody ipn:2.9 >/dev/null || not_ok "send_kept_$i"; done
kill -9 "${pid[b]}"; wait "${pid[b]}" 2>/dev/null
start b || exit 1
rc recv_after_kill 0 timeout 100 owlt recv "${B[@]}" ipn:2.9 -n 10 -o "$T/kept" --timeout 90
check nothing_lost bash -c "cat $T/kept/*.bin | sort -k2n | diff - <(for i in 1 2 3 4 5 6 7 8 9 10; do echo kept \$i; done)"

# -- a client in Python, written from the protocol's page
if /usr/bin/python3 -c 'import cbor2' 2>/dev/null; then
	PYTHONDONTWRITEBYTECODE=1 timeout 300 /usr/bin/python3 tests/daemon/client.py "$T/a.sock" "$T/b.sock" ipn:2.20 || bad=1
else
	echo "skip python_client: python3-cbor2 is not installed"
fi

# -- configurations that are wrong: FILE:LINE: path: text, exit 2
wrong() { # NAME JSON PATTERN
	printf '%b' "$2" >"$T/wrong.json"
	rc "config_$1_is_2" 2 owltd -c "$T/wrong.json" --check-config
	check "config_$1_message" grep -Eq "$3" "$T/rc.err"
}
rc config_good 0 owltd -c "$T/a.json" --check-config
sed 's/127.0.0.1:/localhost:/' "$T/a.json" >"$T/wrong.json"
rc config_address_is_2 2 owltd -c "$T/wrong.json" --check-config
check config_address_line grep -q 'wrong.json:4: links\[0\].local: "localhost:' "$T/rc.err"
rc config_plan_is_2 2 env OWLT_PLAN=/nonexistent owltd -c "$T/a.json" --check-config
wrong syntax '{\n"node": }' 'wrong.json:2: not valid JSON'
wrong unknown '{"node":{"id":"ipn:1.0"},\n"stor":{}}' 'wrong.json:2: stor: no such setting'
wrong range '{"node":{"id":"ipn:1.0"},\n"links":[{"name":"x",\n"mtu":5}]}' 'wrong.json:3: links\[0\]\.mtu: at least 576'
wrong eid '{"node":\n{"id":"earth"}}' 'wrong.json:2: node.id: "earth"'
wrong required '{}' 'node.id: is required'
wrong local_node '{"node":\n{"id":"ipn:!.0"}}' 'wrong.json:2: node.id: "ipn:!.0"'
wrong local_peer '{"node":{"id":"ipn:1.0"},\n"links":[{"name":"x",\n"peer":"ipn:!.0"}]}' 'wrong.json:3: links\[0\]\.peer'
rc rules_are_switches 0 env OWLT_RULES__ALLOW_NO_PRIMARY_CRC=true OWLT_RULES__ALLOW_NO_AGE=true \
	OWLT_RULES__ALLOW_DEFINITE=true OWLT_RULES__ALLOW_SHORT_DTN=true OWLT_LINKS__0__BORDER=true \
	owltd -c "$T/a.json" --check-config
rc config_no_file_is_2 2 owltd -c "$T/nowhere.json"
rc env_unknown_is_2 2 env OWLT_STOR__PATH=x owltd -c "$T/a.json" --check-config
check env_unknown_message grep -q 'OWLT_STOR__PATH: no such setting' "$T/rc.err"
rc env_overrides 0 env OWLT_STORE__PATH=x OWLT_LINKS__0__REMOTE=127.0.0.1:1 owltd -c "$T/a.json" --check-config

# -- a flood beside a custody bundle: memory stays, every datagram is counted
counters() { owlt status "${B[@]}" --json | /usr/bin/python3 -c 'import json,sys; c=json.load(sys.stdin)["counters"]; print(sum(c[k] for k in ("bundle_rejected","frame_ignored","bundle_refused","bundle_duplicate")) + c["bundle_received"])'; }
rss() { awk '/^VmRSS/ {print $2}' "/proc/${pid[b]}/status"; }
echo warm >"$T/warm"
# the flood comes from a third port: what is not from the peer is counted apart, so a takes part by its own
stop a
/usr/bin/python3 tests/daemon/flood.py "$port" $((port + 1)) 5000 1 >/dev/null
before=$(counters) rss_before=$(rss)
/usr/bin/python3 tests/daemon/flood.py "$port" $((port + 1)) 50000 2 >/dev/null
after=$(counters) rss_after=$(rss) # an answer comes after all that was read before it
[ $((rss_after - rss_before)) -le 1024 ] && ok flood_memory || { not_ok flood_memory; echo "# $rss_before to $rss_after KiB"; }
[ $((after - before)) -eq 50000 ] && ok flood_counted || { not_ok flood_counted; echo "# $((after - before)) of 50000"; }
start a || exit 1
/usr/bin/python3 tests/daemon/flood.py $((port + 2)) $((port + 1)) 20000 3 >/dev/null &
flood=$!
timeout 100 owlt recv "${B[@]}" ipn:2.30 -n 1 --timeout 90 >"$T/beside" &
receiver=$!
rc send_beside_flood 0 timeout 100 owlt send "${A[@]}" --custody --wait ipn:2.30 "$T/hello"
wait $receiver $flood
check custody_beside_flood cmp "$T/hello" "$T/beside"

# -- the end: SIGTERM drains, the socket is gone, the event log is whole
stop a; [ $? -eq 0 ] && ok sigterm_a || not_ok sigterm_a
stop b; [ $? -eq 0 ] && ok sigterm_b || not_ok sigterm_b
check socket_gone [ ! -e "$T/a.sock" ]
check events_are_json /usr/bin/python3 -c "
import json,sys
for f in ('$T/a.jsonl','$T/b.jsonl'):
    seen = {json.loads(l)['ev'] for l in open(f)}
    assert 'bundle_forwarded' in seen and 'node_stop' in seen, seen"
exit $bad
