//! What the platform's own administrators decide and look at.

pub mod admin;
pub mod settings;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(settings::routes::routes()).merge(admin::routes())
}
