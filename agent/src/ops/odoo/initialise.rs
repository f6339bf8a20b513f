//! Filling the database: `odoo -i base … --stop-after-init` in a container of its own.

use super::init_log::INITIALISE;
use super::{containers, oneshot, record};
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::postgres::Database;
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::secret::Secret;

pub async fn run(host: &Host, ctx: &JobContext, spec: &InstanceSpec, password: &Secret) -> Result<(), OpError> {
    let name = record::init_container(&spec.slug);
    let body = containers::init(spec, ctx.id(), &host.records);
    oneshot::run(host, ctx, &name, body, INITIALISE, empty_database(host, ctx, spec, password)).await
}

/// Remove the container, once it is written down that its work is done.
pub async fn tidy(host: &Host, spec: &InstanceSpec) -> Result<(), OpError> {
    host.docker.remove(&record::init_container(&spec.slug)).await
}

/// What a failed attempt left half full cannot be continued.
async fn empty_database(host: &Host, ctx: &JobContext, spec: &InstanceSpec, password: &Secret) -> Result<(), OpError> {
    let container = record::postgres_container(&spec.slug);
    let database = Database { name: &spec.database_name, role: &spec.database_role };
    if database.is_begun(&host.docker, &container).await? {
        ctx.log(oneshot::MADE_ANEW);
        database.drop(&host.docker, &container).await?;
        database.ensure(&host.docker, &container, password).await?;
    }
    Ok(())
}
