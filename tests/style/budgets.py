"""Sizes of files and functions. Hard limits fail; soft ones are printed with --all."""
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
HARD_FILE, SOFT_FILE, HARD_FUNCTION = 900, 600, 80


def functions(lines):
    """(name, first line, length, marked) of each function body: '{' to '}' in column 0."""
    start = None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start is not None:
            head = " ".join(lines[max(0, start - 4):start])
            name = re.findall(r"(\w+)\s*\(", head)
            marked = any("/* long:" in l for l in lines[max(0, start - 6):start + 2])
            yield (name[-1] if name else "?"), start + 1, i - start - 1, marked
            start = None


def main():
    bad, lengths, show = 0, [], "--all" in sys.argv
    for path in sorted(TOP.glob("**/*.[ch]")):
        name = path.relative_to(TOP).as_posix()
        if name.startswith(("build", "runs/")):
            continue
        lines = path.read_text().splitlines()
        if len(lines) > HARD_FILE:
            print(f"FAIL {name}: {len(lines)} lines, at most {HARD_FILE}")
            bad = 1
        elif len(lines) > SOFT_FILE and show:
            print(f"long {name}: {len(lines)} lines")
        for func, at, n, marked in functions(lines):
            lengths.append(n)
            if n > HARD_FUNCTION and not marked and not name.startswith("tests/"):
                print(f"FAIL {name}:{at}: {func} has {n} lines, at most {HARD_FUNCTION} without /* long: why */")
                bad = 1
    lengths.sort()
    if lengths:
        print(f"{len(lengths)} functions: median {lengths[len(lengths) // 2]} lines, nine in ten under "
              f"{lengths[len(lengths) * 9 // 10]}")
    return bad


sys.exit(main())
