#!/usr/bin/env bash
# sqldiff 3.40.1 (Debian, sqlite3-tools), used to see whether two machines hold the same state: it compares each value
# under the collation of its column, so what changed only in case in a NOCASE column, or only in spaces at the end in an
# RTRIM one, is no difference at all. And the SQL that it prints is not what it read: a floating point number is
# rounded to 15 digits, so a database that was brought up to date with sqldiff's own output still differs, and goes on
# to differ after each further run. A file that doesn't exist is made, counts as an empty database, and the exit code is 0.
set -euo pipefail
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cd "$work"
for package in sqlite3-tools sqlite3 libsqlite3-0; do
    apt-get download -q "$package=3.40.1-2+deb12u2" >/dev/null 2>&1 || apt-get download -q "$package" >/dev/null 2>&1
done
for package in *.deb; do dpkg -x "$package" root; done
LD_LIBRARY_PATH=$work/$(dirname "$(find root -name 'libsqlite3.so.0' | sed -n 1p)")
export LD_LIBRARY_PATH
sqlite() { root/usr/bin/sqlite3 "$@"; }
sqlite --version | cut -d' ' -f1
sqlite a.db "CREATE TABLE t(host TEXT COLLATE NOCASE, path TEXT COLLATE RTRIM, at REAL); INSERT INTO t VALUES('pc-a', 'x', 1.5)"
cp a.db b.db
sqlite b.db "UPDATE t SET host = 'PC-A', path = 'x  '"
echo "case and spaces: '$(root/usr/bin/sqldiff a.db b.db)'" >seen
sqlite b.db "UPDATE t SET at = 1795972756.1234567"
root/usr/bin/sqldiff a.db b.db | tee -a seen >changes
sqlite a.db <changes
echo "once more: $(root/usr/bin/sqldiff a.db b.db)" >>seen
echo "missing: $(root/usr/bin/sqldiff a.db missing.db), $(ls missing.db)" >>seen
cat seen
expected="case and spaces: ''
UPDATE t SET at=1795972756.12346 WHERE rowid=1;
once more: UPDATE t SET at=1795972756.12346 WHERE rowid=1;
missing: DROP TABLE t;, missing.db"
[ "$(cat seen)" = "$expected" ] || { echo "changed: other differences"; exit 1; }
echo "sqldiff 3.40.1: it hides what a collation hides, and its own output leaves a difference"
