# Copies what has changed, with Python's SQLite. Standard input has the request, standard output gets one line.
# copy.js does the same, step by step. Exit code 42: this Python can't.
import hashlib, json, os, re, stat, sys, time, uuid

try:
    import sqlite3

    sqlite3.Connection.backup
except (ImportError, AttributeError):
    sys.exit(42)

LEASES = [
    ("state_leases", "scope = 'gateway-owner'"),
    ("agent_database_leases", "true"),
    ("gateway_boot_lifecycle", "true"),
]
SIDECARS = re.compile(r"-(wal|shm|journal)\Z")
# Two changes within the granularity of a file system's clock look like one.
RECENT = 2_000_000_000
CONTENT_LIMIT = 256 * 1024 * 1024

home = os.environ["HOME"]
cache = os.path.join(home, ".cache/failover/sync")
state = os.path.join(home, ".local/state/failover/sync")
roots = sys.argv[1:]
request = json.load(sys.stdin)


def latin(name):
    return os.fsencode(name).decode("latin1")


def name_of(text):
    return text.encode("latin1")


def pattern(text):
    """A pattern of rsync(1): of one name, or with a slash in it of the end of a path; anchored with a slash before."""
    rest = latin(text)
    folder = rest.endswith("/")
    rest = rest[:-1] if folder else rest
    anchored = rest.startswith("/")
    rest = rest[1:] if anchored else rest
    wild = {"**": ".*", "*": "[^/]*", "?": "[^/]"}
    parts = re.split(r"(\*\*|\*|\?)", rest)
    out = "".join(wild.get(part) or re.escape(part) for part in parts)
    return folder, re.compile(("" if anchored else "(^|.*/)") + out + r"\Z", re.S)


excludes = [pattern(text) for text in request["exclude"]]
patterns = [pattern(text) for text in request["databases"]]


def matches(among, name, is_folder):
    return any((is_folder or not folder) and regex.match(name) for folder, regex in among)


class Found:
    databases, files, bytes, changed, lines = [], 0, 0, 0, []


def note(seen):
    Found.files += 1
    if Found.files > request["files"]:
        raise ValueError("more than %d files" % request["files"])
    Found.bytes += seen.st_size
    Found.changed = max(Found.changed, seen.st_mtime_ns)


def is_recent(seen):
    return 0 <= time.time_ns() - seen.st_mtime_ns < RECENT


def nonce(is_needed):
    return str(uuid.uuid4()) if is_needed else ""


def walk(root, folder):
    at = latin(root) + ("/" + folder if folder else "")
    for entry in sorted(os.listdir(name_of(at))):
        visit(root, (folder + "/" if folder else "") + entry.decode("latin1"))


def visit(root, name):
    file = latin(root) + ("/" + name if name else "")
    try:
        seen = os.lstat(name_of(file)) if name else os.stat(root)
    except FileNotFoundError:
        if name:
            return
        raise
    matched = name or latin(os.path.basename(root))
    # A database is copied whatever is left out: the files beside it are not.
    is_database = stat.S_ISREG(seen.st_mode) and matches(patterns, matched, False)
    if name and not is_database and matches(excludes, matched, stat.S_ISDIR(seen.st_mode)):
        return
    if stat.S_ISDIR(seen.st_mode):
        Found.lines.append("%s\0%d" % (file, seen.st_mode))
        walk(root, name)
    elif stat.S_ISLNK(seen.st_mode):
        Found.lines.append("%s\0%s" % (file, os.readlink(name_of(file)).decode("latin1")))
    elif stat.S_ISREG(seen.st_mode):
        if is_database:
            note(seen)
            Found.databases.append((file, seen))
        elif not matches(patterns, SIDECARS.sub("", matched), False):
            note(seen)
            parts = (file, seen.st_size, seen.st_mtime_ns, seen.st_mode, nonce(is_recent(seen)))
            Found.lines.append("\0".join(map(str, parts)))


def signature(file, seen):
    """What can be seen of a database without opening it."""
    recent = is_recent(seen)
    parts = [seen.st_ino, seen.st_size, seen.st_mtime_ns]
    try:
        wal = os.stat(name_of(file + "-wal"))
        # An empty one has nothing, and may come from nothing but a look.
        if wal.st_size > 0:
            parts += [wal.st_size, wal.st_mtime_ns]
            recent = recent or is_recent(wal)
            Found.bytes += wal.st_size
            Found.changed = max(Found.changed, wal.st_mtime_ns)
    except FileNotFoundError:
        pass
    return ".".join(map(str, parts)) + nonce(recent)


def digest(file):
    found = hashlib.sha256()
    with open(file, "rb") as opened:
        while piece := opened.read(1 << 20):
            found.update(piece)
    return found.hexdigest()


def content(draft):
    """
    What a copy has, of a size at which that can be read in each round: its rows without leases, once those have been
    deleted from it; where there never were any, its bytes. A checkpoint changes what is seen of a database, and neither.
    """
    database = sqlite3.connect(draft)
    try:
        database.execute("PRAGMA journal_mode = DELETE")
        tables = database.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'"
        ).fetchall()
        leases = [lease for lease in LEASES if any(name == lease[0] for name, _ in tables)]
        is_large = lambda: os.stat(draft).st_size > CONTENT_LIMIT
        if not request["openclaw"] or not leases:
            return None if is_large() else digest(draft)
        for lease in leases:
            database.execute("DELETE FROM %s WHERE %s" % lease)
        database.commit()
        if is_large():
            return None
        found = hashlib.sha256()
        for name, sql in tables:
            found.update((sql + "\0").encode())
            if sql.upper().startswith("CREATE VIRTUAL"):
                continue
            quoted = lambda word: '"' + word.replace('"', '""') + '"'
            columns = database.execute("PRAGMA table_info(%s)" % quoted(name)).fetchall()
            line = " || ',' || ".join("quote(%s)" % quoted(column[1]) for column in columns)
            for row in database.execute("SELECT CAST(%s AS BLOB) FROM %s" % (line, quoted(name))):
                found.update((row[0] or b"") + b"\n")
        return found.hexdigest()
    except sqlite3.DatabaseError:
        # An older SQLite than the gateway's may not understand its tables. Who receives the copy deletes the leases.
        return None
    finally:
        database.close()


def copy(file, seen, known):
    shown = signature(file, seen)
    place = name_of(latin(cache) + "/databases" + file)
    if known and known["seen"] == shown and os.path.exists(place):
        return known
    draft = os.path.join(cache, "draft.%d" % os.getpid())
    remove(draft)
    try:
        live = sqlite3.connect(b"file:" + quoted_path(file) + b"?mode=ro", uri=True)
        try:
            target = sqlite3.connect(draft)
            live.backup(target)
            target.close()
        finally:
            live.close()
        found = content(draft) or shown
        if not (known and known["content"] == found and os.path.exists(place)):
            os.makedirs(os.path.dirname(place), exist_ok=True)
            os.rename(draft, place)
        return {"seen": shown, "content": found}
    finally:
        for end in ("", "-wal", "-shm", "-journal"):
            remove(draft + end)


def quoted_path(file):
    return b"".join(b"%%%02X" % byte if chr(byte) in "%?#" else bytes([byte]) for byte in name_of(file))


def remove(file):
    try:
        os.unlink(file)
    except FileNotFoundError:
        pass


def read(file):
    try:
        with open(file) as opened:
            return json.load(opened)
    except (OSError, ValueError):
        return None


def write(file, value):
    with open(file + ".new", "w") as opened:
        json.dump(value, opened)
    os.rename(file + ".new", file)


def version():
    try:
        with open(os.path.join(home, ".config/systemd/user/openclaw-gateway.service")) as opened:
            unit = opened.read()
        given = re.search(r"OPENCLAW_SERVICE_VERSION=([\w.+-]{1,64})", unit)
        if given:
            return given.group(1)
        folder = re.search(r"(/[^\"\s]*/openclaw)/", unit)
        return read(folder.group(1) + "/package.json")["version"] if folder else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def main():
    for folder in (cache, state):
        os.makedirs(folder, exist_ok=True)
    mark = os.path.join(state, "epoch.json")
    if not read(mark):
        write(mark, {"id": os.urandom(16).hex(), "ancestors": []})
    for root in roots:
        visit(root, "")
    index = read(os.path.join(cache, "index.json")) or {}
    fresh = {}
    for file, seen in Found.databases:
        try:
            fresh[file] = copy(file, seen, index.get(file))
        except (sqlite3.Error, OSError) as error:
            raise ValueError("%s: %s" % (file, error))
        Found.lines.append("%s\0%s" % (file, fresh[file]["content"]))
    for file in index.keys() - fresh.keys():
        remove(name_of(latin(cache) + "/databases" + file))
    os.makedirs(os.path.join(cache, "databases"), exist_ok=True)
    write(os.path.join(cache, "index.json"), fresh)
    token = hashlib.sha256("\n".join(Found.lines).encode("latin1")).hexdigest()
    return {
        "answer": "same" if token == request["token"] else "copied",
        "token": token,
        "epoch": read(mark),
        "gateway_version": version(),
        "home": home,
        "now": time.time_ns() // 1_000_000,
        "changed": Found.changed // 1_000_000,
        "databases": [name_of(file).decode("utf8", "replace") for file, _ in Found.databases],
        "files": Found.files,
        "bytes": Found.bytes,
    }


try:
    print(json.dumps(main()))
except Exception as error:
    print(json.dumps({"answer": "failed", "error": str(error) or repr(error)}))
    sys.exit(1)
