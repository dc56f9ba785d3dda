# What the key of the other host may do here, and nothing else. Arguments: the paths that are copied. The verb is in
# SSH_ORIGINAL_COMMAND, which is only ever compared; whatever else a verb needs comes on standard input.
set -uf
umask 077
LC_ALL=C
export LC_ALL
unset CDPATH ENV BASH_ENV NODE_OPTIONS PYTHONPATH PYTHONSTARTUP RSYNC_RSH RSYNC_OLD_ARGS RSYNC_PROTECT_ARGS
cache=$HOME/.cache/failover/sync
state=$HOME/.local/state/failover/sync
unit=$HOME/.config/systemd/user/openclaw-gateway.service

fail() {
    printf 'failover-sync: %s\n' "$*" >&2
    exit 1
}

exists() {
    [ -e "$1" ] || [ -L "$1" ]
}

# Answers the request. The first of the candidates that can runs the program; 42 is its word for "not with this one".
copy() {
    set +f
    for node in "$(sed -n 's/^ExecStart="\{0,1\}\([^" ]*node\)[" ].*/\1/p' "$unit" 2>/dev/null | head -n 1)" \
        "$(command -v node)" "$HOME/.local/bin/node" /usr/local/bin/node /usr/bin/node \
        "$HOME"/.nvm/versions/node/*/bin/node "$HOME"/.openclaw/tools/node*/bin/node /opt/*/bin/node; do
        run "$node" --no-warnings -e "$(javascript)" -- "$@"
    done
    for python in "$(command -v python3)" /usr/bin/python3 /usr/local/bin/python3; do
        run "$python" -I -c "$(python)" "$@"
    done
    fail 'neither Node.js 22.16 or later nor python3 with sqlite3 is here; install one of them'
}

run() {
    [ -x "$1" ] || return 0
    printf '%s' "$request" | "$@"
    status=$?
    # Or it isn't what its name says.
    case $status in 42 | 126 | 127) ;; *) exit "$status" ;; esac
}

# A round in one connection: a request of so many bytes, the answer to it, and then what the client's rsync asks.
round() {
    case $1 in *[!0-9]* | '' | ???????*) fail 'refused: the length of the request' ;; esac
    request=$(piece "$1")
    shift
    (copy "$@") || exit "$?"
    asked=$(piece 1024)
    [ -n "$asked" ] || exit 0
    case $asked in
    'rsync --server --sender '*' . '*) sender "$asked" "$@" ;;
    *) fail 'refused: in a round this key may only copy the state of the gateway' ;;
    esac
}

# Reads so many bytes, and none of what follows them.
piece() {
    dd bs="$1" count=1 iflag=fullblock 2>/dev/null
}

# Options of rsync --server as our client sends them; all others could read or write somewhere else.
checked_options() {
    case $1 in *[!A-Za-z0-9.=\ -]* | '') fail 'refused: characters in the options of rsync' ;; esac
    for option in $1; do
        case $option in
        --timeout=*[!0-9]* | --bwlimit=*[!0-9]* | --max-size=*[!0-9]*) fail "refused: $option" ;;
        -B4096 | --safe-links | --no-implied-dirs | --delete | --stats | --timeout=* | --bwlimit=* | --max-size=*) ;;
        --*) fail "refused: $option" ;;
        -*e.*)
            flags=${option%%e.*}
            case ${flags#-} in *[!lrtpzR]*) fail "refused: $option" ;; esac
            case ${option#*e.} in *[!A-Za-z]*) fail "refused: $option" ;; esac
            ;;
        *) fail "refused: $option" ;;
        esac
    done
}

# What the client's rsync asks, as a command line.
sender() {
    options=${1#rsync --server --sender }
    shift
    send "${options%% . *}" "$@"
}

# Sends the copies of the databases, and the configured paths: not the ones that were asked for.
send() {
    checked_options "$1"
    options=$1
    shift
    for path; do
        [ ! -d "$path" ] || path=$path/
        set -- "$@" "/.$path"
        shift
    done
    # Word by word: they have been checked.
    # shellcheck disable=SC2086
    exec rsync --server --sender $options . "$cache/./databases" "$@"
}

is_waiting() {
    [ -n "$(find "$state/waiting" -mmin -7 2>/dev/null)" ]
}

# Takes a tree as it will be. What is here already need not be sent.
receive() {
    is_waiting || fail 'refused: the gateway here is not waiting for it'
    checked_options "$1"
    finish_plan
    mkdir -p "$cache/incoming"
    # To the nanosecond (rsync 3.1.3): a database of this second and of the same size is not the one that is here.
    # shellcheck disable=SC2086
    exec rsync --server $1 --modify-window=-1 --copy-dest="$cache/databases" --copy-dest=/ . "$cache/incoming/"
}

# What an interrupted installation has left to do: it had all that it needs.
finish_plan() {
    [ ! -f "$state/plan" ] || sh "$state/plan" >&2 || fail "cannot finish what was begun; run: sh $state/plan"
}

# One word for a shell.
quoted() {
    rest=$1
    word=
    while :; do
        case $rest in *"'"*) ;; *) break ;; esac
        word=$word${rest%%"'"*}"'\\''"
        rest=${rest#*"'"}
    done
    printf "'%s' " "$word$rest"
}

# A line of the plan: a word, and file names.
line() {
    printf '%s ' "$1"
    shift
    for name; do quoted "$name"; done
    echo
}

# Puts in place what was received. All that it takes is written down first, as a script that can be run again, so
# that an interruption leaves neither half a state nor a question. Standard input: the new mark, then the names of
# what stays where it is.
install() {
    is_waiting || fail 'refused: the gateway here is not waiting for it'
    read -r mark || fail 'refused: no mark'
    case $mark in '{'*'}') ;; *) fail 'refused: no mark' ;; esac
    case $mark in *[!][{}\":,A-Za-z0-9]*) fail 'refused: characters in the mark' ;; esac
    stay=$(head -c 65536)
    for path; do
        is_open "$path" && fail "refused: a process has databases open in $path; stop it"
    done
    kept=$state/kept/$(date -u +%Y-%m-%dT%H%M%SZ).handed-back
    {
        plan_begin
        for path; do plan_path "$path"; done
        line finish "$mark" "$state" "$cache/incoming"
    } >"$state/plan.new" && sync && mv "$state/plan.new" "$state/plan"
    # From here on it finishes, whether or not the connection is there; unless the gateway has stopped waiting.
    trap '' HUP INT TERM PIPE
    is_waiting || { rm -f "$state/plan" && fail 'refused: the gateway here has stopped waiting'; }
    sh "$state/plan" || fail "cannot put everything in place; run: sh $state/plan"
    prune
    echo '{"answer":"installed","kept":"'"$kept"'"}'
}

# Has a process of this account a database open there?
is_open() {
    set +f
    # shellcheck disable=SC2010
    ls -l /proc/[0-9]*/fd 2>/dev/null | grep -F -- "-> $1" | grep -E -q -e '(-wal|-shm|\.sqlite|\.sqlite3|\.db)$'
    found=$?
    set -f
    return "$found"
}

# At most three of the trees that were replaced.
prune() {
    # shellcheck disable=SC2012
    ls "$state/kept" 2>/dev/null | grep '\.handed-back$' | sort -r | sed 1,3d | while read -r old; do rm -rf "$state/kept/$old"; done
}

plan_begin() {
    cat <<'PLAN'
# What is left of a change of this host's state; made by failover. It can be run again until it is through.
set -u
exists() { [ -e "$1" ] || [ -L "$1" ]; }
aside() {
    exists "$1" && ! exists "$2" || return 0
    mkdir -p "${2%/*}" && mv "$1" "$2" || exit 1
}
swap() {
    exists "$1" || return 0
    aside "$2" "$3"
    exists "$2" && { echo "failover-sync: $2 is in the way" >&2; exit 1; }
    mkdir -p "${2%/*}" && mv "$1" "$2" || exit 1
}
finish() {
    printf '%s\n' "$1" >"$2/epoch.json.new" && mv "$2/epoch.json.new" "$2/epoch.json" || exit 1
    sync
    rm -rf "$3" "$2/plan"
}
PLAN
}

plan_path() {
    new=$cache/incoming$1
    exists "$new" || return 0
    if [ ! -d "$new" ]; then
        for end in -wal -shm -journal; do line aside "$1$end" "$kept$1$end"; done
        line swap "$new" "$1" "$kept$1"
        return
    fi
    # Through a link that the path itself may be.
    set +f
    for old in "$1"/* "$1"/.[!.]* "$1"/..?*; do
        name=${old##*/}
        exists "$old" && ! exists "$new/$name" || continue
        # What lies beside a database that is replaced would be read into the new one.
        base=$name
        for end in -wal -shm -journal; do base=${base%"$end"}; done
        if [ -f "$new/$base" ] || ! stays "$name"; then line aside "$old" "$kept$1/$name"; fi
    done
    for entry in "$new"/* "$new"/.[!.]* "$new"/..?*; do
        name=${entry##*/}
        exists "$entry" && line swap "$entry" "$1/$name" "$kept$1/$name"
    done
    set -f
}

stays() {
    while read -r pattern; do
        pattern=${pattern#/}
        # The pattern is one.
        # shellcheck disable=SC2254
        case $1 in ${pattern%/}) return 0 ;; esac
    done <<STAY
$stay
STAY
    return 1
}

# The mark, and whether the gateway here waits.
mark() {
    waiting=false
    if is_waiting; then
        waiting=true
        finish_plan
    fi
    printf '{"answer":"mark","epoch":%s,"waiting":%s}\n' "$(cat "$state/epoch.json" 2>/dev/null || echo null)" "$waiting"
}

# The key for the way back. Standard input: the other host's keys, for known_hosts.
key() {
    mkdir -p "$state"
    head -c 65536 >"$state/known_hosts.new" && mv "$state/known_hosts.new" "$state/known_hosts"
    [ -e "$state/key" ] || ssh-keygen -q -t ed25519 -N '' -C failover-sync -f "$state/key" >&2 || fail 'no key'
    cat "$state/key.pub"
}

# Undoes all of it: the line that runs this, the key, the mark, the copies, the way back. What was kept aside stays.
remove() {
    keys=$HOME/.ssh/authorized_keys
    if [ -f "$keys" ]; then
        grep -v ' failover-sync$' "$keys" >"$keys.failover"
        # In place: a link, its mode and its owner stay what they are.
        cat "$keys.failover" >"$keys" && rm -f "$keys.failover"
    fi
    rm -rf "$cache"
    (cd "$state" 2>/dev/null && rm -f epoch.json key key.pub known_hosts waiting plan plan.new)
    rm -f "$unit.d/failover-sync.conf"
    rmdir "$unit.d" "$state/kept" "$state" 2>/dev/null
    echo '{"answer":"removed"}'
}

for path; do
    case $path in /*[!/]) ;; *) fail "not a path: $path" ;; esac
done
[ "$#" -gt 0 ] || fail 'no paths'
case ${SSH_ORIGINAL_COMMAND-} in
copy)
    request=$(head -c 1048576)
    copy "$@"
    ;;
'round '*) round "${SSH_ORIGINAL_COMMAND#round }" "$@" ;;
install) install "$@" ;;
mark) mark ;;
key) key ;;
remove) remove ;;
'rsync --server --sender '*' . '*) sender "$SSH_ORIGINAL_COMMAND" "$@" ;;
'rsync --server '*' . '*)
    options=${SSH_ORIGINAL_COMMAND#rsync --server }
    receive "${options%% . *}"
    ;;
*) fail 'refused: this key may only copy the state of the gateway' ;;
esac
