//! The PostgreSQL container of an instance: its making, its roles and databases, SQL through its own psql.
//!
//! It publishes no port. Its superuser's password exists in one file that only its user reads; statements and the
//! passwords in them travel on standard input.

use super::sql::{ident, literal};
use crate::engine::OpError;
use crate::host::docker::{DockerHost, ExecSpec};
use ocore_shared::postgres::tuning;
use ocore_shared::secret::Secret;
use std::time::Duration;
use tokio::time::Instant;
use zeroize::Zeroizing;

/// Inside the container.
pub const PASSWORD_FILE: &str = "/run/secrets/postgres_password";
/// What the official image declares as a volume, up to major 17.
pub const DATA: &str = "/var/lib/postgresql/data";
/// What parallel queries share; Docker's 64 MiB let them fail.
pub const SHARED_MEMORY: i64 = tuning::SHARED_MEMORY_MB as i64 * 1024 * 1024;
const START_PATIENCE: Duration = Duration::from_secs(120);
const PAUSE: Duration = Duration::from_millis(300);

/// Run SQL as the superuser and return what it printed, unaligned and without headings. Stops at the first error.
pub async fn sql(docker: &DockerHost, container: &str, database: &str, text: &str) -> Result<String, OpError> {
    let output = docker.exec(container, psql(database).user("postgres"), text.as_bytes()).await?;
    if output.code == 0 {
        return Ok(output.stdout.trim_end().to_owned());
    }
    let reason = output.stderr.lines().chain(output.stdout.lines()).map(strip).find(|l| !l.is_empty());
    let reason = reason.unwrap_or_else(|| format!("psql ended with {}", output.code));
    let busy = reason.contains("due to lock timeout") || reason.contains("due to statement timeout");
    if busy {
        let message = format!("PostgreSQL is busy with something that has to end first ({reason}). Try again later.");
        return Err(OpError::retryable("database_busy", message));
    }
    let retryable = reason.contains("could not connect") || reason.contains("starting up");
    Err(OpError { code: "sql_failed".into(), message: format!("PostgreSQL refused a statement: {reason}."), retryable })
}

/// psql that reads a script, tells values alone and stops at the first error.
pub fn psql(database: &str) -> ExecSpec {
    let options = ["-X", "-q", "-A", "-t", "-w", "-v", "ON_ERROR_STOP=1", "-U", "postgres", "-d", database, "-f", "-"];
    ExecSpec::new(std::iter::once("psql").chain(options))
}

/// Without `psql:<stdin>:3: ERROR:`.
pub fn strip(line: &str) -> String {
    let text = line.split_once("ERROR:").or_else(|| line.split_once("FATAL:")).map_or(line, |(_, rest)| rest);
    text.trim().trim_end_matches('.').to_owned()
}

/// Wait until it accepts connections from the network: the image's first start runs a server that only the socket
/// reaches, and ends it again.
pub async fn ready(docker: &DockerHost, container: &str, address: &str) -> Result<(), OpError> {
    let deadline = Instant::now() + START_PATIENCE;
    loop {
        let found = match docker.inspect(container).await {
            // Docker is away for a moment.
            Err(e) if e.retryable && Instant::now() < deadline => {
                tokio::time::sleep(PAUSE).await;
                continue;
            }
            found => found?,
        };
        let state = found.and_then(|c| c.state).ok_or_else(|| {
            OpError::new(
                "container_missing",
                format!("The container {container} is missing. Remove the instance and make it anew."),
            )
        })?;
        if state.running != Some(true) || state.restarting == Some(true) {
            let log = docker.last_lines(container, 15).await.unwrap_or_default();
            return Err(OpError::new(
                "postgres_failed",
                format!("PostgreSQL ended while it started. Its last lines:\n{log}"),
            ));
        }
        let asked = docker.exec(container, ExecSpec::new(["pg_isready", "-q", "-h", address, "-p", "5432"]), b"").await;
        if asked.is_ok_and(|o| o.code == 0) {
            return Ok(());
        }
        if Instant::now() > deadline {
            let log = docker.last_lines(container, 15).await.unwrap_or_default();
            return Err(OpError::retryable(
                "postgres_not_ready",
                format!(
                    "PostgreSQL accepted no connection within {} s. Its last lines:\n{log}",
                    START_PATIENCE.as_secs()
                ),
            ));
        }
        tokio::time::sleep(PAUSE).await;
    }
}

/// An instance's own role and database.
pub struct Database<'a> {
    pub name: &'a str,
    pub role: &'a str,
}

impl Database<'_> {
    /// Have both. Run again, it changes nothing but the password, to the same.
    pub async fn ensure(&self, docker: &DockerHost, container: &str, password: &Secret) -> Result<(), OpError> {
        let script = Zeroizing::new(self.script(password)?);
        sql(docker, container, "postgres", &script).await?;
        sql(docker, container, self.name, EXTENSIONS).await.map(drop)
    }

    fn script(&self, password: &Secret) -> Result<String, OpError> {
        let (role, name) = (ident(self.role)?, ident(self.name)?);
        let (role_text, name_text) = (literal(self.role)?, literal(self.name)?);
        let password = Zeroizing::new(literal(password.expose())?);
        // The first line keeps the password out of PostgreSQL's own log, whatever it is set to.
        Ok(format!(
            "SET log_statement = 'none'; SET log_min_duration_statement = -1; SET log_min_error_statement = 'panic';\n\
             SELECT format('CREATE ROLE %I', {role_text}) WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = {role_text}) \\gexec\n\
             ALTER ROLE {role} WITH LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION PASSWORD {};\n\
             SELECT format('CREATE DATABASE %I OWNER %I TEMPLATE template0 ENCODING ''UTF8'' LC_COLLATE ''C''', {name_text}, {role_text}) \
             WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = {name_text}) \\gexec\n\
             REVOKE CONNECT, TEMPORARY ON DATABASE {name} FROM PUBLIC;\n",
            *password
        ))
    }

    /// Whether Odoo has begun to fill it.
    pub async fn is_begun(&self, docker: &DockerHost, container: &str) -> Result<bool, OpError> {
        let found =
            sql(docker, container, self.name, "SELECT to_regclass('public.ir_module_module') IS NOT NULL;").await?;
        Ok(found == "t")
    }

    /// Bytes that it takes.
    pub async fn size(&self, docker: &DockerHost, container: &str) -> Result<u64, OpError> {
        let found =
            sql(docker, container, "postgres", &format!("SELECT pg_database_size({});", literal(self.name)?)).await?;
        Ok(found.parse().unwrap_or(0))
    }

    /// Have a copy of it under another name, made now. Ends its connections: nobody may be in it meanwhile.
    pub async fn copy(&self, docker: &DockerHost, container: &str, to: &str) -> Result<(), OpError> {
        let (name, role, to) = (ident(self.name)?, ident(self.role)?, ident(to)?);
        let script = format!(
            "DROP DATABASE IF EXISTS {to};\n{}CREATE DATABASE {to} OWNER {role} TEMPLATE {name};\n\
             REVOKE CONNECT, TEMPORARY ON DATABASE {to} FROM PUBLIC;\n",
            self.disconnect()?
        );
        sql(docker, container, "postgres", &script).await.map(drop)
    }

    /// Put a copy in its place. Well when that was done already: then there is no copy.
    pub async fn put_back(&self, docker: &DockerHost, container: &str, copy: &str) -> Result<(), OpError> {
        let (name, copy) = (literal(self.name)?, literal(copy)?);
        let script = format!(
            "{}SELECT format('DROP DATABASE IF EXISTS %I', {name}) WHERE EXISTS (SELECT FROM pg_database WHERE datname = {copy}) \\gexec\n\
             SELECT format('ALTER DATABASE %I RENAME TO %I', {copy}, {name}) WHERE EXISTS (SELECT FROM pg_database WHERE datname = {copy}) \\gexec\n",
            self.disconnect()?
        );
        sql(docker, container, "postgres", &script).await.map(drop)
    }

    fn disconnect(&self) -> Result<String, OpError> {
        Ok(format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = {} AND pid <> pg_backend_pid();\n",
            literal(self.name)?
        ))
    }

    /// Remove it, ending its connections.
    pub async fn drop(&self, docker: &DockerHost, container: &str) -> Result<(), OpError> {
        let (name, text) = (ident(self.name)?, literal(self.name)?);
        let script = format!(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = {text} AND pid <> pg_backend_pid();\n\
             DROP DATABASE IF EXISTS {name};\n"
        );
        sql(docker, container, "postgres", &script).await.map(drop)
    }
}

/// Odoo uses both when they are there; making `unaccent` fit for indexes takes a superuser. An image without the
/// contributed modules does without.
pub const EXTENSIONS: &str = "\
DO $ocore$ BEGIN
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_trgm') THEN CREATE EXTENSION IF NOT EXISTS pg_trgm; END IF;
  IF EXISTS (SELECT FROM pg_available_extensions WHERE name = 'unaccent') THEN
    CREATE EXTENSION IF NOT EXISTS unaccent;
    ALTER FUNCTION unaccent(text) IMMUTABLE;
  END IF;
END $ocore$;
";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_password_is_quoted_and_the_log_is_off_before_it() {
        let database = Database { name: "d\"b", role: "r'le" };
        let script = database.script(&Secret::new("p'w\\")).unwrap();
        assert!(script.starts_with("SET log_statement = 'none'"));
        assert!(script.contains("PASSWORD  E'p''w\\\\';"), "{script}");
        assert!(script.contains("ON DATABASE \"d\"\"b\" FROM PUBLIC"));
        assert!(script.contains("format('CREATE ROLE %I', 'r''le')"));
    }

    #[test]
    fn psql_errors_lose_their_wrapping() {
        assert_eq!(strip("psql:<stdin>:3: ERROR:  role \"x\" does not exist"), "role \"x\" does not exist");
    }
}
