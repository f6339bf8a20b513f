//! A backup's database put beside whatever else there is, and looked at: what a restore swaps in, and a verification starts
//! Odoo on.

use super::create;
use super::pack;
use super::source::Source;
use crate::engine::OpError;
use crate::host::docker::ExecSpec;
use crate::ops::odoo::databases::stream::write_to;
use crate::ops::odoo::unless_cancelled;
use crate::ops::postgres::{self, Database};
use crate::ops::sql::{ident, literal};
use bytes::{Bytes, BytesMut};
use ocore_shared::protocol::backups::BackupManifest;
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, Read};
use tokio::sync::mpsc;

/// Pieces between the unpacking and PostgreSQL.
const QUEUE: usize = 8;
const PIECE: usize = 128 * 1024;
/// Code of a failure that another one explains.
const NOT_TAKEN: &str = "not_taken";

/// A database that is made of a backup.
pub struct Scratch<'a> {
    pub source: Source<'a>,
    /// PostgreSQL's.
    pub container: String,
    pub name: String,
    /// Whose it is to be, and is there.
    pub role: &'a str,
}

/// What is in it.
#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Rows {
    pub tables: u64,
    pub rows: u64,
}

impl Scratch<'_> {
    async fn sql(&self, database: &str, script: &str) -> Result<String, OpError> {
        postgres::sql(&self.source.host.docker, &self.container, database, script).await
    }

    /// Have it, with as many rows in each table as then. What is there of an earlier attempt goes first.
    pub async fn fill(&self, manifest: &BackupManifest) -> Result<Rows, OpError> {
        self.remove().await?;
        let (scratch, role) = (&self.name, ident(self.role)?);
        let made = self.roles_make(manifest).await?;
        let name = ident(scratch)?;
        let script = format!(
            "CREATE DATABASE {name} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C';\n\
             REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n"
        );
        self.sql("postgres", &script).await?;
        self.sql(scratch, postgres::EXTENSIONS).await?;
        unless_cancelled(self.source.ctx, self.unpack(manifest, scratch, !made.is_empty())).await?;
        // What belonged to those who are not here is the instance's own.
        let mut script = String::new();
        for made in &made {
            let made = ident(made)?;
            script
                .push_str(&format!("REASSIGN OWNED BY {made} TO {role};\nDROP OWNED BY {made};\nDROP ROLE {made};\n"));
        }
        script.push_str("ANALYZE;\n");
        self.sql(scratch, &script).await?;
        let rows = create::tables_of(self.source.host, &self.container, scratch, scratch).await?;
        compare(&manifest.tables, &rows)?;
        self.source.ctx.message(format!("{} tables, each with as many rows as then.", rows.len()));
        Ok(Rows { tables: rows.len() as u64, rows: rows.values().sum() })
    }

    /// Have every role that the backup names, for as long as it is put back; those that were made.
    async fn roles_make(&self, manifest: &BackupManifest) -> Result<Vec<String>, OpError> {
        let mut made = Vec::new();
        for role in manifest.roles.iter().chain([&manifest.database_role]) {
            let text = literal(role)?;
            let known = format!(
                "SELECT COALESCE(shobj_description(oid, 'pg_authid') = {}, false) FROM pg_roles WHERE rolname = {text};",
                literal(&self.name)?
            );
            match self.sql("postgres", &known).await?.as_str() {
                // Of an attempt before a restart.
                "t" if !made.contains(role) => made.push(role.clone()),
                "" => {
                    let name = ident(role)?;
                    let script = format!(
                        "BEGIN;\nCREATE ROLE {name} NOLOGIN;\nCOMMENT ON ROLE {name} IS {};\nCOMMIT;\n",
                        literal(&self.name)?
                    );
                    self.sql("postgres", &script).await?;
                    made.push(role.clone());
                }
                _ => {}
            }
        }
        Ok(made)
    }

    /// Unpack the dump into the empty database.
    async fn unpack(&self, manifest: &BackupManifest, scratch: &str, is_elsewhere: bool) -> Result<(), OpError> {
        let storage = self.source.storage().await?;
        let identity = self.source.identity().await?;
        let mut spec = ExecSpec::new(["pg_restore", "-w", "-U", "postgres", "--exit-on-error", "-d", scratch]);
        if is_elsewhere {
            // What was granted to them means nobody here.
            spec.argv.push("--no-acl".into());
        }
        spec.env = vec![format!("PGAPPNAME={scratch}")];
        let (sender, receiver) = mpsc::channel(QUEUE);
        let total = manifest.database.size;
        let passed = |bytes| self.source.ctx.progress(bytes, Some(total), "bytes");
        let failing = sender.clone();
        let unpacking = async {
            let fed = move |plain: &mut dyn Read| feed(plain, &sender);
            let done = pack::unpack(&storage, &self.source.at.prefix, &manifest.database, identity, passed, fed).await;
            if let Err(error) = &done {
                drop(failing.send(Err(error.clone())).await);
            }
            drop(failing);
            done
        };
        let filling = write_to(&self.source.host.docker, &self.container, spec.user("postgres"), receiver);
        let (unpacked, filled) = tokio::join!(unpacking, filling);
        match (unpacked, filled) {
            (Ok(()), filled) => filled,
            // PostgreSQL has ended before it was given all, and knows why.
            (Err(error), Err(postgres)) if error.code == NOT_TAKEN => Err(postgres),
            (Err(error), _) => Err(error),
        }
    }

    /// The database of an attempt, and the roles that were made for it.
    pub async fn remove(&self) -> Result<(), OpError> {
        let scratch = &self.name;
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = {};\n",
            literal(scratch)?
        );
        self.sql("postgres", &script).await?;
        let database = Database { name: scratch, role: self.role };
        database.drop(&self.source.host.docker, &self.container).await?;
        let script = format!(
            "SELECT format('DROP ROLE %I', rolname) FROM pg_roles WHERE shobj_description(oid, 'pg_authid') = {} \\gexec\n",
            literal(scratch)?
        );
        self.sql("postgres", &script).await.map(drop)
    }
}

/// Whether that server can read what PostgreSQL of the backup's version has written.
pub fn can_read(server: &str, manifest: &BackupManifest) -> Result<(), OpError> {
    if major(server) >= major(&manifest.postgres_version) {
        return Ok(());
    }
    Err(OpError::new(
        "postgres_too_old",
        format!(
            "The backup is of PostgreSQL {}, and the instance has {server}, which cannot read it. Restore it into an instance with a newer one.",
            manifest.postgres_version
        ),
    ))
}

/// Hand all of it on.
fn feed(plain: &mut dyn Read, pieces: &mpsc::Sender<Result<Bytes, OpError>>) -> io::Result<()> {
    loop {
        let mut piece = BytesMut::zeroed(PIECE);
        let read = plain.read(&mut piece)?;
        if read == 0 {
            return Ok(());
        }
        piece.truncate(read);
        let sent = pieces.blocking_send(Ok(piece.freeze()));
        sent.map_err(|_| io::Error::other(OpError::new(NOT_TAKEN, "PostgreSQL did not take the dump.")))?;
    }
}

/// `13` of `13.16 (Debian 13.16-1)`.
fn major(version: &str) -> u32 {
    version.split(|c: char| !c.is_ascii_digit()).next().and_then(|major| major.parse().ok()).unwrap_or(0)
}

/// Whether each table has as many rows as it had then.
fn compare(then: &BTreeMap<String, u64>, now: &BTreeMap<String, u64>) -> Result<(), OpError> {
    let differ = then.keys().chain(now.keys()).filter(|table| then.get(*table) != now.get(*table));
    let differ: BTreeSet<&String> = differ.collect();
    if differ.is_empty() {
        return Ok(());
    }
    let said = |rows: Option<&u64>| rows.map_or("none".into(), u64::to_string);
    let tables: Vec<String> = differ
        .iter()
        .take(5)
        .map(|table| format!("{table} ({} instead of {})", said(now.get(*table)), said(then.get(*table))))
        .collect();
    Err(OpError::new(
        "backup_damaged",
        format!("{} tables have other rows than when the backup was made: {}.", differ.len(), tables.join(", ")),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_have_a_major() {
        assert_eq!(major("13.16 (Debian 13.16-1.pgdg120+1)"), 13);
        assert_eq!(major("18beta1"), 18);
    }

    #[test]
    fn other_rows_are_told() {
        let then = BTreeMap::from([("res_users".to_owned(), 5), ("sale".to_owned(), 1)]);
        assert!(compare(&then, &then).is_ok());
        let now = BTreeMap::from([("res_users".to_owned(), 4), ("new".to_owned(), 0)]);
        let error = compare(&then, &now).unwrap_err();
        assert!(error.message.contains("3 tables") && error.message.contains("res_users (4 instead of 5)"), "{error}");
    }
}
