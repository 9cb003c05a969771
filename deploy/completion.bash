# bash: the commands and options of woo_ghl, as the program itself names them.
_woo_ghl() {
    local words
    if ((COMP_CWORD == 1)); then
        words=$("$1" help 2>/dev/null | sed -n 's/^  woo_ghl \([a-z]*\).*/\1/p')
    else
        words=$("$1" "${COMP_WORDS[1]}" --help 2>/dev/null | grep -oE -e '--[a-z-]+')
    fi
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "${COMP_WORDS[COMP_CWORD]}")
}
complete -o default -F _woo_ghl woo_ghl
