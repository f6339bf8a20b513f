//! The rules of roles.

use super::model::Role;
use super::store;
use crate::app::App;
use crate::error::Result;
use crate::platform::http::permissions::SystemRole;
use crate::platform::http::{Ctx, List, Page};
use ocore_shared::ids::{OrganizationId, UserId};
use sqlx::PgConnection;

pub async fn role_list(ctx: &Ctx, app: &App, name: Option<&str>, page: &Page) -> Result<List<Role>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let roles = store::role_list(&mut connection, ctx.organization, name, page).await?;
    Ok(List::new(roles, page, |role| role.id.0))
}

/// The system roles of a new organization; its owner gets the first of them.
pub async fn system_roles_create(
    connection: &mut PgConnection, organization: OrganizationId, owner: UserId,
) -> Result<()> {
    for role in SystemRole::ALL {
        let id = store::system_role_insert(connection, organization, role).await?;
        if role == SystemRole::Owner {
            store::grant_insert(connection, organization, owner, id).await?;
        }
    }
    Ok(())
}
