//! Every query on `invitations`. Those that begin with a token run as the system: no organization is known yet.

use super::model::{Invitation, InvitationStatus, InvitationView};
use crate::error::{Error, Result};
use crate::platform::http::{Actor, Page};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{InvitationId, OrganizationId, RoleId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

/// Which invitations a list shows.
#[derive(Default)]
pub struct InvitationFilter {
    pub id: Option<InvitationId>,
    pub status: Option<InvitationStatus>,
}

pub async fn invitation_list(
    connection: &mut PgConnection, organization: OrganizationId, filter: &InvitationFilter, page: &Page,
    now: DateTime<Utc>,
) -> Result<Vec<Invitation>> {
    let rows = sqlx::query!(
        r#"select * from (
               select i.id as "id: InvitationId", i.email, i.role_id as "role_id: RoleId", r.name as role,
                      i.invited_by as "invited_by: Json<Actor>", i.expires_at, i.accepted_at, i.version, i.created_at,
                      i.updated_at,
                      case when i.accepted_at is not null then 'accepted' when i.cancelled_at is not null then 'cancelled'
                           when i.expires_at <= $6 then 'expired' else 'pending' end as "status!"
               from invitations i join roles r on r.id = i.role_id
               where i.organization_id = $1 and ($2::uuid is null or i.id = $2) and ($4::uuid is null or i.id < $4)
           ) found
           where ($3::text is null or "status!" = $3)
           order by 1 desc limit $5"#,
        organization.0,
        filter.id.map(|id| id.0),
        filter.status.map(InvitationStatus::word),
        page.before()?,
        page.fetch(),
        now
    )
    .fetch_all(connection)
    .await?;
    Ok(rows
        .into_iter()
        .map(|row| Invitation {
            id: row.id,
            email: row.email,
            role_id: row.role_id,
            role: row.role,
            status: InvitationStatus::from_word(&row.status),
            invited_by: row.invited_by.0,
            expires_at: row.expires_at,
            accepted_at: row.accepted_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        })
        .collect())
}

/// Whether somebody with that address is a member.
pub async fn is_member(connection: &mut PgConnection, organization: OrganizationId, email: &str) -> Result<bool> {
    let is = sqlx::query_scalar!(
        r#"select exists (select from memberships m join users u on u.id = m.user_id
               where m.organization_id = $1 and lower(u.email) = lower($2)) as "is!""#,
        organization.0,
        email
    )
    .fetch_one(connection)
    .await?;
    Ok(is)
}

/// An invitation to be stored.
pub struct NewInvitation<'a> {
    pub email: &'a str,
    pub role: RoleId,
    pub token_hash: &'a [u8],
    pub invited_by: &'a Actor,
    pub expires_at: DateTime<Utc>,
}

/// Store an invitation, in place of an expired one of that address. 409 while there is one that can be accepted.
pub async fn invitation_insert(
    connection: &mut PgConnection, organization: OrganizationId, new: &NewInvitation<'_>, now: DateTime<Utc>,
) -> Result<InvitationId> {
    sqlx::query!(
        "update invitations set cancelled_at = $3, version = version + 1, updated_at = now()
         where organization_id = $1 and lower(email) = lower($2) and accepted_at is null and cancelled_at is null
           and expires_at <= $3",
        organization.0,
        new.email,
        now
    )
    .execute(&mut *connection)
    .await?;
    let id = InvitationId::new();
    let done = sqlx::query!(
        "insert into invitations (id, organization_id, email, role_id, token_hash, invited_by, expires_at)
         values ($1, $2, $3, $4, $5, $6, $7)",
        id.0,
        organization.0,
        new.email,
        new.role.0,
        new.token_hash,
        Json(new.invited_by) as _,
        new.expires_at
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) => Ok(id),
        Err(error) if error.as_database_error().and_then(|e| e.constraint()) == Some("invitations_open") => {
            let message = "This address has been invited already; send that invitation again, or cancel it first.";
            Err(Error::conflict("already_invited", message))
        }
        Err(error) => Err(error.into()),
    }
}

/// Another token and a new life; the token before is void. False: it was accepted or cancelled.
pub async fn invitation_renew(
    connection: &mut PgConnection, organization: OrganizationId, id: InvitationId, token_hash: &[u8],
    expires_at: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update invitations set token_hash = $3, expires_at = $4, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and accepted_at is null and cancelled_at is null",
        organization.0,
        id.0,
        token_hash,
        expires_at
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

/// False: it was accepted or cancelled before.
pub async fn invitation_cancel(
    connection: &mut PgConnection, organization: OrganizationId, id: InvitationId, now: DateTime<Utc>,
) -> Result<bool> {
    let done = sqlx::query!(
        "update invitations set cancelled_at = $3, version = version + 1, updated_at = now()
         where organization_id = $1 and id = $2 and accepted_at is null and cancelled_at is null",
        organization.0,
        id.0,
        now
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}

pub async fn invitation_view(system: &PgPool, token_hash: &[u8], now: DateTime<Utc>) -> Result<Option<InvitationView>> {
    let row = sqlx::query!(
        r#"select o.name as organization, r.name as role, i.invited_by as "invited_by: Json<Actor>", i.email, i.expires_at,
                  exists (select from users u where lower(u.email) = lower(i.email)) as "has_account!"
           from invitations i join organizations o on o.id = i.organization_id join roles r on r.id = i.role_id
           where i.token_hash = $1 and i.accepted_at is null and i.cancelled_at is null and i.expires_at > $2"#,
        token_hash,
        now
    )
    .fetch_optional(system)
    .await?;
    Ok(row.map(|row| InvitationView {
        organization: row.organization,
        role: row.role,
        invited_by: row.invited_by.0.name,
        email: row.email,
        has_account: row.has_account,
        expires_at: row.expires_at,
    }))
}

/// What an accepted invitation gives.
pub struct Accepted {
    pub organization: OrganizationId,
    pub role: RoleId,
    pub email: String,
}

/// Use an invitation up: of many who show its token at once, one has it.
pub async fn invitation_take(
    connection: &mut PgConnection, token_hash: &[u8], user: UserId, now: DateTime<Utc>,
) -> Result<Option<Accepted>> {
    let taken = sqlx::query_as!(
        Accepted,
        r#"update invitations set accepted_at = $2, accepted_by = $3, version = version + 1, updated_at = now()
           where token_hash = $1 and accepted_at is null and cancelled_at is null and expires_at > $2
           returning organization_id as "organization: OrganizationId", role_id as "role: RoleId", email"#,
        token_hash,
        now,
        user.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(taken)
}

pub async fn email_of(connection: &mut PgConnection, user: UserId) -> Result<Option<(String, String)>> {
    let row = sqlx::query!("select name, email from users where id = $1", user.0).fetch_optional(connection).await?;
    Ok(row.map(|row| (row.name, row.email)))
}

/// Make somebody a member. False: they are one.
pub async fn membership_add(connection: &mut PgConnection, organization: OrganizationId, user: UserId) -> Result<bool> {
    let done = sqlx::query!(
        "insert into memberships (organization_id, user_id) values ($1, $2) on conflict do nothing",
        organization.0,
        user.0
    )
    .execute(connection)
    .await?;
    Ok(done.rows_affected() > 0)
}
