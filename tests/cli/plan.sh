# owlt plan: the reference example, formats, refusals, exit codes. Prints ok/not ok per case.
set -u
t=$(mktemp -d) || exit 2
trap 'rm -rf "$t"' EXIT
plan=tests/vectors/tutorial.ionrc
ask() { owlt plan routes "$@" --json | /usr/bin/python3 -c '
import json, sys
print(";".join("%s@%g/%g" % (",".join(str(c["index"]) for c in r["contacts"]), r["arrival"], r["to_time"])
	for r in json.load(sys.stdin)))'; }
is() { if [ "$2" = "$3" ]; then echo "ok $1"; else echo "not ok $1: $2, not $3"; fi; }
code() { # code NAME EXPECTED COMMAND...
	local name=$1 want=$2
	shift 2
	"$@" >"$t/out" 2>"$t/err"
	is "$name" $? "$want"
}

is "reference example: best route" "$(ask $plan --from 1 --to 5 --at 0 --owlt-margin none)" "5,7,11@3/10"
is "reference example: all seven" "$(ask $plan --from ipn:1.0 --to ipn:5.0 --at 0 --all --owlt-margin none)" \
	"5,7,11@3/10;1,3,7,11@4/10;9@11/20;5,7,13@31/30;1,3,7,13@31/30;5,7,15@51/30;1,3,7,15@51/30"
is "margin of SABR by default" "$(ask $plan --from 1 --to 5)" "5,7,11@3.00201/10"
is "limit" "$(ask $plan --from 1 --to 5 --all --limit 1 --owlt-margin none)" "5,7,11@3/10"
is "later" "$(ask $plan --from 1 --to 5 --at +12 --owlt-margin none)" "9@13/20"
is "a bundle of 9 bytes at 1 byte/s" "$(ask $plan --from 1 --to 5 --size 9 --owlt-margin none)" "9@20/20"
is "expiry" "$(ask $plan --from 1 --to 5 --at 12 --expiry 12.5 --owlt-margin none)" ""
code "a route exits 0" 0 owlt plan routes $plan --from 1 --to 5
code "no route exits 1" 1 owlt plan routes $plan --from 1 --to 5 --at 60
code "no route in JSON exits 1" 1 owlt plan routes $plan --from 1 --to 5 --at 60 --json
is "no route in JSON is []" "$(cat "$t/out")" "[]"
code "usage exits 2" 2 owlt plan routes $plan --from 1
code "no file exits 2" 2 owlt plan show "$t/none"
code "bad time exits 2" 2 owlt plan routes $plan --from 1 --to 5 --at 2026-01-01T00:00:00Z
code "check of a valid plan" 0 owlt plan check $plan
is "check counts" "$(cat "$t/out")" "valid: 16 contacts, 5 nodes"
printf 'a contact +0 +60 1 2 9\na contact +5 +9 1 2 9\n' >"$t/overlap"
code "check of overlapping contacts" 1 owlt plan check "$t/overlap"
is "the line is told" "$(grep -c ':2: contact 2 overlaps contact 1' "$t/err")" 1
code "a bad plan can not be shown" 2 owlt plan show "$t/overlap"
code "check --json is JSON" 1 owlt plan check --json "$t/overlap"
is "check --json tells the line" "$(/usr/bin/python3 -c 'import json,sys
print([n["line"] for n in json.load(open(sys.argv[1]))["notes"] if n["is_error"]])' "$t/out")" "[2]"
code "convert to JSON" 0 owlt plan convert $plan -o "$t/plan.json"
code "convert back" 0 owlt plan convert "$t/plan.json" --to ionrc -o "$t/plan.ionrc"
is "both ways the routes are the same" "$(ask "$t/plan.ionrc" --from 1 --to 5 --all --owlt-margin none)" \
	"$(ask $plan --from 1 --to 5 --all --owlt-margin none)"
printf '{"contacts":[{"contact":0,"source":1,"dest":2,"startTime":0,"endTime":60,"rateBitsPerSec":8,"owlt":1}]}' >"$t/hdtn"
is "HDTN is told by its content" "$(ask "$t/hdtn" --from 1 --to 2 --owlt-margin none)" "1@1/60"
is "standard input" "$(ask - --from 1 --to 2 --owlt-margin none <"$t/hdtn")" "1@1/60"
code "show prints a timeline" 0 owlt plan show $plan
is "every pair has its row" "$(grep -c ' > ' "$t/out")" 12
for lab in netns/labs/*.json; do code "check of $lab" 0 owlt plan check "$lab"; done
is "names of a topology" "$(ask netns/labs/earth-relay-mars.json --from earth --to mars --owlt-margin none | cut -d@ -f1)" "1,3"
