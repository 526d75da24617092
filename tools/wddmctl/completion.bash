# SPDX-License-Identifier: GPL-2.0-only
# shellcheck shell=bash
#
# What bash completes after wddmctl, with the package bash-completion. Commands and options are asked of wddmctl.

_wddmctl()
{
	# shellcheck disable=SC2034 # _init_completion sets them
	local cur prev words cword
	_init_completion -n : || return

	if ((cword == 1)); then
		mapfile -t COMPREPLY < <(compgen -W "--help --version
			$(wddmctl --help | sed -n 's/^  \([a-z]\+\)  .*/\1/p')" -- "$cur")
		return
	fi
	case $prev in
	--device)
		mapfile -t COMPREPLY < <(cd /sys/bus/pci/drivers/vfio-pci 2>/dev/null && compgen -W "$(echo *:*)" -- "$cur")
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
		if ((cword == 2)); then
			mapfile -t COMPREPLY < <(compgen -W "info bind adapter-create adapter-destroy lock unlock map unmap query
				batch" -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -W "$(wddmctl explain --json "${words[2]}" 2>/dev/null |
				sed -n 's/.*"error": "\(.*\)".*/\1/p')" -- "$cur")
		fi
		return
	fi
	mapfile -t COMPREPLY < <(compgen -W "$(wddmctl "${words[1]}" --help 2>/dev/null |
		grep -oE -- '--[a-z-]+' | sort -u)" -- "$cur")
} && complete -F _wddmctl wddmctl
