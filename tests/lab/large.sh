# Large data over two disjoint paths whose contacts each carry a tenth of it (netns/labs/two-paths.json): without
# custody as one bundle in fragments cut to the contacts, with custody as chunks; the destination's node is
# killed and started half way, between contacts, or with custody in the middle of one. LARGE_BYTES (default
# 5 MB; the lab is made for 100 MB and its rates are scaled to the size), LARGE_SPEED, LARGE_MEMORY_MB: what
# a node may have had in memory at most. Arguments: the variants (fragments mtu chunks).
. tests/lab/lib.bash
bytes=${LARGE_BYTES:-5000000}
speed=${LARGE_SPEED:-$([ "$bytes" -gt 20000000 ] && echo 5 || echo 20)}
limit_kb=$((${LARGE_MEMORY_MB:-150} * 1000))
owlt=$PWD/build/bin/owlt
nodes="earth east west mars"

# topology NAME FILE MTU: the ready-made lab with its rates scaled to the size.
topology() {
	/usr/bin/python3 - "$@" "$bytes" <<-'P'
	import json, sys
	name, file, mtu, size = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
	d = json.load(open("netns/labs/two-paths.json"))
	d["name"] = name
	for c in d["plan"]["contacts"]:
	    c["rate"] = int(8e6 * size / 1e8)
	for l in d["links"] if mtu else []:
	    l["mtu"] = mtu
	if mtu:  # pieces of 1400 bytes: an entry each where they come together
	    d["config"]["agent"] = {"max_bundles": 200000}
	    d["config"]["reassembly"] = {"max_fragments": 150000}
	json.dump(d, open(file, "w"))
	P
}
# peak PID: the most memory that the process had, in kB, when it has ended.
peak() {
	local p=0 v
	while v=$(sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$1/status" 2>/dev/null) && [ -n "$v" ]; do
		p=$v
		sleep 0.02
	done
	echo "$p"
}
node_pid() { field "$run"/run.json '[n["pid"] for n in d["nodes"] if n["name"]=="'"$1"'"][0]'; }
node_peak() { sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/\1/p' "/proc/$(node_pid "$1")/status"; }
# events RELAY NAME N: it has seen so many about its link to mars.
events() { [ "$(grep -c '"ev":"'"$2"'".*"peer":"ipn:4.0"' "$run"/events/"$1".jsonl)" -ge "$3" ]; }
count() { grep -c '"ev":"'"$2"'"' "$run"/events/"$1".jsonl; }
# all_there N: both ways to mars closed for the N-th time, and what was under way then is on mars's disk.
all_there() {
	events east link_close "$1" && events west link_close "$1" &&
		[ $(($(count east bundle_forwarded) + $(count west bundle_forwarded))) -eq "$(count mars bundle_committed)" ]
}
same_file() { cmp -s "$1" "$(find "$2" -type f -not -name '.*' | head -1)"; }
once() { [ "$(grep -c '"ev":"app_gone"' "$run"/events/mars.jsonl)" -ge 1 ] && ! "$owlt" recv --socket "$run"/nodes/mars/owltd.sock ipn:4.42 -n 1 --timeout 3 >/dev/null 2>&1; }
carried() { field "$run"/links.json '[x["frames_in"] for l in d["links"] if l["name"]=="'"$1"'" for x in l["directions"] if x["to"]=="mars"][0]'; }

# From the events: fragments of one bundle, cut where contacts end, and what the contacts of the source carried.
cut_to_contacts() {
	/usr/bin/python3 - "$run" "$bytes" <<-'P'
	import json, sys
	run, total = sys.argv[1], int(sys.argv[2])
	pieces = set()
	for line in open(run + "/events/mars.jsonl"):
	    e = json.loads(line)
	    if e["ev"] == "bundle_fragment":
	        pieces.add((e["frag_off"], e["frag_len"]))
	        assert e["total_bytes"] == total, e
	at = 0
	for off, n in sorted(pieces):
	    assert off <= at, "a hole before %d" % off
	    at = max(at, off + n)
	assert at == total, at
	usual = max(n for _, n in pieces)
	cut = [p for p in pieces if p[1] < usual and p[0] + p[1] < total]
	assert len(cut) >= 4, cut
	plan = json.load(open(run + "/topology.json"))["plan"]["contacts"]
	sent = {}
	for line in open(run + "/events/earth.jsonl"):
	    e = json.loads(line)
	    if e["ev"] == "bundle_forwarded":
	        to, t = e["next_node"], e["t_us"] / 1e6
	        k = [i for i, c in enumerate(plan) if c["from"] == "ipn:1.0" and c["to"] == to and c["start"] <= t <= c["end"]]
	        sent[k[0]] = sent.get(k[0], 0) + e["frame_bytes"]
	full = []
	for i, n in sorted(sent.items(), key=lambda x: plan[x[0]]["start"]):
	    volume = plan[i]["rate"] * (plan[i]["end"] - plan[i]["start"]) / 8
	    assert n <= volume, (plan[i], n, volume)
	    full.append(n / volume)
	assert len({plan[i]["to"] for i in sent}) == 2
	print("# %d fragments reached mars, %d cut to a contact or an mtu; contacts of earth filled to %s %%" %
	    (len(pieces), len(cut), " ".join("%.1f" % (100 * f) for f in full)))
	P
}

# crossing NAME MTU SEND-OPTIONS...
crossing() {
	local name=large-$1 mtu=$2 p n most line dir=$work/$1; shift 2
	run=$dir/run got=$dir/got
	mkdir -p "$got"
	topology "$name" "$dir/topology.json" "$mtu"
	"$owlt" lab up "$dir/topology.json" -o "$run" --speed "$speed" --no-capture >"$dir"/out 2>&1
	check "$name-up" test $? -eq 0
	[ -S "$run"/lab.sock ] || { cat "$dir"/out "$run"/lab.log; return; }
	"$owlt" send --socket "$run"/nodes/earth/owltd.sock "$@" ipn:4.42 "$work/file" >"$dir"/sent 2>&1 &
	p=$!
	n=$(peak $p)
	wait $p
	check "$name-sent" test $? -eq 0
	check "$name-send-memory" test "$n" -lt 16000
	line="send $n"
	# What is on its way to a dead node is lost, unless there is custody: then in the middle of a contact.
	if [ "$name" = large-chunks ]; then
		check "$name-half-way" until_true 400 events west link_open 3
	else
		check "$name-half-way" until_true 400 all_there 3
	fi
	most=$(node_peak mars)
	check "$name-kill" "$owlt" lab kill "$run" mars
	check "$name-start" "$owlt" lab start "$run" mars
	"$owlt" recv --socket "$run"/nodes/mars/owltd.sock ipn:4.42 -n 1 -o "$got" --timeout 20000 >"$dir"/received 2>&1 &
	p=$!
	n=$(peak $p)
	wait $p
	check "$name-received" test $? -eq 0
	check "$name-recv-memory" test "$n" -lt 16000
	line="$line recv $n mars-before-kill $most"
	check "$name-same" same_file "$work/file" "$got"
	check "$name-once" once
	[ "$name" = large-chunks ] || check "$name-delivered-once" test "$(grep -c '"ev":"bundle_delivered"' "$run"/events/mars.jsonl)" -eq 1
	for p in $nodes; do
		n=$(node_peak "$p")
		line="$line $p $n"
		[ "$n" -gt "$most" ] && most=$n
	done
	check "$name-memory" test "$most" -lt "$limit_kb"
	echo "# $name: $bytes bytes, most memory in kB: $line"
	check "$name-both-paths" test "$(carried east-mars)" -gt 5 -a "$(carried west-mars)" -gt 5
	[ "$name" = large-chunks ] || check "$name-cut" cut_to_contacts
	check "$name-down" "$owlt" lab down "$run"
	check "$name-balanced" grep -q '"balanced":true' "$run"/links.json
	rm -rf "$dir"
}

if ! can_userns "" && [ "$(id -u)" -ne 0 ]; then
	echo "skip large: user namespaces are off on this machine"
	exit
fi
unset OWLT_SOCKET
head -c "$bytes" /dev/urandom >"$work"/file
# variant NAME: one crossing, its lines together.
variant() {
	mkdir -p "$work/$1"
	case $1 in
	fragments) crossing fragments 0 ;;
	mtu) crossing mtu 1500 ;;
	chunks) crossing chunks 0 --custody --chunk 60000 ;;
	esac >"$work/$1.log" 2>&1
	cat "$work/$1.log"
}
want=${*:-fragments mtu chunks}
if [ "$bytes" -le 20000000 ]; then # at the same time: they mostly wait
	for v in $want; do
		variant "$v" &
	done
	wait
else
	for v in $want; do
		variant "$v"
	done
fi
