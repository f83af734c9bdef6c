# A relay with a store of 10 MB is offered FULL_MB (default 100; the whole test: 1000) while the contact behind it
# is closed, and both its neighbours are full as well: tests/lab/full.py. From 1000 MB on also with bundles
# without custody among them, which may be dropped at any full node.
. tests/lab/lib.bash
mb=${FULL_MB:-100}
if ! can_userns "" && [ "$(id -u)" -ne 0 ]; then
	echo "skip full: user namespaces are off on this machine"
	exit
fi
unset OWLT_SOCKET
make -s all build/release/tests/lab/torture_talker >/dev/null || exit 1
open_at=$((32 + mb / 8)) # the flood lasts mb / 10; the rest is for filling up on a slow machine
/usr/bin/python3 tests/lab/full.py "$work/custody" "$mb" $open_at custody
[ "$mb" -lt 1000 ] || /usr/bin/python3 tests/lab/full.py "$work/mixed" "$mb" $open_at | sed 's/ full-/ full-mixed-/'
