//! Looking at organizations.

use super::model::{AdminOrganization, AdminOrganizationDetail, OrganizationFilter};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::{List, Page};
use ocore_shared::ids::OrganizationId;

pub async fn organization_list(
    app: &App, filter: &OrganizationFilter<'_>, page: &Page,
) -> Result<List<AdminOrganization>> {
    let list = store::organization_list(app.db.system(), filter, page).await?;
    Ok(List::new(list, page, |organization| organization.id.0))
}

/// One with what it uses.
pub async fn organization_get(app: &App, id: OrganizationId) -> Result<AdminOrganizationDetail> {
    let filter = OrganizationFilter { id: Some(id), ..OrganizationFilter::default() };
    let found = store::organization_list(app.db.system(), &filter, &Page::default()).await?.pop();
    let organization = found.ok_or(Error::NotFound("organization"))?;
    let usage = store::organization_usage(app.db.system(), id, app.clock.now()).await?;
    Ok(AdminOrganizationDetail { organization, usage: usage.ok_or(Error::NotFound("organization"))? })
}
