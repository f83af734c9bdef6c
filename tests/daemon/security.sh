#!/bin/bash
# The example of owlt-security(7), run as it is printed (with free ports), and what owltd says of bad rules and keys.
set -u
cd "$(dirname "$0")/../.." || exit 2
PATH="$PWD/build/bin:$PATH"
page=$PWD/docs/man/owlt-security.7
unset OWLT_SOCKET
T=$(mktemp -d /tmp/owlt-security-XXXXXX)
port=$(tests/free-ports 4) || exit 2
bad=0
cleanup() { for p in $(jobs -p) $(cat "$T"/*.pid 2>/dev/null); do kill -9 "$p" 2>/dev/null; done; rm -rf "$T"; }
trap cleanup EXIT
ok() { echo "ok $1"; }
check() { local name=$1; shift; if "$@" >"$T/check.log" 2>&1; then ok "$name"; else echo "not ok $name"; bad=1; sed 's/^/# /' "$T/check.log" | tail -5; fi; }

# The example's lines; a node is served when it says so, and is remembered to be stopped.
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
        print("wait %%")
    else:
        print(line)
P
sed -i 's/^wait %%$/wait "$receiver"/; s/^\(owlt recv.*&\)$/\1 receiver=$!/' "$T/example.sh"
(cd "$T" && timeout 300 bash -eu example.sh >example.out 2>example.err)
check example_ran test $? -eq 0
check example_received grep -qx 'nobody reads this on the way' "$T/received"
check example_accepted grep -qE '"security":\{"accepted":3\}' "$T/example.out"
# more than a step: secured as it comes in, cut on its way, checked in steps; in pieces that nobody sends again
head -c 900000 /dev/urandom >"$T/big"
if why=$(tests/socket-room 4000000); then
	timeout 300 owlt recv --socket "$T/two.sock" ipn:2.43 -n 1 >"$T/big.got" & receiver=$!
	check large_is_sent owlt send --socket "$T/one.sock" ipn:2.43 "$T/big"
	wait "$receiver"
	check large_is_the_same cmp -s "$T/big" "$T/big.got"
else
	echo "skip large_secured: $why"
fi
truncate -s 17M "$T/huge"
check too_large_is_refused bash -c "! owlt send --socket $T/one.sock ipn:2.44 $T/huge 2>$T/big.err"
check too_large_says_why grep -q 'security.max_bytes.*--chunk' "$T/big.err"
check in_chunks_it_goes owlt send --socket "$T/one.sock" --chunk 100k ipn:2.44 "$T/big"
for p in "$T"/*.pid; do kill "$(cat "$p")"; done

# says NAME LINE_PATTERN CONFIG: refused with exit 2 and this on stderr
says() {
	local name=$1 pattern=$2 rc
	printf '%s\n' "$3" >"$T/c.json"
	owltd -c "$T/c.json" --check-config >"$T/out" 2>"$T/err"; rc=$?
	if [ $rc -eq 2 ] && grep -qE "$pattern" "$T/err"; then ok "$name"; else echo "not ok $name"; bad=1; echo "# $rc $(cat "$T/err")"; fi
}
rules() { printf '{"node": {"id": "ipn:1.0"}, "security": {"keys": "%s/keys.json", "rules": [\n%s]}}' "$T" "$1"; }
says bad_pattern 'c.json:2: security.rules\[0\].source: ' "$(rules '{"role": "source", "operation": "integrity", "key": "sign", "source": "ipn:x"}')"
says bad_role 'c.json:2: security.rules\[0\].role: ' "$(rules '{"role": "sink", "operation": "integrity", "key": "sign"}')"
says no_role 'security.rules\[0\].role: is required' "$(rules '{"operation": "integrity", "key": "sign"}')"
says bad_context 'c.json:2: security.rules\[0\].context: does not do this' "$(rules '{"role": "source", "operation": "integrity", "key": "sign", "context": "gcm"}')"
says primary_encrypted 'c.json:2: security.rules\[0\].block: the primary block' "$(rules '{"role": "source", "operation": "confidentiality", "key": "hide", "block": "primary"}')"
says no_strip 'c.json:2: security.rules\[0\].failed: ' "$(rules '{"role": "acceptor", "operation": "integrity", "key": "sign", "failed": "strip"}')"
says keep_ciphertext 'c.json:2: security.rules\[0\].failed: ' "$(rules '{"role": "acceptor", "operation": "confidentiality", "key": "hide", "failed": "keep"}')"
says no_key 'c.json:2: security.rules\[0\].key: security.keys has no such key' "$(rules '{"role": "source", "operation": "integrity", "key": "none"}')"
says wrong_kind 'c.json:2: security.rules\[0\].key: the key.s kind' "$(rules '{"role": "source", "operation": "integrity", "key": "hide"}')"
says twice 'c.json:3: security.rules\[1\].role: an earlier rule' "$(rules '{"role": "source", "operation": "integrity", "key": "sign"},
{"role": "source", "operation": "integrity", "key": "sign"}')"
says lab_keys_outside 'only in a lab' '{"node": {"id": "ipn:1.0"}, "security": {"lab_keys": [{"id": "a", "kind": "aes128", "secret": "000102030405060708090a0b0c0d0e0f"}]}}'
chmod 644 "$T/keys.json"
says loose_permissions 'keys.json.*' "$(rules '{"role": "source", "operation": "integrity", "key": "sign"}')"
chmod 600 "$T/keys.json"

# A command instead of a file: its output, its failure, its size.
command_says() { # NAME PATTERN COMMAND
	printf '{"node": {"id": "ipn:1.0"}, "control": {"socket": "%s/c.sock"}, "security": {"keys_command": "%s", "rules": [{"role": "source", "operation": "integrity", "key": "sign"}]}}' "$T" "$3" >"$T/c.json"
	timeout 100 owltd -c "$T/c.json" >"$T/out" 2>"$T/err"
	if grep -qE "$2" "$T/err"; then ok "$1"; else echo "not ok $1"; bad=1; echo "# $(cat "$T/err")"; fi
}
command_says command_fails 'it failed' 'exit 3'
command_says command_prints_rubbish 'security.keys_command' 'echo rubbish'
command_says command_prints_too_much 'limit' 'yes'
printf '{"node": {"id": "ipn:1.0"}, "control": {"socket": "%s/c.sock"}, "security": {"keys_command": "cat %s/keys.json", "rules": [{"role": "source", "operation": "integrity", "key": "sign"}]}}' "$T" "$T" >"$T/c.json"
mkfifo "$T/ready"
owltd -c "$T/c.json" >"$T/ready" 2>"$T/err" & echo $! >"$T/c.pid"
read -r -t 60 line <"$T/ready"
check command_is_used test "$line" = ready
exit $bad
