//! Every query on `backups` and `backup_keys`.

use super::model::{Backup, BackupStatus, Kept, NewBackup};
use crate::data::destinations::model::{Encryption, is_off_site};
use crate::error::{Error, Result};
use crate::platform::http::{Actor, Page, Reach};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{
    BackupId, DestinationId, EnvironmentId, InstanceId, JobId, OrganizationId, SecretId, ServerId,
};
use ocore_shared::protocol::backups::{Attachments, BackupCreated, BackupKind, BackupManifest, IDENTITY_SECRET};
use ocore_shared::protocol::jobs::JobFailure;
use ocore_shared::protocol::storage::Place;
use sqlx::PgConnection;
use sqlx::types::Json;

/// Which backups a list shows.
#[derive(Clone, Copy, Debug, Default)]
pub struct BackupFilter {
    pub id: Option<BackupId>,
    pub environment: Option<EnvironmentId>,
    pub instance: Option<InstanceId>,
    pub destination: Option<DestinationId>,
    pub kind: Option<BackupKind>,
    pub status: Option<BackupStatus>,
}

/// Backups in reach, newest first.
pub async fn backup_list(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, filter: &BackupFilter, page: &Page,
) -> Result<Vec<Backup>> {
    let rows = sqlx::query!(
        r#"select b.id, b.environment_id, b.instance_id, b.instance_name, b.server_id, b.kind as "kind: BackupKind",
                  b.status as "status: BackupStatus", b.destination_id, d.name as destination_name,
                  b.place as "place: Json<Place>", b.encryption as "encryption: Encryption", b.odoo_version,
                  b.manifest ->> 'postgres_version' as postgres_version, b.size_bytes,
                  (b.manifest ->> 'database_bytes')::bigint as database_bytes,
                  b.manifest -> 'attachments' as "attachments: Json<Attachments>",
                  (b.manifest ->> 'snapshot_at')::timestamptz as snapshot_at,
                  extract(epoch from (b.manifest ->> 'finished_at')::timestamptz
                      - (b.manifest ->> 'started_at')::timestamptz)::double precision as duration_seconds,
                  b.failure as "failure: Json<JobFailure>", b.is_pinned, b.note, b.job_id,
                  b.created_by as "created_by: Json<Actor>", b.finished_at, b.version, b.created_at, b.updated_at
           from backups b join backup_destinations d on d.id = b.destination_id
           where b.organization_id = $1 and ($2::uuid is null or b.id < $2)
             and ($3 or b.project_id = any($4) or b.environment_id = any($5) or b.server_id = any($6))
             and ($7::uuid is null or b.id = $7) and ($8::uuid is null or b.environment_id = $8)
             and ($9::uuid is null or b.instance_id = $9) and ($10::uuid is null or b.destination_id = $10)
             and ($11::text is null or b.kind = $11) and ($12::text is null or b.status = $12)
           order by b.id desc limit $13"#,
        organization.0,
        page.before()?,
        reach.all,
        &reach.projects,
        &reach.environments,
        &reach.servers,
        filter.id.map(|id| id.0),
        filter.environment.map(|id| id.0),
        filter.instance.map(|id| id.0),
        filter.destination.map(|id| id.0),
        filter.kind as Option<BackupKind>,
        filter.status as Option<BackupStatus>,
        page.fetch()
    )
    .fetch_all(connection)
    .await?;
    let size = |bytes: Option<i64>| bytes.and_then(|bytes| u64::try_from(bytes).ok());
    let backups = rows.into_iter().map(|r| Backup {
        id: BackupId(r.id),
        environment_id: r.environment_id.map(EnvironmentId),
        instance_id: r.instance_id.map(InstanceId),
        instance_name: r.instance_name,
        server_id: r.server_id.map(ServerId),
        kind: r.kind,
        status: r.status,
        destination_id: DestinationId(r.destination_id),
        destination_name: r.destination_name,
        is_off_site: is_off_site(&r.place.0),
        encryption: r.encryption,
        odoo_version: r.odoo_version,
        postgres_version: r.postgres_version,
        size_bytes: size(r.size_bytes),
        database_bytes: size(r.database_bytes),
        attachments: r.attachments.map(|attachments| attachments.0),
        snapshot_at: r.snapshot_at,
        duration_seconds: r.duration_seconds,
        failure: r.failure.map(|failure| failure.0),
        is_pinned: r.is_pinned,
        note: r.note,
        job_id: JobId(r.job_id),
        created_by: r.created_by.0,
        finished_at: r.finished_at,
        version: r.version,
        created_at: r.created_at,
        updated_at: r.updated_at,
    });
    Ok(backups.collect())
}

/// Lock a backup that is to be used or changed. None: there is no such one.
pub async fn backup_lock(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId,
) -> Result<Option<Kept>> {
    let row = sqlx::query!(
        r#"select b.status as "status: BackupStatus", b.place as "place: Json<Place>", b.prefix, d.secret_id,
                  b.encryption as "encryption: Encryption", b.manifest as "manifest: Json<BackupManifest>",
                  b.manifest_sha256, b.job_id
           from backups b join backup_destinations d on d.id = b.destination_id
           where b.organization_id = $1 and b.id = $2 for update of b"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| Kept {
        status: r.status,
        place: r.place.0,
        prefix: r.prefix,
        destination_secret: r.secret_id.map(SecretId),
        encryption: r.encryption,
        manifest: r.manifest.map(|manifest| manifest.0),
        manifest_sha256: r.manifest_sha256,
        job: JobId(r.job_id),
    }))
}

/// Write down that one is to be made.
pub async fn backup_insert(
    connection: &mut PgConnection, organization: OrganizationId, backup: &NewBackup<'_>,
) -> Result<()> {
    sqlx::query!(
        "insert into backups (id, organization_id, project_id, environment_id, instance_id, server_id, instance_name,
             odoo_version, kind, status, destination_id, place, prefix, encryption, job_id, note, is_pinned, created_by)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'running', $10, $11, $12, $13, $14, $15, $16, $17)",
        backup.id.0,
        organization.0,
        backup.project.0,
        backup.environment.0,
        backup.instance.0,
        backup.server.0,
        backup.instance_name,
        backup.odoo_version,
        backup.kind as BackupKind,
        backup.destination.0,
        Json(&backup.at.place) as _,
        backup.at.prefix,
        backup.encryption as Encryption,
        backup.job.0,
        backup.note,
        backup.is_pinned,
        Json(backup.created_by) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// It is whole.
pub async fn backup_succeed(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId, created: &BackupCreated,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update backups set status = 'succeeded', manifest = $3, manifest_sha256 = $4, size_bytes = $5,
             finished_at = $6, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and status = 'running'",
        organization.0,
        id.0,
        Json(&created.manifest) as _,
        created.manifest_sha256,
        i64::try_from(created.manifest.size()).unwrap_or(i64::MAX),
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Nothing has become of it.
pub async fn backup_fail(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId, failure: Option<&JobFailure>,
    now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update backups set status = 'failed', failure = $3, finished_at = $4, version = version + 1,
             updated_at = now()
         where organization_id = $1 and id = $2 and status = 'running'",
        organization.0,
        id.0,
        failure.map(Json) as _,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// A job deletes it.
pub async fn backup_deleting(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId, job: JobId,
) -> Result<()> {
    sqlx::query!(
        "update backups set status = 'deleting', job_id = $3, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        job.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// It was not deleted after all. Perhaps half of it is gone: then it is not good, and that is said.
pub async fn backup_not_deleted(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId, failure: Option<&JobFailure>,
) -> Result<()> {
    sqlx::query!(
        "update backups set status = 'failed', failure = $3, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and status = 'deleting'",
        organization.0,
        id.0,
        failure.map(Json) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Forget it.
pub async fn backup_delete(connection: &mut PgConnection, organization: OrganizationId, id: BackupId) -> Result<()> {
    sqlx::query!("delete from backups where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(connection)
        .await?;
    Ok(())
}

/// What people say of it.
pub async fn backup_update(
    connection: &mut PgConnection, organization: OrganizationId, id: BackupId, is_pinned: bool, note: &str,
) -> Result<()> {
    sqlx::query!(
        "update backups set is_pinned = $3, note = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2",
        organization.0,
        id.0,
        is_pinned,
        note
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// How many backups a destination holds, or is to hold. Those that failed are forgotten.
pub async fn backup_count_at(
    connection: &mut PgConnection, organization: OrganizationId, destination: DestinationId,
) -> Result<i64> {
    sqlx::query!(
        "delete from backups where organization_id = $1 and destination_id = $2 and status = 'failed' and manifest is null",
        organization.0,
        destination.0
    )
    .execute(&mut *connection)
    .await?;
    let count = sqlx::query_scalar!(
        r#"select count(*) as "count!" from backups where organization_id = $1 and destination_id = $2"#,
        organization.0,
        destination.0
    );
    Ok(count.fetch_one(connection).await?)
}

/// The key that new backups of the organization are encrypted for. Two who make the first one wait for each other, and for
/// nobody else: rows that name the organization are written meanwhile.
pub async fn key_get(connection: &mut PgConnection, organization: OrganizationId) -> Result<Option<String>> {
    sqlx::query!("select id from organizations where id = $1 for no key update", organization.0)
        .fetch_optional(&mut *connection)
        .await?;
    let found = sqlx::query_scalar!(
        "select recipient from backup_keys where organization_id = $1 order by id desc limit 1",
        organization.0
    );
    Ok(found.fetch_optional(connection).await?)
}

pub async fn key_insert(
    connection: &mut PgConnection, organization: OrganizationId, recipient: &str, secret: SecretId,
) -> Result<()> {
    sqlx::query!(
        "insert into backup_keys (id, organization_id, recipient, secret_id) values ($1, $2, $3, $4)",
        uuid::Uuid::now_v7(),
        organization.0,
        recipient,
        secret.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The secret of one of these keys.
pub async fn key_secret(
    connection: &mut PgConnection, organization: OrganizationId, recipients: &[String],
) -> Result<Option<SecretId>> {
    let found = sqlx::query_scalar!(
        "select secret_id from backup_keys where organization_id = $1 and recipient = any($2) limit 1",
        organization.0,
        recipients
    );
    Ok(found.fetch_optional(connection).await?.map(SecretId))
}

/// Forget the key that a person brought for one job. Our own ones are kept.
pub async fn identity_forget(connection: &mut PgConnection, organization: OrganizationId, job: JobId) -> Result<()> {
    sqlx::query!(
        "delete from secrets where organization_id = $1
             and id = (select (secret_ids ->> $3)::uuid from jobs where organization_id = $1 and id = $2)
             and not exists (select from backup_keys k where k.secret_id = secrets.id)",
        organization.0,
        job.0,
        IDENTITY_SECRET
    )
    .execute(connection)
    .await
    .map_err(Error::from)?;
    Ok(())
}

/// The backup that a job makes or deletes.
pub async fn backup_of_job(
    connection: &mut PgConnection, organization: OrganizationId, job: JobId,
) -> Result<Option<(BackupId, String)>> {
    let row = sqlx::query!(
        "select id, instance_name from backups where organization_id = $1 and job_id = $2",
        organization.0,
        job.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| (BackupId(r.id), r.instance_name)))
}
