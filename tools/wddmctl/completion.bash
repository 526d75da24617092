# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What bash completes after wddmctl, with the package bash-completion. Commands and options are asked of wddmctl.

# The errors of the operation that is there already, or all operations
_wddmctl_explained()
{
	local word
	for word in "${words[@]:2}"; do
		[[ $word != -* && $word != "$cur" ]] || continue
		"$wddmctl" explain "$word" 2>/dev/null | sed -n 's/^[a-z-]*: \(E[A-Z0-9]*\) .*/\1/p'
		return
	done
	# Each has EIO
	"$wddmctl" explain EIO 2>/dev/null | sed -n 's/^\([a-z-]*\): E.*/\1/p'
}

_wddmctl()
{
	# shellcheck disable=SC2034 # _init_completion sets them
	local cur prev words cword wddmctl=$1
	_init_completion -n : || return

	if ((cword == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "--help --version
			$("$wddmctl" --help 2>/dev/null | sed -n 's/^  \([a-z]\+\)  .*/\1/p')" -- "$cur")
		return
	fi
	case $prev in
	--device)
		mapfile -t COMPREPLY < <(cd /sys/bus/pci/drivers/vfio-pci 2>/dev/null && compgen -W "$(compgen -G '*:*')" -- "$cur")
		__ltrim_colon_completions "$cur"
		return
		;;
	--file)
		_filedir
		return
		;;
	--size | --chain | --hold)
		return
		;;
	esac
	if [[ ${words[1]} == explain && $cur != -* ]]; then
		mapfile -t COMPREPLY < <(compgen -W "$(_wddmctl_explained)" -- "$cur")
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$("$wddmctl" "${words[1]}" --help 2>/dev/null |
		grep -oE -- '--[a-z-]+' | sort -u)" -- "$cur")
} && complete -F _wddmctl wddmctl
