//! Who may do what: accounts, sessions, organizations, roles, keys, audit.

pub mod account;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod authentication;
pub mod organizations;
pub mod roles;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auth::routes::routes())
        .merge(account::routes::routes())
        .merge(organizations::routes::routes())
        .merge(roles::routes::routes())
        .merge(api_keys::routes::routes())
}
