"""Shows that conformance.py notices every tagged test that is deleted: each Test() of tests/unit and each
case of a shell test with a tag is taken out, one by one, of the files in memory; some, chosen by a
seed, also of a copy of the tree on disk, where the script itself must fail. Arguments: how many on
disk, seed. Prints ok / not ok.
"""
import pathlib
import random
import shutil
import subprocess
import sys
import tempfile

import conformance


def tagged(files):
    """(path, first line, last line, name) of each Test() and each case of a shell test that has a tag."""
    found = []
    for path, text in files.items():
        if path.startswith("tests/") and path.endswith(".sh"):
            found += [(path, first, last + 1, conformance.shell_name(path, text, last))
                      for first, last, words in conformance.comments(text, False) if conformance.TAGS.search(words)]
        if not path.startswith("tests/unit"):
            continue
        names = {n for names in conformance.attribute(path, text)[0].values() for n in names}
        found += [(path, *p[:3]) for p in conformance.places(text) if p[3] and p[2] in names]
    return found


def without(text, first, last):
    lines = text.splitlines(keepends=True)
    return "".join(lines[:first] + lines[last + 1:])


def in_memory(files, tests):
    before = set(conformance.check(files))
    return [name for path, first, last, name in tests
            if not set(conformance.check({**files, path: without(files[path], first, last)})) - before]


def on_disk(files, tests, n, seed):
    missed = []
    with tempfile.TemporaryDirectory() as folder:
        top = pathlib.Path(folder)
        for path, text in files.items():
            (top / path).parent.mkdir(parents=True, exist_ok=True)
            (top / path).write_text(text)
        (top / "tests/style").mkdir(parents=True, exist_ok=True)
        shutil.copy(conformance.__file__, top / "tests/style/conformance.py")
        run = [sys.executable, str(top / "tests/style/conformance.py"), "--check"]
        if subprocess.run(run, stdout=subprocess.DEVNULL).returncode != 0:
            return ["the copy as it is"]
        for path, first, last, name in random.Random(seed).sample(tests, min(n, len(tests))):
            (top / path).write_text(without(files[path], first, last))
            if subprocess.run(run, stdout=subprocess.DEVNULL).returncode != 1:
                missed.append(name)
            (top / path).write_text(files[path])
    return missed


def main():
    n, seed = (int(a) for a in (sys.argv[1:3] + ["5", "1"][len(sys.argv) - 1:]))
    files = conformance.load(conformance.TOP)
    tests = tagged(files)
    bad = False
    for name, missed in (("each_deleted_test_is_noticed", in_memory(files, tests)),
                         ("deleted_in_a_copy_of_the_tree", on_disk(files, tests, n, seed))):
        bad |= bool(missed)
        print(f"not ok {name}: {', '.join(missed)}" if missed else f"ok {name}")
    print(f"# {len(tests)} tagged tests, {n} of them on disk, seed {seed}")
    return bad


if __name__ == "__main__":
    sys.exit(main())
