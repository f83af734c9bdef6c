# make install: what is where, that it runs from there, and that systemd would take the unit. Prints ok/not ok.
set -u
t=$(mktemp -d) || exit 2
trap 'rm -rf "$t"' EXIT
check() { local name=$1; shift; if "$@" >"$t/out" 2>&1; then echo "ok $name"; else echo "not ok $name: $*"; tail -5 "$t/out"; fi; }
build=$(dirname "$(dirname "$(command -v owlt)")")
docs/man/generate "$build" || exit 1
check install tools/install.sh "$build" "$t/usr"
for f in bin/owlt bin/owltd lib/libowlt.a include/owlt.h share/owlt/labs/two-nodes.json share/man/man1/owlt.1 \
	share/man/man5/owltd.conf.5 share/bash-completion/completions/owlt lib/systemd/system/owltd@.service; do
	check "has-$f" test -s "$t/usr/$f"
done
check runs "$t/usr/bin/owlt" --version
check finds-its-labs sh -c "cd / && $t/usr/bin/owlt lab list | grep -q '^two-nodes '"
tools/install.sh "$build" relative >"$t/out" 2>&1
check relative-prefix-refused test $? -eq 2 -a ! -e relative
unit="$t/usr/lib/systemd/system/owltd@.service"
check unit-names-the-program grep -q "^ExecStart=$t/usr/bin/owltd -c /etc/owlt/%i.json" "$unit"
if command -v systemd-analyze >/dev/null; then
	cp "$unit" "$t/owltd@earth.service"
	systemd-analyze verify --man=no "$t/owltd@earth.service" >"$t/verify" 2>&1
	rc=$?
	check unit-is-taken test $rc -eq 0
	check unit-without-warnings sh -c "! grep owltd@ $t/verify"
else
	echo "skip unit-is-taken: no systemd-analyze"
fi
# The unit's settings are settings.
printf '{"node":{"id":"ipn:1.0"}}' >"$t/earth.json"
check unit-settings env $(sed -n "s|^Environment=\(.*\)%i\(.*\)|\1earth\2|p" "$unit") "$t/usr/bin/owltd" \
	--check-config -c "$t/earth.json"
