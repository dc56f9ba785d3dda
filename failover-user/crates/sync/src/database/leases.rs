//! Rows of OpenClaw (2026.9, measured and read) that belong to processes of one host, and mean something else in a copy.
//!
//! Leases keep others from a gateway's databases: a gateway that finds another host's ends with an error until 300 s
//! after their last renewal. The record of its starts tells a crash loop: three within five minutes that didn't end in
//! an orderly way, be it on another host, and the next gateway comes up without its channels.

use rusqlite::{Connection, OptionalExtension as _, params_from_iter, types::Value};

use crate::database::error::DatabaseError;

/// Of one table: a gateway has one or two leases, and keeps the starts of a day.
const MOST: usize = 20_000;

/// A table, and which of its rows belong to processes.
pub(super) struct Table {
    pub(super) name: &'static str,
    /// A condition of SQL.
    pub(super) rows: &'static str,
}

/// All are in the state database. Other scopes of the first are no process's.
const TABLES: [Table; 3] = [
    Table {
        name: "state_leases",
        rows: "scope = 'gateway-owner'",
    },
    Table {
        name: "agent_database_leases",
        rows: "TRUE",
    },
    Table {
        name: "gateway_boot_lifecycle",
        rows: "TRUE",
    },
];

/// Whether a table has leases.
pub(super) fn is_one(name: &str) -> bool {
    TABLES.iter().any(|table| table.name == name)
}

/// Those that a database has.
pub(super) fn tables(connection: &Connection) -> Result<Vec<&'static Table>, DatabaseError> {
    let mut found = Vec::new();
    for table in &TABLES {
        // What SQLite itself calls it: in the schema's table a virtual one is a table as well, and the function of
        // this name can be hidden by a table.
        let kind: Option<String> = connection
            .query_row(
                &format!("PRAGMA main.table_list('{}')", table.name),
                [],
                |row| row.get("type"),
            )
            .optional()?;
        match kind.as_deref() {
            None => {}
            Some("table") => found.push(table),
            Some(kind) => {
                return Err(DatabaseError::NotATable {
                    table: table.name,
                    kind: kind.to_owned(),
                });
            }
        }
    }
    Ok(found)
}

/// The number of leases.
pub(super) fn count(
    connection: &Connection,
    tables: &[&'static Table],
) -> Result<usize, DatabaseError> {
    let mut count = 0_usize;
    for Table { name, rows } in tables {
        let found: i64 = connection.query_row(
            &format!("SELECT count(*) FROM {name} WHERE {rows}"),
            [],
            |row| row.get(0),
        )?;
        count = count.saturating_add(usize::try_from(found).unwrap_or(usize::MAX));
    }
    Ok(count)
}

/// Removes them, and leaves no write-ahead log.
pub(super) fn remove(
    connection: &Connection,
    tables: &[&'static Table],
) -> Result<(), DatabaseError> {
    let transaction = connection.unchecked_transaction()?;
    for Table { name, rows } in tables {
        transaction.execute(&format!("DELETE FROM {name} WHERE {rows}"), [])?;
    }
    transaction.commit()?;
    // Of a database that has none this is without effect.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(()))?;
    Ok(())
}

/// Copies the leases of a database into another one, which has the same tables.
pub(super) fn copy(from: &Connection, to: &Connection) -> Result<(), DatabaseError> {
    let tables = tables(from)?;
    let there = self::tables(to)?;
    let transaction = to.unchecked_transaction()?;
    for table in tables {
        if !there.iter().any(|other| other.name == table.name) {
            return Err(DatabaseError::Sql(format!("no such table: {}", table.name)));
        }
        let query = format!("SELECT * FROM {} WHERE {}", table.name, table.rows);
        let mut query = from.prepare(&query)?;
        let columns: Vec<_> = (query.column_names().into_iter())
            .map(|name| format!("\"{}\"", name.replace('"', "\"\"")))
            .collect();
        let places = vec!["?"; columns.len()].join(", ");
        let columns = columns.join(", ");
        let insert = format!(
            "INSERT OR REPLACE INTO {} ({columns}) VALUES ({places})",
            table.name
        );
        let mut insert = transaction.prepare(&insert)?;
        let mut rows = query.query([])?;
        let mut count = 0_usize;
        while let Some(row) = rows.next()? {
            count = count.saturating_add(1);
            if count > MOST {
                return Err(DatabaseError::Sql(format!(
                    "{} has more than {MOST} rows",
                    table.name
                )));
            }
            let values = (0..row.as_ref().column_count()).map(|index| row.get::<_, Value>(index));
            let values: Vec<Value> = values.collect::<Result<_, _>>()?;
            insert.execute(params_from_iter(values))?;
        }
    }
    transaction.commit()?;
    Ok(())
}
