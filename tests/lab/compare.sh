# The lab does what the simulator says: twenty custody bundles over three nodes whose contacts open and close.
# Only what a busy machine adds differs, so there are more runs where it is busy.
. tests/lab/lib.bash
lab=$here/compare.json b=$PWD/build/bin/owlt
mkdir -p "$work/root"

once() { # RUN: the lab, and the simulator with its traffic
	local run=$1 recv i
	"$b" lab exec "$lab" mars owlt recv ipn:3.100 -n 20 -o "$work/got" --timeout 10000s >"$work/recv.log" 2>&1 &
	recv=$!
	for i in $(seq 20); do
		head -c $((i * 1500)) /dev/urandom >"$work/b.bin"
		"$b" lab exec "$lab" earth owlt send --custody ipn:3.100 "$work/b.bin" >/dev/null || echo "not ok compare-send"
	done
	check compare-received wait $recv
	check compare-down "$b" lab down "$lab"
	/usr/bin/python3 tests/lab/compare.py traffic "$run" "$lab" "$work/sim.json"
	check compare-sim sh -c "'$b' sim '$work/sim.json' --seed 1 -o '$work/sim' >'$work/sim.log' 2>&1"
}

pairs=()
for try in 1 2 3 4 5 6 7 8; do # eight only where the machine sleeps most of the time
	run=$work/root/run$try
	if ! "$b" lab up "$lab" -o "$run" >"$work/up.log" 2>&1; then
		cat "$work/up.log"
		echo "skip compare: no lab can run here"
		exit 0
	fi
	once "$run"
	mv "$work/sim" "$work/sim$try"
	pairs+=("$run" "$work/sim$try")
	/usr/bin/python3 tests/lab/compare.py check 10 "${pairs[@]}" >"$work/same.log" 2>&1
	rc=$?
	[ $rc -eq 1 ] || break
	rm -rf "$work/got"
done
cat "$work/same.log"
check compare-same test $rc -eq 0
