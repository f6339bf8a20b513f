//! Queries by which what an agent brought about enters `instances`.

use crate::error::Result;
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, SecretId};
use ocore_shared::protocol::addons::InstanceUpgraded;
use ocore_shared::protocol::odoo::InstanceSpec;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;

/// Names of git credentials among an instance's secrets, and the same among a job's.
const STORED: &str = "git.";
const SENT: &str = "memory.git.";

/// What an instance is made of now. With `secrets`, the credentials of the job are those of the instance from now on.
pub async fn instance_upgraded(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, job: JobId, done: &InstanceUpgraded,
    secrets: bool,
) -> Result<()> {
    let row = sqlx::query!(
        r#"select spec as "spec: Json<InstanceSpec>", secret_ids as "secrets: Json<BTreeMap<String, SecretId>>",
                  (select secret_ids from jobs where organization_id = $1 and id = $3)
                      as "sent: Json<BTreeMap<String, SecretId>>"
           from instances where organization_id = $1 and id = $2 for update"#,
        organization.0,
        id.0,
        job.0
    )
    .fetch_optional(&mut *connection)
    .await?;
    let Some(row) = row else { return Ok(()) };
    let spec = InstanceSpec {
        image: done.image.clone(),
        built_image: done.built_image.clone(),
        addons: done.addons.clone(),
        ..row.spec.0
    };
    let mut kept = row.secrets.0;
    if secrets {
        kept.retain(|name, _| !name.starts_with(STORED));
        let sent = row.sent.map(|sent| sent.0).unwrap_or_default();
        let git = sent.iter().filter_map(|(name, secret)| Some((name.strip_prefix(SENT)?, *secret)));
        kept.extend(git.map(|(name, secret)| (format!("{STORED}{name}"), secret)));
    }
    sqlx::query!(
        "update instances set spec = $3, secret_ids = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        Json(&spec) as _,
        Json(&kept) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forget the credentials of sources that the instance does not use: those before a change that went well, those of one
/// that did not.
pub async fn git_secrets_prune(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<()> {
    sqlx::query!(
        "delete from secrets s where s.organization_id = $1 and s.purpose = 'git'
           and exists (select from jobs j, jsonb_each_text(j.secret_ids) given
               where j.organization_id = $1 and j.instance_id = $2 and j.kind in ('instance_addons', 'instance_upgrade')
                 and given.value = s.id::text)
           and not exists (select from jobs j, jsonb_each_text(j.secret_ids) given
               where j.organization_id = $1 and j.instance_id = $2 and j.status in ('queued', 'dispatched', 'running')
                 and given.value = s.id::text)
           and not exists (select from instances i, jsonb_each_text(i.secret_ids) kept
               where i.organization_id = $1 and i.id = $2 and kept.value = s.id::text)",
        organization.0,
        id.0
    )
    .execute(connection)
    .await?;
    Ok(())
}
