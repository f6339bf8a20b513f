//! Every query on `audit_log`.

use crate::error::Result;
use crate::platform::http::Caller;
use crate::signals::events::Subject;
use ocore_shared::ids::{AuditId, OrganizationId};
use serde_json::Value;
use sqlx::PgConnection;
use sqlx::types::Json;
use sqlx::types::ipnetwork::IpNetwork;

/// Add an entry in the transaction of the change. `action` is `noun.past`; `before` and `after` hold no secrets.
pub async fn audit_append(
    connection: &mut PgConnection, organization: Option<OrganizationId>, caller: &Caller, action: &str,
    subject: &Subject, before: Option<Value>, after: Option<Value>,
) -> Result<()> {
    sqlx::query!(
        "insert into audit_log (id, organization_id, action, actor, subject, before, after, address, request_id)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
        AuditId::new().0,
        organization.map(|o| o.0),
        action,
        Json(&caller.actor) as _,
        Json(subject) as _,
        before,
        after,
        caller.address.map(IpNetwork::from) as _,
        caller.request_id,
    )
    .execute(connection)
    .await?;
    Ok(())
}
