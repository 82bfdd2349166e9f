# SPDX-License-Identifier: BSD-3-Clause
# Completion of lightsout's command line for bash. What options there are, and what their values are, is asked of the
# program's own --help: FILE and PATH are files, IFACE is an interface.

_lightsout() {
    local word=${COMP_WORDS[COMP_CWORD]} option=${COMP_WORDS[COMP_CWORD - 1]} help kind
    COMPREPLY=()
    # --option=value comes as three words.
    if [ "$word" = = ]; then
        word=
    elif [ "$option" = = ]; then
        option=${COMP_WORDS[COMP_CWORD - 2]}
    fi
    help=$("${COMP_WORDS[0]}" --help 2>/dev/null) || return 0
    if [[ $option == -[^-]* ]]; then
        option=$(grep -oE -- "${option} *(, --[a-z-]+)" <<<"$help" | grep -oE -- '--[a-z-]+' | head -n 1)
    fi
    kind=
    [ -z "$option" ] || kind=$(grep -oE -- "${option} [A-Z][^ ]*" <<<"$help" | head -n 1)
    case ${kind#* } in
    FILE* | PATH*)
        compopt -o filenames 2>/dev/null
        mapfile -t COMPREPLY < <(compgen -f -- "$word")
        ;;
    IFACE*)
        mapfile -t COMPREPLY < <(compgen -W "$(ls /sys/class/net 2>/dev/null) any" -- "$word")
        ;;
    [A-Z]*) ;; # a value that nobody can guess
    *)
        mapfile -t COMPREPLY < <(compgen -W "$(grep -oE -- '--[a-z-]+' <<<"$help" | sort -u)" -- "$word")
        ;;
    esac
}
complete -F _lightsout lightsout
