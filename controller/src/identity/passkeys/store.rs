//! Every query on `passkeys`, through the system's pool: they belong to people, not to organizations.

use super::model::Passkey;
use crate::error::{Error, Result};
use chrono::{DateTime, Utc};
use ocore_shared::ids::{PasskeyId, UserId};
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};
use webauthn_rs::prelude::{Credential, Passkey as Stored};

struct Row {
    id: PasskeyId,
    name: String,
    host: String,
    transports: Vec<String>,
    credential: Json<Stored>,
    last_used_at: Option<DateTime<Utc>>,
    version: i64,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
}

impl From<Row> for Passkey {
    fn from(row: Row) -> Self {
        let credential = Credential::from(row.credential.0);
        Self {
            id: row.id,
            device_name: row.name,
            host: row.host,
            transports: row.transports,
            backup_eligible: credential.backup_eligible,
            backup_state: credential.backup_state,
            last_used_at: row.last_used_at,
            version: row.version,
            created_at: row.created_at,
            updated_at: row.updated_at,
        }
    }
}

pub async fn passkey_list(connection: &mut PgConnection, user: UserId) -> Result<Vec<Passkey>> {
    let rows = sqlx::query_as!(
        Row,
        r#"select id as "id: PasskeyId", name, host, transports, credential as "credential: Json<Stored>", last_used_at,
                  version, created_at, updated_at
           from passkeys where user_id = $1 order by id desc"#,
        user.0
    )
    .fetch_all(connection)
    .await?;
    Ok(rows.into_iter().map(Passkey::from).collect())
}

/// The passkey, locked until the transaction ends.
pub async fn passkey_lock(connection: &mut PgConnection, user: UserId, id: PasskeyId) -> Result<Option<Passkey>> {
    let row = sqlx::query_as!(
        Row,
        r#"select id as "id: PasskeyId", name, host, transports, credential as "credential: Json<Stored>", last_used_at,
                  version, created_at, updated_at
           from passkeys where user_id = $1 and id = $2 for update"#,
        user.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(row.map(Passkey::from))
}

/// A passkey to keep.
pub struct NewPasskey<'a> {
    pub user: UserId,
    pub name: &'a str,
    pub host: &'a str,
    pub credential: &'a Stored,
    pub transports: &'a [String],
    pub now: DateTime<Utc>,
}

pub async fn passkey_insert(connection: &mut PgConnection, new: &NewPasskey<'_>) -> Result<PasskeyId> {
    let id = PasskeyId::new();
    let done = sqlx::query!(
        "insert into passkeys (id, user_id, name, host, credential_id, credential, transports, created_at, updated_at)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $8)",
        id.0,
        new.user.0,
        new.name,
        new.host,
        new.credential.cred_id(),
        Json(new.credential) as _,
        new.transports,
        new.now
    )
    .execute(connection)
    .await;
    match done {
        Ok(_) => Ok(id),
        Err(error) if error.as_database_error().is_some_and(|e| e.is_unique_violation()) => {
            Err(Error::conflict("passkey_exists", "This passkey is registered already."))
        }
        Err(error) => Err(error.into()),
    }
}

pub async fn passkey_rename(
    connection: &mut PgConnection, user: UserId, id: PasskeyId, name: &str, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update passkeys set name = $3, updated_at = $4, version = version + 1 where user_id = $1 and id = $2",
        user.0,
        id.0,
        name,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn passkey_delete(connection: &mut PgConnection, user: UserId, id: PasskeyId) -> Result<()> {
    sqlx::query!("delete from passkeys where user_id = $1 and id = $2", user.0, id.0).execute(connection).await?;
    Ok(())
}

/// What a browser is told of a passkey that it may use.
pub struct Usable {
    pub credential_id: Vec<u8>,
    pub transports: Vec<String>,
}

/// A person's passkeys for a host.
pub async fn passkeys_usable(connection: &mut PgConnection, user: UserId, host: &str) -> Result<Vec<Usable>> {
    let rows = sqlx::query_as!(
        Usable,
        "select credential_id, transports from passkeys where user_id = $1 and host = $2 order by id",
        user.0,
        host
    )
    .fetch_all(connection)
    .await?;
    Ok(rows)
}

/// The person with that address, as long as they may sign in.
pub async fn person_by_email(system: &PgPool, email: &str) -> Result<Option<UserId>> {
    let id = sqlx::query_scalar!(
        r#"select id as "id: UserId" from users
           where lower(email) = lower($1) and deactivated_at is null and suspended_at is null"#,
        email
    )
    .fetch_optional(system)
    .await?;
    Ok(id)
}

/// Whose passkey it is, by what its device calls it.
pub async fn passkey_owner(connection: &mut PgConnection, credential_id: &[u8]) -> Result<Option<UserId>> {
    let user = sqlx::query_scalar!(
        r#"select user_id as "user: UserId" from passkeys where credential_id = $1"#,
        credential_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(user)
}

/// A passkey that signs in, with its person.
pub struct Answering {
    pub id: PasskeyId,
    pub user: UserId,
    pub user_name: String,
    pub device_name: String,
    pub host: String,
    pub credential: Json<Stored>,
    pub ended: bool,
}

/// By what its device calls it, locked until the transaction ends.
pub async fn passkey_answering(connection: &mut PgConnection, credential_id: &[u8]) -> Result<Option<Answering>> {
    let row = sqlx::query_as!(
        Answering,
        r#"select p.id as "id: PasskeyId", p.user_id as "user: UserId", u.name as user_name, p.name as device_name, p.host,
                  p.credential as "credential: Json<Stored>",
                  (u.deactivated_at is not null or u.suspended_at is not null) as "ended!"
           from passkeys p join users u on u.id = p.user_id where p.credential_id = $1 for update of p"#,
        credential_id
    )
    .fetch_optional(connection)
    .await?;
    Ok(row)
}

/// It has answered: keep its counter. The version stays, since nothing that its person sets has changed.
pub async fn passkey_used(
    connection: &mut PgConnection, id: PasskeyId, credential: &Stored, now: DateTime<Utc>,
) -> Result<()> {
    sqlx::query!(
        "update passkeys set credential = $2, last_used_at = $3 where id = $1",
        id.0,
        Json(credential) as _,
        now
    )
    .execute(connection)
    .await?;
    Ok(())
}
