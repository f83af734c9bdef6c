"""Checks every #include against the table in docs/architecture.md ("Folders and what may include what")."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
# Words of the table's fourth column, and the folder or header each stands for.
WORDS = {
    "base": "bundle/base", "bundle": "bundle", "plan": "dtn/plan", "convergence": "convergence",
    "learn": "dtn/learn", "route": "dtn/route", "client": "dtn/client", "io": "dtn/io",
    "dataset": "dtn/dataset", "`store.h`": "dtn/store/store.h", "`route.h`": "dtn/route/route.h",
}
# Foreign libraries and the one file that sees each.
FOREIGN = {
    "cjson/": ["bundle/base/json.c"], "lmdb.h": ["dtn/store/kv.c"], "openssl/": ["bundle/crypto_openssl.c",
        "tools/bench_crypto.c"],  # measures the bare library as the limit
    "netlink/": ["netns/netlink.c"], "pcap": ["netns/pcap.c"],
}


def rows():
    """(row number, folder, text of 'may include') for each folder of the table."""
    for line in (TOP / "docs/architecture.md").read_text().splitlines():
        m = re.match(r"\| (\d) \| `([\w/]+)/` \|.*\| ([^|]+) \|$", line)
        if m:
            yield int(m[1]), m[2], m[3]


def allowed():
    table = list(rows())
    out = {}
    for _, folder, text in table:
        m = re.match(r"rows 0 to (\d)(?: but (\w+))?", text)
        if m:
            may = [f for r, f, _ in table if r <= int(m[1]) and not (m[2] and f.endswith("/" + m[2]))]
        elif text.startswith("all but"):
            may = [f for _, f, _ in table if f != "dtn/daemon"]
        elif text == "libc":
            may = []
        else:
            may = [WORDS[w] for w in re.split(r", ?", text) if w in WORDS]
        out[folder] = may + [folder]
    return out


def main():
    table, bad = allowed(), 0
    for path in sorted(TOP.glob("**/*.[ch]")):
        name = path.relative_to(TOP).as_posix()
        if name.startswith(("build", "tests/", "runs/")):
            continue
        folder = name.rsplit("/", 1)[0]
        if folder not in table:
            print(f"FAIL {name}: its folder is not in the layer table")
            bad = 1
            continue
        for number, line in enumerate(path.read_text().splitlines(), 1):
            m = re.match(r'\s*#\s*include\s+([<"])([^>"]+)', line)
            if not m:
                continue
            target = m[2]
            if m[1] == "<":
                for lib, seers in FOREIGN.items():
                    if target.startswith(lib) and name not in seers:
                        print(f"FAIL {name}:{number}: only {', '.join(seers)} may see <{target}>")
                        bad = 1
                continue
            home = target.rsplit("/", 1)[0]
            if home not in table[folder] and target not in table[folder]:
                print(f"FAIL {name}:{number}: {folder} may not include {target}")
                bad = 1
    return bad


sys.exit(main())
