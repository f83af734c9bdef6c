# up, status, exec, kill, start, down; and a speed beyond the machine is refused.
. tests/lab/lib.bash

talks() { [ "$(field "$dir"/run/links.json 'd["links"][0]["directions"][0]["frames_in"]')" -gt "$1" ]; }
closed_again() { [ "$(field "$dir"/run/links.json 'd["links"][0]["directions"][0]["dropped"]["closed"]')" -gt "$1" ]; }
cut_off() { [ "$(field "$dir"/run/links.json 'd["links"][0]["directions"][0]["dropped"]["cut"]')" -gt "$1" ]; }
node_pid() { field "$dir"/run/run.json '[n["pid"] for n in d["nodes"] if n["name"]=="left"][0]'; }

body() {
	local t=control-$who run=$dir/run owlt="$as $bin/owlt" before
	$owlt lab up "$here"/lossy.json -o "$run" --daemon "$here"/talker.py >"$dir"/out 2>&1
	check $t-up test $? -eq 0
	[ -S "$run"/lab.sock ] || { cat "$dir"/out "$run"/lab.log; return; }
	check $t-found-by-name $owlt lab status lossy
	$owlt lab up "$here"/lossy.json --daemon "$here"/talker.py >/dev/null 2>&1; check $t-name-in-use test $? -eq 2
	$owlt lab status --json "$run" >"$dir"/status
	check $t-status field "$dir"/status running
	check $t-exec-namespace test "$($owlt lab exec "$run" left sh -c 'ls /sys/class/net >/dev/null; cat /proc/net/dev' | grep -c wire)" -eq 1
	check $t-exec-socket test "$($owlt lab exec "$run" ipn:2.0 sh -c 'echo $OWLT_SOCKET')" = "$run/nodes/right/owltd.sock"
	$owlt lab exec "$run" left sh -c 'exit 7'; check $t-exec-code test $? -eq 7
	before=$(node_pid)
	check $t-kill $owlt lab kill "$run" left
	check $t-killed test ! -d /proc/"$before"
	check $t-kill-twice-refused sh -c "! $owlt lab kill $run left 2>/dev/null"
	check $t-start $owlt lab start "$run" left
	check $t-new-pid test "$(node_pid)" != "$before" -a "$(node_pid)" != 0
	before=$(field "$run"/links.json 'd["links"][0]["directions"][0]["frames_in"]')
	check $t-talks-again until_true 60 talks "$before"
	check $t-cut $owlt lab cut "$run" wire
	check $t-cut-drops until_true 60 cut_off 10
	check $t-mend $owlt lab mend "$run" wire
	before=$(field "$run"/links.json 'd["links"][0]["directions"][0]["dropped"]["closed"]')
	check $t-mended until_true 60 closed_again "$before"
	check $t-cut-unknown sh -c "! $owlt lab cut $run nothing 2>/dev/null"
	check $t-unknown-node sh -c "! $owlt lab kill $run nobody 2>/dev/null"
	check $t-down $owlt lab down "$run"
	check $t-gone test ! -S "$run"/lab.sock
	check $t-silent grep -q '"kernel_frames":0,"overrun' "$run"/links.json
	$owlt lab status "$run" >/dev/null 2>&1; check $t-status-down test $? -eq 1
	$owlt lab run "$here"/lossy.json -o "$dir"/fast --daemon "$here"/talker.py --speed 100000 >/dev/null 2>"$dir"/err
	check $t-too-fast-code test $? -eq 2
	check $t-too-fast-text grep -q 'more than this machine can emulate' "$dir"/err
	$owlt lab run "$here"/lossy.json -o "$dir"/dead --daemon /bin/false >/dev/null 2>"$dir"/err
	check $t-dead-daemon-code test $? -eq 2
	echo '{"name":"x","nodes":[{"name":"a","id":1},{"name":"b","id":2,"config":{"agent":{"no_such":1}}}]}' >"$dir"/faulty.json
	$owlt lab run "$dir"/faulty.json -o "$dir"/faulty-run >/dev/null 2>"$dir"/err; check $t-faulty-node test $? -eq 2
	check $t-faulty-node-reason grep -q '/b/owltd.json:[0-9]*: agent.no_such: no such setting' "$dir"/err
	check $t-faulty-node-only sh -c "! grep -q 'owlt lab: a:' $dir/err"
	$owlt lab up "$dir"/faulty.json -o "$dir"/faulty-up >/dev/null 2>"$dir"/err; check $t-faulty-up test $? -eq 2
	check $t-faulty-up-reason grep -q 'agent.no_such: no such setting' "$dir"/err
	sed -i 's/,"config":.*}}/}]}/; s/}]}.*/}]}/' "$dir"/faulty.json
	if $owlt lab up "$dir"/faulty.json -o "$dir"/mended >/dev/null 2>"$dir"/err; then
		$owlt lab kill "$dir"/mended b
		echo '{"a":1,"a":2}' | $as tee "$dir"/mended/nodes/b/owltd.json >/dev/null
		$owlt lab start "$dir"/mended b 2>"$dir"/err; check $t-start-faulty test $? -eq 1
		check $t-start-faulty-reason grep -q 'start b: .*/b/owltd.json:1: a name stands twice' "$dir"/err
		$owlt lab down "$dir"/mended
	else
		echo "not ok $t-mended-node: $(cat "$dir"/err)"
	fi
	echo '{"name":"named","nodes":[{"name":"a","id":"dtn://a/"},{"name":"b","id":"dtn://b/"}],"links":[{"a":"a","b":"b"}]}' >"$dir"/named.json
	if $owlt lab up "$dir"/named.json -o "$dir"/named >/dev/null 2>"$dir"/err; then
		check $t-named-status sh -c "$owlt lab status $dir/named | grep -q 'a  *dtn://a/ '"
		echo hello | $owlt lab exec "$dir"/named a "$bin"/owlt send --custody dtn://b/in >/dev/null
		check $t-named-arrives test "$($owlt lab exec "$dir"/named b "$bin"/owlt recv dtn://b/in -n 1 --timeout 20s)" = hello
		$owlt lab down "$dir"/named
	else
		echo "not ok $t-named: $(cat "$dir"/err)"
	fi
	$owlt lab run no-such-lab 2>/dev/null; check $t-no-such-lab test $? -eq 2
	echo '{"name":"x","nodes":[{"name":"a","id":"ipn:1.0"},{"name":"b","id":"ipn:1.0"}]}' >"$dir"/bad.json
	$owlt lab run "$dir"/bad.json -o "$dir"/bad >/dev/null 2>"$dir"/err; check $t-bad-topology test $? -eq 2
	check $t-bad-topology-line grep -q 'bad.json:1: nodes: two nodes have the same id' "$dir"/err
	$owlt lab run "$here"/lossy.json -o "$dir"/still --speed 0 2>/dev/null; check $t-no-speed test $? -eq 2
}
each_rights body
