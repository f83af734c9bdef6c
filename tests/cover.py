#!/usr/bin/python3
"""cover.py LINES.json COVERAGE.md [FOLDER]: lines covered by folder, from gcovr's JSON. With FOLDER bundle:
fails below 95 % of bundle/ (with base), and if the functions with lines that are not covered are not
exactly those that COVERAGE.md lists ("- `file:function` reason"). --list prints them for it."""
import json
import re
import sys
from collections import defaultdict

LEAST = 95.0


def functions(path):
    """(first line, name) of each function in the source, by its opening brace in column 0."""
    out, name, at = [], None, 0
    for number, line in enumerate(open(path, errors="replace"), 1):
        m = re.match(r"(?:[a-z_].*?[ *])?([a-z_][a-z0-9_]*)\((?!.*;\s*$)", line)
        if m and not line.startswith(("\t", " ", "#")):
            name, at = m.group(1), number
        if line.rstrip() == "{" and name:
            out.append((at, name))
    return out


def main(argv):
    data = json.load(open(argv[0]))
    hit, all_, missed = defaultdict(int), defaultdict(int), {}
    for f in data["files"]:
        path = f["file"]
        if path.startswith(("tests/", "build/")):
            continue
        folder = path.rsplit("/", 1)[0] if "/" in path else "."
        starts = functions(path)
        for line in f["lines"]:
            if line.get("gcovr/noncode"):
                continue
            all_[folder] += 1
            hit[folder] += line["count"] > 0
            if not line["count"] and path.startswith("bundle/"):
                name = next((n for at, n in reversed(starts) if at <= line["line_number"]), "?")
                missed.setdefault(f"{path}:{name}", []).append(line["line_number"])
    for folder in sorted(all_):
        print(f"  COVER {folder:<20} {100 * hit[folder] / all_[folder]:5.1f} % of {all_[folder]} lines")
    if "--list" in argv:
        for k in sorted(missed):
            print(f"- `{k}` {','.join(map(str, missed[k]))}")
        return 0
    if len(argv) < 3:
        return 0
    ours = [f for f in all_ if f.split("/")[0] == "bundle"]
    part = 100 * sum(hit[f] for f in ours) / sum(all_[f] for f in ours)
    listed = set(re.findall(r"^- `(bundle/[^`]+)` \S", open(argv[1]).read(), re.M))
    print(f"  COVER bundle/ with base: {part:.1f} %, at least {LEAST}")
    bad = part < LEAST
    for k in sorted(set(missed) - listed):
        print(f"not ok {k}: lines {missed[k]} are not covered and {argv[1]} does not say why")
        bad = True
    for k in sorted(listed - set(missed)):
        print(f"not ok {argv[1]} lists {k}, which is covered")
        bad = True
    return bad


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
