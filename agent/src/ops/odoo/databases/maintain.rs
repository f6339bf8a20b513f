//! `database_maintain`: vacuum, analyze, reindex; table by table, so that it can be followed and ended in between.

use super::{has_room, json, running};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::odoo::record::Record;
use crate::ops::odoo::result;
use crate::ops::postgres::{self, Database};
use crate::ops::sql::{ident, literal};
use ocore_shared::protocol::databases::{DatabaseMaintain, DatabaseMaintained, MaintenanceAction};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Small tables share a session; so many at most, or so many bytes.
const TOGETHER: usize = 40;
const TOGETHER_BYTES: u64 = 256 * 1024 * 1024;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Table {
    schema: String,
    name: String,
    bytes: u64,
    index_bytes: u64,
}

#[derive(Clone, Serialize, Deserialize)]
struct Plan {
    tables: Vec<Table>,
    size: u64,
}

pub async fn run(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let wish: DatabaseMaintain = ctx.input()?;
    ctx.plan(&[("check", "Look at the tables"), ("work", title(wish.action))]).await?;
    let record = running(&host, wish.instance_id)?;
    let work = Work { host: &host, ctx: &ctx, record: &record, action: wish.action };
    let plan: Plan = ctx.step("check", work.check(wish.table.as_deref())).await?;
    let done = ctx.step("work", async {
        let outcome = work.all(&plan.tables).await;
        // What an interruption left behind takes room and is never used.
        if let Err(error) = work.sweep().await {
            ctx.log(error.message);
        }
        outcome?;
        let size_after_bytes = work.size().await?;
        let tables = plan.tables.len() as u64;
        Ok(DatabaseMaintained { tables, size_before_bytes: plan.size, size_after_bytes })
    });
    result(done.await?)
}

fn title(action: MaintenanceAction) -> &'static str {
    match action {
        MaintenanceAction::Vacuum => "Vacuum and analyze",
        MaintenanceAction::VacuumFull => "Write the tables anew",
        MaintenanceAction::Analyze => "Analyze",
        MaintenanceAction::Reindex => "Make the indexes anew",
    }
}

struct Work<'a> {
    host: &'a Host,
    ctx: &'a JobContext,
    record: &'a Record,
    action: MaintenanceAction,
}

impl Work<'_> {
    fn spec(&self) -> (&str, &str) {
        (&self.record.spec.database_name, &self.record.spec.database_role)
    }

    async fn sql(&self, script: &str) -> Result<String, OpError> {
        postgres::sql(&self.host.docker, &self.record.postgres_container(), self.spec().0, script).await
    }

    async fn size(&self) -> Result<u64, OpError> {
        let (name, role) = self.spec();
        Database { name, role }.size(&self.host.docker, &self.record.postgres_container()).await
    }

    async fn check(&self, table: Option<&str>) -> Result<Plan, OpError> {
        let only = match table.map(|table| table.split_once('.').unwrap_or(("public", table))) {
            Some((schema, name)) => format!("AND n.nspname = {} AND c.relname = {}", literal(schema)?, literal(name)?),
            None => String::new(),
        };
        let script = format!(
            "SELECT coalesce(jsonb_agg(to_jsonb(t) ORDER BY bytes DESC), '[]') FROM (
                 SELECT n.nspname AS schema, c.relname AS name, pg_total_relation_size(c.oid) AS bytes,
                     pg_indexes_size(c.oid) AS index_bytes
                 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
                 WHERE c.relkind IN ('r', 'm') AND c.relpersistence <> 't'
                     AND n.nspname NOT IN ('pg_catalog', 'information_schema') {only}) t;\n"
        );
        let tables: Vec<Table> = json(self.host, self.record, self.spec().0, &script).await?;
        if let (Some(table), true) = (table, tables.is_empty()) {
            return Err(OpError::new("table_unknown", format!("The database has no table {table}.")));
        }
        // One is written anew at a time, beside the old one.
        match self.action {
            MaintenanceAction::VacuumFull => {
                has_room(self.host, tables.iter().map(|t| t.bytes).max().unwrap_or(0), "The largest table")?;
            }
            MaintenanceAction::Reindex => {
                let most = tables.iter().map(|t| t.index_bytes).max().unwrap_or(0);
                has_room(self.host, most, "A second copy of the largest indexes")?;
            }
            MaintenanceAction::Vacuum | MaintenanceAction::Analyze => {}
        }
        self.sweep().await?;
        Ok(Plan { tables, size: self.size().await? })
    }

    async fn all(&self, tables: &[Table]) -> Result<(), OpError> {
        // A session that an agent was killed over goes on by itself.
        self.end_session().await?;
        let total = tables.len() as u64;
        let mut done = 0;
        for group in groups(tables) {
            self.ctx.progress(done, Some(total), "tables");
            if let [table] = group {
                self.ctx.message(format!("{} ({} MB)", table.name, table.bytes / 1024 / 1024));
            }
            let script = self.script(group)?;
            let Some(said) = self.ctx.cancelled().run_until_cancelled(self.sql(&script)).await else {
                self.end_session().await?;
                return Err(self.ctx.interruption());
            };
            said?.lines().for_each(|line| self.ctx.log(line));
            done += group.len() as u64;
        }
        self.ctx.progress(done, Some(total), "tables");
        Ok(())
    }

    fn session(&self) -> String {
        format!("ocore-{}", self.ctx.id())
    }

    fn script(&self, tables: &[Table]) -> Result<String, OpError> {
        // Who waits for a table's lock makes everybody wait who comes after; not for long, then.
        let mut script = format!("SET application_name = {}; SET lock_timeout = '60s';\n", literal(&self.session())?);
        if self.action == MaintenanceAction::Reindex {
            script.push_str("SET lock_timeout = 0;\n");
        }
        for table in tables {
            let name = format!("{}.{}", ident(&table.schema)?, ident(&table.name)?);
            let statement = match self.action {
                MaintenanceAction::Vacuum => format!("VACUUM (ANALYZE) {name}"),
                MaintenanceAction::VacuumFull => format!("VACUUM (FULL, ANALYZE) {name}"),
                MaintenanceAction::Analyze => format!("ANALYZE {name}"),
                MaintenanceAction::Reindex => format!("REINDEX TABLE CONCURRENTLY {name}"),
            };
            let (text, title) = (literal(&name)?, literal(&format!("{}.{}", table.schema, table.name))?);
            script.push_str(&format!(
                "{statement};\nSELECT {title} || ': ' || pg_size_pretty({}::bigint) || ' before, ' \
                 || pg_size_pretty(pg_total_relation_size({text}::regclass)) || ' after';\n",
                table.bytes
            ));
        }
        Ok(script)
    }

    /// End what works in this job's name.
    async fn end_session(&self) -> Result<(), OpError> {
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = {};\n",
            literal(&self.session())?
        );
        self.sql(&script).await.map(drop)
    }

    /// Indexes that were being made anew when somebody ended that.
    async fn sweep(&self) -> Result<(), OpError> {
        let script = "SET lock_timeout = '5s';\n\
            SELECT format('DROP INDEX IF EXISTS %I.%I', n.nspname, c.relname) FROM pg_index i \
            JOIN pg_class c ON c.oid = i.indexrelid JOIN pg_namespace n ON n.oid = c.relnamespace \
            WHERE NOT i.indisvalid AND c.relname ~ '_cc(new|old)[0-9]*$' AND n.nspname <> 'pg_toast' \\gexec\n";
        self.sql(script).await.map(drop)
    }
}

/// Large tables alone, small ones together.
fn groups(tables: &[Table]) -> Vec<&[Table]> {
    let (mut groups, mut start, mut bytes) = (Vec::new(), 0, 0);
    for (i, table) in tables.iter().enumerate() {
        if i > start && (i - start >= TOGETHER || bytes + table.bytes > TOGETHER_BYTES) {
            groups.push(&tables[start..i]);
            (start, bytes) = (i, 0);
        }
        bytes += table.bytes;
    }
    if start < tables.len() {
        groups.push(&tables[start..]);
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_tables_share_a_session() {
        let table = |bytes| Table { schema: "public".into(), name: "t".into(), bytes, index_bytes: 0 };
        let mut tables = vec![table(TOGETHER_BYTES * 3), table(TOGETHER_BYTES - 5)];
        tables.extend((0..100).map(|_| table(1)));
        let sizes: Vec<usize> = groups(&tables).into_iter().map(<[Table]>::len).collect();
        assert_eq!(sizes, [1, 6, 40, 40, 15]);
        assert!(groups(&[]).is_empty());
    }
}
