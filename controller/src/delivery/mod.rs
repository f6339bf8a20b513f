//! How work is grouped: projects and their environments.

pub mod environments;
pub mod projects;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().merge(projects::routes::routes()).merge(environments::routes::routes())
}
