//! Where data is.

pub mod backups;
pub mod databases;
pub mod destinations;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(databases::routes::routes())
        .merge(destinations::routes::routes())
        .merge(backups::routes::routes())
}
