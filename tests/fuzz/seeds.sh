# Seeds of the fuzz targets: `seeds NAME DIR` fills DIR with what is known to be good or bad input of
# fuzz_NAME: tests/vectors/NAME/*, what is named here, and the regression corpus. *.hex becomes bytes.
# To be sourced from the top of the tree.
seed_files() { # NAME
	case $1 in
	bundle | bpsec | cose) ls tests/vectors/*.hex tests/vectors/captured/*.hex ;;
	plan) ls tests/vectors/*.ionrc tests/vectors/plan/* 2>/dev/null ;;
	topo) ls netns/labs/*.json tests/sim/*.json ;;
	scenario) ls tests/scenario/*.scn ;;
	config) ls netns/labs/*.json ;;
	esac
	[ ! -d "tests/vectors/$1" ] || ls tests/vectors/"$1"/*
}

seeds() { # NAME DIR
	rm -rf "$2"
	mkdir -p "$2"
	for f in $(seed_files "$1"); do
		case $f in
		*.hex) echo "$f" ;;
		*) cp "$f" "$2/" ;;
		esac
	done >"$2.hex"
	/usr/bin/python3 -c 'import sys, os
for f in open(sys.argv[1]).read().split():
    open(os.path.join(sys.argv[2], os.path.basename(f)[:-4]), "wb").write(bytes.fromhex(open(f).read()))' \
		"$2.hex" "$2" || exit 1
	rm -f "$2.hex"
}
