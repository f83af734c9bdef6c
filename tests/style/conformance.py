"""Rules of RFC 9171, 9758 and 9713: where they are in the code and which tests test them.

docs/rfc9171.req lists every rule; comments name them in the form `RFC 9171 4.1/3, 4.1/4b, 5.6-3`.
A tag belongs to the function it stands in or right above, in tests/unit to the Test() it stands in or
right above, in shell tests and scenarios to the file. docs/conformance.gaps says why a rule has no
code or no test. Writes docs/conformance.md; with --check it only tells what is wrong (exit 1):
the page is not what the tree gives now, a rule lacks code or tests without a reason, a reason is not
needed any more, a tag names no rule or stands at no test.
"""
import functools
import pathlib
import re
import sys

TOP = pathlib.Path(__file__).resolve().parents[2]
CODE = ("bundle", "convergence", "dtn", "tools", "netns")
TESTS = ("tests/unit", "tests/cli", "tests/daemon", "tests/lab", "tests/data", "tests/scenario", "tests/oracle")
REQ, GAPS, PAGE = "docs/rfc9171.req", "docs/conformance.gaps", "docs/conformance.md"
ONE = r"\d+(?:\.\d+)*(?:[-/][0-9a-z]+){1,2}"
TAGS = re.compile(rf"RFC (9171|9758|9713) ((?:{ONE})(?:(?:,| and|, and) {ONE})*)")


def load(top):
    """All files that count, as {path: text}."""
    paths = [top / p for p in (REQ, GAPS, PAGE)]
    for folder in CODE:
        for kind in ("*.c", "*.h", "*.def"):
            paths += sorted((top / folder).rglob(kind))
    for folder in TESTS:
        for kind in ("*.c", "*.sh", "*.scn", "*.py"):
            paths += sorted((top / folder).rglob(kind))
    return {p.relative_to(top).as_posix(): p.read_text() for p in paths if p.is_file()}


def rules_of(text):
    """[(id, level, rule)] in order of the list."""
    return [tuple(line.split("\t")) for line in text.splitlines() if line and not line.startswith("#")]


def gaps_of(text):
    return dict(line.split("\t") for line in text.splitlines() if line and not line.startswith("#"))


def comments(text, is_c):
    """(first line, last line, text in one line) of each comment that may hold tags."""
    if is_c:
        for m in re.finditer(r"/\*.*?\*/|//[^\n]*", text, re.S):
            first = text.count("\n", 0, m.start())
            words = re.sub(r"\n\s*\*", "\n", m.group().strip("/* "))
            yield first, first + m.group().count("\n"), " ".join(words.split())
        return
    block, start = [], 0
    for i, line in enumerate(text.splitlines() + [""]):
        if line.lstrip().startswith("#"):
            start = start if block else i
            block.append(line.lstrip()[1:])
        elif block:
            yield start, i - 1, " ".join(" ".join(block).split())
            block = []


def alive(text):
    """The text with what stands between #if 0 and #endif blanked out."""
    return re.sub(r"^#if 0\n.*?^#endif", lambda m: "\n" * m.group().count("\n"), text, flags=re.S | re.M)


def places(text):
    """[(first line of what belongs to it, last line, name, is a Test())] of the functions of a C file."""
    lines, found, start = text.splitlines(), [], None
    for i, line in enumerate(lines):
        if line.startswith("{"):
            start = i
        elif line.startswith("}") and start is not None:
            top = start - 1
            while top > 0 and lines[top] and not re.match(r"[};#]|.*[;}]$", lines[top - 1]) and lines[top - 1]:
                top -= 1
            head = " ".join(lines[top:start])
            head = re.sub(r"/\*.*?\*/", " ", head)
            test = re.search(r"\bTest\((\w+),\s*(\w+)", head)
            name = re.search(r"(\w+)\s*\(", head)
            if test:
                found.append((top, i, f"{test[1]}/{test[2]}", True))
            elif name:
                found.append((top, i, name[1], False))
            start = None
    return found


@functools.lru_cache(maxsize=None)
def attribute(path, text):
    """{rule id: set of names of what a tag belongs to}, and tags that stand nowhere."""
    tags, lost, text = {}, [], alive(text)
    is_c = path.endswith((".c", ".h", ".def"))
    where = places(text) if path.endswith((".c", ".h")) else []
    in_test = path.startswith("tests/unit")
    for first, last, words in comments(text, is_c):
        for m in TAGS.finditer(words):
            at = next((p for p in where if p[0] <= last + 1 and first <= p[1]), None)
            if in_test and not (at and at[3]):
                lost.append((path, first + 1, m.group()))
                continue
            name = at[2] if in_test else shell_name(path, text, last) if path.startswith("tests/") else \
                f"{path}:{at[2]}" if at else path
            for one in re.findall(ONE, m[2]):
                tags.setdefault(f"RFC {m[1]} {one}", set()).add(name)
    return tags, lost


def shell_name(path, text, line):
    """The file, and the case that follows the comment."""
    file = path.removeprefix("tests/")
    for after in text.splitlines()[line + 1:line + 6]:
        case = re.match(r"\s*(?:rc|check|case_is|code|same|made|wrong|ok)\s+(\w+)", after)
        if case and path.endswith(".sh"):
            return f"{file}:{case[1]}"
    return file


def join(files):
    """Tags of code and tests as {id: names}, and what is wrong with them."""
    known = {r[0] for r in rules_of(files[REQ])}
    code, tests, wrong = {}, {}, []
    for path, text in files.items():
        if path in (REQ, GAPS, PAGE):
            continue
        tags, lost = attribute(path, text)
        wrong += [f"{p}:{line}: {tag} stands at no Test()" for p, line, tag in lost]
        for rule, names in tags.items():
            if rule not in known:
                wrong.append(f"{path}: {rule} is not in {REQ}")
            (tests if path.startswith("tests/") else code).setdefault(rule, set()).update(names)
    return code, tests, wrong


def page(files):
    """The text of docs/conformance.md, and what is wrong."""
    rules, gaps = rules_of(files[REQ]), gaps_of(files.get(GAPS, ""))
    code, tests, wrong = join(files)
    known = [r[0] for r in rules]
    wrong += [f"{GAPS}: {rule} is not in {REQ}" for rule in gaps if rule not in known]
    wrong += [f"{REQ}: {rule} is there twice" for rule in set(known) if known.count(rule) > 1]
    n_both, n_gap, body, section = 0, 0, [], None
    for rule, level, text in rules:
        here = rule.rsplit(" ", 1)[0] + " " + re.match(r"[\d.]+", rule.rsplit(" ", 1)[1])[0]
        if here != section:
            body += ["", f"## {here}", "", "| rule | level | what | code | tests |", "|---|---|---|---|---|"]
            section = here
        c, t = sorted(code.get(rule, ())), sorted(tests.get(rule, ()))
        gap = gaps.get(rule)
        if c and t:
            n_both += 1
            if gap:
                wrong.append(f"{GAPS}: {rule} has code and a test: its reason is not needed")
        elif gap:
            n_gap += 1
        else:
            wrong.append(f"{rule} {level}: no {'code' if t else 'test' if c else 'code and no test'}: {text}")
        short = rule.split(" ")[2]
        body.append(f"| {short} | {level} | {text} | {cell(c)} | {cell(t)}{f' *gap: {gap}*' if gap else ''} |")
    head = ["# Conformance", "",
            "Made by `make conformance` from `docs/rfc9171.req` (the rules, in our words), the tags in code and tests, and",
            "`docs/conformance.gaps` (reasons). `make check` fails when this page is not what the tree gives.", "",
            f"{len(rules)} rules: {n_both} in code and tested, {n_gap} with a reason, "
            f"{len(rules) - n_both - n_gap} open. {len(all_tests(tests))} tests are tagged."]
    return "\n".join(head + body) + "\n", wrong


def cell(names):
    return " ".join(f"`{n}`" for n in names)


def all_tests(tests):
    return {name for names in tests.values() for name in names}


def check(files):
    text, wrong = page(files)
    if files.get(PAGE) != text:
        wrong.append(f"{PAGE} is not what the tree gives: make conformance")
    return wrong


def main():
    files = load(TOP)
    if "--check" in sys.argv:
        wrong = check(files)
    else:
        text, wrong = page(files)
        (TOP / PAGE).write_text(text)
    for line in wrong:
        print(("FAIL " if "--check" in sys.argv else "open ") + line)
    return 1 if wrong and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
