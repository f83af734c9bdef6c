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

# Nodes of the dtn scheme are told by their names, everywhere.
cat >"$t/dtn.json" <<'END'
{"name":"named","until":"60s","nodes":[{"name":"earth","id":"dtn://earth/"},{"name":"mars","id":"dtn://mars/"}],
 "links":[{"name":"em","a":"earth","b":"mars","rate":"1M","owlt":"1s"}],
 "plan":{"contacts":[{"from":"dtn://earth/","to":"dtn://mars/","start":0,"end":50,"rate":"1M","owlt":"1s","bidirectional":true}]},
 "traffic":[{"from":"earth","to":"dtn://mars/in","at":"1s","custody":true}]}
END
code "show with names" 0 owlt plan show "$t/dtn.json"
is "show tells names" "$(grep -c 'dtn://earth/ *dtn://mars/' "$t/out") $(grep -c dtn-node "$t/out")" "1 0"
code "convert with names" 0 owlt plan convert "$t/dtn.json" -o "$t/dtn-plan.json"
is "convert writes names" "$(grep -c '"from":"dtn://earth/"' "$t/dtn-plan.json") $(grep -c dtn-node "$t/dtn-plan.json")" "1 0"
code "routes with names" 0 owlt plan routes "$t/dtn.json" --from earth --to dtn://mars/ --json
is "routes tell names" "$(/usr/bin/python3 -c 'import json,sys; print(json.load(open(sys.argv[1]))[0]["next_hop"])' "$t/out")" "dtn://mars/"
code "a simulation with names" 0 owlt sim "$t/dtn.json" -o "$t/named"
is "its logs tell names" "$(cat "$t"/named/run.json "$t"/named/events/* | grep -c dtn-node)" 0
is "its nodes have names" "$(grep -q '"next_node":"dtn://mars/"' "$t"/named/events/earth.jsonl; echo $?)" 0

# What differs between two plans.
printf 'a contact +0 +60 1 2 100\na contact +70 +80 1 2 100\na contact +0 +60 2 1 100\na range +0 +90 1 2 3\n' >"$t/a"
printf 'a contact +0 +60 1 2 100\na contact +70 +85 1 2 200\na contact +0 +60 1 3 100\na range +0 +90 1 2 3\na range +0 +90 1 3 3\n' >"$t/b"
code "the same plan differs in nothing" 0 owlt plan diff $plan $plan
is "and says so" "$(cat "$t/out")" "the same: 16 contacts"
code "a converted plan is the same" 0 owlt plan diff $plan "$t/plan.json"
code "other plans differ" 1 owlt plan diff "$t/a" "$t/b"
is "one of each" "$(cut -c1 "$t/out" | tr -d '\n') $(tail -1 "$t/out")" "-+~ 1 1 removed, 1 added, 1 changed"
code "diff in JSON" 1 owlt plan diff --json "$t/a" "$t/b"
is "diff in JSON tells what" "$(/usr/bin/python3 -c 'import json,sys
d = json.load(open(sys.argv[1])); c = d["changed"][0]
print([(x["from"], x["to"], x["start"]) for x in d["removed"] + d["added"]], c["index"], c["was"]["end"], c["is"]["end"],
      c["was"]["rate_bps"], c["is"]["rate_bps"])' "$t/out")" \
	"[('ipn:2.0', 'ipn:1.0', 0), ('ipn:1.0', 'ipn:3.0', 0)] 2 80 85 800 1600"
at() { printf '{"reference":"2026-01-01T00:00:%s","contacts":[{"from":1,"to":2,"start":%s,"end":%s,"rate":8,"owlt":[[%s,1],[%s,2]]}]}' "$@"; }
at 00Z 10 20 10 20 >"$t/a"
at 10Z 0 10 0 10 >"$t/b"
code "times are told after one reference" 0 owlt plan diff "$t/a" "$t/b"
at 10Z 0 10 0 9 >"$t/b"
code "another light time is another contact" 1 owlt plan diff "$t/a" "$t/b"
code "diff needs two" 2 owlt plan diff "$t/a"
code "diff of a faulty plan" 2 owlt plan diff "$t/a" "$t/overlap"
is "diff tells its line" "$(grep -q 'overlap:2:' "$t/err"; echo $?)" 0

# A running node's own plan.
mkdir "$t/node"
cat >"$t/node/owltd.json" <<END
{"node":{"id":"dtn://earth/"},"control":{"socket":"$t/node/owltd.sock"},"plan":"$t/dtn-plan.json"}
END
mkfifo "$t/node/fifo"
owltd -c "$t/node/owltd.json" >"$t/node/fifo" 2>"$t/node/log" &
node=$!
if read -r -t 60 line <"$t/node/fifo" && [ "$line" = ready ]; then
	export OWLT_SOCKET=$t/node/owltd.sock
	code "routes of the running node" 0 owlt plan routes --to dtn://mars/ --json
	is "they are its plan's" "$(/usr/bin/python3 -c 'import json,sys
r = json.load(open(sys.argv[1])); print(len(r), r[0]["contacts"][0]["from"], 1 <= r[0]["arrival"] < 51)' "$t/out")" "1 dtn://earth/ True"
	code "at another time there is none" 1 owlt plan routes --to dtn://mars/ --at 55
	owlt status plan >"$t/out"; owlt status nodes >>"$t/out"; owlt status links >>"$t/out"
	is "status tells names" "$(grep -c 'from=dtn://earth/ to=dtn://mars/' "$t/out") $(grep -c dtn-node "$t/out")" "1 0"
	# An endpoint that the node chooses is its own, of the scheme it has.
	echo hello | owlt send dtn://earth/in >"$t/out"
	is "a chosen source" "$(cut -d' ' -f1 "$t/out" | tr '0-9' 'n' | tr -s n)" "dtn://earth/n"
	is "and the bundle comes" "$(owlt recv dtn://earth/in -n 1 --timeout 90)" hello
	unset OWLT_SOCKET
else
	echo "not ok a node with a plan: $(cat "$t/node/log")"
fi
kill -9 $node; wait $node 2>/dev/null
code "no plan and no node" 2 owlt plan routes --socket "$t/node/none" --to 2
