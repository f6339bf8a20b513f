//! Every query on `instances`, `database_clusters` and `databases`.

use super::model::{Instance, InstanceHealth, InstanceStatus};
use crate::error::{Error, Result};
use crate::platform::http::Reach;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{EnvironmentId, InstanceId, JobId, OrganizationId, ProjectId, SecretId, ServerId};
use ocore_shared::protocol::inventory::Facts;
use ocore_shared::protocol::odoo::InstanceSpec;
use sqlx::PgConnection;
use sqlx::types::Json;
use std::collections::BTreeMap;
use uuid::Uuid;

/// What is needed to add an instance.
pub struct NewInstance<'a> {
    pub project: ProjectId,
    pub server: ServerId,
    pub name: &'a str,
    pub labels: &'a BTreeMap<String, String>,
    pub spec: &'a InstanceSpec,
    pub secrets: &'a BTreeMap<String, SecretId>,
    pub job: JobId,
}

/// Add an instance with its cluster and database.
pub async fn instance_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewInstance<'_>,
) -> Result<()> {
    let spec = new.spec;
    let done = sqlx::query!(
        "insert into instances (id, organization_id, project_id, environment_id, server_id, name, slug, labels, spec,
             secret_ids, generation, status, last_job_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, 'pending', $12)",
        spec.instance_id.0,
        organization.0,
        new.project.0,
        spec.environment_id.0,
        new.server.0,
        new.name,
        spec.slug,
        Json(new.labels) as _,
        Json(spec) as _,
        Json(new.secrets) as _,
        spec.generation,
        new.job.0
    )
    .execute(&mut *connection)
    .await;
    unique(done.map(|_| ()), new.name, &spec.slug)?;
    let cluster = Uuid::now_v7();
    sqlx::query!(
        "insert into database_clusters (id, organization_id, server_id, environment_id, kind, image)
         values ($1, $2, $3, $4, 'dedicated', $5)",
        cluster,
        organization.0,
        new.server.0,
        spec.environment_id.0,
        spec.postgres_image
    )
    .execute(&mut *connection)
    .await?;
    sqlx::query!(
        "insert into databases (id, organization_id, cluster_id, instance_id, name, role) values ($1, $2, $3, $4, $5, $6)",
        Uuid::now_v7(),
        organization.0,
        cluster,
        spec.instance_id.0,
        spec.database_name,
        spec.database_role
    )
    .execute(connection)
    .await?;
    Ok(())
}

fn unique(done: Result<(), sqlx::Error>, name: &str, slug: &str) -> Result<()> {
    match done {
        Err(sqlx::Error::Database(e)) if e.constraint() == Some("instances_name") => Err(Error::conflict(
            "name_taken",
            format!("There is an instance named '{name}' already; choose another name."),
        )),
        Err(sqlx::Error::Database(e)) if e.is_unique_violation() => Err(Error::conflict(
            "slug_taken",
            format!("The slug '{slug}' is in use on this server or in this organization; choose another one."),
        )),
        other => Ok(other?),
    }
}

/// Where a new instance goes.
pub struct Home {
    pub environment: EnvironmentId,
    pub project: ProjectId,
    /// What the project's instances run unless they say otherwise.
    pub odoo_version: Option<String>,
    pub is_deleting: bool,
    pub is_archived: bool,
}

/// The environment to put an instance into, kept as it is until the transaction ends; without an id the oldest
/// production environment.
pub async fn environment_hold(
    connection: &mut PgConnection, organization: OrganizationId, id: Option<EnvironmentId>,
) -> Result<Option<Home>> {
    let row = sqlx::query!(
        r#"select e.id, e.project_id, p.odoo_version, e.deleting_at is not null as "is_deleting!",
                  p.archived_at is not null as "is_archived!"
           from environments e join projects p on p.id = e.project_id
           where e.organization_id = $1 and ($2::uuid is null or e.id = $2)
           order by (p.archived_at is null and e.deleting_at is null) desc, (e.type = 'production') desc, e.created_at
           limit 1 for share"#,
        organization.0,
        id.map(|e| e.0)
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|row| Home {
        environment: EnvironmentId(row.id),
        project: ProjectId(row.project_id),
        odoo_version: row.odoo_version,
        is_deleting: row.is_deleting,
        is_archived: row.is_archived,
    }))
}

/// What placing an instance asks of its server.
pub struct ServerRoom {
    pub status: crate::fleet::servers::model::ServerStatus,
    pub schedulable: bool,
    pub facts: Option<Facts>,
}

pub async fn server_room(
    connection: &mut PgConnection, organization: OrganizationId, server: ServerId,
) -> Result<Option<ServerRoom>> {
    let row = sqlx::query!(
        r#"select status as "status: crate::fleet::servers::model::ServerStatus", schedulable,
               facts as "facts: Json<Facts>"
           from servers where organization_id = $1 and id = $2"#,
        organization.0,
        server.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| ServerRoom { status: r.status, schedulable: r.schedulable, facts: r.facts.map(|f| f.0) }))
}

/// What a list of instances is filtered by.
#[derive(Debug, Default)]
pub struct InstanceFilter {
    pub name: Option<String>,
    pub server: Option<Uuid>,
    pub environment: Option<Uuid>,
    pub project: Option<Uuid>,
    pub status: Option<Vec<InstanceStatus>>,
    pub q: Option<String>,
    /// `key` or `key=value`.
    pub label: Option<(String, Option<String>)>,
    pub before: Option<Uuid>,
    pub limit: i64,
}

impl InstanceFilter {
    /// Whether it leaves nothing out.
    fn is_empty(&self) -> bool {
        let Self { name, server, environment, project, status, q, label, before: _, limit: _ } = self;
        name.is_none()
            && server.is_none()
            && environment.is_none()
            && project.is_none()
            && status.is_none()
            && q.is_none()
            && label.is_none()
    }
}

/// What is shown of an instance, as one query reads it.
struct InstanceRow {
    id: Uuid,
    name: String,
    slug: String,
    project_id: Uuid,
    environment_id: Uuid,
    environment_type: String,
    server_id: Uuid,
    server_name: String,
    labels: Json<BTreeMap<String, String>>,
    spec: Json<InstanceSpec>,
    status: InstanceStatus,
    status_reason: Option<String>,
    desired_state: String,
    observed_generation: i64,
    health: InstanceHealth,
    http_port: Option<i32>,
    realtime_port: Option<i32>,
    image_digest: Option<String>,
    container_id: Option<String>,
    last_job_id: Option<Uuid>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    host: Option<String>,
    active_job_id: Option<Uuid>,
}

/// The rows of `i`, which the query names itself, in the columns of [`InstanceRow`].
macro_rules! instance_query {
    ($rows:literal, $($argument:expr),+ $(,)?) => {
        sqlx::query_as!(
            InstanceRow,
            r#"select i.id, i.name, i.slug, i.project_id, i.environment_id, e.type as environment_type, i.server_id,
                   s.name as server_name, i.labels as "labels: Json<BTreeMap<String, String>>",
                   i.spec as "spec: Json<InstanceSpec>", i.status as "status: InstanceStatus", i.status_reason,
                   i.desired_state, i.observed_generation, i.health as "health: InstanceHealth", i.http_port, i.realtime_port,
                   i.image_digest, i.container_id, i.last_job_id, i.version, i.created_at, i.updated_at,
                   -- Where its agent has reported no address, the one that it connects from is the best guess.
                   coalesce(s.facts -> 'addresses' ->> 0,
                       (select host(a.address) from agent_sessions a where a.server_id = s.id)) as host,
                   (select j.id from jobs j where j.instance_id = i.id and not j.waiting
                        and j.status in ('queued', 'dispatched', 'running')) as active_job_id
               from "# + $rows + r#" i join environments e on e.id = i.environment_id join servers s on s.id = i.server_id
               order by i.id desc"#,
            $($argument),+
        )
    };
}

/// An instance, if it is in reach.
pub async fn instance_get(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, id: InstanceId,
) -> Result<Option<Instance>> {
    let row = instance_query!(
        "(select * from instances where organization_id = $1 and id = $2
          and ($3 or project_id = any($4) or environment_id = any($5) or server_id = any($6)))",
        organization.0,
        id.0,
        reach.all,
        &reach.projects,
        &reach.environments,
        &reach.servers,
    );
    Ok(row.fetch_optional(connection).await?.map(Instance::from))
}

/// Instances that the caller may see, newest first.
pub async fn instance_list(
    connection: &mut PgConnection, organization: OrganizationId, reach: &Reach, filter: &InstanceFilter,
) -> Result<Vec<Instance>> {
    let before = filter.before.unwrap_or(Uuid::max());
    let rows = if filter.is_empty() {
        // With a fixed inner limit PostgreSQL sees that one plan serves all pages, and plans once instead of each time,
        // which would cost more than to read the page.
        let page = instance_query!(
            "(select * from (select * from instances where organization_id = $1 and id < $2
                  and ($3 or project_id = any($4) or environment_id = any($5) or server_id = any($6))
                  order by id desc limit 201) page limit $7)",
            organization.0,
            before,
            reach.all,
            &reach.projects,
            &reach.environments,
            &reach.servers,
            filter.limit,
        );
        page.fetch_all(connection).await?
    } else {
        let (label, label_value) = match &filter.label {
            Some((key, value)) => (Some(key.as_str()), value.as_deref()),
            None => (None, None),
        };
        let found = instance_query!(
            "(select * from instances where organization_id = $1 and id < $2
              and ($3 or project_id = any($4) or environment_id = any($5) or server_id = any($6))
              and ($7::text is null or name = $7)
              and ($8::uuid is null or server_id = $8)
              and ($9::uuid is null or environment_id = $9)
              and ($10::text[] is null or status = any($10))
              and ($11::text is null or name ilike '%' || $11 || '%' or slug ilike '%' || $11 || '%')
              and ($12::text is null or (labels ? $12 and ($13::text is null or labels ->> $12 = $13)))
              and ($15::uuid is null or project_id = $15)
              order by id desc limit $14)",
            organization.0,
            before,
            reach.all,
            &reach.projects,
            &reach.environments,
            &reach.servers,
            filter.name,
            filter.server,
            filter.environment,
            filter.status.as_deref() as Option<&[InstanceStatus]>,
            filter.q,
            label,
            label_value,
            filter.limit,
            filter.project,
        );
        found.fetch_all(connection).await?
    };
    Ok(rows.into_iter().map(Instance::from).collect())
}

impl From<InstanceRow> for Instance {
    fn from(row: InstanceRow) -> Self {
        let spec = row.spec.0;
        let port = row.http_port.and_then(|p| u16::try_from(p).ok());
        let url = match (port, row.host) {
            _ if spec.public_host.is_some() => spec.public_host.as_ref().map(|host| format!("https://{host}")),
            (Some(port), Some(host)) if host.contains(':') => Some(format!("http://[{host}]:{port}")),
            (Some(port), Some(host)) => Some(format!("http://{host}:{port}")),
            _ => None,
        };
        Instance {
            id: InstanceId(row.id),
            name: row.name,
            slug: row.slug,
            project_id: ProjectId(row.project_id),
            environment_id: EnvironmentId(row.environment_id),
            environment_type: row.environment_type,
            server_id: ServerId(row.server_id),
            server_name: row.server_name,
            odoo_version: spec.odoo_version.clone(),
            image: spec.image.clone(),
            image_digest: row.image_digest,
            status: row.status,
            status_reason: row.status_reason,
            desired_state: row.desired_state,
            health: row.health,
            url,
            http_port: port,
            realtime_port: row.realtime_port.and_then(|p| u16::try_from(p).ok()),
            bind_address: spec.bind_address.clone(),
            admin_login: spec.admin_login.clone(),
            language: spec.language.clone(),
            country: spec.country.clone(),
            demo_data: spec.demo_data,
            modules: spec.modules.clone(),
            limits: spec.limits.clone(),
            env: spec.env.clone(),
            labels: row.labels.0,
            database_name: spec.database_name.clone(),
            active_job_id: row.active_job_id.map(JobId),
            last_job_id: row.last_job_id.map(JobId),
            container_id: row.container_id,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
            spec: Some(spec),
            observed_generation: row.observed_generation,
        }
    }
}

/// Secrets of an instance, by the names under which the agent knows them.
pub async fn instance_secrets(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<BTreeMap<String, SecretId>> {
    let row = sqlx::query_scalar!(
        r#"select secret_ids as "secret_ids: Json<BTreeMap<String, SecretId>>" from instances
           where organization_id = $1 and id = $2"#,
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(|r| r.0).unwrap_or_default())
}

/// Change what a person may change.
pub async fn instance_update(
    connection: &mut PgConnection, organization: OrganizationId, instance: &Instance, spec: &InstanceSpec,
) -> Result<()> {
    let done = sqlx::query!(
        "update instances set name = $3, labels = $4, spec = $5, generation = $6, version = version + 1, updated_at = now()
         where id = $1 and organization_id = $2",
        instance.id.0,
        organization.0,
        instance.name,
        Json(&instance.labels) as _,
        Json(spec) as _,
        spec.generation
    )
    .execute(connection)
    .await;
    unique(done.map(|_| ()), &instance.name, &instance.slug)
}

/// A job on an instance was asked for: what is wished, and what shows meanwhile.
pub async fn instance_intend(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId, job: JobId, desired: Option<&str>,
    status: InstanceStatus,
) -> Result<()> {
    sqlx::query!(
        "update instances set desired_state = coalesce($4, desired_state), status = $5, status_reason = null,
             last_job_id = $3, version = version + 1, updated_at = now()
         where id = $1 and organization_id = $2",
        id.0,
        organization.0,
        job.0,
        desired,
        status as InstanceStatus
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Remove an instance's rows.
pub async fn instance_delete(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<()> {
    sqlx::query!(
        "delete from database_clusters where organization_id = $1 and id in (
             select cluster_id from databases where organization_id = $1 and instance_id = $2)",
        organization.0,
        id.0
    )
    .execute(&mut *connection)
    .await?;
    let secrets = instance_secrets(connection, organization, id).await?;
    let mut secrets: Vec<Uuid> = secrets.values().map(|s| s.0).collect();
    let past = sqlx::query_scalar!(
        r#"select smtp_secret_id as "id!" from instance_configs
           where organization_id = $1 and instance_id = $2 and smtp_secret_id is not null"#,
        organization.0,
        id.0
    );
    secrets.extend(past.fetch_all(&mut *connection).await?);
    sqlx::query!("delete from instances where organization_id = $1 and id = $2", organization.0, id.0)
        .execute(&mut *connection)
        .await?;
    sqlx::query!("delete from secrets where organization_id = $1 and id = any($2)", organization.0, &secrets)
        .execute(connection)
        .await?;
    Ok(())
}

/// Remove what a job alone was given to know.
pub async fn job_secrets_delete(connection: &mut PgConnection, organization: OrganizationId, job: JobId) -> Result<()> {
    sqlx::query!(
        "delete from secrets where organization_id = $1 and id in (
             select given.value::uuid from jobs j, jsonb_each_text(j.secret_ids) given
             where j.organization_id = $1 and j.id = $2)",
        organization.0,
        job.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// The newest job that provisioned an instance.
pub async fn instance_provision_job(
    connection: &mut PgConnection, organization: OrganizationId, id: InstanceId,
) -> Result<Option<JobId>> {
    let job = sqlx::query_scalar!(
        "select id from jobs where organization_id = $1 and instance_id = $2 and kind = 'instance_provision'
         order by id desc limit 1",
        organization.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(job.map(JobId))
}
