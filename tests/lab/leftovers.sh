# A lab leaves no process, namespace, veth or socket, however it ends: Ctrl-C, a closed terminal, kill -9 of the
# runner or of the emulator.
. tests/lab/lib.bash

# start: a lab in the background, with a program of the user's own in a node. Sets runner, all, ns.
start() {
	run=$dir/run
	rm -rf "$run"
	setsid $as "$bin"/owlt lab run "$here"/lossy.json -o "$run" --daemon "$here"/talker.py --for 10m >"$dir"/out 2>&1 &
	shell=$!
	until_true 60 ready "$run" "$dir"/out || { echo "not ok $1: the lab did not start"; cat "$dir"/out; return 1; }
	runner=$(field "$run"/run.json runner_pid)
	all=$(pids "$run")
	ns=$(spaces "$run")
	$as "$bin"/owlt lab exec "$run" left sleep 600 &
	until_true 60 in_node || { echo "not ok $1: no program runs in the node"; return 1; }
	all="$all $!"
}
in_node() { pgrep -x sleep -P "$(pgrep -f "lab exec $run" | head -1)"; }

# ends NAME CODE: soon nothing is left; the runner's exit code was CODE ("" = any).
ends() {
	local code
	wait "$shell"; code=$?
	check "$1-nothing-left" until_true 60 gone "$all" "$ns" "$run"
	[ -z "$2" ] || check "$1-code" test "$code" -eq "$2"
	check "$1-no-veth" test "$(ls /sys/class/net | tr '\n' ' ')" = "$nets"
}

body() {
	local t=leftovers-$who
	nets=$(ls /sys/class/net | tr '\n' ' ')
	if start $t-int; then
		kill -INT "$runner"; ends $t-ctrl-c 0
		check $t-ctrl-c-counted grep -q '"balanced":true' "$run"/links.json
	fi
	if start $t-hup; then kill -HUP "$runner"; ends $t-hangup 0; fi
	if start $t-runner; then kill -KILL "$runner"; ends $t-kill-runner ""; fi
	if start $t-emulator; then kill -KILL "$(child "$runner" owlt-emulator)"; ends $t-kill-emulator 1; fi
}
each_rights body
