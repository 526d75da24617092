#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: sparse.sh SERIES     prints the path of a sparse that takes that series' kernel headers
#
# SERIES is 6.12 or newest. Newer kernels need sparse 0.6.5, which Debian has as a source package of unstable before it
# has it anywhere else; it is built in the cache then.

set -euo pipefail

here=$(dirname "$(readlink -f "$0")")
# shellcheck source-path=SCRIPTDIR source=vm/lib.sh
. "$here/vm/lib.sh"
# shellcheck source-path=SCRIPTDIR source=vm/apt.sh
. "$here/vm/apt.sh"

usage() { sed -n '4s/^# //p' "$0" >&2; exit 2; }

packaged() { dpkg-query -W -f '${Version}' sparse 2>/dev/null; }

# ~: the release candidates do
new_enough() { dpkg --compare-versions "$1" ge 0.6.5~; }

binary() { echo "$cache/sparse-$version/sparse"; }

build_sparse() {
	local tree=$cache/sparse.new
	need build gcc make xz
	rm -rf "$cache/download-sparse" "$tree"
	download "$cache/download-sparse" sparse source --download-only
	new_enough "$version" || die "unstable has only sparse $version"
	say "building sparse $version"
	mkdir -p "$tree"
	tar -xf "$cache"/download-sparse/sparse_*.orig.tar.* -C "$tree" --strip-components=1
	make -s -C "$tree" sparse >"$cache/sparse.log" 2>&1 || die "building sparse failed; see $cache/sparse.log"
	rm -rf "$cache"/sparse-[0-9]* "$cache/download-sparse"
	mv "$tree" "$(dirname "$(binary)")"
}

[[ $#:${1-} == 1:6.12 || $#:${1-} == 1:newest ]] || usage
need check sparse
if [[ $1 == 6.12 ]] || new_enough "$(packaged)"; then
	command -v sparse
	exit
fi
resolve sparse
if [[ ! -x $(binary) ]]; then
	lock sparse
	[[ -x $(binary) ]] || build_sparse
fi
binary
