//! What only one of two databases has: rows, counted by table.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    hash::{DefaultHasher, Hash as _, Hasher as _},
    path::Path,
    time::Instant,
};

use rusqlite::{Connection, types::ValueRef};

use crate::database::{
    error::DatabaseError,
    leases,
    open::{self, Access},
};

/// Of both sides of a table: what has to be remembered of each is 16 bytes.
const MOST_ROWS: u64 = 2_000_000;

/// Which columns of a table count: others change without anybody's doing. Those of a table that isn't named all count.
pub(crate) type Columns = fn(table: &str) -> Option<&'static [&'static str]>;

/// How many rows only one side has.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Rows {
    pub(crate) one: u64,
    pub(crate) other: u64,
}

/// The rows that only one of them has, by table: of a copy that nobody uses, and of a live one.
pub(crate) fn compare(
    copy: &Path,
    live: &Path,
    columns: Columns,
    deadline: Instant,
) -> Result<BTreeMap<String, Rows>, DatabaseError> {
    open::is_database(copy)?;
    open::is_database(live)?;
    let one = open::connect(copy, Access::Immutable, deadline)?;
    let other = open::connect(live, Access::Shared, deadline)?;
    let (ones, others) = (tables(&one)?, tables(&other)?);
    let mut differences = BTreeMap::new();
    for table in ones.union(&others) {
        let mut balance = HashMap::new();
        let mut left = MOST_ROWS;
        for (connection, tables, sign) in [(&one, &ones, 1), (&other, &others, -1)] {
            if tables.contains(table) {
                add(
                    connection,
                    table,
                    columns(table),
                    sign,
                    &mut balance,
                    &mut left,
                )?;
            }
        }
        let mut rows = Rows::default();
        for count in balance.into_values() {
            let side = match count > 0 {
                true => &mut rows.one,
                false => &mut rows.other,
            };
            *side = side.saturating_add(i64::unsigned_abs(count));
        }
        if rows != Rows::default() {
            differences.insert(table.clone(), rows);
        }
    }
    Ok(differences)
}

/// Plain tables: those of a search index follow from others, and leases belong to processes.
fn tables(connection: &Connection) -> Result<BTreeSet<String>, DatabaseError> {
    let mut query = connection.prepare("PRAGMA main.table_list")?;
    let mut rows = query.query([])?;
    let mut tables = BTreeSet::new();
    while let Some(row) = rows.next()? {
        let (kind, name): (String, String) = (row.get("type")?, row.get("name")?);
        let is_main = row.get::<_, String>("schema")? == "main";
        let is_plain = kind == "table" && !name.starts_with("sqlite_") && !leases::is_one(&name);
        if is_main && is_plain {
            tables.insert(name);
        }
    }
    Ok(tables)
}

/// Adds each row of a table to the balance.
fn add(
    connection: &Connection,
    table: &str,
    columns: Option<&[&str]>,
    sign: i64,
    balance: &mut HashMap<u64, i64>,
    left: &mut u64,
) -> Result<(), DatabaseError> {
    let quoted = |name: &str| format!("\"{}\"", name.replace('"', "\"\""));
    let all = format!("SELECT * FROM main.{}", quoted(table));
    let some = columns.map(|columns| {
        let columns: Vec<_> = columns
            .iter()
            .map(|name| format!("main.{}.{}", quoted(table), quoted(name)))
            .collect();
        format!("SELECT {} FROM main.{}", columns.join(", "), quoted(table))
    });
    // An older or newer schema may have other columns.
    let prepared = some.and_then(|query| connection.prepare(&query).ok());
    let mut query = match prepared {
        Some(query) => query,
        None => connection.prepare(&all)?,
    };
    let count = query.column_count();
    let mut rows = query.query([])?;
    while let Some(row) = rows.next()? {
        *left = left.checked_sub(1).ok_or_else(|| {
            DatabaseError::Sql(format!(
                "a table has more than {MOST_ROWS} rows on both sides, which is too much to compare"
            ))
        })?;
        let mut hasher = DefaultHasher::new();
        for index in 0..count {
            match row.get_ref(index)? {
                ValueRef::Null => 0_u8.hash(&mut hasher),
                ValueRef::Integer(value) => (1_u8, value).hash(&mut hasher),
                ValueRef::Real(value) => (2_u8, value.to_bits()).hash(&mut hasher),
                ValueRef::Text(value) => (3_u8, value).hash(&mut hasher),
                ValueRef::Blob(value) => (4_u8, value).hash(&mut hasher),
            }
        }
        let hash = hasher.finish();
        let count = balance.entry(hash).or_insert(0);
        *count = count.saturating_add(sign);
        if *count == 0 {
            balance.remove(&hash);
        }
    }
    Ok(())
}
