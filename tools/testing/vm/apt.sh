# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# A private apt: Debian packages of suites that this machine does not install from, fetched from the mirror and checked
# with the keys that it does use. Nothing of the system's apt is changed, and no root is needed.
# Source it after lib.sh.

apt=${cache:?source lib.sh first}/apt
versions=$apt/versions

private_apt() { "$1" -q -c "$apt/apt.conf" "${@:2}"; }

# Debian's suites in the system's configuration, one a line: label|suite|codename|URI|sources file:line
debian_suites() {
	# shellcheck disable=SC2016 # apt expands these
	apt-get "$@" indextargets --format '$(LABEL)|$(RELEASE)|$(CODENAME)|$(REPO_URI)|$(SOURCESENTRY)' \
		'Created-By: Packages' 'Origin: Debian' 'Component: main'
}

# The keyring that a sources file names; apt does not tell. None means all the keys that apt trusts.
keyring_of() {
	sed -nE 's/^Signed-By:[[:space:]]*(\/.*)/\1/Ip; s/^deb[^#]*\[.*signed-by=([^] ]+).*/\1/Ip' "$1" | head -n 1
}

# add_suite URI SUITE : adds it to the private sources, unless it is there
add_suite() {
	local line="deb [$option target=Packages] $1 $2 main"
	grep -qxF "$line" "$apt/sources.list" || echo "$line" >>"$apt/sources.list"
}

# The system's own Debian suites, and those of the same mirror that have newer kernels. Never experimental.
update_lists() {
	local suites label suite codename uri entry base_uri='' base_codename key option

	suites=$(debian_suites)
	if [[ -z $suites ]]; then
		# The system has no package lists yet, and only root could change that: look with lists of our own.
		local lists=(-o "Dir::State::Lists=$apt/system-lists" -o APT::Sandbox::User=root)
		mkdir -p "$apt/system-lists/partial"
		apt-get -q "${lists[@]}" update || true
		suites=$(debian_suites "${lists[@]}")
	fi
	while IFS='|' read -r label suite codename uri entry; do
		[[ $label == Debian && $codename != *-* ]] || continue
		base_uri=$uri base_codename=$codename key=$(keyring_of "${entry%:*}")
		break
	done <<<"$suites"
	[[ -n $base_uri ]] || { echo "E: apt's configuration names no Debian mirror"; return 1; }

	option="arch=$(dpkg --print-architecture)${key:+ signed-by=$key}"
	echo "deb-src [$option target=Sources] $base_uri unstable main" >"$apt/sources.list"
	while IFS='|' read -r label suite codename uri entry; do
		add_suite "$uri" "$suite"
	done <<<"$suites"
	for suite in "$base_codename-backports" stable unstable; do
		add_suite "$base_uri" "$suite"
	done
	private_apt apt-get update --error-on=any || updated=no

	# By its codename, as everybody asks for it: caching mirrors have been seen to be weeks behind with stable-backports.
	# shellcheck disable=SC2016 # apt expands it
	codename=$(private_apt apt-get indextargets --format '$(CODENAME)' 'Suite: stable' 'Target-Of: deb' | head -n 1)
	add_suite "$base_uri" "${codename:-stable}-backports"
	private_apt apt-get update --error-on=any || updated=no
}

write_config() {
	mkdir -p "$apt/lists/partial" "$apt/cache/archives/partial"
	# Command lines cannot clear a list, and hooks of the system's apt may need root or clean up what is not theirs.
	# No clean-up of lists: update_lists updates in two steps, and the first does not know all suites.
	cat >"$apt/apt.conf" <<-END
		Dir::State::Lists "$apt/lists";
		Dir::Cache "$apt/cache";
		Dir::Cache::pkgcache "pkgcache.bin";
		Dir::Cache::srcpkgcache "srcpkgcache.bin";
		Dir::Etc::SourceList "$apt/sources.list";
		Dir::Etc::SourceParts "/dev/null";
		Dir::Etc::Preferences "/dev/null";
		Dir::Etc::PreferencesParts "/dev/null";
		APT::Sandbox::User "root";
		APT::Get::List-Cleanup "false";
		#clear APT::Update::Pre-Invoke;
		#clear APT::Update::Post-Invoke;
		#clear APT::Update::Post-Invoke-Success;
	END
}

highest() { sort -V | tail -n 1; }

highest_version() { private_apt apt-cache madison "$1" | awk '{ print $3 }' | highest; }

# What the lists offer, in a file: asking apt takes a second, and kernel is asked on each edit.
write_versions() {
	local newest
	newest=$(private_apt apt-cache pkgnames linux-source- | grep -xE 'linux-source-[0-9]+\.[0-9]+' | highest)
	[[ -n $newest ]] || return 1
	{
		echo "6.12 linux-source-6.12 $(highest_version linux-source-6.12)"
		echo "newest $newest $(highest_version "$newest")"
		echo "sparse sparse $(private_apt apt-cache showsrc --only-source sparse | awk '$1 == "Version:" { print $2 }' | highest)"
	} >"$versions.new"
	mv "$versions.new" "$versions"
}

refresh() {
	local updated=yes
	say "refreshing the package lists (at most once a day)"
	write_config
	# Not every suite exists at every time, so what counts is what the lists hold afterwards.
	{ update_lists && write_versions; } >"$apt/log" 2>&1 || updated=no
	[[ -s $versions ]] ||
		die "found no kernel sources with apt; check the network and apt's configuration (log: $apt/log)"
	touch "$apt/refreshed"
	[[ $updated == yes ]] && return
	grep '^E: ' "$apt/log" | sort -u | head -n 5 >&2 || true
	say "not all lists could be refreshed; going on with what is there, next try in an hour (log: $apt/log)"
	touch -d '23 hours ago' "$apt/refreshed"
}

fresh() { [[ -s $versions && -n $(find "$apt/refreshed" -mmin -1440 2>/dev/null) ]]; }

# resolve 6.12|newest|sparse : sets package and version
resolve() {
	local what
	if ! fresh; then
		mkdir -p "$apt"
		exec 8>"$apt/lock"
		flock 8
		fresh || refresh
		exec 8>&-
	fi
	while read -r what package version; do
		[[ $what == "$1" && -n $version ]] && return
	done <"$versions"
	die "apt offers no package for $1; see $apt/sources.list and $apt/log"
}

# download DIRECTORY 6.12|newest|sparse apt-get-words... : runs apt-get there for the package, once more with new lists,
# and so maybe for another version, if the mirror has moved on
download() {
	local directory=$1 what=$2
	shift 2
	mkdir -p "$directory"
	fetch() { (cd "$directory" && private_apt apt-get "$@" "$package=$version") >"$apt/log" 2>&1; }
	say "fetching $package $version"
	fetch "$@" && return
	rm -f "$apt/refreshed"
	resolve "$what"
	fetch "$@" || die "cannot download $package $version; check the network (log: $apt/log)"
}
