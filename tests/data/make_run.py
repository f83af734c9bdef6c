#!/usr/bin/python3
"""Makes a run folder of three nodes, as a lab would leave it: earth > relay > mars, 40 bundles with
custody, each seventh frame lost on the long link and sent again, each tenth duplicated by the relay's
link, one frame damaged; custody signals back. Usage: make_run.py DIR [--speed-test N]"""
import json, os, struct, sys

import cbor2

DIR = sys.argv[1]
N = int(sys.argv[3]) if len(sys.argv) > 3 else 40
DTN0 = 800000000000
UNIX0 = 946684800000
NODE = {"earth": 1, "relay": 2, "mars": 3}
LINK = [("earth-relay", "earth", "relay", 60.0), ("relay-mars", "relay", "mars", 0.25)]
RATE = 1000000

CRC_TABLE = []
for n in range(256):
	for _ in range(8):
		n = n >> 1 ^ (0x82F63B78 if n & 1 else 0)
	CRC_TABLE.append(n)


def crc32c(data):
	c = 0xFFFFFFFF
	for b in data:
		c = CRC_TABLE[(c ^ b) & 255] ^ c >> 8
	return c ^ 0xFFFFFFFF


def with_crc(items):
	raw = cbor2.dumps(items + [bytes(4)])
	return raw[:-4] + struct.pack(">I", crc32c(raw))


def ipn(node, service):
	return [2, [node, service]]


def bundle(src, dst, created, seq, payload, prev, hop, custodian=None, admin=False):
	blocks = [with_crc([7, 2 if admin else 0, 2, ipn(*dst), ipn(*src), ipn(src[0], 0), [created, seq], 86400000])]
	blocks.append(with_crc([6, 2, 0, 2, cbor2.dumps(ipn(prev, 0))]))
	blocks.append(with_crc([10, 3, 0, 2, cbor2.dumps([30, hop])]))
	if custodian:
		blocks.append(with_crc([13, 4, 0, 2, cbor2.dumps([custodian[1], 1, ipn(custodian[0], 0)])]))
	blocks.append(with_crc([1, 1, 0, 2, payload]))
	return b"\x9f" + b"".join(blocks) + b"\xff"


def frame(link, back, data):
	a, b = (2, 1) if back else (1, 2)
	ip = struct.pack(">BBHHHBBH4B4B", 0x45, 0, 28 + len(data), 0, 0x4000, 64, 17, 0, 10, 1, link, a, 10, 1, link, b)
	s = sum(struct.unpack(">10H", ip))
	s = ~((s & 0xFFFF) + (s >> 16)) & 0xFFFF
	ip = ip[:10] + struct.pack(">H", s) + ip[12:]
	return bytes([2, 0, 0, 0, 0, b, 2, 0, 0, 0, 0, a, 8, 0]) + ip + struct.pack(">HHHH", 4556, 4556, 8 + len(data), 0) + data


frames, events = [], {n: [] for n in NODE}


def event(t, node, ev, **fields):
	events[node].append((t, {"t_us": round(t * 1e6), "dtn_ms": DTN0 + int(t * 1000), "real_ns": 1700000000 * 10**9 + round(t * 1e8),
		"node": "ipn:%d.0" % NODE[node], "ev": ev, **fields}))


def transmit(t, link, frm, data, drop="", copy=False, damage=False):
	"""One frame onto a link: its time of arrival, or None."""
	name, a, b, owlt = LINK[link]
	to = b if frm == a else a
	f = frame(link, frm != a, data)
	frames.append((t, name + ":" + frm, 2, f, "drop: " + drop if drop else ""))
	if drop:
		return None
	at = t + owlt + len(f) * 8 / RATE
	if damage:
		bad = bytearray(f)
		bad[-20] ^= 1
		frames.append((at, name + ":" + to, 1, bytes(bad), "bit errors: 1"))
		return None
	frames.append((at, name + ":" + to, 1, f, ""))
	if copy:
		frames.append((at + 0.002, name + ":" + to, 1, f, "duplicate"))
	return at


def seen(t, node, i, src, dst, created, seq, size, payload):
	event(t, node, "bundle_seen", id=i, src_node="ipn:%d.0" % src[0], src_service=src[1], created_ms=created, seq=seq)
	event(t, node, "bundle_shape", id=i, dst_node="ipn:%d.0" % dst[0], dst_service=dst[1], size_bytes=size, payload_bytes=payload)
	event(t, node, "bundle_class", id=i, lifetime_ms=86400000, crc_type=2, priority=1, flags=0)


def main():
	for n in NODE:
		event(0, n, "node_start", boot=1, n_bundles=0, n_custody=0, stored_bytes=0)
	for c in CONTACTS:
		frm = {v: k for k, v in NODE.items()}[c[0]]
		link = next(l[0] for l in LINK if frm in l and {v: k for k, v in NODE.items()}[c[1]] in l)
		event(c[2] + 0.001, frm, "link_open", link=link, peer="ipn:%d.0" % c[1], rate_bps=RATE, owlt_us=0, until_us=c[3] * 1000000)
		event(c[3], frm, "link_close", link=link, peer="ipn:%d.0" % c[1], n_queued=0)
	for k in range(N):
		one_bundle(k)
	# the relay is killed at 170 and starts again at 185
	events["relay"] = [e for e in events["relay"] if not 170 < e[0] < 185]
	event(185, "relay", "node_start", boot=2, n_bundles=N, n_custody=N, stored_bytes=1)


def one_bundle(k):
	src, dst, payload = (1, 5), (3, 9), bytes(3000)
	t, created = 1 + k * 0.5, DTN0 + 1000 + k * 500
	data = bundle(src, dst, created, k, payload, 1, 1, (1, k))
	seen(t, "earth", k, src, dst, created, k, len(data), len(payload))
	event(t, "earth", "bundle_sourced", id=k, registration=1, custody=True)
	for attempt in range(3):
		event(t, "earth", "bundle_queued", id=k, next_node="ipn:2.0", contact=1, arrival_us=200000000, n_queued=k)
		event(t, "earth", "bundle_forwarded", id=k, next_node="ipn:2.0", link="earth-relay", frame_bytes=len(data) + 42,
			tx_end_us=round((t + 0.03) * 1e6))
		at = transmit(t + 0.001, 0, "earth", data, drop="loss" if k % 7 == 3 and attempt == 0 else "", damage=k == 5 and attempt == 0)
		if at:
			break
		t += 125
		event(t, "earth", "custody_retx", id=k, next_node="ipn:2.0", n_sent=attempt + 2, why="timer")
	seen(at, "relay", k, src, dst, created, k, len(data), len(payload))
	event(at, "relay", "bundle_received", id=k, link="earth-relay", prev_node="ipn:1.0", hop_count=1, custody=True)
	t2 = max(200 + k * 0.1, at + 1)
	data = bundle(src, dst, created, k, payload, 2, 2, (2, k))
	event(at, "relay", "bundle_queued", id=k, next_node="ipn:3.0", contact=3, arrival_us=201000000, n_queued=k)
	event(t2, "relay", "bundle_forwarded", id=k, next_node="ipn:3.0", link="relay-mars", frame_bytes=len(data) + 42,
		tx_end_us=round((t2 + 0.03) * 1e6))
	at2 = transmit(t2 + 0.001, 1, "relay", data, copy=k % 10 == 0)
	seen(at2, "mars", k, src, dst, created, k, len(data), len(payload))
	event(at2, "mars", "bundle_received", id=k, link="relay-mars", prev_node="ipn:2.0", hop_count=2, custody=True)
	if k % 10 == 0:
		event(at2 + 0.002, "mars", "bundle_duplicate", id=k, link="relay-mars", why="known")
	event(at2 + 0.01, "mars", "bundle_delivered", id=k, registration=1)
	if k % 8 == 7:
		signal(1000 + k, at + 2, "relay", "earth", 0)
		signal(2000 + k, at2 + 0.1, "mars", "relay", 1)


def signal(i, t, frm, to, link):
	src, dst, created = (NODE[frm], 0), (NODE[to], 0), DTN0 + int(t * 1000)
	data = bundle(src, dst, created, i, cbor2.dumps([13, {1: [[1, 0, 8]]}]), NODE[frm], 1, admin=True)
	seen(t, frm, i, src, dst, created, i, len(data), 8)
	event(t, frm, "bundle_forwarded", id=i, next_node="ipn:%d.0" % NODE[to], link=LINK[link][0], frame_bytes=len(data) + 42, tx_end_us=round(t * 1e6))
	at = transmit(t + 0.001, link, frm, data)
	seen(at, to, i, src, dst, created, i, len(data), 8)
	event(at, to, "bundle_received", id=i, link=LINK[link][0], prev_node="ipn:%d.0" % NODE[frm], hop_count=1, custody=False)


def block(kind, body):
	body += bytes(-len(body) % 4)
	return struct.pack("<II", kind, len(body) + 12) + body + struct.pack("<I", len(body) + 12)


def option(code, value):
	return struct.pack("<HH", code, len(value)) + value + bytes(-len(value) % 4)


def write_capture(path):
	names = [n + ":" + x for n, a, b, _ in LINK for x in (a, b)]
	with open(path, "wb") as f:
		f.write(block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)))
		for n in names:
			f.write(block(1, struct.pack("<HHI", 1, 0, 0) + option(2, n.encode()) + option(9, b"\x09") + bytes(4)))
		for t, name, way, data, comment in sorted(frames, key=lambda x: x[0]):
			ns = (DTN0 + UNIX0) * 1000000 + round(t * 1e6) * 1000
			f.write(block(6, struct.pack("<IIIII", names.index(name), ns >> 32, ns & 0xFFFFFFFF, len(data), len(data)) +
				data + bytes(-len(data) % 4) + option(2, struct.pack("<I", way)) +
				(option(1, comment.encode()) if comment else b"") + bytes(4)))


CONTACTS = [(1, 2, 0, 150), (2, 1, 0, 300), (2, 3, 195, 300), (3, 2, 195, 300), (1, 2, 400, 500)]
os.makedirs(DIR + "/events", exist_ok=True)
main()
write_capture(DIR + "/frames.pcapng")
for n in NODE:
	with open("%s/events/%s.jsonl" % (DIR, n), "w") as f:
		for _, e in sorted(events[n], key=lambda x: x[0]):
			f.write(json.dumps(e, separators=(",", ":")) + "\n")
with open(DIR + "/run.json", "w") as f:
	json.dump({"mono0_ns": 0, "dtn0_ms": DTN0, "speed": 10, "name": "three"}, f)
with open(DIR + "/topology.json", "w") as f:
	json.dump({"name": "three", "speed": 10, "until": "300s",
		"nodes": [{"name": n, "id": "ipn:%d.0" % i} for n, i in NODE.items()],
		"links": [{"name": n, "a": a, "b": b, "rate": "1M", "owlt": "%gs" % o,
			"a_to_b": {"loss": 0.1 if n == "earth-relay" else 0}} for n, a, b, o in LINK],
		"plan": {"contacts": [{"from": "ipn:%d.0" % a, "to": "ipn:%d.0" % b, "start": s, "end": e, "rate": "1M",
			"owlt": "60s" if 1 in (a, b) else "250ms"} for a, b, s, e in CONTACTS]}}, f)
