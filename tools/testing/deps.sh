#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only
#
# usage: deps.sh SET...     installs what is missing of these sets of Debian packages
#
#   build   the module, the tools, the test kernels
#   vm      the test machine
#   check   checkpatch, sparse, shellcheck, the C++ test of the headers, completion
#   docs    the manual
#   coverage what of the sources was executed
#   bench   pictures of the benchmark
#   deb     Debian packages

set -euo pipefail

# shellcheck source-path=SCRIPTDIR source=vm/lib.sh
. "$(dirname "$(readlink -f "$0")")/vm/lib.sh"

# What is a recommendation only, such as libc6-dev of gcc, has to be named.
declare -A sets=(
	[build]="bc bison ca-certificates cpio flex gcc kmod libc6-dev libelf-dev libjson-c-dev libssl-dev make pkg-config
		python3 rsync xz-utils"
	[vm]="busybox-static cpio e2fsprogs qemu-system-x86"
	[check]="bash-completion g++ perl python3-git python3-ply shellcheck sparse"
	[docs]="python3-sphinx"
	[coverage]="gcovr"
	[bench]="gnuplot-nox"
	[deb]="build-essential debhelper dh-dkms dpkg-dev git lintian mmdebstrap python3-sphinx rsync"
)

usage() { sed -n '4,13s/^# \{0,1\}//p' "$0" >&2; exit 2; }

installed() { [[ $(dpkg-query -W -f '${db:Status-Status}' "$1" 2>/dev/null) == installed ]]; }

(($# > 0)) || usage
missing=()
for set in "$@"; do
	[[ -n ${sets[$set]-} ]] || usage
	for package in ${sets[$set]}; do
		installed "$package" || missing+=("$package")
	done
done
((${#missing[@]} > 0)) || exit 0

sudo=()
if ((EUID != 0)); then
	command -v sudo >/dev/null || die "as root, install these packages: ${missing[*]}"
	sudo=(sudo)
fi
say "installing ${missing[*]}"
"${sudo[@]}" apt-get -qq update
"${sudo[@]}" env DEBIAN_FRONTEND=noninteractive apt-get -qqy install --no-install-recommends "${missing[@]}" >/dev/null
