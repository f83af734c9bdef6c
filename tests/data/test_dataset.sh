#!/bin/bash
# owlt dataset on a made-up run (make_run.py): the tables load in pandas, the capture alone gives the
# same deliveries and hop rows with the log's columns empty, the logs alone give the deliveries too.
set -u
here=$(dirname "$0")
dir=$(mktemp -d); trap 'rm -rf "$dir"' EXIT
python=/usr/bin/python3
$python -c 'import cbor2' 2>/dev/null || { echo "skip dataset: python3-cbor2 is missing"; exit 0; }

check() { if "${@:2}"; then echo "ok $1"; else echo "not ok $1"; fi; }

$python "$here/make_run.py" "$dir/run" || { echo "not ok make_run"; exit 1; }
check tables_are_written owlt dataset "$dir/run" -o "$dir/both"
cp -r "$dir/run" "$dir/bare" && rm -r "$dir/bare/events" && mv "$dir/bare" "$dir/x" && mkdir "$dir/bare" && mv "$dir/x" "$dir/bare/run"
check capture_alone_is_enough owlt dataset "$dir/bare/run" -o "$dir/capture"
mkdir "$dir/logs" && cp -r "$dir/run" "$dir/logs/run" && rm "$dir/logs/run/frames.pcapng"
check logs_alone_are_enough owlt dataset "$dir/logs/run" -o "$dir/log"
owlt dataset "$dir/run" -o "$dir/again" >"$dir/out"
check same_input_same_bytes diff -r "$dir/both" "$dir/again"
check a_cut_capture_is_used_up_to_there bash -c '
	cp -r "$1/bare/run" "$1/cut" && truncate -s -100 "$1/cut/frames.pcapng" &&
	owlt dataset "$1/cut" 2>"$1/err" >/dev/null && grep -q "used up to there" "$1/err"' - "$dir"
check no_recording_is_told bash -c 'rm "$1/bare/run/frames.pcapng"; owlt dataset "$1/bare/run" 2>/dev/null; [ $? -eq 2 ]' - "$dir"
check picture_is_well_formed bash -c '
	owlt dataset "$1/run" --picture "$1/p.svg" && "$2" -c "
import sys, xml.dom.minidom
d = xml.dom.minidom.parse(sys.argv[1])
assert len(d.getElementsByTagName(\"circle\")) >= 40
" "$1/p.svg"' - "$dir" $python
if $python -c 'import pandas' 2>/dev/null; then
	$python "$here/check_tables.py" "$dir"
else
	echo "skip dataset_in_pandas: python3-pandas is missing"
fi
