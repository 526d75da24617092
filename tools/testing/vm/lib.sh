# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What the scripts of the test machine and of the packages share. Source it, do not run it.

die_status=1

say() { printf '%s: %s\n' "${0##*/}" "$*" >&2; }
die() { say "$@"; exit "$die_status"; }

# Kernels and tools are large, slow to make and the same for every checkout, so they live outside all of them.
HOME=${HOME:-~}
cache=$(realpath -m "${WDDMCOMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/wddmcompat}")

# The one place for it
package_version() { sed -n 's/^PACKAGE_VERSION="\(.*\)"/\1/p' "$(dirname "${BASH_SOURCE[0]}")/../../../dkms.conf"; }

# need SET COMMAND... : stops, and says what to do, when a command is missing
need() {
	local set=$1 command
	shift
	for command; do
		command -v "$command" >/dev/null || [[ -x /usr/sbin/$command ]] ||
			die "$command is missing; run tools/testing/deps.sh $set"
	done
}

# lock NAME : holds a lock of the cache until this script ends
lock() {
	mkdir -p "$cache"
	exec 9>"$cache/$1.lock"
	flock -n 9 && return
	say "waiting for another run that is making a $1"
	flock 9
}

# These scripts also run from make, whose flags and variables are not meant for the builds they start.
unset MAKEFLAGS MFLAGS MAKELEVEL MAKEOVERRIDES KBUILD_OUTPUT O ARCH CROSS_COMPILE

# What all self-tests need: two edu devices that send any address, in slots, and one that sends QEMU's default of 28 bits
# shellcheck disable=SC2034,SC2054 # for who sources this; these commas are QEMU's
selftest_devices=(--edu 2 --edu-hotplug --qemu -device --qemu pcie-root-port,id=few,chassis=9,slot=9
	--qemu -device --qemu edu,bus=few)
