//! What the agent remembers of an instance, so that it needs no secret and no controller to keep it running:
//! `instances/<id>/instance.json`. Passwords are not in it; they live in the two files that the containers mount.

use crate::config::{create_private_dir, write_atomically};
use crate::engine::OpError;
use ocore_shared::ids::{InstanceId, JobId};
use ocore_shared::odoo::conf;
use ocore_shared::protocol::odoo::InstanceSpec;
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};
use std::sync::Arc;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// A provisioning has begun and not ended.
    Provisioning,
    /// It was seen to answer.
    Ready,
    /// Its containers are gone, its data is kept for a later purge.
    Removed,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub spec: InstanceSpec,
    pub stage: Stage,
    /// The job that provisioned it.
    pub job: JobId,
    /// The published port; decided at the start of provisioning and kept.
    pub http_port: u16,
    /// Where the live bus was published for a proxy of somebody's own; kept, too.
    #[serde(default)]
    pub realtime_port: Option<u16>,
    #[serde(default)]
    pub image_digest: String,
    #[serde(default)]
    pub postgres_digest: String,
    /// Whether it is meant to run: the observer asks only then.
    pub running: bool,
}

impl Record {
    pub fn odoo_container(&self) -> String {
        odoo_container(&self.spec.slug)
    }

    pub fn postgres_container(&self) -> String {
        postgres_container(&self.spec.slug)
    }

    /// Where the live bus is published now, if it has a port of its own.
    pub fn published_realtime_port(&self) -> Option<u16> {
        self.realtime_port.filter(|_| publishes_realtime(&self.spec))
    }

    /// Ports of the server that it has, or will want back.
    pub fn ports(&self) -> impl Iterator<Item = u16> + use<> {
        std::iter::once(self.http_port).chain(self.realtime_port)
    }
}

/// Workers have a process of their own for the live bus. The server's proxy reaches it inside Docker; anybody else needs
/// a port.
pub fn publishes_realtime(spec: &InstanceSpec) -> bool {
    !spec.has_proxy && conf::sizing(spec).workers > 0
}

pub fn odoo_container(slug: &str) -> String {
    format!("ocore-{slug}-odoo")
}

pub fn postgres_container(slug: &str) -> String {
    format!("ocore-{slug}-postgres")
}

/// The name under which Odoo finds its PostgreSQL. Not the container's: with a long slug that is longer than the 63
/// bytes that a DNS name may have.
pub fn database_host(instance: InstanceId) -> String {
    format!("postgres-{instance}")
}

pub fn init_container(slug: &str) -> String {
    format!("ocore-{slug}-init")
}

/// Of what is done once beside the running Odoo.
pub fn task_container(slug: &str) -> String {
    format!("ocore-{slug}-task")
}

pub fn volume(instance: InstanceId, role: &str) -> String {
    format!("ocore-{instance}-{role}")
}

/// The directory of all records.
#[derive(Clone)]
pub struct Records {
    dir: PathBuf,
    /// Held while a port is chosen and written down.
    pub ports: Arc<tokio::sync::Mutex<()>>,
}

impl Records {
    pub fn new(dir: PathBuf) -> Self {
        Self { dir, ports: Arc::default() }
    }

    pub fn dir(&self, instance: InstanceId) -> PathBuf {
        self.dir.join(instance.to_string())
    }

    pub fn conf_path(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("odoo.conf")
    }

    /// The file that is being tried.
    pub fn conf_next_path(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("odoo.conf.next")
    }

    /// The file as it was before the job that works on the instance.
    pub fn conf_before_path(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("odoo.conf.before")
    }

    pub fn password_path(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("postgres_password")
    }

    pub fn addons_dir(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("addons")
    }

    /// What Odoo's containers see of the sources of addons: a directory for each, with one for each commit.
    pub fn sources_dir(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("sources")
    }

    /// git's own data of them.
    pub fn repositories_dir(&self, instance: InstanceId) -> PathBuf {
        self.dir(instance).join("repositories")
    }

    /// None when there is none, or when it cannot be understood.
    pub fn find(&self, instance: InstanceId) -> Option<Record> {
        read(&self.dir(instance))
    }

    /// The record of an instance that works can be done on.
    pub fn get(&self, instance: InstanceId) -> Result<Record, OpError> {
        match self.find(instance) {
            Some(record) if record.stage == Stage::Ready => Ok(record),
            Some(_) => Err(OpError::new(
                "instance_not_ready",
                "The instance is not completely set up on this server, or was removed from it.",
            )),
            None => Err(OpError::new("instance_not_found", "This server has no such instance.")),
        }
    }

    pub fn all(&self) -> Vec<Record> {
        let Ok(entries) = std::fs::read_dir(&self.dir) else { return Vec::new() };
        entries.flatten().filter_map(|e| read(&e.path())).collect()
    }

    pub fn write(&self, record: &Record) -> Result<(), OpError> {
        let dir = self.dir(record.spec.instance_id);
        let text = serde_json::to_vec_pretty(record).map_err(|e| disk(&dir, &e))?;
        create_private_dir(&dir)
            .and_then(|()| write_atomically(&dir.join("instance.json"), &text, 0o600))
            .map_err(|e| disk(&dir, &e))
    }

    /// Forget it with everything that belongs to it. Well when it is gone already.
    pub fn remove(&self, instance: InstanceId) -> Result<(), OpError> {
        let dir = self.dir(instance);
        match std::fs::remove_dir_all(&dir) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk(&dir, &e)),
            _ => Ok(()),
        }
    }

    /// Remove a file that a job keeps beside the instance. Well when there is none.
    pub fn remove_file(&self, path: &Path) -> Result<(), OpError> {
        match std::fs::remove_file(path) {
            Err(e) if e.kind() != std::io::ErrorKind::NotFound => Err(disk(path, &e)),
            _ => Ok(()),
        }
    }

    /// Write a file that one user of a container reads: theirs alone, whoever else has an account there.
    pub fn write_for(&self, path: &Path, content: &[u8], uid: u32, gid: u32) -> Result<(), OpError> {
        if let Some(dir) = path.parent() {
            create_private_dir(dir).map_err(|e| disk(dir, &e))?;
        }
        write_atomically(path, content, 0o600).map_err(|e| disk(path, &e))?;
        std::os::unix::fs::chown(path, Some(uid), Some(gid)).map_err(|e| disk(path, &e))
    }
}

fn read(dir: &Path) -> Option<Record> {
    let text = std::fs::read(dir.join("instance.json")).ok()?;
    serde_json::from_slice(&text)
        .inspect_err(|e| tracing::error!(dir = %dir.display(), error = %e, "unreadable record"))
        .ok()
}

pub fn disk(path: &Path, error: &dyn std::fmt::Display) -> OpError {
    OpError::retryable("disk_failed", format!("{} cannot be written on the server: {error}.", path.display()))
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use ocore_shared::ids::{EnvironmentId, OrganizationId};
    use ocore_shared::protocol::odoo::Limits;

    pub fn spec() -> InstanceSpec {
        InstanceSpec {
            instance_id: InstanceId::new(),
            organization_id: OrganizationId::new(),
            environment_id: EnvironmentId::new(),
            slug: "shop".into(),
            odoo_version: "14.0".into(),
            image: "odoo:14.0".into(),
            built_image: None,
            addons: vec![],
            postgres_image: "postgres:13".into(),
            database_name: "shop".into(),
            database_role: "shop".into(),
            admin_login: "admin".into(),
            language: "en_US".into(),
            country: None,
            demo_data: false,
            modules: vec![],
            limits: Limits { cpus: 1.0, memory_mb: 1024 },
            settings: Default::default(),
            database_settings: Default::default(),
            has_proxy: false,
            public_host: None,
            env: Default::default(),
            bind_address: "127.0.0.1".into(),
            http_port: None,
            generation: 1,
        }
    }

    #[test]
    fn a_record_survives_and_is_forgotten() {
        let dir = tempfile::tempdir().unwrap();
        let records = Records::new(dir.path().join("instances"));
        let record = Record {
            spec: spec(),
            stage: Stage::Provisioning,
            job: JobId::new(),
            http_port: 20001,
            realtime_port: None,
            image_digest: String::new(),
            postgres_digest: String::new(),
            running: false,
        };
        let id = record.spec.instance_id;
        records.write(&record).unwrap();
        assert_eq!(records.find(id), Some(record.clone()));
        assert_eq!(records.get(id).unwrap_err().code, "instance_not_ready");
        records.write(&Record { stage: Stage::Ready, ..record }).unwrap();
        assert_eq!(records.get(id).unwrap().http_port, 20001);
        assert_eq!(records.all().len(), 1);
        records.remove(id).unwrap();
        records.remove(id).unwrap();
        assert_eq!(records.get(id).unwrap_err().code, "instance_not_found");
    }
}
