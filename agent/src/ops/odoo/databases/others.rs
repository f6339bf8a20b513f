//! `database_create`, `database_duplicate`, `database_rename`, `database_drop`: databases beside the instance's own, which
//! none of them touches. A new one is made under a name of the job's own and gets the wished one when it is whole, so a
//! job that was cut begins it anew, and nobody ever sees half of one.

use super::look::databases_of;
use super::stream::pipe;
use super::{has_room, running};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::ExecSpec;
use crate::ops::backup::filestore;
use crate::ops::odoo::record::Record;
use crate::ops::odoo::{result, unless_cancelled};
use crate::ops::postgres::{self, Database};
use crate::ops::sql::{ident, literal};
use ocore_shared::protocol::databases::{DatabaseEntry, DatabaseWork, DatabaseWorked, is_reserved_database};
use serde_json::Value;

struct Job {
    host: Host,
    ctx: JobContext,
    record: Record,
    work: DatabaseWork,
}

pub async fn create(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let job = Job::new(host, ctx)?;
    job.ctx
        .plan(&[("check", "Look at the databases"), ("make", "Make the database"), ("name", "Give it its name")])
        .await?;
    job.ctx.step("check", job.is_free(&job.work.name)).await?;
    let made = async {
        job.ctx.step("make", job.empty()).await?;
        job.ctx.step("name", job.name(&job.work.name)).await
    };
    job.ctx.attempt(made, job.unmake("name")).await?;
    job.worked(&job.work.name).await
}

pub async fn duplicate(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let job = Job::new(host, ctx)?;
    let to = job.to()?.to_owned();
    job.ctx
        .plan(&[("check", "Look at the databases"), ("make", "Copy the database"), ("name", "Give it its name")])
        .await?;
    job.ctx
        .step("check", async {
            job.is_free(&to).await?;
            let source = job.find(&job.work.name).await?;
            // With a dump in between there are no empty pages in it; the indexes are made anew.
            has_room(&job.host, source.size_bytes, "The copy")
        })
        .await?;
    let made = async {
        job.ctx.step("make", job.copy()).await?;
        job.ctx.step("name", job.name(&to)).await
    };
    job.ctx.attempt(made, job.unmake("name")).await?;
    job.worked(&to).await
}

pub async fn rename(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let job = Job::new(host, ctx)?;
    let to = job.to()?.to_owned();
    job.ctx.plan(&[("check", "Look at the databases"), ("name", "Rename the database")]).await?;
    job.ctx
        .step("check", async {
            job.not_served(&job.work.name).await?;
            job.is_free(&to).await
        })
        .await?;
    job.ctx
        .step("name", async {
            job.move_from(&job.work.name, &to).await?;
            // With the files that it refers to, where it was an Odoo's.
            filestore::follow(&job.host, &job.record, &job.work.name, &to).await
        })
        .await?;
    job.worked(&to).await
}

pub async fn drop_one(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let job = Job::new(host, ctx)?;
    job.ctx.plan(&[("check", "Look at the databases"), ("drop", "Drop the database")]).await?;
    let gone: DatabaseEntry = job.ctx.step("check", job.not_served(&job.work.name)).await?;
    job.ctx
        .step("drop", async {
            job.database(&job.work.name).drop(&job.host.docker, &job.container()).await?;
            filestore::remove(&job.host, &job.record, job.ctx.id(), &job.work.name).await
        })
        .await?;
    result(DatabaseWorked { name: gone.name, size_bytes: gone.size_bytes })
}

impl Job {
    fn new(host: Host, ctx: JobContext) -> Result<Self, OpError> {
        let work: DatabaseWork = ctx.input()?;
        let record = running(&host, work.instance_id)?;
        Ok(Self { host, ctx, record, work })
    }

    fn to(&self) -> Result<&str, OpError> {
        self.work.to.as_deref().ok_or_else(|| OpError::new("invalid_input", "The job came without the new name."))
    }

    fn container(&self) -> String {
        self.record.postgres_container()
    }

    fn database<'a>(&'a self, name: &'a str) -> Database<'a> {
        Database { name, role: &self.record.spec.database_role }
    }

    async fn sql(&self, database: &str, script: &str) -> Result<String, OpError> {
        postgres::sql(&self.host.docker, &self.container(), database, script).await
    }

    /// The name under which this job makes one.
    fn own_name(&self) -> String {
        format!("ocore_{}", self.ctx.id().0.simple())
    }

    async fn list(&self) -> Result<Vec<DatabaseEntry>, OpError> {
        Ok(databases_of(&self.host, &self.record).await?.databases)
    }

    async fn find(&self, name: &str) -> Result<DatabaseEntry, OpError> {
        let found = self.list().await?.into_iter().find(|entry| entry.name == name);
        found.ok_or_else(|| OpError::new("database_unknown", format!("There is no database {name}.")))
    }

    async fn is_free(&self, name: &str) -> Result<(), OpError> {
        if is_reserved_database(name) {
            return Err(OpError::new("name_reserved", format!("{name} is a name that is kept; choose another one.")));
        }
        if self.list().await?.iter().any(|entry| entry.name == name) {
            return Err(OpError::new(
                "name_taken",
                format!("There is a database {name} already; choose another name."),
            ));
        }
        Ok(())
    }

    /// One that may be taken away from under its name.
    async fn not_served(&self, name: &str) -> Result<DatabaseEntry, OpError> {
        let entry = self.find(name).await?;
        if entry.is_own {
            let message = format!("{name} is the database that the instance serves; it goes only with the instance.");
            return Err(OpError::new("database_in_use", message));
        }
        if entry.is_reserved {
            return Err(OpError::new("name_reserved", format!("{name} is not yours to change.")));
        }
        Ok(entry)
    }

    /// An empty database as an instance begins with, under the job's own name.
    async fn empty(&self) -> Result<(), OpError> {
        let own = self.own_name();
        self.make(&own).await?;
        self.sql(&own, postgres::EXTENSIONS).await.map(drop)
    }

    async fn make(&self, own: &str) -> Result<(), OpError> {
        self.database(own).drop(&self.host.docker, &self.container()).await?;
        let (name, role) = (ident(own)?, ident(&self.record.spec.database_role)?);
        let script = format!(
            "CREATE DATABASE {name} OWNER {role} TEMPLATE template0 ENCODING 'UTF8' LC_COLLATE 'C';\n\
             REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n"
        );
        self.sql("postgres", &script).await.map(drop)
    }

    /// A copy under the job's own name. By a dump, since a template must not be in use.
    async fn copy(&self) -> Result<(), OpError> {
        let own = self.own_name();
        self.end_dump().await?;
        self.make(&own).await?;
        let mut dump =
            ExecSpec::new(["pg_dump", "-w", "-U", "postgres", "--format=custom", "--compress=0"]).user("postgres");
        // As an argument, a name could be read as a whole connection string.
        dump.env = vec![format!("PGDATABASE={}", self.work.name), format!("PGAPPNAME={own}")];
        let restore =
            ExecSpec::new(["pg_restore", "-w", "-U", "postgres", "--exit-on-error", "-d", &own]).user("postgres");
        let passed = |bytes| self.ctx.progress(bytes, None, "bytes");
        let container = self.container();
        unless_cancelled(&self.ctx, pipe(&self.host.docker, &container, dump, restore, passed)).await?;
        self.sql(&own, "ANALYZE;\n").await.map(drop)
    }

    /// A dump that an agent was killed over, or that was cancelled, would keep a transaction open.
    async fn end_dump(&self) -> Result<(), OpError> {
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE application_name = {};\n",
            literal(&self.own_name())?
        );
        self.sql("postgres", &script).await.map(drop)
    }

    async fn name(&self, name: &str) -> Result<(), OpError> {
        self.move_from(&self.own_name(), name).await
    }

    /// Rename, ending its connections. Well when that was done already: then there is none of the old name.
    async fn move_from(&self, from: &str, to: &str) -> Result<(), OpError> {
        let (from, to) = (literal(from)?, literal(to)?);
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = {from} AND pid <> pg_backend_pid();\n\
             SELECT format('ALTER DATABASE %I RENAME TO %I', {from}, {to}) WHERE EXISTS (SELECT FROM pg_database WHERE datname = {from}) \\gexec\n"
        );
        self.sql("postgres", &script).await.map(drop)
    }

    /// Take away what was begun, which is there under the job's own name only.
    async fn unmake(&self, step: &'static str) {
        if self.ctx.has_effects(step) {
            self.ctx.undo(step, || async { Ok(()) }).await;
        }
        if self.ctx.has_effects("make") {
            let own = self.own_name();
            let database = self.database(&own);
            let container = self.container();
            let unmake = || async {
                self.end_dump().await?;
                database.drop(&self.host.docker, &container).await
            };
            self.ctx.undo("make", unmake).await;
        }
    }

    async fn worked(&self, name: &str) -> Result<Value, OpError> {
        let size_bytes = self.database(name).size(&self.host.docker, &self.container()).await?;
        result(DatabaseWorked { name: name.to_owned(), size_bytes })
    }
}
