# --help of every command and of every one below it: it is there, fits a terminal of 100 columns, and its words are
# what completion offers. A wrong command or option is told on standard error with exit code 2.
set -u
t=$(mktemp -d) || exit 2
trap 'rm -rf "$t"' EXIT
export OWLT_SOCKET=$t/none
check() { local name=$1; shift; if "$@"; then echo "ok $name"; else echo "not ok $name"; fi; }
refused() { # refused NAME COMMAND...: exit 2, one message that says what to do
	local name=$1 rc
	shift
	"$@" </dev/null >"$t/out" 2>"$t/err"
	rc=$?
	if [ $rc -eq 2 ] && [ ! -s "$t/out" ] && [ "$(wc -l <"$t/err")" -eq 1 ] && grep -q '^owlt: ' "$t/err"; then
		echo "ok $name"
	else
		echo "not ok $name: exit $rc"
		cat "$t/out" "$t/err"
	fi
}
look() { # look WORDS...: this help, and that of what it lists
	local name=$* w
	[ "$name" != help ] || return
	owlt "$@" --help >"$t/help" 2>"$t/err" || { echo "not ok help of $name: exit $?"; return; }
	check "help of owlt $name" test -s "$t/help" -a ! -s "$t/err" -a "$(awk 'length > 100' "$t/help" | wc -l)" -eq 0
	if grep -q '^usage: .* COMMAND ' "$t/help"; then
		refused "no command behind owlt $name" owlt "$@"
		refused "wrong command behind owlt $name" owlt "$@" no-such-command
		for w in $(owlt "$@" --help-words); do look "$@" "$w"; done
		return
	fi
	for w in $(owlt "$@" --help-words); do
		grep -q -- "$w" "$t/help" || echo "not ok $w of owlt $name is not in its help"
	done
	refused "wrong option of owlt $name" owlt "$@" --no-such-option
}
look
# The completion is bash that bash can read, and completes commands, those below, and options.
complete_line() { bash -c 'eval "$(owlt --completion)"; COMP_WORDS=($1 "$2"); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _owlt; echo "${COMPREPLY[*]}"' - "$@"; }
check complete-command test "$(complete_line owlt st)" = "status store"
check complete-below test "$(complete_line "owlt plan" d)" = diff
check complete-option test "$(complete_line "owlt plan routes" --ba)" = --backlog

# Nothing is lost in silence when standard output is full, whatever prints.
full() { local name=$1; shift; "$@" >/dev/full 2>"$t/err"; [ $? -eq 2 ] && grep -q '^owlt: ' "$t/err" && [ "$(wc -l <"$t/err")" -eq 1 ] \
	&& echo "ok $name" || { echo "not ok $name"; cat "$t/err"; }; }
full full-help owlt --help
full full-command-help owlt plan routes --help
full full-words owlt plan --help-words
full full-rules owlt bundle rules
full full-plan owlt plan show netns/labs/moon.json
full full-simulation owlt sim netns/labs/two-nodes.json
full full-labs owlt lab list
full full-labs-json owlt lab list --json
full full-key owlt key make --kind hmac --id a
