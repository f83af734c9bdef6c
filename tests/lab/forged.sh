# Forged custody signals: tests/lab/forged.py.
. tests/lab/lib.bash
if ! can_userns "" && [ "$(id -u)" -ne 0 ]; then
	echo "skip forged: user namespaces are off on this machine"
	exit
fi
unset OWLT_SOCKET
/usr/bin/python3 tests/lab/forged.py "$work/labs"
