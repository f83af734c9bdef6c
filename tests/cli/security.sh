#!/bin/bash
# Secured bundles by hand: owlt key, bundle sign, encrypt, show --keys, check; what comes out is judged by an
# independent calculation (security_check.py) and by tshark. RFC 9173's vectors as well.
# Prints "ok NAME", "not ok NAME" or "skip NAME: why" a case; exit 1 if one failed. Runs from the top of the tree.
owlt=${OWLT:-build/bin/owlt}
v=tests/vectors
bad=0
tmp=$(mktemp -d) && trap 'rm -rf "$tmp"' EXIT

case_is() { # NAME WANT GOT
	if [ "$2" = "$3" ]; then
		echo "ok $1"
	else
		echo "not ok $1"
		printf '# want %s\n# got  %s\n' "$2" "$3"
		bad=1
	fi
}
code() { # NAME WANT COMMAND...
	name=$1 want=$2
	shift 2
	"$@" >"$tmp/out" 2>"$tmp/err" </dev/null
	case_is "$name" "$want" $?
}
has() { # NAME PATTERN FILE
	case_is "$1" 1 "$(grep -c -- "$2" "$3")"
}

# -- keys
keys=$tmp/keys
umask 022
for k in "hmac --sha 256 --id h256" "hmac --id h384" "hmac --sha 512 --id h512" "aes128 --id a128" "aes256 --id a256" \
	"kek128 --context 2 --id kek2" "kek256 --context 1 --id kek1" "ed25519 --id ed" "es256 --id es"; do
	# shellcheck disable=SC2086
	"$owlt" key make -o "$keys" --kind $k || bad=1
done
case_is key_file_mode 600 "$(stat -c %a "$keys")"
case_is key_list 9 "$("$owlt" key list "$keys" | wc -l)"
code key_twice 1 "$owlt" key make --kind hmac --id h384 -o "$keys"
code key_no_kind 2 "$owlt" key make --id x
code key_kek_needs_context 2 "$owlt" key make --kind kek128 --id x
"$owlt" key list "$keys" >"$tmp/list" && "$owlt" key list --json "$keys" >>"$tmp/list"
"$owlt" key public "$keys" >"$tmp/public.keys"
case_is no_secret_is_printed 0 "$(grep -o '"secret":"[0-9a-f]*"' "$keys" | sed 's/.*:"//; s/"//' |
	while read -r s; do grep -l "$s" "$tmp/list" "$tmp/public.keys"; done | wc -l)"
case_is public_keys 2 "$(grep -c '"public"' "$tmp/public.keys")"
cp "$keys" "$tmp/open.keys" && chmod 640 "$tmp/open.keys"
code key_file_others_may_read 2 "$owlt" key list "$tmp/open.keys"
has key_file_says_what_to_do "chmod 600" "$tmp/err"
chmod 644 "$tmp/public.keys"
code public_file_others_may_read 0 "$owlt" key list "$tmp/public.keys"

# -- each way to secure a bundle, judged by ourselves, by a calculation that is not ours, and by tshark
python=/usr/bin/python3
$python -c 'import cbor2, cryptography' 2>/dev/null || python=
printf 'twelve bytes' >"$tmp/payload"
"$owlt" bundle make --source ipn:1.1 --dest ipn:2.1 --hop 30,1 --payload "$tmp/payload" >"$tmp/plain"
judged() { # NAME FILE EXPECTED-OK
	case_is "$1_valid" valid "$("$owlt" bundle check "$2")"
	case_is "$1_shown" "$3" "$("$owlt" bundle show --keys "$keys" "$2" | grep -c ': ok, key ')"
	case_is "$1_plaintext" 1 "$("$owlt" bundle show --keys "$keys" "$2" | grep -c ' 7477656c7665206279746573 (12 bytes)')"
	if [ "$python" ]; then
		case_is "$1_by_others" "$3" "$($python tests/cli/security_check.py "$keys" "$2" 2>&1 | grep -c ': ok')"
	fi
	cp "$2" "$tmp/bundle-$1"
}
made() { # NAME COMMAND OPTIONS...
	name=$1 command=$2
	shift 2
	"$owlt" bundle "$command" --keys "$keys" "$@" "$tmp/plain" >"$tmp/secured" || bad=1
	judged "$name" "$tmp/secured" 1
}
made sign_payload sign --key h384
made sign_primary sign --key h256 --target 0
made sign_primary_bare sign --key h256 --target 0 --bare-primary
made sign_hop sign --key h512 --target 2 --scope primary,security --crc 16
made sign_kek sign --key kek1 --bits 512 --scope none
made sign_cose_mac sign --key h256 --context 3
made sign_ed sign --key ed
made sign_ed_primary sign --key ed --target 0
made sign_es sign --key es --scope target --security-source ipn:9.0
made encrypt_payload encrypt --key a256
made encrypt_128 encrypt --key a128 --scope primary --number 7 --crc 32c
made encrypt_behind encrypt --key a256 --tag-behind
made encrypt_hop encrypt --key a128 --target 2 --iv 0011223344556677
made encrypt_kek encrypt --key kek2 --bits 128 --iv 00112233445566778899aabbccddeeff
made encrypt_cose encrypt --key a256 --context 3
"$owlt" bundle sign --keys "$keys" --key ed --target 0 "$tmp/plain" | "$owlt" bundle sign --keys "$keys" --key h384 |
	"$owlt" bundle encrypt --keys "$keys" --key a256 | "$owlt" bundle encrypt --keys "$keys" --key a128 --target 4 >"$tmp/all"
judged all_together "$tmp/all" 4

# -- who has other keys
"$owlt" bundle sign --keys "$keys" --key es "$tmp/plain" >"$tmp/signed"
code verified_by_public_key 0 "$owlt" bundle show --keys "$tmp/public.keys" "$tmp/signed"
has verified_by_public_key_says "integrity of block 1.*: ok, key es" "$tmp/out"
code no_key 0 "$owlt" bundle show --keys "$tmp/public.keys" "$tmp/all"
case_is no_key_says 2 "$(grep -c 'confidentiality of .*: no key' "$tmp/out")"
"$owlt" key make --kind aes256 --id other -o "$tmp/other.keys"
"$owlt" bundle encrypt --keys "$keys" --key a256 "$tmp/plain" >"$tmp/secret"
code wrong_key 1 "$owlt" bundle show --keys "$tmp/other.keys" "$tmp/secret"
has wrong_key_says ": failed" "$tmp/out"
case_is wrong_key_shows_no_plaintext 0 "$(grep -c 7477656c7665 "$tmp/out")"
"$owlt" bundle show --json --keys "$keys" "$tmp/secret" >"$tmp/json"
has json_says '"security":\[{"service":"confidentiality","target":1,"block":3,"context":2,"source":"ipn:1.0","result":"ok","key":"a256"}\]' "$tmp/json"

# -- what is refused
code sign_twice 1 "$owlt" bundle sign --keys "$keys" --key h384 "$tmp/signed"
code sign_what_is_encrypted 1 "$owlt" bundle sign --keys "$keys" --key h384 "$tmp/secret"
code encrypt_primary 1 "$owlt" bundle encrypt --keys "$keys" --key a256 --target 0 "$tmp/plain"
code encrypt_with_mac_key 1 "$owlt" bundle encrypt --keys "$keys" --key h384 "$tmp/plain"
code sign_with_public_key 1 "$owlt" bundle sign --keys "$tmp/public.keys" --key es "$tmp/plain"
code unknown_key 2 "$owlt" bundle sign --keys "$keys" --key none "$tmp/plain"
code no_keys 2 "$owlt" bundle sign --key none "$tmp/plain"
code bad_iv 2 "$owlt" bundle encrypt --keys "$keys" --key a256 --iv 00 "$tmp/plain"
"$owlt" bundle make --source ipn:1.1 --dest ipn:2.1 --fragment 0,100 --payload "$tmp/payload" >"$tmp/fragment"
code sign_fragment 1 "$owlt" bundle sign --keys "$keys" --key h384 "$tmp/fragment"
"$owlt" bundle encrypt --keys "$keys" --key a256 "$tmp/signed" >"$tmp/clear" 2>"$tmp/hint"
case_is hint_of_clear_block 1 "$(grep -c 'encrypt it, too (--target [0-9]*)$' "$tmp/hint")"
case_is check_rules "invalid: bib-clear at byte" "$("$owlt" bundle check "$tmp/clear" | cut -c1-26)"

# -- RFC 9173 A
cat >"$tmp/rfc.keys" <<'K'
{"keys": [{"id": "h256", "kind": "hmac", "sha": 256, "secret": "1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b"},
 {"id": "h384", "kind": "hmac", "sha": 384, "secret": "1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b"},
 {"id": "h512", "kind": "hmac", "sha": 512, "secret": "1a2b1a2b1a2b1a2b1a2b1a2b1a2b1a2b"},
 {"id": "kek", "kind": "kek128", "context": 2, "secret": "6162636465666768696a6b6c6d6e6f70"},
 {"id": "a128", "kind": "aes128", "secret": "71776572747975696f70617364666768"},
 {"id": "a256", "kind": "aes256", "secret": "71776572747975696f7061736466676871776572747975696f70617364666768"}]}
K
chmod 600 "$tmp/rfc.keys"
lenient="--allow-no-primary-crc --allow-no-age"
for n in a1:1 a2:1 a3:3 a3_bare:3 a4:3; do
	hex=$(cat "$v/rfc9173_${n%:*}.hex")
	# shellcheck disable=SC2086
	case_is "rfc9173_${n%:*}_valid" valid "$("$owlt" bundle check $lenient --hex "$hex")"
	# shellcheck disable=SC2086
	case_is "rfc9173_${n%:*}_shown" "${n#*:}" \
		"$("$owlt" bundle show $lenient --keys "$tmp/rfc.keys" --hex "$hex" | grep -c ': ok, key ')"
	echo "$hex" | sed 's/\(..\)/\\x\1/g' >"$tmp/escaped"
	printf "$(cat "$tmp/escaped")" >"$tmp/bundle-rfc9173_${n%:*}"
	if [ "$python" ]; then
		case_is "rfc9173_${n%:*}_by_others" "${n#*:}" \
			"$($python tests/cli/security_check.py "$tmp/rfc.keys" "$tmp/bundle-rfc9173_${n%:*}" 2>&1 | grep -c ': ok')"
	fi
done
[ "$python" ] || echo "skip by_others: no python3-cbor2 and python3-cryptography on this machine"

# -- tshark: dissected, nothing malformed, security blocks and targets found
if ! command -v tshark >/dev/null || ! command -v text2pcap >/dev/null; then
	echo "skip tshark: not on this machine"
	exit $bad
fi
for f in "$tmp"/bundle-*; do od -Ax -tx1 -v "$f"; done >"$tmp/frames"
text2pcap -q -u 4556,4556 "$tmp/frames" "$tmp/frames.pcap" 2>/dev/null
shark() { tshark -2 -r "$tmp/frames.pcap" "$@" 2>/dev/null; }
set -- "$tmp"/bundle-*
case_is tshark_frames $# "$(shark -Y bpv7 | wc -l)"
case_is tshark_malformed "" "$(shark -Y '_ws.malformed || bpv7.block_failed_crc || bpv7.invalid_framing || bpsec.target_invalid')"
case_is tshark_secured $# "$(shark -Y 'bpsec.bib || bpsec.bcb' | wc -l)"
n=0
for f in "$@"; do
	n=$((n + 1))
	case ${f##*/bundle-} in
	rfc9173_a1) case_is tshark_a1 "1 1 7 0" "$(shark -Y "frame.number==$n" -T fields -E separator=' ' \
		-e bpsec.asb.target -e bpsec.asb.ctxid -e bpsec.defaultsc.shavar -e bpsec.defaultsc.scope | sed 's/0x0*\([0-9]\)/\1/g')" ;;
	rfc9173_a2) case_is tshark_a2 "1 2 1" "$(shark -Y "frame.number==$n" -T fields -E separator=' ' \
		-e bpsec.asb.target -e bpsec.asb.ctxid -e bpsec.defaultsc.aesvar)" ;;
	rfc9173_a3) case_is tshark_a3 "0,2,1 1,2" "$(shark -Y "frame.number==$n" -T fields -E separator=' ' \
		-e bpsec.asb.target -e bpsec.asb.ctxid)" ;;
	encrypt_kek) case_is tshark_iv 16 "$(shark -Y "frame.number==$n" -T fields -e bpsec.defaultsc.iv | tr -d ':\n' | wc -c | awk '{print $1 / 2}')" ;;
	esac
done
exit $bad
