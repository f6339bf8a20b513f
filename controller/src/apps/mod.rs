//! What runs on servers.

pub mod files;
pub mod instances;
pub mod odoo;
pub mod registries;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(files::routes::routes())
        .merge(files::tus_routes::routes())
        .merge(instances::routes::routes())
        .merge(instances::log_routes::routes())
        .merge(instances::health::routes::routes())
        .merge(instances::metrics::routes::routes())
        .merge(odoo::config::routes::routes())
        .merge(odoo::addons::routes::routes())
        .merge(odoo::modules::routes::routes())
        .merge(registries::routes::routes())
}
