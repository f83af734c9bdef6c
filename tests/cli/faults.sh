# What is said of faulty files: FILE:LINE and what is wrong, whoever reads them. Prints ok/not ok per case.
set -u
t=$(mktemp -d) || exit 2
trap 'rm -rf "$t"' EXIT
says() { # says NAME EXIT PATTERN COMMAND...: the code, and a line on standard error
	local name=$1 want=$2 pattern=$3 rc
	shift 3
	"$@" >"$t/out" 2>"$t/err"
	rc=$?
	if [ $rc -eq "$want" ] && grep -q -- "$pattern" "$t/err"; then echo "ok $name"; return; fi
	echo "not ok $name: exit $rc, not $want, or no \"$pattern\""
	cat "$t/err"
}

# A name that stands twice in one object (cJSON would take the first and be silent).
twice="a name stands twice in one object"
printf '{"node":\n {"id": "ipn:1.0",\n  "id": "ipn:2.0"}}\n' >"$t/node.json"
says config-name-twice 2 "node.json:3: $twice" owltd --check-config -c "$t/node.json"
printf '{"contacts":[\n{"from":1,"to":2,"rate":8,"owlt":1,\n"from":3}]}\n' >"$t/plan.json"
says plan-name-twice 1 "plan.json:3: $twice" owlt plan check "$t/plan.json"
printf '{"name":"x",\n"nodes":[{"name":"a","id":1}],\n"name":"y"}\n' >"$t/lab.json"
says sim-name-twice 2 "lab.json:3: $twice" owlt sim "$t/lab.json"
says lab-name-twice 2 "lab.json:3: $twice" owlt lab run -o "$t/run" "$t/lab.json"
printf '{"keys":[\n],"keys":[]}\n' >"$t/keys.json"
chmod 600 "$t/keys.json"
says keys-name-twice 2 "keys.json:2: $twice" owlt key list "$t/keys.json"

# A topology's plan that is not there is named.
printf '{"name":"x",\n"nodes":[{"name":"a","id":1}],\n"plan":"none.json"}\n' >"$t/lab.json"
says lab-no-plan 2 "none.json: No such file" owlt lab run -o "$t/run" "$t/lab.json"

# What is no bundle, but often given as one.
says capture-is-told 1 "cap.pcap is a capture of frames; tshark" sh -c "printf '\\324\\303\\262\\241\\002\\000' >$t/cap.pcap; owlt bundle check $t/cap.pcap"
owlt bundle make --source ipn:1.1 --dest ipn:2.1 --payload hex:00 --hex >"$t/hex.txt"
says hex-is-told 1 "hex.txt is a bundle in hexadecimal text; --hex" owlt bundle show "$t/hex.txt"
owlt bundle make --source ipn:1.1 --dest ipn:2.1 --payload hex:00 >"$t/whole"
owlt bundle check "$t/whole" 2>"$t/err" >/dev/null && [ ! -s "$t/err" ] && echo "ok bundle-without-hint" || echo "not ok bundle-without-hint"
