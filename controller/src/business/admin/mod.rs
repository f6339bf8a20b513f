//! What the platform's administrator does: people, organizations, the queue, figures, the log's level, tunnels.

pub mod figures;
pub mod jobs;
pub mod logs;
pub mod organizations;
pub mod tunnels;
pub mod users;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(users::routes::routes())
        .merge(organizations::routes::routes())
        .merge(jobs::routes::routes())
        .merge(figures::routes::routes())
        .merge(logs::routes::routes())
        .merge(tunnels::routes::routes())
}
