//! The stored addresses.

use crate::error::Result;
use sqlx::types::Json;
use sqlx::{PgConnection, PgPool};

const KEY: &str = "public_urls";

pub async fn public_urls_get(system: &PgPool) -> Result<Vec<String>> {
    let urls = sqlx::query_scalar!(r#"select value as "urls: Json<Vec<String>>" from settings where key = $1"#, KEY)
        .fetch_optional(system)
        .await?;
    Ok(urls.map(|Json(urls)| urls).unwrap_or_default())
}

pub async fn public_urls_set(connection: &mut PgConnection, urls: &[String]) -> Result<()> {
    sqlx::query!(
        "insert into settings (key, value) values ($1, $2)
         on conflict (key) do update set value = excluded.value, updated_at = now()",
        KEY,
        Json(urls) as _
    )
    .execute(connection)
    .await?;
    Ok(())
}
