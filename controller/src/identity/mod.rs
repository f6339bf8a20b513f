//! Who may do what: accounts, organizations, members, roles, keys, audit.

pub mod account;
pub mod api_keys;
pub mod audit;
pub mod auth;
pub mod authentication;
pub mod challenges;
pub mod invitations;
pub mod members;
pub mod oauth;
pub mod organizations;
pub mod passkeys;
pub mod roles;
pub mod second_factors;
pub mod service_accounts;
pub mod sessions;
pub mod ssh_keys;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(auth::routes::routes())
        .merge(second_factors::routes::routes())
        .merge(passkeys::routes::routes())
        .merge(oauth::routes::routes())
        .merge(account::routes::routes())
        .merge(sessions::routes::routes())
        .merge(ssh_keys::routes::routes())
        .merge(organizations::routes::routes())
        .merge(members::routes::routes())
        .merge(invitations::routes::routes())
        .merge(roles::routes::routes())
        .merge(service_accounts::routes::routes())
        .merge(api_keys::routes::routes())
        .merge(audit::routes::routes())
}
