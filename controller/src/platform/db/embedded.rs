//! A private PostgreSQL cluster from the system's own binaries, on a unix socket in the data directory.
//!
//! It is no child of the controller in any way that matters: it outlives a kill -9 and is adopted by the next start.

use anyhow::{Context, bail};
use nix::errno::Errno;
use nix::sys::signal::kill;
use nix::unistd::{Gid, Pid, Uid, User, chown};
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::Duration;
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

const OLDEST_MAJOR: u32 = 14;
/// A unix socket's path has 107 bytes; PostgreSQL adds `/.s.PGSQL.5432.lock`.
const LONGEST_SOCKET_DIRECTORY: usize = 107 - 20;
const DATABASE: &str = "ocore";

/// How often a running controller looks whether its cluster still runs.
const WATCH_INTERVAL: Duration = Duration::from_secs(1);

/// A running embedded cluster.
#[derive(Clone)]
pub struct Embedded {
    bin: PathBuf,
    home: PathBuf,
    data: PathBuf,
    run: PathBuf,
    user: ServiceUser,
    options: PgConnectOptions,
}

#[derive(Clone, Copy)]
struct ServiceUser {
    uid: Uid,
    gid: Gid,
}

impl Embedded {
    /// Adopt the cluster below `data_dir`, or start it, or make it first.
    pub async fn start(data_dir: &Path) -> anyhow::Result<Self> {
        let home = data_dir.join("postgres");
        let (data, run) = (home.join("data"), home.join("run"));
        if run.as_os_str().len() > LONGEST_SOCKET_DIRECTORY {
            bail!(
                "the data directory {} is too deep for a unix socket; choose a shorter --data-dir",
                data_dir.display()
            );
        }
        let bin = find_binaries(Path::new("/usr/lib/postgresql"), data_major(&data)?)?;
        let user = service_user()?;
        for (dir, mode) in [(&home, 0o711), (&data, 0o700), (&run, 0o700)] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
            chown(dir, Some(user.uid), Some(user.gid))?;
            fs::set_permissions(dir, fs::Permissions::from_mode(mode))?;
        }
        let options = PgConnectOptions::new_without_pgpass().socket(&run).username("postgres").database("postgres");
        let this = Self { bin, home, data, run, user, options };
        if !this.data.join("PG_VERSION").exists() {
            this.make_cluster()?;
        }
        if !this.is_running() {
            this.launch()?;
        }
        this.ensure_database().await?;
        Ok(this)
    }

    /// Make the cluster beside its place and move it there whole: whatever ends this half way, the next start begins
    /// anew.
    fn make_cluster(&self) -> anyhow::Result<()> {
        let fresh = self.home.join(format!("data.{}", Uuid::now_v7()));
        let arguments = [
            "--username=postgres",
            "--auth-local=trust",
            "--auth-host=reject",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-instructions",
        ];
        let path = fresh.to_string_lossy();
        self.execute("initdb", &[&arguments[..], &["-D", &path]].concat(), false)?;
        match fs::rename(&fresh, &self.data) {
            // Another process of ours was faster.
            Err(_) if self.data.join("PG_VERSION").exists() => {}
            Err(error) => return Err(error).context("the new PostgreSQL cluster cannot be put into its place"),
            Ok(()) => fs::File::open(&self.home)?.sync_all()?,
        }
        for entry in fs::read_dir(&self.home)?.flatten() {
            if entry.file_name().to_string_lossy().starts_with("data.") {
                fs::remove_dir_all(entry.path())?;
            }
        }
        Ok(())
    }

    /// How to connect to it.
    pub fn options(&self) -> PgConnectOptions {
        self.options.clone().database(DATABASE)
    }

    /// Stop it and wait until its files are in order.
    pub fn stop(&self) -> anyhow::Result<()> {
        self.execute("pg_ctl", &["stop", "-m", "fast", "-w", "-s", "-D"], true).map(|_| ())
    }

    fn is_running(&self) -> bool {
        self.command("pg_ctl").args(["status", "-D"]).arg(&self.data).output().is_ok_and(|o| o.status.success())
    }

    /// Start the cluster again whenever it has ended by itself or by somebody else's hand.
    pub async fn keep(self, stop: CancellationToken) {
        while stop.run_until_cancelled(tokio::time::sleep(WATCH_INTERVAL)).await.is_some() {
            if self.has_process() {
                continue;
            }
            tracing::warn!("the embedded PostgreSQL has ended; it is started again");
            let this = self.clone();
            match tokio::task::spawn_blocking(move || this.launch()).await {
                Ok(Ok(())) => tracing::info!("the embedded PostgreSQL runs again"),
                Ok(Err(error)) => tracing::error!(%error, "the embedded PostgreSQL cannot be started"),
                Err(error) => tracing::error!(%error, "starting the embedded PostgreSQL failed"),
            }
        }
    }

    /// Whether the process exists that the data directory names: cheap enough for every second.
    fn has_process(&self) -> bool {
        let pid = fs::read_to_string(self.data.join("postmaster.pid")).ok();
        let pid = pid.and_then(|text| text.lines().next()?.parse().ok()).map(Pid::from_raw);
        pid.is_some_and(|pid| !matches!(kill(pid, None), Err(Errno::ESRCH)))
    }

    fn launch(&self) -> anyhow::Result<()> {
        let log = self.home.join("postgres.log");
        let settings = format!(
            "-c listen_addresses= -c unix_socket_directories={} -c shared_buffers=64MB -c max_connections=100 \
             -c wal_compression=on -c max_wal_size=512MB -c log_min_messages=warning",
            self.run.display()
        );
        let output = self
            .command("pg_ctl")
            .args(["start", "-w", "-s", "-t", "60", "-o", &settings, "-l"])
            .arg(&log)
            .arg("-D")
            .arg(&self.data)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .context("pg_ctl cannot be started")?;
        if !output.success() {
            let text = fs::read_to_string(&log).unwrap_or_default();
            let tail: Vec<&str> = text.lines().rev().take(5).collect();
            let tail: Vec<&str> = tail.into_iter().rev().collect();
            bail!("the embedded PostgreSQL did not start; {} ends with:\n{}", log.display(), tail.join("\n"));
        }
        Ok(())
    }

    async fn ensure_database(&self) -> anyhow::Result<()> {
        let mut connection = self.options.connect().await.context("the embedded PostgreSQL does not answer")?;
        let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
            .bind(DATABASE)
            .fetch_one(&mut connection)
            .await?;
        if !exists {
            sqlx::raw_sql("create database ocore").execute(&mut connection).await?;
        }
        Ok(())
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.bin.join(program));
        command.current_dir("/").env_clear().env("PATH", "/usr/bin:/bin").env("LC_ALL", "C.UTF-8");
        if Uid::effective().is_root() {
            command.uid(self.user.uid.as_raw()).gid(self.user.gid.as_raw());
        }
        command
    }

    fn execute(&self, program: &str, args: &[&str], with_data: bool) -> anyhow::Result<Output> {
        let mut command = self.command(program);
        command.args(args);
        if with_data {
            command.arg(&self.data);
        }
        let output = command.output().with_context(|| format!("{program} cannot be started"))?;
        if !output.status.success() {
            bail!("{program} failed: {}", String::from_utf8_lossy(&output.stderr).trim());
        }
        Ok(output)
    }
}

/// PostgreSQL refuses to run as root: then Debian's `postgres` user runs it.
fn service_user() -> anyhow::Result<ServiceUser> {
    if !Uid::effective().is_root() {
        return Ok(ServiceUser { uid: Uid::effective(), gid: Gid::effective() });
    }
    let user = User::from_name("postgres")?
        .context("there is no user 'postgres'; install Debian's package postgresql, or set DATABASE_URL")?;
    Ok(ServiceUser { uid: user.uid, gid: user.gid })
}

/// Major version of the files that are there, if any.
fn data_major(data: &Path) -> anyhow::Result<Option<u32>> {
    match fs::read_to_string(data.join("PG_VERSION")) {
        Ok(text) => Ok(Some(text.trim().parse().context("PG_VERSION of the data directory is damaged")?)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(e).context("the embedded PostgreSQL's data cannot be read"),
    }
}

/// The `bin` directory to use: that of the data's major version, or the newest when there are no data.
fn find_binaries(root: &Path, data: Option<u32>) -> anyhow::Result<PathBuf> {
    let mut majors: Vec<u32> = fs::read_dir(root)
        .into_iter()
        .flatten()
        .flatten()
        .filter(|entry| entry.path().join("bin/postgres").exists())
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter(|major| *major >= OLDEST_MAJOR)
        .collect();
    majors.sort_unstable();
    let found = majors.iter().map(u32::to_string).collect::<Vec<_>>().join(", ");
    let major = match (data, majors.last()) {
        (Some(major), _) if majors.contains(&major) => major,
        (Some(major), Some(_)) => bail!(
            "the data were made by PostgreSQL {major}, but only {found} is installed; install postgresql-{major} \
             (nothing was changed), or move the data with pg_upgrade"
        ),
        (None, Some(newest)) => *newest,
        (_, None) => bail!(
            "no PostgreSQL {OLDEST_MAJOR} or newer was found in {}; install Debian's package postgresql, or set \
             DATABASE_URL",
            root.display()
        ),
    };
    Ok(root.join(major.to_string()).join("bin"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn installed(majors: &[&str]) -> PathBuf {
        let root = std::env::temp_dir().join(format!("ocore-pg-{}", uuid::Uuid::now_v7()));
        for major in majors {
            fs::create_dir_all(root.join(major).join("bin")).unwrap();
            fs::write(root.join(major).join("bin/postgres"), "").unwrap();
        }
        root
    }

    #[test]
    fn the_newest_is_taken_for_new_data_and_the_same_for_old() {
        let root = installed(&["9.6", "13", "15", "17"]);
        assert!(find_binaries(&root, None).unwrap().ends_with("17/bin"));
        assert!(find_binaries(&root, Some(15)).unwrap().ends_with("15/bin"));
    }

    #[test]
    fn a_newer_major_than_the_datas_is_said_clearly() {
        let error = find_binaries(&installed(&["17"]), Some(15)).unwrap_err().to_string();
        assert!(error.contains("made by PostgreSQL 15") && error.contains("postgresql-15"), "{error}");
        let error = find_binaries(&installed(&["13"]), None).unwrap_err().to_string();
        assert!(error.contains("install Debian's package postgresql"), "{error}");
    }
}
