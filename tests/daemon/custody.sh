#!/bin/bash
# The example of owlt-custody(7), run as it is printed (with free ports): custody under a key, its status, a forged
# signal; and what owltd says of bad neighbours.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="${OWLT_BIN:-$PWD/build/bin}:$PATH"
page=$PWD/docs/man/owlt-custody.7
unset OWLT_SOCKET OWLT_BIN
T=$(mktemp -d /tmp/owlt-custody-XXXXXX)
port=$(tests/free-ports 2) || exit 2
bad=0
cleanup() { for p in $(jobs -p) $(cat "$T"/*.pid 2>/dev/null); do kill -9 "$p" 2>/dev/null; done; rm -rf "$T"; }
trap cleanup EXIT
ok() { echo "ok $1"; }
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then ok "$name"; else echo "not ok $name"; bad=1; sed 's/^/# /' "$T/check.log" | tail -5; fi; }
# until SECONDS COMMAND...: it holds in time
until_holds() { local end=$((SECONDS + $1)); shift; until "$@"; do [ $SECONDS -lt $end ] || return 1; read -r -t 0.1 <>"$T/never"; done; return 0; }
mkfifo "$T/never"

/usr/bin/python3 - "$page" "$port" >"$T/example.sh" <<'P'
import re, sys
text = open(sys.argv[1]).read()
lines = re.search(r'example begin\n\.Bd[^\n]*\n(.*)\n\.Ed\n', text, re.S).group(1)
lines = lines.replace("24561", sys.argv[2]).replace("24562", str(int(sys.argv[2]) + 1))
for line in lines.split("\n"):
    m = re.match(r"owltd -c (\w+)\.json &$", line)
    if m:
        n = m.group(1)
        print(f"mkfifo {n}.ready; owltd -c {n}.json >{n}.ready & echo $! >{n}.pid; read -r line <{n}.ready; [ \"$line\" = ready ]")
    elif line == "sleep 1":
        pass  # ready was waited for
    elif line == "wait $!":
        print("wait \"$receiver\"")
    else:
        print(re.sub(r"^(owlt recv.*&)$", r"\1 receiver=$!", line))
P
(cd "$T" && timeout 300 bash -eu example.sh >example.out 2>example.err)
check example_ran test $? -eq 0
check example_received grep -qx 'kept until it is there' "$T/received"
check example_status grep -qE 'node=ipn:1.0 profile=ccsds sequence=fixed signals=authenticated .* n_taken=1' "$T/example.out"
status() { owlt status --socket "$T/$1.sock" custody --json >"$T/$1.status"; }
released() { status one && grep -q '"n_custody_sent":0' "$T/one.status"; }
check signal_releases until_holds 60 released
check signal_was_signed bash -c "owlt status --socket $T/one.sock --json | grep -q '\"security\":{\"accepted\":2}'"

# A forged signal in the name of node 2, for pair 1.1, which node 1 gives to its next bundle; node 2 is dead.
kill -9 "$(cat "$T/two.pid")"
check sends_in_vain owlt send --socket "$T/one.sock" --custody ipn:2.42 "$T/one.json"
awaits() { status one && grep -q '"n_custody_sent":1' "$T/one.status"; }
check awaits_signal until_holds 60 awaits
no=$(sed -n 's/.*"custody_seq_no":\([0-9]*\).*/\1/p' "$T/one.status")
/usr/bin/python3 - "$((port + 1))" "$port" "$no" <<'P'
import subprocess, socket, sys
import cbor2
record = cbor2.dumps([13, {1: [[1, int(sys.argv[3]), 1]]}])
b = subprocess.run(["owlt", "bundle", "make", "--source", "ipn:2.0", "--dest", "ipn:1.0", "--flags", "admin",
                    "--payload", "hex:" + record.hex()], capture_output=True, check=True).stdout
s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
s.bind(("127.0.0.1", int(sys.argv[1])))
s.sendto(b, ("127.0.0.1", int(sys.argv[2])))
P
check forger_ran test $? -eq 0
judged() { status one && grep -qE '"n_not_believed":1|"n_custody_sent":0' "$T/one.status"; }
until_holds 60 judged
check forged_is_counted grep -q '"n_not_believed":1' "$T/one.status"
check forged_releases_nothing grep -q '"n_custody_sent":1' "$T/one.status"
for p in "$T"/*.pid; do kill "$(cat "$p")" 2>/dev/null; done

# says NAME LINE_PATTERN CONFIG: refused with exit 2 and this on stderr
says() {
	local name=$1 pattern=$2 rc
	printf '%s\n' "$3" >"$T/c.json"
	owltd -c "$T/c.json" --check-config >"$T/out" 2>"$T/err"; rc=$?
	if [ $rc -eq 2 ] && grep -qE "$pattern" "$T/err"; then ok "$name"; else echo "not ok $name"; bad=1; echo "# $rc $(cat "$T/err")"; fi
}
neighbours() { printf '{"node": {"id": "ipn:1.0"}, "security": {"keys": "%s/keys.json"}, "custody": {"neighbours": [\n%s]}}' "$T" "$1"; }
says no_node 'custody.neighbours\[0\].node' "$(neighbours '{"profile": "bplib"}')"
says bad_profile 'c.json:2: custody.neighbours\[0\].profile: ' "$(neighbours '{"node": "ipn:2.0", "profile": "acs"}')"
says no_key 'c.json:2: custody.neighbours\[0\].key: security.keys has no such key' "$(neighbours '{"node": "ipn:2.0", "key": "none"}')"
says twice 'c.json:3: custody.neighbours\[1\].node: is named twice' "$(neighbours '{"node": "ipn:2.0"},
{"node": "ipn:2.0"}')"
says bad_pattern 'custody.accept_sources' '{"node": {"id": "ipn:1.0"}, "custody": {"accept_sources": ["ipn:x"]}}'
says bad_seq_id 'custody.seq_id' '{"node": {"id": "ipn:1.0"}, "custody": {"seq_id": 24}}'
printf '{"node": {"id": "ipn:1.0"}, "custody": {"neighbours": [{"node": "ipn:2.0", "key": "one-two"}]}}' >"$T/c.json"
owltd -c "$T/c.json" >"$T/out" 2>"$T/err"
check keys_are_wanted grep -q 'custody.neighbours\[\].key without security.keys' "$T/err"
exit $bad
