//! What identifying a caller reads, through the system's pool: no organization is known yet.

use crate::error::Result;
use chrono::{DateTime, TimeDelta, Utc};
use ocore_shared::ids::{ApiKeyId, OrganizationId, SessionId, UserId};
use sqlx::PgPool;
use sqlx::types::ipnetwork::IpNetwork;
use std::net::IpAddr;
use uuid::Uuid;

/// Who holds grants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Holder {
    User(UserId),
    ServiceAccount(Uuid),
}

/// A session with its person.
pub struct SessionRow {
    pub user: UserId,
    pub name: String,
    pub is_admin: bool,
    pub expires_at: DateTime<Utc>,
    /// Signed in with more than one factor.
    pub second_factor: bool,
    pub ended: bool,
}

/// A key with its maker.
pub struct KeyRow {
    pub id: ApiKeyId,
    pub organization: OrganizationId,
    pub name: String,
    pub permissions: Vec<String>,
    pub scope_type: String,
    pub scope_id: Uuid,
    /// Project of the environment that is the scope.
    pub project: Option<Uuid>,
    pub allowed_addresses: Vec<IpNetwork>,
    pub expires_at: Option<DateTime<Utc>>,
    /// Revoked itself, or its maker's account is closed.
    pub revoked: bool,
    /// Whose access bounds it; none when the maker is gone.
    pub holder: Option<Holder>,
}

impl KeyRow {
    pub fn user(&self) -> Option<UserId> {
        match self.holder {
            Some(Holder::User(user)) => Some(user),
            _ => None,
        }
    }

    /// Whether it may be used from there; without a list, from everywhere.
    pub fn allows_address(&self, address: Option<IpAddr>) -> bool {
        let networks = &self.allowed_addresses;
        networks.is_empty()
            || address.is_some_and(|address| networks.iter().any(|n| n.contains(address.to_canonical())))
    }
}

/// A grant with its role.
pub struct GrantRow {
    pub scope_type: String,
    pub scope_id: Uuid,
    /// Project of the environment that is the scope.
    pub project: Option<Uuid>,
    pub role: String,
    pub is_system: bool,
    pub permissions: Vec<String>,
}

/// All that decides what a principal may do in an organization.
pub struct HoldingRows {
    pub grants: Vec<GrantRow>,
    /// Permissions that one member has (true) or lacks (false) whatever their roles say.
    pub overrides: Vec<(String, bool)>,
    /// The organization lets in only who has signed in with a second factor.
    pub require_second_factor: bool,
}

/// A spent ticket.
pub struct TicketRow {
    pub organization: OrganizationId,
    pub session: Option<SessionId>,
    pub key: Option<ApiKeyId>,
    pub target: String,
    pub expires_at: DateTime<Utc>,
}

pub async fn session_find(system: &PgPool, session: SessionId) -> Result<Option<SessionRow>> {
    let row = sqlx::query_as!(
        SessionRow,
        r#"select u.id as "user: UserId", u.name, u.is_admin, s.expires_at, s.second_factor,
                  (s.revoked_at is not null or u.deactivated_at is not null or u.suspended_at is not null) as "ended!"
           from sessions s join users u on u.id = s.user_id where s.id = $1"#,
        session.0
    )
    .fetch_optional(system)
    .await?;
    Ok(row)
}

/// By the key itself, or for a while by the one before its rotation.
pub async fn key_find_by_hash(system: &PgPool, hash: &[u8], now: DateTime<Utc>) -> Result<Option<KeyRow>> {
    let id = sqlx::query_scalar!(
        r#"select id as "id: ApiKeyId" from api_keys
           where key_hash = $1 or (previous_hash = $1 and previous_until > $2)"#,
        hash,
        now
    )
    .fetch_optional(system)
    .await?;
    match id {
        Some(id) => key_find(system, id).await,
        None => Ok(None),
    }
}

pub async fn key_find(system: &PgPool, key: ApiKeyId) -> Result<Option<KeyRow>> {
    let row = sqlx::query!(
        r#"select k.id as "id: ApiKeyId", k.organization_id as "organization: OrganizationId", k.name, k.permissions,
                  k.scope_type, k.scope_id, e.project_id as "project?",
                  k.allowed_addresses as "allowed_addresses: Vec<IpNetwork>", k.expires_at,
                  (k.revoked_at is not null or u.deactivated_at is not null or u.suspended_at is not null) as "revoked!",
                  k.created_by as "created_by: UserId", k.service_account_id
           from api_keys k
           left join users u on u.id = k.created_by and k.service_account_id is null
           left join environments e on k.scope_type = 'environment' and e.id = k.scope_id
           where k.id = $1"#,
        key.0
    )
    .fetch_optional(system)
    .await?;
    Ok(row.map(|row| KeyRow {
        id: row.id,
        organization: row.organization,
        name: row.name,
        permissions: row.permissions,
        scope_type: row.scope_type,
        scope_id: row.scope_id,
        project: row.project,
        allowed_addresses: row.allowed_addresses,
        expires_at: row.expires_at,
        revoked: row.revoked,
        holder: row.service_account_id.map(Holder::ServiceAccount).or(row.created_by.map(Holder::User)),
    }))
}

/// What a principal holds in an organization; None for who is no member of it.
pub async fn holding_find(
    system: &PgPool, holder: Holder, organization: OrganizationId,
) -> Result<Option<HoldingRows>> {
    let (kind, id) = match holder {
        Holder::User(user) => ("user", user.0),
        Holder::ServiceAccount(id) => ("service_account", id),
    };
    let row = sqlx::query!(
        r#"select o.require_second_factor, case when $2 = 'user'
               then exists (select from memberships where organization_id = $1 and user_id = $3)
               else exists (select from service_accounts where organization_id = $1 and id = $3) end as "belongs!"
           from organizations o where o.id = $1"#,
        organization.0,
        kind,
        id
    )
    .fetch_optional(system)
    .await?;
    let Some(row) = row.filter(|row| row.belongs) else { return Ok(None) };
    let grants = sqlx::query_as!(
        GrantRow,
        r#"select g.scope_type, g.scope_id, e.project_id as "project?", r.name as role, r.is_system, r.permissions
           from grants g
           join roles r on r.id = g.role_id and r.organization_id = g.organization_id
           left join environments e on g.scope_type = 'environment' and e.id = g.scope_id
           where g.organization_id = $1 and g.principal_type = $2 and g.principal_id = $3"#,
        organization.0,
        kind,
        id
    )
    .fetch_all(system)
    .await?;
    let overrides = match holder {
        Holder::User(user) => overrides_find(system, organization, user).await?,
        Holder::ServiceAccount(_) => Vec::new(),
    };
    Ok(Some(HoldingRows { grants, overrides, require_second_factor: row.require_second_factor }))
}

async fn overrides_find(system: &PgPool, organization: OrganizationId, user: UserId) -> Result<Vec<(String, bool)>> {
    let rows = sqlx::query!(
        r#"select permission, effect = 'allow' as "allow!" from member_overrides
           where organization_id = $1 and user_id = $2"#,
        organization.0,
        user.0
    )
    .fetch_all(system)
    .await?;
    Ok(rows.into_iter().map(|row| (row.permission, row.allow)).collect())
}

/// The organization that has the slug, or had it and is still found by it.
pub async fn organization_by_slug(system: &PgPool, slug: &str, now: DateTime<Utc>) -> Result<Option<OrganizationId>> {
    let id = sqlx::query_scalar!(
        r#"select organization_id as "id: OrganizationId" from organization_slugs
           where slug = $1 and (until is null or until > $2)"#,
        slug,
        now
    )
    .fetch_optional(system)
    .await?;
    Ok(id)
}

/// Organizations of a person; two are enough to know that there is a choice.
pub async fn organizations_of(system: &PgPool, user: UserId) -> Result<Vec<OrganizationId>> {
    let list = sqlx::query_scalar!(
        r#"select m.organization_id as "id: OrganizationId" from memberships m join users u on u.id = m.user_id
           where m.user_id = $1
           order by (m.organization_id is distinct from u.default_organization_id), m.created_at, m.organization_id limit 2"#,
        user.0
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

/// Take a ticket away: of two who show it, one gets it.
pub async fn ticket_take(system: &PgPool, hash: &[u8]) -> Result<Option<TicketRow>> {
    let row = sqlx::query_as!(
        TicketRow,
        r#"delete from websocket_tickets where ticket_hash = $1
           returning organization_id as "organization: OrganizationId", session_id as "session: SessionId",
                     api_key_id as "key: ApiKeyId", target, expires_at"#,
        hash
    )
    .fetch_optional(system)
    .await?;
    Ok(row)
}

/// Write when keys were last used; never backwards.
pub async fn keys_used(system: &PgPool, keys: &[Uuid], times: &[DateTime<Utc>]) -> Result<()> {
    sqlx::query!(
        "update api_keys k set last_used_at = greatest(k.last_used_at, used.at)
         from unnest($1::uuid[], $2::timestamptz[]) as used (id, at) where k.id = used.id",
        keys,
        times
    )
    .execute(system)
    .await?;
    Ok(())
}

/// When and from where sessions were used, one entry in each list.
#[derive(Default)]
pub struct UsedSessions {
    pub ids: Vec<Uuid>,
    pub times: Vec<DateTime<Utc>>,
    pub addresses: Vec<Option<IpNetwork>>,
}

/// Write when sessions were last used, and from where; never backwards.
pub async fn sessions_used(system: &PgPool, used: &UsedSessions) -> Result<()> {
    sqlx::query!(
        "update sessions s set last_used_at = used.at, last_address = coalesce(used.address, s.last_address)
         from unnest($1::uuid[], $2::timestamptz[], $3::inet[]) as used (id, at, address)
         where s.id = used.id and (s.last_used_at is null or s.last_used_at < used.at)",
        &used.ids,
        &used.times,
        &used.addresses as &[Option<IpNetwork>]
    )
    .execute(system)
    .await?;
    Ok(())
}

/// Remove what can no longer matter: tickets, attempts, sessions that ended a month ago.
pub async fn expired_prune(system: &PgPool, now: DateTime<Utc>) -> Result<()> {
    sqlx::query!("delete from websocket_tickets where expires_at < $1", now).execute(system).await?;
    sqlx::query!(
        "delete from attempt_buckets
          where key ~ '^(login|mfa|enroll|client|mail):' and window_started_at < $1
             and (locked_until is null or locked_until < $2)",
        now - TimeDelta::hours(1),
        now
    )
    .execute(system)
    .await?;
    let month_ago = now - TimeDelta::days(30);
    sqlx::query!("delete from sessions where expires_at < $1 or revoked_at < $1", month_ago).execute(system).await?;
    Ok(())
}
