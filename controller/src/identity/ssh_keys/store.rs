//! Every query on `ssh_keys`, through the system's pool: they belong to a person, not to an organization.

use super::model::{ReadKey, SshKey, SshKeyChange};
use crate::error::{Error, Result};
use crate::platform::http::Page;
use ocore_shared::ids::{SshKeyId, UserId};
use sqlx::{PgConnection, PgPool};

pub async fn ssh_key_list(system: &PgPool, user: UserId, name: Option<&str>, page: &Page) -> Result<Vec<SshKey>> {
    let list = sqlx::query_as!(
        SshKey,
        r#"select id as "id: SshKeyId", name, key_type, public_key, fingerprint, is_default, last_used_at, version,
                  created_at, updated_at
           from ssh_keys
           where user_id = $1 and ($2::text is null or name = $2) and ($3::uuid is null or id < $3)
           order by id desc limit $4"#,
        user.0,
        name,
        page.before()?,
        page.fetch()
    )
    .fetch_all(system)
    .await?;
    Ok(list)
}

/// One key, locked until the transaction ends.
pub async fn ssh_key_get(connection: &mut PgConnection, user: UserId, id: SshKeyId) -> Result<Option<SshKey>> {
    let found = sqlx::query_as!(
        SshKey,
        r#"select id as "id: SshKeyId", name, key_type, public_key, fingerprint, is_default, last_used_at, version,
                  created_at, updated_at
           from ssh_keys where user_id = $1 and id = $2 for update"#,
        user.0,
        id.0
    )
    .fetch_optional(connection)
    .await?;
    Ok(found)
}

/// Of two who change the keys of one person at once, one waits for the other. How many keys there are.
pub async fn ssh_keys_lock(connection: &mut PgConnection, user: UserId) -> Result<i64> {
    sqlx::query!("select id from users where id = $1 for update", user.0).fetch_optional(&mut *connection).await?;
    let count = sqlx::query_scalar!(r#"select count(*) as "count!" from ssh_keys where user_id = $1"#, user.0)
        .fetch_one(connection)
        .await?;
    Ok(count)
}

/// No key is the default one any more.
pub async fn default_clear(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!(
        "update ssh_keys set is_default = false, version = version + 1, updated_at = now()
         where user_id = $1 and is_default",
        user.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

/// Some other key becomes the default one, the newest.
pub async fn default_pass_on(connection: &mut PgConnection, user: UserId) -> Result<()> {
    sqlx::query!(
        "update ssh_keys set is_default = true, version = version + 1, updated_at = now()
         where id = (select id from ssh_keys where user_id = $1 order by id desc limit 1)",
        user.0
    )
    .execute(connection)
    .await?;
    Ok(())
}

pub async fn ssh_key_insert(
    connection: &mut PgConnection, user: UserId, name: &str, key: &ReadKey, is_default: bool,
) -> Result<SshKey> {
    let made = sqlx::query_as!(
        SshKey,
        r#"insert into ssh_keys (id, user_id, name, key_type, public_key, fingerprint, is_default)
           values ($1, $2, $3, $4, $5, $6, $7)
           returning id as "id: SshKeyId", name, key_type, public_key, fingerprint, is_default, last_used_at, version,
                     created_at, updated_at"#,
        SshKeyId::new().0,
        user.0,
        name,
        key.key_type,
        key.line,
        key.fingerprint,
        is_default
    )
    .fetch_one(connection)
    .await;
    made.map_err(taken)
}

pub async fn ssh_key_update(
    connection: &mut PgConnection, user: UserId, id: SshKeyId, change: &SshKeyChange,
) -> Result<SshKey> {
    let changed = sqlx::query_as!(
        SshKey,
        r#"update ssh_keys set name = $3, is_default = $4, version = version + 1, updated_at = now()
           where user_id = $1 and id = $2
           returning id as "id: SshKeyId", name, key_type, public_key, fingerprint, is_default, last_used_at, version,
                     created_at, updated_at"#,
        user.0,
        id.0,
        change.name,
        change.is_default
    )
    .fetch_one(connection)
    .await;
    changed.map_err(taken)
}

pub async fn ssh_key_delete(connection: &mut PgConnection, user: UserId, id: SshKeyId) -> Result<()> {
    sqlx::query!("delete from ssh_keys where user_id = $1 and id = $2", user.0, id.0).execute(connection).await?;
    Ok(())
}

fn taken(error: sqlx::Error) -> Error {
    match error.as_database_error().and_then(|e| e.constraint()) {
        Some("ssh_keys_user_id_fingerprint_key") => Error::conflict("key_known", "You have added this key already."),
        Some("ssh_keys_user_id_name_key") => {
            Error::conflict("name_taken", "Another key of yours has this name; choose another one.")
        }
        _ => error.into(),
    }
}
