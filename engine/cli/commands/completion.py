"""`pilothouse completion`: the script that lets a shell complete verbs, flags and names."""

from __future__ import annotations

from engine.cli.flags import Arguments, Command
from engine.errors import InvalidInput

COMMAND = Command(
    "completion",
    "bash|zsh|fish",
    "Print the completion script for bash, zsh or fish",
    minimum=1,
    maximum=1,
    arguments="bash zsh fish",
)

BASH = """\
# bash completion for pilothouse; load it with: eval "$(pilothouse completion bash)"
_pilothouse() {
    local candidate
    COMPREPLY=()
    while IFS= read -r candidate; do
        if [[ $candidate == :files ]]; then
            compopt -o filenames -o bashdefault -o default 2>/dev/null
            while IFS= read -r candidate; do COMPREPLY+=("$candidate"); done \\
                < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}")
        else
            COMPREPLY+=("$candidate")
        fi
    done < <("${COMP_WORDS[0]}" __complete bash "${COMP_LINE:0:COMP_POINT}" 2>/dev/null)
}
complete -F _pilothouse pilothouse ph
"""
ZSH = """\
#compdef pilothouse ph
# zsh completion for pilothouse; load it with: eval "$(pilothouse completion zsh)"
_pilothouse() {
    local -a lines candidates
    local line files=0
    lines=("${(@f)$("${words[1]}" __complete zsh "${(@Q)words[1,CURRENT]}" 2>/dev/null)}")
    for line in "${lines[@]}"; do
        if [[ $line == :files ]]; then files=1; elif [[ -n $line ]]; then candidates+=("$line"); fi
    done
    (( ${#candidates} )) && _describe -V pilothouse candidates
    (( files )) && _files
}
if [[ ${funcstack[1]} == _pilothouse ]]; then _pilothouse "$@"; else compdef _pilothouse pilothouse ph; fi
"""
FISH = """\
# fish completion for pilothouse; load it with: pilothouse completion fish | source
function __pilothouse
    for line in ((commandline -opc)[1] __complete fish (commandline -opc) (commandline -ct) 2>/dev/null)
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c pilothouse -f -k -a '(__pilothouse)'
complete -c ph -f -k -a '(__pilothouse)'
"""
SCRIPTS = {"bash": BASH, "zsh": ZSH, "fish": FISH}


def run(args: Arguments) -> int:
    script = SCRIPTS.get(args.words[0])
    if script is None:
        raise InvalidInput(f"there is no completion for '{args.words[0]}'", hint="bash, zsh and fish are known")
    print(script, end="")
    return 0
