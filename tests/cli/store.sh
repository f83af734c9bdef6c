#!/bin/bash
# owlt store: what a stopped node has stored, damaged bytes, out to files and in again, and what the node makes of it.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
unset OWLT_SOCKET
T=$(mktemp -d /tmp/owlt-store-XXXXXX)
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
stop() { kill -TERM "${pid[$1]}"; wait "${pid[$1]}" 2>/dev/null; unset "pid[$1]"; }
config() { # NAME ID: links to nobody
	cat >"$T/$1.json" <<END
{"node":{"id":"$2"},"store":{"path":"$T/$1.store"},"control":{"socket":"$T/$1.sock"},
 "log":{"level":"warn"},
 "links":[{"name":"n","cl":"udp","local":"127.0.0.1:$port","remote":"127.0.0.1:$((port + 1))","peer":"ipn:9.0","rate":"400M"}]}
END
	port=$((port + 2))
}
# Flips a byte of the only place in the log that has this text.
damage() { /usr/bin/python3 - "$1" "$2" <<'END'
import glob, sys
n = 0
for path in glob.glob(sys.argv[1] + "/seg-*.log"):
    with open(path, "r+b") as f:
        at = f.read().find(sys.argv[2].encode())
        if at >= 0:
            f.seek(at); f.write(b"?"); n += 1
sys.exit(n != 1)
END
}
# json FILE EXPRESSION over d, the document, and l, its lines
json() { /usr/bin/python3 -c 'import json,sys
t = open(sys.argv[1]).read(); l = [json.loads(x) for x in t.splitlines()]; d = l[0] if l else None
sys.exit(0 if eval(sys.argv[2]) else 1)' "$1" "$2"; }

config a ipn:1.0
config b ipn:2.0
A=(--socket "$T/a.sock") B=(--socket "$T/b.sock") S=$T/a.store
start a || exit 1
for k in 1 2 3 4; do
	{ echo "payload number $k"; head -c $((k * 9000)) /dev/zero; } >"$T/p$k"
	rc "send_$k" 0 owlt send "${A[@]}" --lifetime 1h ipn:2.$((40 + k)) "$T/p$k"
done
rc send_custody 0 owlt send "${A[@]}" --custody --lifetime 1h ipn:2.50 "$T/p1"
rc in_use_is_2 2 owlt store check "$S"
check in_use_hint grep -q 'stop the node' "$T/rc.err"
stop a

rc no_store_is_2 2 owlt store ls "$T"
rc check_good 0 owlt store check "$S"
check check_says grep -q '^5 bundles, .* all as written' "$T/rc.out"
rc ls 0 owlt store ls --json "$S"
cp "$T/rc.out" "$T/ls"
check ls_lines json "$T/ls" 'len(l) == 5 and sum(x["custody"] for x in l) == 1 and {x["destination"] for x in l} == {"ipn:2.41","ipn:2.42","ipn:2.43","ipn:2.44","ipn:2.50"}'
rc ls_dest 0 owlt store ls --json --dest 'ipn:2.4[12]' "$S"
check ls_dest_lines json "$T/rc.out" 'len(l) == 2'
rc ls_custody 0 owlt store ls --json --custody "$S"
check ls_custody_lines json "$T/rc.out" 'len(l) == 1'
rc ls_expired 0 owlt store ls --expired "$S"
check ls_expired_none [ ! -s "$T/rc.out" ]
id_of() { sed -n "s/.*\"id\":\([0-9]*\),.*ipn:2.$1\".*/\1/p" "$T/ls"; }
rc show 0 owlt store show --json "$S" "$(id_of 42)"
check show_json json "$T/rc.out" 'd["destination"] == "ipn:2.42" and d["blocks"][-1]["type"] == 1'
rc show_unknown_is_1 1 owlt store show "$S" 99999999
rc show_bad_id_is_2 2 owlt store show "$S" x

# -- out, and valid there
rc export_dir 0 owlt store export "$S" -o "$T/out"
check export_files [ "$(find "$T/out" -name '*.bundle' | wc -l)" -eq 5 ]
for f in "$T"/out/*.bundle; do owlt bundle check "$f" || echo no; done >"$T/valid" 2>&1
check export_valid [ "$(sort -u "$T/valid")" = valid ]
rc export_stream 0 owlt store export "$S"
cat "$T/rc.out" >"$T/stream"
check export_same [ "$(stat -c %s "$T/stream")" -eq "$(cat "$T"/out/*.bundle | wc -c)" ]
# Ids are each store's own: what stands there is perhaps the only copy of another bundle.
rc export_dir_again 0 owlt store export "$S" -o "$T/out"
mkdir "$T/mixed"
cp "$T/out/$(id_of 41).bundle" "$T/mixed/$(id_of 42).bundle"
rc export_no_other_replaced_is_1 1 owlt store export --remove "$S" -o "$T/mixed" "$(id_of 42)"
check export_no_other_says grep -q 'is another one' "$T/rc.err"
check export_other_is_there cmp "$T/out/$(id_of 41).bundle" "$T/mixed/$(id_of 42).bundle"
rc export_not_removed 0 owlt store show "$S" "$(id_of 42)"
rc ls_few_files 0 bash -c 'ulimit -Sn 5; exec owlt store ls "$0"' "$S"
rc export_unknown_is_1 1 owlt store export "$S" -o "$T/out" 99999999
rc remove_needs_dir 2 owlt store export --remove "$S"

# -- delete
rc rm_custody_is_1 1 owlt store rm "$S" "$(id_of 50)"
rc rm_custody_force 0 owlt store rm --force "$S" "$(id_of 50)"
rc rm 0 owlt store rm "$S" "$(id_of 44)"
rc rm_again_is_1 1 owlt store rm "$S" "$(id_of 44)"
rc ls_after_rm 0 owlt store ls --json "$S"
check ls_after_rm_lines json "$T/rc.out" 'len(l) == 3'

# -- damage
check damage damage "$S" "payload number 2"
rc check_damaged_is_1 1 owlt store check --json "$S"
check check_damaged_json json "$T/rc.out" "d['n_damaged'] == 1 and d['damaged'][0]['id'] == $(id_of 42) and d['n_bundles'] == 3"
rc show_damaged_is_1 1 owlt store show "$S" "$(id_of 42)"
rc export_damaged_is_1 1 owlt store export "$S" -o "$T/out2"
check export_others [ "$(find "$T/out2" -name '*.bundle' | wc -l)" -eq 2 ]
rc quarantine_is_1 1 owlt store check --quarantine "$S"
check set_aside [ -s "$S/quarantine/$(id_of 42).bin" ]
rc check_good_again 0 owlt store check "$S"
check damage_more damage "$S" "payload number 3"
start a || exit 1
rc node_reads_heads 0 owlt status "${A[@]}" bundles
rc status 0 owlt status "${A[@]}" --json
check node_noticed json "$T/rc.out" 'd["store"]["n_damaged"] == 1 and d["n_custody_damaged"] == 0 and d["n_bundles"] == 1 and d["counters"]["bundle_damaged"] == 1'
stop a
rc ls_more 0 owlt store ls --json "$S"
check node_deleted json "$T/rc.out" 'len(l) == 1'
check node_set_aside [ "$(find "$S/quarantine" -name '*.bin' | wc -l)" -eq 2 ]
rc export_remove 0 owlt store export --remove "$S" -o "$T/out3"
check export_removed [ "$(find "$T/out3" -name '*.bundle' | wc -l)" -eq 1 ]
rc ls_empty 0 owlt store ls "$S"
check ls_empty_none [ ! -s "$T/rc.out" ]

# -- into another node, which delivers
start b || exit 1
stop b
rc import 0 owlt store import --json "$T/b.store" "$T/stream"
check import_json json "$T/rc.out" 'd == {"n_imported": 5, "n_duplicates": 0, "n_invalid": 0}'
rc import_again 0 owlt store import --json "$T/b.store" "$T"/out/*.bundle
check import_duplicates json "$T/rc.out" 'd == {"n_imported": 0, "n_duplicates": 5, "n_invalid": 0}'
rc import_ls 0 owlt store ls --json "$T/b.store"
check import_state json "$T/rc.out" 'len(l) == 5 and all(x["state"] == "imported" for x in l)'
rc import_show 0 owlt store show "$T/b.store" "$(sed -n '1s/.*"id":\([0-9]*\),.*/\1/p' "$T/rc.out")"
head -c 100 "$T/p1" >"$T/junk"
rc import_invalid_is_1 1 owlt store import "$T/b.store" "$T/junk"
rc import_check 0 owlt store check "$T/b.store"
start b || exit 1
for k in 1 2 3 4; do
	rc "deliver_$k" 0 timeout 100 owlt recv "${B[@]}" ipn:2.$((40 + k)) -n 1
	check "delivered_$k" cmp "$T/rc.out" "$T/p$k"
done
stop b
rc imported_gone 0 owlt store ls --json "$T/b.store"
check imported_left json "$T/rc.out" 'all(x["state"] != "imported" for x in l)'
exit $bad
