// Copies what has changed, with Node's own SQLite. Standard input has the request, standard output gets one line.
// copy.py does the same, step by step. Exit code 42: this Node can't.
"use strict";
const [crypto, fs, path] = ["crypto", "fs", "path"].map((name) => require("node:" + name));
let sqlite;
try {
  sqlite = require("node:sqlite");
} catch {}
if (!sqlite || !sqlite.backup) process.exit(42);

const LEASES = [
  ["state_leases", "scope = 'gateway-owner'"],
  ["agent_database_leases", "true"],
  ["gateway_boot_lifecycle", "true"],
];
const SIDECARS = /-(wal|shm|journal)$/;
// Two changes within the granularity of a file system's clock look like one.
const RECENT = 2_000_000_000n;
const CONTENT_LIMIT = 256 * 1024 * 1024;

const home = process.env.HOME;
const cache = path.join(home, ".cache/failover/sync");
const state = path.join(home, ".local/state/failover/sync");
const roots = process.argv.slice(1);
const request = JSON.parse(fs.readFileSync(0, "utf8"));
const now = () => BigInt(Date.now()) * 1_000_000n;
const latin = (buffer) => buffer.toString("latin1");
const bytes = (text) => Buffer.from(text, "latin1");
const encoded = (text) => latin(Buffer.from(text, "utf8"));

// A pattern of rsync(1): of one name, or with a slash in it of the end of a path; anchored with a slash before it.
function pattern(text) {
  let rest = encoded(text);
  const folder = rest.endsWith("/");
  if (folder) rest = rest.slice(0, -1);
  const anchored = rest.startsWith("/");
  if (anchored) rest = rest.slice(1);
  let out = "";
  for (let i = 0; i < rest.length; i++) {
    if (rest.startsWith("**", i)) (out += "[^]*"), i++;
    else if (rest[i] === "*") out += "[^/]*";
    else if (rest[i] === "?") out += "[^/]";
    else out += rest[i].replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
  }
  return { folder, regex: new RegExp((anchored ? "^" : "(^|/)") + out + "$") };
}
const excludes = request.exclude.map(pattern);
const patterns = request.databases.map(pattern);
const matches = (list, name, isFolder) =>
  list.some((one) => (isFolder || !one.folder) && one.regex.test(name));

const found = { databases: [], files: 0, bytes: 0n, changed: 0n, lines: [] };
function note(stat) {
  if (++found.files > request.files) throw new Error("more than " + request.files + " files");
  found.bytes += stat.size;
  if (stat.mtimeNs > found.changed) found.changed = stat.mtimeNs;
}
const isRecent = (stat) => {
  const age = now() - stat.mtimeNs;
  return age >= 0n && age < RECENT;
};
const nonce = (isNeeded) => (isNeeded ? crypto.randomUUID() : "");

function walk(root, folder) {
  const at = bytes(encoded(root) + (folder ? "/" + folder : ""));
  for (const entry of fs.readdirSync(at, { encoding: "buffer" }).sort(Buffer.compare)) {
    const name = (folder ? folder + "/" : "") + latin(entry);
    visit(root, name);
  }
}
function visit(root, name) {
  const file = encoded(root) + (name ? "/" + name : "");
  let stat;
  try {
    stat = name ? fs.lstatSync(bytes(file), { bigint: true }) : fs.statSync(root, { bigint: true });
  } catch (error) {
    if (error.code === "ENOENT" && name) return;
    throw error;
  }
  const matched = name || latin(Buffer.from(path.basename(root)));
  // A database is copied whatever is left out: the files beside it are not.
  const isDatabase = stat.isFile() && matches(patterns, matched, false);
  if (name && !isDatabase && matches(excludes, matched, stat.isDirectory())) return;
  if (stat.isDirectory()) {
    found.lines.push(`${file}\0${stat.mode}`);
    return walk(root, name);
  }
  if (stat.isSymbolicLink()) {
    found.lines.push(`${file}\0${latin(fs.readlinkSync(bytes(file), { encoding: "buffer" }))}`);
    return;
  }
  if (!stat.isFile()) return;
  if (isDatabase) {
    note(stat);
    found.databases.push({ file, stat });
  } else if (!matches(patterns, matched.replace(SIDECARS, ""), false)) {
    note(stat);
    found.lines.push([file, stat.size, stat.mtimeNs, stat.mode, nonce(isRecent(stat))].join("\0"));
  }
}

// What can be seen of a database without opening it.
function signature(database) {
  let recent = isRecent(database.stat);
  const parts = [database.stat.ino, database.stat.size, database.stat.mtimeNs];
  try {
    const wal = fs.statSync(bytes(database.file + "-wal"), { bigint: true });
    // An empty one has nothing, and may come from nothing but a look.
    if (wal.size > 0n) {
      parts.push(wal.size, wal.mtimeNs);
      recent ||= isRecent(wal);
      found.bytes += wal.size;
      if (wal.mtimeNs > found.changed) found.changed = wal.mtimeNs;
    }
  } catch (error) {
    if (error.code !== "ENOENT") throw error;
  }
  return parts.join(".") + nonce(recent);
}

function digest(file) {
  const hash = crypto.createHash("sha256");
  const piece = Buffer.allocUnsafe(1 << 20);
  const opened = fs.openSync(file);
  try {
    for (let size; (size = fs.readSync(opened, piece)) > 0; ) hash.update(piece.subarray(0, size));
  } finally {
    fs.closeSync(opened);
  }
  return hash.digest("hex");
}

// What a copy has, of a size at which that can be read in each round: its rows without leases, once those have been
// deleted from it; where there never were any, its bytes. A checkpoint changes what is seen of a database, and neither.
function content(draft) {
  const database = new sqlite.DatabaseSync(draft);
  try {
    database.exec("PRAGMA journal_mode = DELETE");
    const tables = database
      .prepare("SELECT name, sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite!_%' ESCAPE '!'")
      .all();
    const leases = LEASES.filter(([name]) => tables.some((table) => table.name === name));
    const isLarge = () => fs.statSync(draft).size > CONTENT_LIMIT;
    if (!request.openclaw || leases.length === 0) return isLarge() ? undefined : digest(draft);
    for (const [name, which] of leases) database.exec(`DELETE FROM ${name} WHERE ${which}`);
    if (isLarge()) return;
    const hash = crypto.createHash("sha256");
    for (const { name, sql } of tables) {
      hash.update(`${sql}\0`);
      if (/^CREATE VIRTUAL/i.test(sql)) continue;
      const quoted = (word) => '"' + word.replaceAll('"', '""') + '"';
      const columns = database.prepare(`PRAGMA table_info(${quoted(name)})`).all();
      const line = columns.map((column) => `quote(${quoted(column.name)})`).join(" || ',' || ");
      const lines = database.prepare(`SELECT ${line} AS line FROM ${quoted(name)}`);
      for (const row of lines.iterate()) hash.update(`${row.line}\n`);
    }
    return hash.digest("hex");
  } finally {
    database.close();
  }
}

async function copy(database, known) {
  const seen = signature(database);
  const place = bytes(encoded(cache) + "/databases" + database.file);
  if (known && known.seen === seen && fs.existsSync(place)) return known;
  const draft = path.join(cache, `draft.${process.pid}`);
  fs.rmSync(draft, { force: true });
  try {
    const live = new sqlite.DatabaseSync(bytes(database.file), { readOnly: true });
    try {
      // In one step: one that takes several begins again whenever the gateway writes.
      await sqlite.backup(live, draft, { rate: 0x7fffffff });
    } finally {
      live.close();
    }
    const found = content(draft) || seen;
    if (!(known && known.content === found && fs.existsSync(place))) {
      fs.mkdirSync(bytes(latin(place).replace(/\/[^/]*$/, "")), { recursive: true });
      fs.renameSync(draft, place);
    }
    return { seen, content: found };
  } finally {
    for (const end of ["", "-wal", "-shm", "-journal"]) fs.rmSync(draft + end, { force: true });
  }
}

function read(file) {
  try {
    return JSON.parse(fs.readFileSync(file, "utf8"));
  } catch {
    return;
  }
}
function write(file, value) {
  fs.writeFileSync(file + ".new", JSON.stringify(value));
  fs.renameSync(file + ".new", file);
}

function version() {
  try {
    const unit = fs.readFileSync(path.join(home, ".config/systemd/user/openclaw-gateway.service"), "utf8");
    const given = /OPENCLAW_SERVICE_VERSION=([\w.+-]{1,64})/.exec(unit);
    if (given) return given[1];
    const folder = /(\/[^"\s]*\/openclaw)\//.exec(unit);
    return folder ? read(folder[1] + "/package.json").version : null;
  } catch {
    return null;
  }
}

async function main() {
  for (const folder of [cache, state]) fs.mkdirSync(folder, { recursive: true });
  const mark = path.join(state, "epoch.json");
  if (!read(mark)) write(mark, { id: crypto.randomBytes(16).toString("hex"), ancestors: [] });
  for (const root of roots) visit(root, "");
  const index = read(path.join(cache, "index.json")) || {};
  const fresh = {};
  for (const database of found.databases) {
    try {
      fresh[database.file] = await copy(database, index[database.file]);
    } catch (error) {
      throw new Error(`${database.file}: ${error.message}`);
    }
    found.lines.push(`${database.file}\0${fresh[database.file].content}`);
  }
  for (const file of Object.keys(index).filter((file) => !(file in fresh)))
    fs.rmSync(bytes(encoded(cache) + "/databases" + file), { force: true });
  fs.mkdirSync(path.join(cache, "databases"), { recursive: true });
  write(path.join(cache, "index.json"), fresh);
  const token = crypto.createHash("sha256").update(found.lines.join("\n"), "latin1").digest("hex");
  return {
    answer: token === request.token ? "same" : "copied",
    token,
    epoch: read(mark),
    gateway_version: version(),
    home,
    now: Date.now(),
    changed: Number(found.changed / 1_000_000n),
    databases: found.databases.map(({ file }) => bytes(file).toString("utf8")),
    files: found.files,
    bytes: Number(found.bytes),
  };
}
main().then(
  (answer) => console.log(JSON.stringify(answer)),
  (error) => {
    console.log(JSON.stringify({ answer: "failed", error: String(error.message || error) }));
    process.exitCode = 1;
  },
);
