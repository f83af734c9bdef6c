#!/bin/sh
# owlt bundle: make reproduces the golden bundles byte for byte, check and its exit codes, show.
# Prints "ok NAME" or "not ok NAME" a case; exit 1 if one failed. Runs from the top of the tree.
owlt=${OWLT:-build/bin/owlt}
v=tests/vectors
bad=0
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

case_is() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '# want %s\n# got  %s\n' "$2" "$3"
		bad=1
	fi
}
made() { # NAME OPTIONS... : bundle make gives tests/vectors/NAME.hex
	name=$1
	shift
	case_is "make_$name" "$(cat $v/$name.hex)" "$("$owlt" bundle make --hex "$@" 2>&1)"
}
code() { # NAME WANT COMMAND...
	name=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	case_is "$name" "$want" $?
}

T0=820000000000
code folder_is_2 2 "$owlt" bundle check /tmp
code rules_json 0 "$owlt" bundle rules --json
code no_source_is_1 1 "$owlt" bundle make --source dtn:none --dest ipn:2.1 --payload hex:00
case_is no_source_names_rule 1 "$(grep -c anonymous-fragmentable "$tmp/err")"
pair="--dest ipn:2.1 --source ipn:1.1 --report-to ipn:1.0 --lifetime 3600000"
made g1 $pair --creation $T0 --crc 16 --payload hex:68656c6c6f
printf 'hello dtn' >"$tmp/payload"
made g2 $pair --creation $T0,1 --crc 32c --flags status-time,report-reception,report-delivery \
	--prev ipn:9.0 --age 1234 --hop 30,2 --payload "$tmp/payload"
made g3 --dest dtn://dst/app --source dtn://src/app --flags no-fragment --creation 0,7 --age 0 \
	--lifetime 3600000 --payload hex:78
made g4 --dest ipn:1.0 --source ipn:2.0 --creation $((T0 + 10)),1 --lifetime 3600000 --flags admin --status-report \
	"{\"source\":\"ipn:1.1\",\"creation_ms\":$T0,\"seq\":1,\"received\":$((T0 + 5)),\"delivered\":$((T0 + 9))}"
bytes() { # FROM TO in hex
	i=$1
	while [ "$i" -le "$2" ]; do printf '%02x' "$i"; i=$((i + 1)); done
}
made g5a $pair --creation $T0,200 --fragment 0,100 --payload "hex:$(bytes 0 59)"
made g5b $pair --creation $T0,200 --fragment 60,100 --payload "hex:$(bytes 60 99)"
made g6 $pair --creation $T0,300 --flags 0x4 --cteb 12,1,ipn:1.0 --payload hex:637573746f6479206d65

for name in g1 g2 g3 g4 g5a g5b g6 ion; do
	case_is "check_$name" valid "$("$owlt" bundle check --hex "$(cat $v/$name.hex)")"
done
"$owlt" bundle make $pair --creation $T0 --crc 16 --payload hex:68656c6c6f >"$tmp/g1.bin"
case_is check_file valid "$("$owlt" bundle check "$tmp/g1.bin")"
case_is check_stdin valid "$("$owlt" bundle check - <"$tmp/g1.bin")"
cat "$tmp/g1.bin" "$tmp/g1.bin" >"$tmp/two.bin"
case_is check_stream "valid valid" "$("$owlt" bundle check --stream "$tmp/two.bin" | tr '\n' ' ' | sed 's/ $//')"
case_is check_no_stream "invalid: trailing-bytes at byte 54: bytes follow the end of the bundle (4.1)" \
	"$("$owlt" bundle check "$tmp/two.bin")"
broken=$(sed 's/f3ff$/f2ff/' $v/g1.hex)
case_is check_json '{"valid":false,"rule":"crc-mismatch","offset":50,"text":"the CRC does not match the block (4.2.1)"}' \
	"$("$owlt" bundle check --json --hex "$broken")"
code exit_valid 0 "$owlt" bundle check "$tmp/g1.bin"
code exit_invalid 1 "$owlt" bundle check --hex "$broken"
code exit_empty 1 "$owlt" bundle check -
code exit_odd_hex 2 "$owlt" bundle check --hex 9f8
code exit_no_file 2 "$owlt" bundle check "$tmp/none"
code exit_unknown_option 2 "$owlt" bundle check --nonsense
code exit_make_invalid 1 "$owlt" bundle make --hex $pair --hop 0,0 --payload hex:00
code exit_make_usage 2 "$owlt" bundle make --hex --payload hex:00
code exit_show 0 "$owlt" bundle show --json "$tmp/g1.bin"
record() { # NAME HEX: what show calls an administrative record
	"$owlt" bundle make --source ipn:2.0 --dest ipn:1.0 --flags admin --payload "hex:$2" >"$tmp/record"
	case_is "record_$1" "$1" "$("$owlt" bundle show --json "$tmp/record" | sed -n 's/.*"record":{"type":[0-9]*,"name":"\([a-z-]*\)".*/\1/p')"
}
record custody-signal 820da1018183010c01
record reporting-signal 820ea10281840107018202820100
record encapsulated-bundle 82078300004100
record encapsulation-signal 8208820082820105820902
record unknown 8204a10183010c8101
code exit_show_invalid 1 "$owlt" bundle show --hex "$broken"
code exit_group 2 "$owlt" bundle nonsense
code exit_help 0 "$owlt" bundle check --help
sed -n 's/^\.It //p' docs/man/owlt-bundle.1 | sed 's/\\-/-/g' >"$tmp/man"
missing=$("$owlt" bundle rules | while read -r rule text; do
	grep -qxF "$rule" "$tmp/man" || printf '%s ' "$rule"
done)
case_is man_page_lists_the_rules "" "$missing"
exit $bad
