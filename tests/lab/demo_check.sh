#!/bin/bash
# demo_check.sh [RUN_DIR]: what issue 2 must show of a demo, judged by tshark: no malformed frame, every CRC
# good, no IP fragment, no ARP; per link the distinct bundles that tshark sees = rows of the data set =
# the nodes' counters; frames sent - dropped by cause = frames received; the capture alone gives the same
# data set but for the log's columns. Without RUN_DIR it makes a demo.
set -u
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
export PATH="$root/build/bin:$PATH"
check() { if "${@:2}"; then echo "ok demo_$1"; else echo "not ok demo_$1"; fi; }

for p in tshark owlt owltd; do
	command -v $p >/dev/null || { echo "skip demo_check: $p is missing"; exit 0; }
done
dir=$(mktemp -d /tmp/owlt-demo-XXXXXX) tsv=$dir/tshark.tsv
trap 'rm -rf "$dir"' EXIT
if [ $# -eq 0 ]; then
	run=$dir/run
	"$root/tools/demo.sh" --kill-seed "${DEMO_SEED:-1}" -o "$run" >"$dir/demo.log" 2>&1
	rc=$?
	check exits_0 [ $rc -eq 0 ]
	[ $rc -eq 0 ] || { tail -n 30 "$dir/demo.log"; exit 1; }
	grep kill-seed "$dir/demo.log"
else
	run=$1
fi

cap=$run/frames.pcapng
none() { # none FILTER: tshark reads the whole capture and finds no such frame
	local found
	found=$(tshark -r "$cap" -Y "$1" 2>"$dir/tshark.err") || { cat "$dir/tshark.err"; return 1; }
	[ -z "$found" ] || { head -n 5 <<<"$found"; return 1; }
}
check no_malformed_frame none '_ws.malformed || bpv7.sub_partial_decode || bpv7.block_failed_crc'
check every_frame_is_a_bundle none '!bpv7'
check every_crc_good none 'bpv7.crc_status !== 1 || (bpv7 && !bpv7.crc_status)'
check no_ip_fragment none 'ip.flags.mf == 1 || ip.frag_offset > 0'
check no_arp none 'arp'
tshark -r "$cap" -Y bpv7 -T fields -e frame.interface_name -e frame.packet_flags_direction -e bpv7.primary.src_uri \
	-e bpv7.create_ts.time -e bpv7.create_ts.seqno -e frame.comment -E occurrence=f 2>/dev/null >"$tsv"
/usr/bin/python3 "$here/demo_counts.py" "$run" "$tsv"

bare=$dir/bare/$(basename "$run")
mkdir -p "$bare"
for f in frames.pcapng run.json topology.json plan.json; do ln -s "$(realpath "$run/$f")" "$bare/$f"; done
check capture_alone_makes_tables owlt dataset "$bare"
/usr/bin/python3 "$here/demo_bare.py" "$run/dataset" "$bare/dataset"
