# Two real nodes: custody bundles both ways, the relay of a lab killed and started, and what tshark says of it.
. tests/lab/lib.bash

# No ARP, no IP fragment, nothing malformed, good checksums, every frame a bundle.
clean() {
	tshark -n -r "$1"/frames.pcapng -o udp.check_checksum:TRUE -o ip.check_checksum:TRUE -T fields -e frame.protocols \
		-e udp.checksum.status -e ip.checksum.status -e _ws.malformed -e ip.fragment >"$1"/fields 2>"$1"/tshark.err
	/usr/bin/python3 - "$1" <<-'P'
	import json, sys
	links = json.load(open(sys.argv[1] + "/links.json"))
	assert links["balanced"] and links["kernel_frames"] == 0 and links["overrun_frames"] == 0, links
	n = 0
	for line in open(sys.argv[1] + "/fields"):
	    protocols, udp, ip, bad, fragment = line.rstrip("\n").split("\t")
	    assert udp == "1" and ip == "1" and not bad and not fragment and "arp" not in protocols, line
	    assert "bpv7" in protocols, line
	    n += 1
	assert n == sum(d["frames_in"] + d["frames_out"] for l in links["links"] for d in l["directions"]), n
	P
}
same() { cmp -s "$1" "$(find "$2" -type f | head -1)"; }

# transfer NAME LAB FROM TO EID FILE: sends with custody while the other waits.
transfer() {
	local got=$dir/got-$1 rc
	mkdir -p "$got"
	[ "$(id -u)" -ne 0 ] || [ "$who" = root ] || chown 65534:65534 "$got"
	$as "$bin"/owlt lab exec "$2" "$4" owlt recv "$5" -n 1 -o "$got" --timeout 10h >"$dir"/recv.out 2>&1 &
	rc=$!
	check "$1-sent" $as "$bin"/owlt lab exec "$2" "$3" owlt send --custody "$5" "$6"
	wait $rc
	check "$1-received" test $? -eq 0
	check "$1-same" same "$6" "$got"
}

body() {
	local t=bundles-$who run=$dir/run
	head -c 20000 /dev/urandom >"$dir"/file
	chmod 644 "$dir"/file
	$as "$bin"/owlt lab up netns/labs/two-nodes.json -o "$run" --speed 20 >"$dir"/out 2>&1
	check $t-up test $? -eq 0
	[ -S "$run"/lab.sock ] || { cat "$dir"/out "$run"/lab.log "$run"/nodes/*/owltd.log; return; }
	transfer $t-there "$run" earth mars ipn:2.42 "$dir"/file
	check $t-kill $as "$bin"/owlt lab kill "$run" mars
	check $t-start $as "$bin"/owlt lab start "$run" mars
	transfer $t-back "$run" mars earth ipn:1.42 "$dir"/file
	$as "$bin"/owlt capture "$run" -n 1 >"$dir"/line
	check $t-line grep -q 'earth-mars:earth out: ipn:1\..* > ipn:2.42 .*, custody$' "$dir"/line
	check $t-down $as "$bin"/owlt lab down "$run"
	if command -v tshark >/dev/null; then
		check $t-capture clean "$run"
	else
		echo "skip $t-capture: no tshark"
	fi
}
each_rights body
