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
