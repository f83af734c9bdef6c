#!/usr/bin/python3
"""Checkers with one rule removed, to see that the differential test finds each.

  faults.py list                the rules that are removed
  faults.py make RULE DIR       writes the files of bundle/ that change into DIR; prints their names

A rule is removed by its symbol wherever it is told: what would refuse goes on instead. Exit 1: the
sources tell it in no way that is known here, so this list must follow them.
"""
import glob
import os
import re
import sys

RULES = """VERSION CRC_MISMATCH TRAILING PRIMARY_CRC_MISSING ADMIN_REPORTS ANONYMOUS_FRAGMENT SOURCE_GROUP
FRAGMENT_RANGE FRAGMENT_EMPTY BLOCK_TYPE_ZERO BLOCK_NUMBER_TWICE BLOCK_REPORT_FLAG PAYLOAD_NUMBER
BLOCK_TYPE_TWICE AGE_MISSING HOP_RANGE""".split()


def without(source, rule):
    name = "RULE_" + rule + r"\b"
    source = re.sub(r"(\brule = )" + name, r"\1RULE_NONE", source)
    source = re.sub(r"(\? )" + name + r"( : RULE_NONE)", r"\1RULE_NONE\2", source)
    source = re.sub(r"(\breturn )" + name, r"\1RULE_NONE", source)
    call = r"reader_broken\(\s*r,\s*" + name + r"[^;]*?\)"
    source = re.sub(r"\? 0 : " + call, "? 0 : 0", source)
    source = re.sub(r"\berr = " + call + ";", "err = 0;", source)
    source = re.sub(r"return " + call + r";(?=\s*\})", "return 0;", source)
    return re.sub(r"return " + call + r";", "(void)r;", source)


def make(rule, to):
    changed = []
    for path in sorted(glob.glob("bundle/*.c")):
        source = open(path).read()
        result = without(source, rule)
        if result != source:
            changed.append(os.path.join(to, os.path.basename(path)))
            with open(changed[-1], "w") as f:
                f.write(result)
    print(" ".join(changed))
    return 0 if changed else 1


if __name__ == "__main__":
    if sys.argv[1:] == ["list"]:
        print(" ".join(RULES))
    elif len(sys.argv) == 4 and sys.argv[1] == "make":
        sys.exit(make(*sys.argv[2:]))
    else:
        sys.exit(__doc__)
