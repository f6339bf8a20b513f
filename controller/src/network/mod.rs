//! What leads people to instances: proxies of servers, domains and their certificates.

pub mod dns;
pub mod domains;
pub mod proxies;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(proxies::routes::routes()).merge(domains::routes::routes())
}
