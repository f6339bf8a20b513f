//! What happened, for people and programs.

pub mod events;
pub mod notices;
pub mod webhooks;

use crate::app::App;
use utoipa_axum::router::OpenApiRouter;

pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(events::routes::routes())
        .merge(webhooks::routes::routes())
        .merge(notices::routes::routes())
}
