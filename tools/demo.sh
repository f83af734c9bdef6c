#!/bin/bash
# demo.sh [--kill-seed N] [-o RUN_DIR] [FILE]: a file from Earth to Mars over a relay that is killed while
# it has custody. Uses the programs in build/bin; leaves a run folder and nothing else.
set -u
root=$(cd "$(dirname "$0")/.." && pwd)
export PATH="$root/build/bin:$PATH" OWLT_LABS="${OWLT_LABS:-$root/netns/labs}"
seed=$((RANDOM * 32768 + RANDOM)) run='' file='' lab_up='' recv_pid=''

usage() { sed -n '2,3s/^# //p' "$0"; exit "$1"; }
fail() { echo "demo: $*" >&2; exit 1; }
say() { printf '\n== %s\n' "$*"; }

while [ $# -gt 0 ]; do
	case $1 in
	--kill-seed) seed=${2:?}; shift ;;
	-o) run=${2:?}; shift ;;
	-h | --help) usage 0 ;;
	-*) usage 2 >&2 ;;
	*) file=$1 ;;
	esac
	shift
done

# Whatever ends this script ends the lab: the nodes, their namespaces and the receiver in one of them.
tidy() {
	trap - EXIT INT TERM HUP
	[ -n "$recv_pid" ] && kill "$recv_pid" 2>/dev/null && wait "$recv_pid" 2>/dev/null
	[ -n "$lab_up" ] || return
	for _ in {1..50}; do # a lab that is just coming up can't be asked yet
		owlt lab down "$run" >/dev/null 2>&1
		[ $? -eq 2 ] || return
		sleep 0.1
	done
}
trap 'tidy' EXIT
trap 'tidy; exit 130' INT
trap 'tidy; exit 143' TERM HUP

for p in owlt owltd; do command -v $p >/dev/null || fail "$p is not built: make all"; done
run=${run:-$PWD/runs/demo-$(date +%Y%m%d-%H%M%S)}
mkdir -p "$run" || exit 2
run=$(cd "$run" && pwd)
RANDOM=$((seed % 32768))

if [ -z "$file" ]; then # the project's own sources, as a real file of at least 1 MiB
	file=$run/sources.tar
	tar -C "$root" -cf "$file" bundle convergence dtn netns tools tests docs || fail "tar failed"
	[ "$(stat -c %s "$file")" -ge 1048576 ] || truncate -s 1048576 "$file"
	[ "$(stat -c %s "$file")" -le 4194304 ] || truncate -s 4194304 "$file"
fi
[ -r "$file" ] || fail "$file: cannot be read"
size=$(stat -c %s "$file") sum=$(sha256sum <"$file")

say "earth-relay-mars: 20 minutes of light time to the relay, at 120 times real speed"
lab_up=yes
owlt lab up earth-relay-mars -o "$run" >"$run/up.log" ||
	{ lab_up=''; cat "$run/up.log" "$run/lab.log" 2>/dev/null >&2; fail "the lab did not start"; }
echo "  $run"

say "mars: owlt recv ipn:3.100; earth: owlt send --custody --chunk 60k ipn:3.100 $(basename "$file") ($size bytes)"
owlt lab exec "$run" mars owlt recv ipn:3.100 -n 1 -o "$run/received" >"$run/recv.log" 2>&1 &
recv_pid=$!
owlt lab exec "$run" earth owlt send --custody --chunk 60k --lifetime 1d ipn:3.100 "$file" >"$run/send.log" 2>&1 ||
	{ cat "$run/send.log" >&2; fail "earth did not take the file"; }
n=$(wc -l <"$run/send.log")
echo "  $n bundles are on earth's disk"

held=$((RANDOM % n + 1)) later=$((RANDOM % 1500))
say "waiting until the relay has custody of $held bundles, and $later ms more (--kill-seed $seed)"
owlt demo "$run" --expect "$n" --until custody --node relay --count $held --timeout 300 || exit 1
owlt demo "$run" --expect "$n" --for ${later}ms || exit 1

say "kill -9 of the relay's owltd, and a start three seconds later"
owlt lab kill "$run" relay || exit 1
owlt demo "$run" --expect "$n" --for 3s || exit 1
owlt lab start "$run" relay || exit 1

say "waiting until all is delivered and no node has custody"
owlt demo "$run" --expect "$n" --until released --timeout 600 || exit 1
wait "$recv_pid" || { cat "$run/recv.log" >&2; fail "mars: owlt recv failed"; }
recv_pid=''
got=$(find "$run/received" -type f ! -name '.*' | head -n 1)
[ -n "$got" ] || fail "mars wrote no file"
[ "$(sha256sum <"$got")" = "$sum" ] || fail "the file arrived with another checksum"
echo "  SHA-256 ${sum%% *}: the same on earth and mars"

say "owlt lab down, owlt dataset, picture"
lab_up=''
owlt lab down "$run" || fail "the lab's counters do not balance: see $run/lab.log and $run/links.json"
owlt dataset "$run" || fail "the data set does not balance"
owlt dataset "$run" --picture "$run/picture.svg" || exit 1

say "what the run left behind"
(cd "$run" && find . -maxdepth 2 -type f ! -path './nodes/*' -printf '%P %s\n' | sort |
	awk '{ printf "  %-28s %10d bytes\n", $1, $2 }')
cat <<EOF

  picture:   xdg-open $run/picture.svg
  wireshark: wireshark -o bpv7.bp_payload_try_heur:TRUE $run/frames.pcapng
  tshark:    tshark -r $run/frames.pcapng -Y bpv7 -T fields -e frame.time_relative -e frame.interface_name \\
                 -e bpv7.primary.src_uri -e bpv7.primary.dst_uri -e bpv7.create_ts.seqno -e bpv7.crc_status
  drops:     tshark -r $run/frames.pcapng -Y frame.comment -T fields -e frame.number -e frame.comment
  pandas:    python3 -c "import pandas; print(pandas.read_csv('$run/dataset/hops.csv').describe())"
EOF
echo "  demo: $n bundles, $size bytes, delivered through a killed relay in $SECONDS s"
