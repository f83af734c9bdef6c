#!/bin/sh
# install.sh BUILD PREFIX: programs, libowlt with its header, man pages, labs, completion, a unit of systemd.
set -eu
build=$1 prefix=${DESTDIR:-}$2
[ -n "$2" ] && [ "${2#/}" != "$2" ] || { echo "install: PREFIX=$2: an absolute path is needed" >&2; exit 2; }
install -d "$prefix/bin" "$prefix/lib" "$prefix/include" "$prefix/share/owlt/labs" \
	"$prefix/share/bash-completion/completions" "$prefix/lib/systemd/system"
install -m 755 "$build/bin/owlt" "$build/bin/owltd" "$prefix/bin/"
install -m 644 "$build/release/libowlt.a" "$prefix/lib/libowlt.a"
install -m 644 dtn/client/owlt.h "$prefix/include/owlt.h"
install -m 644 netns/labs/*.json "$prefix/share/owlt/labs/"
sed "s|@PREFIX@|$2|" dtn/daemon/owltd@.service.in >"$prefix/lib/systemd/system/owltd@.service"
chmod 644 "$prefix/lib/systemd/system/owltd@.service"
"$build/bin/owlt" --completion >"$prefix/share/bash-completion/completions/owlt"
for page in docs/man/*.[1-8] "$build"/man/*.[1-8]; do
	[ -e "$page" ] || continue
	section=${page##*.}
	install -d "$prefix/share/man/man$section"
	install -m 644 "$page" "$prefix/share/man/man$section/"
done
