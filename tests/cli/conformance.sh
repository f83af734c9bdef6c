#!/bin/sh
# The rules of RFC 9171 against code and tests: any tagged test that goes is noticed (tests/style).
exec /usr/bin/python3 tests/style/conformance_proof.py 5 "${SEED:-1}"
