//! Where data is.

pub mod databases;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    databases::routes::routes()
}
