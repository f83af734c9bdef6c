#!/bin/bash
# owlt sim: exit codes, JSON, a run's folder, a scenario that does not match.
dir=$(mktemp -d) || exit 1
trap 'rm -rf "$dir"' EXIT
t() { # t NAME CODE COMMAND...
	local name=$1 want=$2
	shift 2
	"$@" >"$dir/out" 2>"$dir/err"
	local rc=$?
	if [ $rc -eq "$want" ]; then echo "ok $name"; else echo "not ok $name: exit $rc, not $want"; cat "$dir/out" "$dir/err"; fi
}
lab=netns/labs/two-nodes.json
t run 0 owlt sim $lab
t json 0 owlt sim --json --runs 2 $lab
/usr/bin/python3 -c "import json,sys; d=json.load(open('$dir/out')); assert d['failed']==0 and d['faults']==[] and d['runs']==2 and d['delivered']>0" \
	&& echo "ok json-form" || echo "not ok json-form"
t folder 0 owlt sim -o "$dir/run" --seed 9 $lab
/usr/bin/python3 - "$dir/run" <<'PY' && echo "ok folder-form" || echo "not ok folder-form"
import json, os, sys
run = sys.argv[1]
info = json.load(open(run + "/run.json"))
assert info["sim"] is True and info["speed"] == 0 and info["seed"] == 9
for node in info["nodes"]:
    last = 0
    for line in open(f"{run}/events/{node['name']}.jsonl"):
        e = json.loads(line)
        assert e["node"] == node["id"] and e["t_us"] >= last
        last = e["t_us"]
    assert os.path.getsize(f"{run}/events/{node['name']}.jsonl") > 0
json.load(open(run + "/topology.json"))
PY
t folder-not-empty 2 owlt sim -o "$dir/run" $lab
grep -q "$dir/run is not empty" "$dir/err" && grep -q '"seed":9' "$dir/run/run.json" \
	&& echo "ok folder-kept" || echo "not ok folder-kept"
t folder-force 0 owlt sim -o "$dir/run" --force --seed 8 $lab
grep -q '"seed":8' "$dir/run/run.json" && echo "ok folder-replaced" || echo "not ok folder-replaced"
mkdir "$dir/empty"
t folder-empty 0 owlt sim -o "$dir/empty" $lab
t folder-of-a-scenario 2 owlt sim -o "$dir/scn" tests/scenario/two_nodes.scn
t two-runs-one-folder 2 owlt sim -o "$dir/run" --runs 2 $lab
t no-file 2 owlt sim "$dir/none.json"
t bad-loss 2 owlt sim --loss 2 $lab
t no-operand 2 owlt sim
echo '{"name":' >"$dir/bad.json"
t bad-topology 2 owlt sim "$dir/bad.json"
t scenario 0 owlt sim tests/scenario/two_nodes.scn
sed 's/ 8.009\] mars   bundle_received/ 8.010] mars   bundle_received/' tests/scenario/two_nodes.scn >"$dir/other.scn"
t scenario-differs 1 owlt sim "$dir/other.scn"
grep -q '^- .*8.010.* mars   bundle_received' "$dir/out" && grep -q '^+ .*8.009' "$dir/out" \
	&& echo "ok difference" || echo "not ok difference"
echo 'topology nowhere.json' >"$dir/lost.scn"
t scenario-topology 2 owlt sim "$dir/lost.scn"
printf 'topology {"name":"x"}\nat noon\n' >"$dir/bad.scn"
t scenario-syntax 2 owlt sim "$dir/bad.scn"
small=tests/explore/two-nodes.json
t explore 0 owlt sim --explore 1 -j 2 --json $small
/usr/bin/python3 - "$dir/out" <<'PY' && echo "ok explore-form" || echo "not ok explore-form"
import json, sys
d = json.load(open(sys.argv[1]))
assert [x["depth"] for x in d["depths"]] == [0, 1] and all(x["complete"] for x in d["depths"])
assert d["runs"] == sum(x["runs"] for x in d["depths"]) and d["depths"][1]["runs"] == d["depths"][1]["first_deviations"]
assert d["fault"] == "" and d["complete"] is True and d["deviations"]["kill"] > 0 and d["deviations"]["data-lose"] > 0
assert {"point", "about", "n"} <= set(d["kills"][0])
PY
t replay 0 owlt sim --replay '5-kill,20-kill' $small
[ "$(grep -c -- '-- the process dies' "$dir/out")" = 2 ] && echo "ok replay-story" || echo "not ok replay-story"
t replay-no-decision 2 owlt sim --replay 1900-kill $small
t replay-not-so 2 owlt sim --replay 1-app-dies $small
t replay-syntax 2 owlt sim --replay 5-fly $small
t explore-too-deep 2 owlt sim --explore 9 $small
t explore-no-jobs 2 owlt sim --explore 1 -j 0 $small
t explore-short 0 owlt sim --explore 3 --limit 1ms --json $small
grep -q '"complete":false' "$dir/out" && echo "ok explore-limit" || echo "not ok explore-limit"
