//! Servers: how they come, what they are, what they say.

pub mod connection;
pub mod enrollment;
pub mod metrics;
pub mod servers;
pub mod terminals;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(servers::routes::routes())
        .merge(metrics::routes::routes())
        .merge(terminals::routes::routes())
}
