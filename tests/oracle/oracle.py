#!/usr/bin/python3
"""An independent judge of BPv7 bundles, written from RFC 9171, 9172, 9758 and CCSDS 734.6; no code of
Owlt's. It gathers every rule that a bundle breaks (not only the first), so a refusal is right when its
reason is among them.

  oracle.py make SEED N CASES VERDICTS     random bundles, valid and mutated, with verdicts
  oracle.py judge CASES VERDICTS           verdicts for cases that are there
  oracle.py compare CASES VERDICTS OURS    disagreements; exit 1 if there are any
  oracle.py check HEX                      one bundle
"""
import random
import struct
import sys

NO_PRIMARY_CRC, NO_AGE, DEFINITE, SHORT_DTN, FROM_OUTSIDE, BPLIB = 1, 2, 4, 8, 16, 32
BLOCKS_MAX, HEAD_MAX, SSP_MAX, DEPTH_MAX = 64, 65536, 1023, 8


# -- CRCs (RFC 9171 4.2.1) ---------------------------------------------------------------------

def table(poly):
    out = []
    for n in range(256):
        for _ in range(8):
            n = n >> 1 ^ (poly if n & 1 else 0)
        out.append(n)
    return out


T16, T32 = table(0x8408), table(0x82F63B78)


def crc16(data):
    c = 0xFFFF
    for b in data:
        c = c >> 8 ^ T16[(c ^ b) & 255]
    return (c ^ 0xFFFF).to_bytes(2, "big")


def crc32c(data):
    c = 0xFFFFFFFF
    for b in data:
        c = c >> 8 ^ T32[(c ^ b) & 255]
    return (c ^ 0xFFFFFFFF).to_bytes(4, "big")


def crc_of(kind, data):
    return crc16(data) if kind == 1 else crc32c(data)


# -- CBOR, strict (RFC 9171 4.1) ---------------------------------------------------------------

class Bad(Exception):
    def __init__(self, *rules):
        self.rules = set(rules)


BREAK = object()


def head(d, at):
    """(major, argument or None if indefinite, where it ends); the shortest form only."""
    if at >= len(d):
        raise Bad("truncated")
    major, info = d[at] >> 5, d[at] & 31
    if info < 24:
        return major, info, at + 1
    if info == 31:
        return major, None, at + 1
    if info > 27:
        raise Bad("cbor-form")
    n = 1 << info - 24
    if at + 1 + n > len(d):
        raise Bad("truncated")
    v = int.from_bytes(d[at + 1:at + 1 + n], "big")
    if major == 7:  # simple values and floats: no integers, but simple values below 32 have one form
        if info == 24 and v < 32:
            raise Bad("cbor-form", "not-shortest")
        return major, v, at + 1 + n
    if v < (24, 256, 65536, 1 << 32)[info - 24]:
        raise Bad("not-shortest")
    return major, v, at + 1 + n


def uint(d, at):
    major, v, at = head(d, at)
    if major != 0:
        raise Bad("item-type")
    if v is None:
        raise Bad("cbor-form")
    return v, at


def opened(d, at):
    """An array's head: its count or None."""
    major, n, at = head(d, at)
    if major != 4:
        raise Bad("item-type")
    return n, at


def closed(d, at, n):
    """The end of an array whose wanted items were read: the break of an indefinite one."""
    if n is not None:
        return at
    if at >= len(d):
        raise Bad("truncated")
    if d[at] != 0xFF:
        raise Bad("cbor-form")
    return at + 1


def skip(d, at, depth=0):
    """Any well-formed item; a break only where one may be."""
    if at < len(d) and d[at] == 0xFF:
        raise Bad("cbor-form", "item-type")
    if depth > DEPTH_MAX:
        raise Bad("cbor-form")  # as deep as this program goes
    major, n, at = head(d, at)
    if major in (0, 1):
        if n is None:
            raise Bad("cbor-form")
        return at
    if major == 7:
        return at
    if major in (2, 3):
        if n is not None:
            if n > len(d) - at:
                raise Bad("truncated")
            return at + n
        while True:
            if at >= len(d):
                raise Bad("truncated")
            if d[at] == 0xFF:
                return at + 1
            m, k, at = head(d, at)
            if m != major or k is None:
                raise Bad("cbor-form")
            if k > len(d) - at:
                raise Bad("truncated")
            at += k
    if major == 6:
        if n is None:
            raise Bad("cbor-form")
        return skip(d, at, depth + 1)
    if n is not None:
        n *= 2 if major == 5 else 1
        try:
            for _ in range(min(n, len(d) + 1)):
                at = skip(d, at, depth + 1)
        except Bad as bad:  # more items than bytes: that it ends early is as true
            bad.rules |= {"truncated"} if n > len(d) - at else set()
            raise
        return at
    count = 0
    while True:
        if at >= len(d):
            raise Bad("truncated")
        if d[at] == 0xFF:
            if major == 5 and count % 2:
                raise Bad("cbor-form")
            return at + 1
        at = skip(d, at, depth + 1)
        count += 1


def text(d, at):
    """A text string, definite or in chunks; bytes."""
    major, n, at = head(d, at)
    if major != 3:
        raise Bad("item-type")
    if n is not None:
        if n > len(d) - at:
            raise Bad("truncated")
        return d[at:at + n], at + n
    out = b""
    while True:
        if at >= len(d):
            raise Bad("truncated")
        if d[at] == 0xFF:
            return out, at + 1
        m, k, at = head(d, at)
        if m != 3 or k is None:
            raise Bad("cbor-form", "item-type")
        if k > len(d) - at:
            raise Bad("truncated")
        out += d[at:at + k]
        at += k


# -- endpoint IDs (RFC 9171 4.2.5, RFC 9758) -----------------------------------------------------

NAME = set(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~!$&'()*+,;=")
HEX = set(b"0123456789abcdefABCDEF")
LOCAL = (1 << 32) - 1


class Eid:
    null = group = local = False
    node = None  # of a known scheme


def dtn_ssp(ssp, short):
    if len(ssp) > SSP_MAX:
        raise Bad("eid-form")
    if ssp[:2] == b"//":
        ssp = ssp[2:]
    elif not short or not ssp:
        raise Bad("eid-form")
    name, slash, demux = ssp.partition(b"/")
    at = 0
    while at < len(name):
        if name[at] in NAME:
            at += 1
        elif name[at] == 0x25 and len(name) - at > 2 and name[at + 1] in HEX and name[at + 2] in HEX:
            at += 3
        else:
            raise Bad("eid-form")
    if not slash or any(not 0x21 <= c <= 0x7E for c in demux):
        raise Bad("eid-form")
    e = Eid()
    e.node = name
    e.group = demux[:1] == b"~"
    return e


def eid_inside(d, at, short):
    n, at = opened(d, at)
    if n not in (2, None):
        raise Bad("eid-form")
    scheme, at = uint(d, at)
    e = Eid()
    if scheme == 1:
        if at < len(d) and d[at] >> 5 == 0:
            v, at = uint(d, at)
            if v != 0:
                raise Bad("eid-form")
            e.null = True
        else:
            ssp, at = text(d, at)
            e = dtn_ssp(ssp, short)
    elif scheme == 2:
        k, at = opened(d, at)
        v = []
        while (len(v) < k) if k is not None else not (at < len(d) and d[at] == 0xFF):
            if len(v) == 3:
                raise Bad("truncated" if at >= len(d) else "eid-form")
            x, at = uint(d, at)
            v.append(x)
        at += k is None
        if len(v) < 2:
            raise Bad("eid-form")
        if len(v) == 3 and (v[0] > LOCAL or v[1] > LOCAL):
            raise Bad("eid-form")
        e.node = v[0] << 32 | v[1] if len(v) == 3 else v[0]
        e.null = e.node == 0
        e.local = e.node == LOCAL
    else:
        at = skip(d, at)
    return e, closed(d, at, n)


def eid(d, at, short):
    try:
        return eid_inside(d, at, short)
    except Bad as bad:  # every fault of form inside an endpoint ID is one of its own, too
        if bad.rules & {"cbor-form", "item-type"}:
            bad.rules.add("eid-form")
        raise


# -- blocks ------------------------------------------------------------------------------------

def crc_field(d, at, start, kind, n, which, broken):
    """The CRC item and the break; `which`: the rule for a block that does not end there."""
    value_at = None
    if kind:
        try:
            major, size, at = head(d, at)
        except Bad as bad:
            if "cbor-form" in bad.rules:
                bad.rules.add("crc-field")
            raise
        if major != 2 or size is None:
            raise Bad("crc-field")
        if size > len(d) - at:
            raise Bad("truncated", "crc-field")
        if size != (2 if kind == 1 else 4):
            raise Bad("crc-field")
        value_at, at = at, at + size
    if n is None:
        if at >= len(d):
            raise Bad("truncated")
        if d[at] != 0xFF:
            raise Bad(which)
        at += 1
    if kind:
        size = 2 if kind == 1 else 4
        zeroed = d[start:value_at] + bytes(size) + d[value_at + size:at]
        if crc_of(kind, zeroed) != d[value_at:value_at + size]:
            broken.add("crc-mismatch")
    return at


class Bundle:
    pass


def primary(d, at, rules, broken):
    b, start = Bundle(), at
    if at < len(d) and d[at] == 0xFF:
        raise Bad("primary-missing")
    n, at = opened(d, at)
    version, at = uint(d, at)
    if version != 7:
        raise Bad("version")
    b.flags, at = uint(d, at)
    b.crc, at = uint(d, at)
    if b.crc > 2:
        raise Bad("crc-type")
    b.fragment = b.flags & 1
    if n is not None and n != 8 + 2 * b.fragment + (b.crc != 0):
        raise Bad("primary-length")
    b.dest, at = eid(d, at, rules & SHORT_DTN)
    b.source, at = eid(d, at, rules & SHORT_DTN)
    b.report_to, at = eid(d, at, rules & SHORT_DTN)
    k, at = opened(d, at)
    if k not in (2, None):
        raise Bad("cbor-form")
    b.created, at = uint(d, at)
    b.seq, at = uint(d, at)
    at = closed(d, at, k)
    b.lifetime, at = uint(d, at)
    if b.fragment:
        b.offset, at = uint(d, at)
        b.total, at = uint(d, at)
    at = crc_field(d, at, start, b.crc, n, "primary-length", broken)
    reports = b.flags & 0x74000
    if b.flags & 2 and reports:
        broken.add("admin-reports")
    if b.source.null and reports:
        broken.add("anonymous-reports")
    if b.source.null and not b.flags & 4:
        broken.add("anonymous-fragmentable")
    if b.source.group:
        broken.add("source-group")
    if rules & FROM_OUTSIDE and (b.dest.local or b.source.local):
        broken.add("local-node")
    return b, at


def block(d, at, b, broken):
    start = at
    if len(b.blocks) == BLOCKS_MAX:
        raise Bad("blocks-limit")
    n, at = opened(d, at)
    k = Bundle()
    k.type, at = uint(d, at)
    k.number, at = uint(d, at)
    k.flags, at = uint(d, at)
    k.crc, at = uint(d, at)
    if k.crc > 2:
        raise Bad("crc-type")
    if n is not None and n != 5 + (k.crc != 0):
        raise Bad("block-length")
    try:
        major, size, at = head(d, at)
    except Bad as bad:
        if "cbor-form" in bad.rules:
            bad.rules.add("block-data")
        raise
    if major != 2 or size is None:
        raise Bad("block-data")
    if k.type == 1:
        if any(x.type == 1 for x in b.blocks):
            raise Bad("payload-twice", "payload-not-last")
        if at > HEAD_MAX:
            raise Bad("head-limit")
    if size > len(d) - at:
        raise Bad("truncated")
    k.data, at = d[at:at + size], at + size
    at = crc_field(d, at, start, k.crc, n, "block-length", broken)
    if k.type == 0:
        broken.add("block-type-zero")
    if k.number == 0:
        broken.add("block-number-zero")
    if k.type == 1 and k.number != 1:
        broken.add("payload-number")
    if any(x.type == 1 for x in b.blocks):
        broken.add("payload-not-last")
    if any(x.number == k.number for x in b.blocks):
        broken.add("block-number-twice")
    if k.flags & 2 and (b.flags & 2 or b.source.null):
        broken.add("block-report-flag")
    b.blocks.append(k)
    return at


def targets(k):
    """Of a security block, as far as its list can be read."""
    out, d = [], k.data
    try:
        n, at = opened(d, 0)
        while (len(out) < n) if n is not None else not (at < len(d) and d[at] == 0xFF):
            v, at = uint(d, at)
            out.append(v)
    except Bad:
        pass
    return out


def whole(d, read, form, broken):
    try:
        at = read(d)
        if at != len(d):
            broken.add(form)
    except Bad as bad:
        broken.add(form)
        if "not-shortest" in bad.rules:
            broken.add("not-shortest")


def values(b, rules, broken):
    short, cteb, creb = rules & SHORT_DTN, *((15, 16) if rules & BPLIB else (13, 14))
    seen = set()
    hidden = {t for k in b.blocks if k.type == 12 for t in targets(k)}

    def prev(d):
        who, at = eid(d, 0, short)
        if who.null or who.group:  # no node has it (4.2.5.2)
            broken.add("previous-node-form")
        return at

    def age(d):
        return uint(d, 0)[1]

    def hop(d):
        n, at = opened(d, 0)
        if n not in (2, None):
            raise Bad("hop-count-form")
        limit, at = uint(d, at)
        _, at = uint(d, at)
        at = closed(d, at, n)
        if not 1 <= limit <= 255:
            broken.add("hop-limit-range")
        return at

    def custody(d):
        n, at = opened(d, 0)
        if n not in (3, None):
            raise Bad("custody-form")
        _, at = uint(d, at)
        _, at = uint(d, at)
        who, at = eid(d, at, False)
        if who.node is None or who.null:
            broken.add("custody-form")
        return closed(d, at, n)

    def reporting(d):  # one to five items, each only behind those before it
        n, at = opened(d, 0)
        if n is not None and not 1 <= n <= 5:
            raise Bad("reporting-form")
        k = 0
        while k < n if n is not None else d[at:at + 1] != b"\xff":
            at = uint(d, at)[1] if k < 3 else eid(d, at, False)[1] if k < 5 else len(d) + 1
            k += 1
        if k == 0:
            raise Bad("reporting-form")
        return closed(d, at, n)

    known = {6: (prev, "previous-node-form"), 7: (age, "age-form"), 10: (hop, "hop-count-form")}
    if not b.fragment:
        known[cteb] = (custody, "custody-form")
        known[creb] = (reporting, "reporting-form")
    for k in b.blocks:
        if k.type not in known:
            continue
        if k.type in seen:
            broken.add("block-type-twice")
        seen.add(k.type)
        if k.number not in hidden:
            whole(k.data, *known[k.type], broken)


def across(b, rules, broken):
    kinds = [k.type for k in b.blocks]
    signed = {t for k in b.blocks if k.type == 11 for t in targets(k)}
    if not b.crc and not rules & NO_PRIMARY_CRC and 0 not in signed:
        broken.add("primary-crc-missing")
    if b.created == 0 and 7 not in kinds and not rules & NO_AGE:
        broken.add("age-missing")
    payload = [k for k in b.blocks if k.type == 1]
    if b.fragment and payload:
        n = len(payload[0].data)
        if b.offset + n > b.total:
            broken.add("fragment-range")
        if n == 0:
            broken.add("fragment-empty")


def judge(d, rules):
    """The set of broken rules; empty: a valid bundle."""
    broken, at = set(), 0
    try:
        if not d:
            raise Bad("empty")
        if d[:3] == b"\xd9\xd9\xf7":
            at = 3
        if at == len(d):
            raise Bad("truncated")
        if d[at] >> 5 != 4:
            raise Bad("not-a-bundle")
        left = None
        if d[at] == 0x9F:
            at += 1
        elif not rules & DEFINITE:
            raise Bad("outer-definite")
        else:
            left, at = opened(d, at)
            if left == 0:
                raise Bad("primary-missing")
            left -= 1
        b, at = primary(d, at, rules, broken)
        b.blocks = []
        while True:
            if left == 0:
                break
            if at >= len(d):
                raise Bad("truncated")
            if left is None and d[at] == 0xFF:
                at += 1
                break
            at = block(d, at, b, broken)
            left = None if left is None else left - 1
        if not any(k.type == 1 for k in b.blocks):
            raise Bad("payload-missing")
        if at != len(d):
            broken.add("trailing-bytes")
        values(b, rules, broken)
        across(b, rules, broken)
    except Bad as bad:
        broken |= bad.rules
    return broken


# -- making cases -------------------------------------------------------------------------------

def enc(major, v, wide=0):
    """A head; wide > 0: in that many octets more than needed, if that is possible."""
    sizes = [(24, 0), (1 << 8, 1), (1 << 16, 2), (1 << 32, 4), (1 << 64, 8)]
    k = next(i for i, (below, _) in enumerate(sizes) if v < below)
    n = sizes[min(k + wide, 4)][1]
    if n == 0:
        return bytes([major << 5 | v])
    return bytes([major << 5 | 24 + (1, 2, 4, 8).index(n)]) + v.to_bytes(n, "big")


class Maker:
    """Bundles as trees, so that a change is made before lengths and CRCs are."""

    def __init__(self, rnd):
        self.rnd = rnd
        self.odd = 0.0  # chance of an odd form for each item
        self.only = None  # or: only the place with this number is odd

    def is_odd(self):
        if self.only is not None:
            self.only -= 1
            return self.only == -1
        return self.odd and self.rnd.random() < self.odd

    def uint(self, v):
        wide = self.rnd.random() < 0.1 and self.is_odd()
        return enc(0, v, self.rnd.randrange(1, 4) if wide else 0)

    def array(self, items, may_open=True):
        if may_open and self.rnd.random() < 0.05:
            return b"\x9f" + b"".join(items) + b"\xff"
        n = len(items)
        if self.is_odd():
            n = max(0, n + self.rnd.choice((-1, 1)))
        return enc(4, n, self.rnd.randrange(1, 3) if self.is_odd() else 0) + b"".join(items)

    def bytes(self, data):
        if self.is_odd():
            return self.rnd.choice((b"\x5f" + enc(2, len(data)) + data + b"\xff", enc(3, len(data)) + data,
                                    enc(2, len(data), 1) + data, enc(2, len(data) + 1) + data))
        return enc(2, len(data)) + data

    def text(self, data):
        if self.rnd.random() < 0.05:
            cut = self.rnd.randrange(len(data) + 1)
            return b"\x7f" + enc(3, cut) + data[:cut] + enc(3, len(data) - cut) + data[cut:] + b"\xff"
        return enc(3, len(data), 1 if self.is_odd() else 0) + data

    def eid(self, kinds="nidDtgulz"):
        r, kind = self.rnd, self.rnd.choice(kinds)
        node = r.choice((1, 2, 3, 977, 1 << 20, 977000 << 32 | 100, 1 << 40))
        if kind == "n":
            ssp = [self.uint(1), self.uint(0)]
        elif kind == "z":
            ssp = [self.uint(2), self.array([self.uint(0), self.uint(r.choice((0, 0, 5)))])]
        elif kind == "i":
            ssp = [self.uint(2), self.array([self.uint(node), self.uint(r.choice((0, 1, 7, 2047)))])]
        elif kind == "t":
            ssp = [self.uint(2), self.array([self.uint(node >> 32), self.uint(node & LOCAL), self.uint(1)])]
        elif kind == "l":
            ssp = [self.uint(2), self.array([self.uint(LOCAL), self.uint(9)])]
        elif kind == "u":
            ssp = [self.uint(r.choice((0, 3, 255, 65536))), r.choice((b"\x07", b"\x82\x01\xf6", b"\xa1\x01\x02",
                   b"\x9f\x41\x00\xff", b"\xfb\x40\x09\x21\xfb\x54\x44\x2d\x18", b"\x7f\x61a\x60\xff"))]
        elif kind == "g":
            ssp = [self.uint(1), self.text(b"//all/~news")]
        elif kind == "d":
            ssp = [self.uint(1), self.text(r.choice((b"//mars/", b"//a.b-c/in", b"//n%41/x/y?z", b"///s")))]
        else:
            ssp = [self.uint(1), self.text(r.choice((b"mars/in", b"//mars", b"", b"//", b"/a/b", b"none", b"//a b/",
                   b"//a/ ", b"//a%4/", b"//a/\x7f", b"//" + b"n" * 1018 + b"/" + b"x" * r.randrange(4))))]
        return self.array(ssp)

    def bad_eid(self):
        r = self.rnd
        return r.choice((b"\x80", b"\x81\x02", b"\x83\x01\x00\x00", b"\x82\x01\x01", b"\x82\x02\x81\x01", b"\x82\x02\x84\x01\x01"
                         b"\x01\x01", b"\x82\x02\x80", b"\x82\x02\x02", b"\x82\x21\x00", b"\x82\x02\x83" + enc(0, 1 << 32) + b"\x01\x01",
                         b"\x82\x01\x40", b"\x82\x01\xf6", b"\x82\x02\xf6", b"\x00", b"\x82\x02\x82\x01\x20", b"\x82\x02\x9f\x01\xff"))

    def crc(self, items, kind, may_open=True):
        """A block with its CRC."""
        if kind == 0:
            return self.array(items, may_open)
        size = 2 if kind == 1 else 4
        field = enc(2, size)
        if self.is_odd():
            field = self.rnd.choice((enc(2, 6 - size), enc(2, size, 1), enc(3, size), enc(0, size)))
        whole_ = self.array(items + [field + bytes(size)], may_open)
        end = len(whole_) - (whole_[0] == 0x9F)
        value = crc_of(kind, whole_)
        if self.is_odd():
            value = bytes([value[0] ^ 1]) + value[1:]
        return whole_[:end - size] + value + whole_[end:]

    def extension(self):
        """(type, data) of an extension block."""
        r, cteb, creb = self.rnd, self.cteb, self.cteb + 1
        kind = r.choice((6, 7, 10, 10, cteb, cteb, creb, 11, 11, 12, 12, 200, 9, 14, 16))
        odd = self.is_odd()
        if kind == 6:
            data = self.eid("niidDtu") if not odd else r.choice((b"", b"\x00", self.eid("n") + b"\x00", self.bad_eid()))
        elif kind == 7:
            data = self.uint(r.choice((0, 5, 1000, 1 << 40))) if not odd else r.choice((b"", b"\x00\x00", b"\x20", b"\x40", b"\x18"))
        elif kind == 10:
            limit = r.choice((1, 8, 255)) if not odd else r.choice((0, 256, 1 << 33))
            data = self.array([self.uint(limit), self.uint(r.choice((0, 1, 7, 300)))])
            if odd and r.random() < 0.5:
                data = r.choice((b"", b"\x08", b"\x81\x08", b"\x83\x08\x01\x01", data + b"\x00", b"\x82\x08\x20"))
        elif kind == cteb:
            who = self.eid("iidt") if not odd else r.choice((self.eid("nzu"), self.bad_eid()))
            data = self.array([self.uint(r.randrange(30)), self.uint(r.randrange(3)), who])
        elif kind == creb and r.random() < 0.8:
            items = [self.uint(r.randrange(30)), self.uint(r.randrange(3)), self.uint(r.randrange(64)),
                     self.eid("iidtn"), self.eid("iidtn") if not odd else self.bad_eid()]
            data = self.array(items[:r.randrange(1, 6)] if not odd else r.choice(([], items, items + items[:1])))
        elif kind in (11, 12):
            t = r.sample((0, 1, 2, 3, 4), r.choice((1, 1, 2)))
            data = self.array([self.uint(x) for x in t]) + b"\x01\x01\x82\x02\x82\x01\x00\x80\x81\x81\x82\x01\x41\xaa"
            if odd:
                data = r.choice((b"", b"\x80", b"\x82\x01", b"\x81\x18\x00", data[:3]))
        else:
            data = bytes(r.randrange(256) for _ in range(r.randrange(8)))
        return kind, data

    def block(self, kind, number, data):
        r = self.rnd
        flags = r.choice((0, 0, 0, 1, 16, 1, 4, 1 << 40))
        if r.random() < 0.05:
            flags |= 2
        crc = r.choice((0, 1, 2, 2))
        bad = 3 if self.is_odd() and r.random() < 0.3 else crc
        items = [self.uint(kind), self.uint(number), self.uint(flags), self.uint(bad), self.bytes(data)]
        if self.is_odd():
            k = r.randrange(5)
            items[k] = r.choice((b"\xf6", b"\x20", b"\x60", b"\x80", b"\xc1\x00", b"\xff", b"\x1c"))
        return self.crc(items, crc)

    def primary(self, n_payload):
        r = self.rnd
        flags = r.choice((0, 0, 4, 0x20, 0x40, 0x4000, 0x40000, 1 << 21, 4 | 2, 0x74040))
        fragment = r.random() < 0.15
        if self.is_odd():
            flags = r.getrandbits(19) & ~1
        flags |= fragment
        crc = r.choice((0, 1, 2, 2, 2, 2))
        source = self.eid("iiiiidtnz") if not self.is_odd() else r.choice((self.eid("gul"), self.bad_eid()))
        if source in (b"\x82\x01\x00", b"\x82\x02\x82\x00\x00") and r.random() < 0.8:
            flags = flags & ~0x74000 | 4
        if flags & 2 and r.random() < 0.9:
            flags &= ~0x74000
        dest = self.eid("iiiidtgnul") if not self.is_odd() else r.choice((self.eid("D"), self.bad_eid()))
        report = self.eid("ninidtgul") if not self.is_odd() else self.bad_eid()
        created = r.choice((820000000000, 820000000000, 1, 0))
        times = self.array([self.uint(created), self.uint(r.randrange(70))])
        version = 7 if not self.is_odd() else r.choice((6, 8, 0))
        items = [self.uint(version), self.uint(flags), self.uint(crc if not self.is_odd() else 3), dest, source, report,
                 times, self.uint(r.choice((0, 3600000, (1 << 64) - 1)))]
        if fragment:
            total = n_payload + r.choice((0, 1, 10, 1000)) if not self.is_odd() else r.randrange(2 * n_payload + 1)
            offset = r.randrange(max(total - n_payload, 0) + 1) if not self.is_odd() else r.choice((total, (1 << 64) - 1))
            items += [self.uint(offset), self.uint(total)]
        if self.is_odd():
            k = r.randrange(len(items))
            items[k] = r.choice((b"\xf6", b"\x21", b"\x40", b"\xa0", b"\xff", b"\x1f"))
        self.zero = created == 0
        return self.crc(items, crc)

    def payload(self):
        r = self.rnd
        if r.random() < 0.1:
            return r.choice((b"\x82\x01\x84\x84\x81\xf5\x81\xf4\x81\xf4\x81\xf4\x00\x82\x02\x82\x01\x01\x82\x01\x00",
                             b"\x82\x0d\xa1\x01\x81\x83\x01\x0c\x83\x02\x04\x05", b""))
        return bytes(r.randrange(256) for _ in range(r.choice((0, 1, 5, 23, 24, 40, 300))))

    def bundle(self, rules):
        r = self.rnd
        self.cteb = 15 if rules & BPLIB else 13
        data = self.payload()
        parts = [self.primary(len(data))]
        numbers, used = list(range(2, 30)), set()
        r.shuffle(numbers)
        for _ in range(r.choice((0, 1, 1, 2, 3, 6)) if r.random() > 0.005 else r.choice((62, 63, 64))):
            kind, inside = self.extension()
            if kind in used and kind in (6, 7, 10, self.cteb, self.cteb + 1) and not self.is_odd():
                continue
            used.add(kind)
            number = numbers.pop() if numbers and not self.is_odd() else r.choice((0, 1, 2, 40 + len(parts)))
            if not numbers:
                number = 40 + len(parts)
            parts.append(self.block(0 if self.is_odd() else kind, number, inside))
        if self.zero and 7 not in used and r.random() < 0.8:
            parts.append(self.block(7, 31, self.uint(9)))
        parts.append(self.block(1, 1 if not self.is_odd() else r.choice((0, 2)), data))
        if self.is_odd():
            a, b = r.randrange(len(parts)), r.randrange(len(parts))
            change = r.randrange(3)
            if change == 0:
                parts[a], parts[b] = parts[b], parts[a]
            elif change == 1:
                parts.insert(b, parts[a])
            else:
                del parts[a]
        n = len(parts)
        if rules & DEFINITE and r.random() < 0.5 or r.random() < 0.01:
            n += r.choice((0, 0, 0, -1, 1))
            out = enc(4, max(n, 0)) + b"".join(parts)
        else:
            out = b"\x9f" + b"".join(parts) + b"\xff"
        return b"\xd9\xd9\xf7" + out if r.random() < 0.02 else out


def damage(rnd, d):
    """Bytes changed without regard to structure."""
    d = bytearray(d)
    for _ in range(rnd.choice((1, 1, 1, 2, 4))):
        at = rnd.randrange(len(d)) if d else 0
        kind = rnd.randrange(6)
        if kind == 0 and d:
            d[at] ^= 1 << rnd.randrange(8)
        elif kind == 1 and d:
            d[at] = rnd.choice((0x00, 0x18, 0x19, 0x1F, 0x5F, 0x80, 0x9F, 0xFF, 0xF6, 0xC1))
        elif kind == 2:
            d.insert(at, rnd.randrange(256))
        elif kind == 3 and d:
            del d[at]
        elif kind == 4:
            del d[at:]
        else:
            d += bytes(rnd.randrange(256) for _ in range(rnd.randrange(3)))
    return bytes(d)


def mend(d, rnd):
    """CRCs put right again where blocks can still be found, so that what stands before them counts."""
    out, at = bytearray(d), 1
    if d[:1] != b"\x9f":
        return d
    try:
        while at < len(d) and d[at] != 0xFF:
            end, place = skip(d, at), at
            n, p = opened(d, at)
            items = []
            while (len(items) < n) if n is not None else d[p] != 0xFF:
                q = skip(d, p)
                items.append((p, q))
                p = q
            last = d[items[-1][0]:items[-1][1]]
            if last[:1] in (b"\x42", b"\x44") and len(items) > 5:
                kind, lo = (1, 2) if last[0] == 0x42 else (2, 4)
                q = items[-1][1]
                body = d[place:q - lo] + bytes(lo) + d[q:end]
                out[q - lo:q] = crc_of(kind, body)
            at = end
    except (Bad, IndexError):
        pass
    return bytes(out)


def make_case(rnd):
    maker = Maker(rnd)
    rules = 0 if rnd.random() < 0.6 else rnd.getrandbits(6)
    how = rnd.random()
    if 0.35 < how < 0.75:
        if rnd.random() < 0.7:
            maker.only = rnd.randrange(60)
        else:
            maker.odd = rnd.choice((0.02, 0.1))
    d = maker.bundle(rules)
    if how >= 0.75:
        d = damage(rnd, d)
        if rnd.random() < 0.7:
            d = mend(d, rnd)
    return rules, d


# -- commands ----------------------------------------------------------------------------------

def cases(path):
    data, at = open(path, "rb").read(), 0
    while at < len(data):
        rules, n = struct.unpack_from(">BI", data, at)
        yield rules, data[at + 5:at + 5 + n]
        at += 5 + n


def make(seed, n, case_path, verdict_path):
    rnd, valid = random.Random(int(seed)), 0
    with open(case_path, "wb") as c, open(verdict_path, "w") as v:
        for _ in range(int(n)):
            rules, d = make_case(rnd)
            c.write(struct.pack(">BI", rules, len(d)) + d)
            broken = judge(d, rules)
            valid += not broken
            v.write(" ".join(sorted(broken)) + "\n")
    print(f"{n} cases, {valid} valid")
    return 0


def compare(case_path, verdict_path, our_path, quiet=False):
    verdicts = open(verdict_path).read().split("\n")[:-1]
    ours = open(our_path).read().split("\n")[:-1]
    if len(ours) != len(verdicts):
        print(f"{len(verdicts)} cases, {len(ours)} answers")
        return 1
    bad = [k for k, (v, o) in enumerate(zip(verdicts, ours))
           if (v == "") != (o == "valid") or (v and o not in v.split())]
    if bad and not quiet:
        all_ = list(cases(case_path))
        for k in bad[:10]:
            rules, d = all_[k]
            print(f"case {k}: oracle: {verdicts[k] or 'valid'}; ours: {ours[k]}; rules {rules:#x}\n  {d.hex()}")
    rules = {o for o in ours}
    print(f"{len(verdicts)} cases, {len(bad)} disagreements, {len(rules) - 1} rules seen")
    return 1 if bad else 0


def main(argv):
    if len(argv) == 6 and argv[1] == "make":
        return make(*argv[2:])
    if len(argv) == 5 and argv[1] == "compare":
        return compare(*argv[2:])
    if len(argv) == 4 and argv[1] == "judge":
        with open(argv[3], "w") as v:
            for rules, d in cases(argv[2]):
                v.write(" ".join(sorted(judge(d, rules))) + "\n")
        return 0
    if len(argv) == 3 and argv[1] == "check":
        broken = judge(bytes.fromhex(argv[2]), 0)
        print(" ".join(sorted(broken)) or "valid")
        return 1 if broken else 0
    print(__doc__, file=sys.stderr)
    return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv))
