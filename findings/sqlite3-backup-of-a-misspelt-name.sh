#!/usr/bin/env bash
# sqlite3 3.40.1 (Debian), the usual `sqlite3 state.db ".backup copy.db"` before a hand-over: where the first name is
# misspelt or its disk isn't mounted, the shell takes the missing file for an empty database and overwrites the last
# good copy with it, exit code 0. `VACUUM INTO` refuses a copy that exists; `-readonly` makes the missing file an error.
# `VACUUM INTO` in turn leaves the write-ahead log out: the copy is in journal mode delete, .backup's is in mode wal,
# and a program that doesn't set the mode itself runs on the second machine with readers and writers that block.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in sqlite3 libsqlite3-0; do
    apt-get download -q "$package=3.40.1-2+deb12u2" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name 'libsqlite3.so.0' | sed -n 1p)")
export LD_LIBRARY_PATH
sqlite() { root/usr/bin/sqlite3 "$@" 2>/dev/null; }
sqlite --version | cut -d' ' -f1
sqlite state.db "PRAGMA journal_mode = WAL; CREATE TABLE t(x); INSERT INTO t VALUES(1)" >/dev/null
: >seen
try() {
    local code=0
    "${@:2}" || code=$?
    echo "$1: exit code $code, tables $(sqlite copy.db 'SELECT count(*) FROM sqlite_schema'), $(sqlite copy.db 'PRAGMA journal_mode')" | tee -a seen
}
try "backup" sqlite state.db ".backup copy.db"
try "backup, missing, read only" sqlite -readonly stat.db ".backup copy.db"
try "vacuum, existing copy" sqlite state.db "VACUUM INTO 'copy.db'"
try "backup, missing" sqlite stat.db ".backup copy.db"
rm copy.db
try "vacuum" sqlite state.db "VACUUM INTO 'copy.db'"
expected='backup: exit code 0, tables 1, wal
backup, missing, read only: exit code 1, tables 1, wal
vacuum, existing copy: exit code 1, tables 1, wal
backup, missing: exit code 0, tables 0, wal
vacuum: exit code 0, tables 1, delete'
[ "$(cat seen)" = "$expected" ] || { echo "changed: other copies"; exit 1; }
echo "sqlite3 3.40.1: the backup of a missing database empties the copy"
