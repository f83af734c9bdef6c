"""Checks the security operations of a bundle on its own: cbor2 and python3-cryptography, no code of ours.

security_check.py KEYS BUNDLE: one line an operation, exit 1 if one does not hold. A bundle with encrypted
blocks is decrypted as it goes. RFC 9173 3.7, 4.7; draft-ietf-dtn-bpsec-cose for context 3.
"""
import io
import json
import sys

import cbor2
from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives import hashes, hmac, keywrap
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, utils
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

SHA = {5: hashes.SHA256, 6: hashes.SHA384, 7: hashes.SHA512}


def sequence(data):
    f, items = io.BytesIO(data), []
    while f.tell() < len(data):
        items.append(cbor2.load(f))
    return items


def three(block):
    return b"".join(cbor2.dumps(v) for v in (block[0], block[1], block[2] & 0x17))


def mac(sha, key, data):
    h = hmac.HMAC(key, sha())
    h.update(data)
    return h.finalize()


class Bundle:
    def __init__(self, raw):
        items = cbor2.loads(raw)
        self.primary = cbor2.dumps(items[0])
        self.blocks = {b[1]: b for b in items[1:]}

    def scoped(self, scope, target, block):
        out = cbor2.dumps(scope)
        if target and scope & 1:
            out += self.primary
        if target and scope & 2:
            out += three(self.blocks[target])
        return out + (three(block) if scope & 4 else b"")


def aad_cose(bundle, source, params, target, block):
    scope = params.get(5, {0: 1, -1: 1, -2: 1})
    order = sorted(k for k in scope if k >= 0) + sorted((k for k in scope if k < 0), reverse=True)
    out = cbor2.dumps(source) + cbor2.dumps({k: scope[k] for k in order})
    for k in order:
        if k == 0 or (k == -1 and target == 0):
            out += bundle.primary
            continue
        b = block if k == -2 else bundle.blocks[target if k == -1 else k]
        out += three(b) if scope[k] & 1 else b""
        out += cbor2.dumps(b[4]) if scope[k] & 2 else b""
    return out + cbor2.dumps(params.get(3, b""))


def signature_holds(key, alg, message, signature):
    try:
        if alg == -8:
            public = ed25519.Ed25519PrivateKey.from_private_bytes(bytes.fromhex(key["secret"])).public_key()
            public.verify(signature, message)
        else:
            public = ec.derive_private_key(int(key["secret"], 16), ec.SECP256R1()).public_key()
            der = utils.encode_dss_signature(int.from_bytes(signature[:32], "big"), int.from_bytes(signature[32:], "big"))
            public.verify(der, message, ec.ECDSA(hashes.SHA256()))
        return True
    except InvalidSignature:
        return False


def gcm_open(key, iv, data, aad):
    try:
        return AESGCM(key).decrypt(iv, data, aad)
    except InvalidTag:
        return None


def cose(bundle, keys, block, target, source, params, result):
    protected, unprotected, _, *rest = cbor2.loads(result[1])
    key = next(k for k in keys if k["id"].encode() == unprotected[4])
    alg = cbor2.loads(protected)[1]
    aad = aad_cose(bundle, source, params, target, block)
    data = bundle.blocks[target][4] if target else bundle.primary
    if result[0] == 16:
        plain = gcm_open(bytes.fromhex(key["secret"]), unprotected[5], data, cbor2.dumps(["Encrypt0", protected, aad]))
        if plain is not None:
            bundle.blocks[target][4] = plain
        return plain is not None
    if result[0] == 17:
        want = mac(SHA[alg], bytes.fromhex(key["secret"]), cbor2.dumps(["MAC0", protected, aad, data]))
        return want == rest[0]
    return signature_holds(key, alg, cbor2.dumps(["Signature1", protected, aad, data]), rest[0])


def secret_for(keys, kinds, wrapped):
    for k in keys:
        if wrapped is None and k["kind"] in kinds:
            yield bytes.fromhex(k["secret"])
        if wrapped is not None and k["kind"].startswith("kek"):
            try:
                yield keywrap.aes_key_unwrap(bytes.fromhex(k["secret"]), wrapped)
            except keywrap.InvalidUnwrap:
                pass


def default(bundle, keys, block, target, context, params, results):
    scope = params.get(3 if context == 1 else 4, 7)
    start = bundle.scoped(scope, target, block)
    data = bundle.blocks[target][4] if target else bundle.primary
    if context == 1:
        want = [mac(SHA[params.get(1, 6)], k, start + form)
                for k in secret_for(keys, ("hmac",), params.get(2)) for form in (cbor2.dumps(data), data)]
        return results[0][1] in want
    data += results[0][1] if results else b""
    for k in secret_for(keys, ("aes128", "aes256"), params.get(3)):
        plain = gcm_open(k, params[1], data, start)
        if plain is not None:
            bundle.blocks[target][4] = plain
            return True
    return False


def main():
    keys = json.load(open(sys.argv[1]))["keys"]
    bundle = Bundle(open(sys.argv[2], "rb").read())
    bad = 0
    for kind in (12, 11):
        # what covers an integrity block first, so that it can be read
        for block in sorted((b for b in bundle.blocks.values() if b[0] == kind), key=lambda b: -b[1]):
            targets, context, flags, source, *rest = sequence(block[4])
            params = dict(rest[0]) if flags & 1 else {}
            for target, results in zip(targets, rest[-1]):
                good = (cose(bundle, keys, block, target, source, params, results[0]) if context == 3
                        else default(bundle, keys, block, target, context, params, results))
                print(f"block {block[1]} target {target} context {context}: {'ok' if good else 'FAILED'}")
                bad |= not good
    sys.exit(bad)


main()
