//! Every query on `instance_configs`, and those by which settings enter `instances`.

use super::model::{ConfigChange, ConfigRevision};
use crate::error::Result;
use crate::platform::http::{Actor, Page};
use ocore_shared::ids::{InstanceId, JobId, OrganizationId, SecretId};
use ocore_shared::odoo::settings::OdooSettings;
use ocore_shared::protocol::odoo::InstanceSpec;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// So many changes of an instance are kept.
const KEPT: i64 = 100;

/// Put settings in, if the instance still has that version. False: somebody else was faster.
pub async fn config_store(
    connection: &mut PgConnection, organization: OrganizationId, spec: &InstanceSpec,
    secrets: &BTreeMap<String, SecretId>, version: i64,
) -> Result<bool> {
    let done = sqlx::query!(
        "update instances set spec = $4, generation = $5, secret_ids = $6, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and version = $3",
        organization.0,
        spec.instance_id.0,
        version,
        Json(spec) as _,
        spec.generation,
        Json(secrets) as _
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// A change to write down.
pub struct NewRevision<'a> {
    pub instance: InstanceId,
    pub revision: i64,
    pub settings: &'a OdooSettings,
    pub smtp_secret: Option<SecretId>,
    pub changes: &'a [ConfigChange],
    pub note: &'a str,
    pub actor: &'a Actor,
    pub job: Option<JobId>,
}

/// Write a revision down; one that is there already stays as it is.
pub async fn revision_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewRevision<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into instance_configs (id, organization_id, instance_id, revision, settings, smtp_secret_id, changes,
             note, actor, job_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) on conflict (instance_id, revision) do nothing",
        Uuid::now_v7(),
        organization.0,
        new.instance.0,
        new.revision,
        Json(new.settings) as _,
        new.smtp_secret.map(|s| s.0),
        Json(new.changes) as _,
        new.note,
        Json(new.actor) as _,
        new.job.map(|j| j.0)
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forget all but the newest, with the passwords that nothing else names.
pub async fn revisions_prune(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId,
) -> Result<()> {
    let secrets = sqlx::query_scalar!(
        r#"delete from instance_configs where organization_id = $1 and instance_id = $2 and id in (
               select id from instance_configs where organization_id = $1 and instance_id = $2
               order by revision desc offset $3)
           returning smtp_secret_id"#,
        organization.0,
        instance.0,
        KEPT
    )
    .fetch_all(&mut *connection)
    .await?;
    let secrets: Vec<Uuid> = secrets.into_iter().flatten().collect();
    if secrets.is_empty() {
        return Ok(());
    }
    sqlx::query!(
        "delete from secrets s where organization_id = $1 and id = any($2)
           and not exists (select from instance_configs c where c.instance_id = $3 and c.smtp_secret_id = s.id)
           and not exists (select from instances i where i.id = $3 and i.secret_ids ->> 'smtp_password' = s.id::text)",
        organization.0,
        &secrets,
        instance.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// What an instance was set to then.
pub struct Past {
    pub settings: OdooSettings,
    pub smtp_secret: Option<SecretId>,
}

pub async fn revision_get(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, revision: i64,
) -> Result<Option<Past>> {
    let row = sqlx::query!(
        r#"select settings as "settings: Json<OdooSettings>", smtp_secret_id from instance_configs
           where organization_id = $1 and instance_id = $2 and revision = $3"#,
        organization.0,
        instance.0,
        revision
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Past { settings: r.settings.0, smtp_secret: r.smtp_secret_id.map(SecretId) }))
}

/// The newest change that was in force when the instance was at that generation, with its number.
pub async fn revision_in_force(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, generation: i64,
) -> Result<Option<(i64, Past)>> {
    let row = sqlx::query!(
        r#"select revision, settings as "settings: Json<OdooSettings>", smtp_secret_id from instance_configs
           where organization_id = $1 and instance_id = $2 and revision <= $3 order by revision desc limit 1"#,
        organization.0,
        instance.0,
        generation
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| (r.revision, Past { settings: r.settings.0, smtp_secret: r.smtp_secret_id.map(SecretId) })))
}

/// Changes, newest first.
pub async fn revision_list(
    connection: &mut PgConnection, organization: OrganizationId, instance: InstanceId, page: &Page,
) -> Result<Vec<ConfigRevision>> {
    let rows = sqlx::query!(
        r#"select id, revision, created_at, actor as "actor: Json<Actor>", note,
                  changes as "changes: Json<Vec<ConfigChange>>", job_id
           from instance_configs where organization_id = $1 and instance_id = $2 and ($3::uuid is null or id < $3)
           order by id desc limit $4"#,
        organization.0,
        instance.0,
        page.before()?,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    let revision = rows.into_iter().map(|r| ConfigRevision {
        id: r.id,
        revision: r.revision,
        created_at: r.created_at,
        actor: r.actor.0,
        note: r.note,
        changes: r.changes.0,
        job_id: r.job_id.map(JobId),
    });
    Ok(revision.collect())
}
