//! Asking a destination something. Servers are what backups come from, so one of them asks; without any, the controller
//! does, to addresses that it may call.

use super::model::DestinationStatus;
use crate::app::App;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Result};
use crate::platform::http::Ctx;
use crate::platform::tunnel::Tunnel;
use http::{Method, StatusCode};
use ocore_shared::ids::ServerId;
use ocore_shared::protocol::storage::{Place, StorageAnswer, StorageProblemKind, StorageRequest, StorageWork};
use ocore_shared::secret::Secret;
use ocore_shared::storage::storage_work;
use ocore_shared::tunnel::TunnelError;
use std::sync::Arc;
use std::time::Duration;

/// A destination far away takes its time to answer.
const PATIENCE: Duration = Duration::from_secs(60);

/// What was found out.
pub struct Found {
    pub status: DestinationStatus,
    pub answer: StorageAnswer,
}

/// Have it done by that server, by any that is online, or by the controller. What is wrong with the destination is in
/// the answer.
pub async fn work(
    ctx: &Ctx, app: &App, server: Option<ServerId>, (place, secret): (&Place, Option<&Secret>), work: StorageWork,
) -> Result<Found> {
    let request =
        StorageRequest { place: place.clone(), secret: secret.map(|secret| secret.expose().to_owned()), work };
    let answer = match (asked(ctx, app, server)?, place) {
        (Some(tunnel), _) => by_server(&tunnel, &request).await?,
        // There is no such directory before there is a server.
        (None, Place::Local(_)) => {
            return Ok(Found { status: DestinationStatus::Unchecked, answer: StorageAnswer::default() });
        }
        (None, _) => {
            settings_get(app).await?;
            let answer = storage_work(request, app.outbound.resolve());
            tokio::time::timeout(PATIENCE, answer).await.map_err(|_| silent())?
        }
    };
    let status = match answer.problem {
        None => DestinationStatus::Ok,
        Some(_) => DestinationStatus::Failed,
    };
    Ok(Found { status, answer })
}

/// Who asks.
fn asked(ctx: &Ctx, app: &App, server: Option<ServerId>) -> Result<Option<Arc<Tunnel>>> {
    let own = |tunnel: &Arc<Tunnel>| tunnel.organization == ctx.organization;
    match server {
        Some(server) => match app.tunnels.get(server) {
            Ok(tunnel) if own(&tunnel) => Ok(Some(tunnel)),
            // Another organization's is as good as none.
            Ok(_) => Err(Error::NotFound("server")),
            Err(error) => Err(error),
        },
        None => Ok(app.tunnels.all().into_iter().find(|tunnel| own(tunnel) && !tunnel.client.is_closed())),
    }
}

async fn by_server(tunnel: &Tunnel, request: &StorageRequest) -> Result<StorageAnswer> {
    match tunnel.client.call(Method::POST, "/storage", request, PATIENCE).await {
        Ok((_, answer)) => Ok(answer),
        // An agent of before does not know the way.
        Err(TunnelError::Agent { status: StatusCode::NOT_FOUND, error }) if error.code == "not_found" => {
            Err(Error::Unprocessable {
                code: "agent_too_old",
                message: "The agent of this server is of a version that makes no backups; update it.".into(),
            })
        }
        Err(error) => Err(error.into()),
    }
}

fn silent() -> Error {
    Error::Unprocessable {
        code: StorageProblemKind::Unreachable.code(),
        message: format!("The destination has not answered within {} s.", PATIENCE.as_secs()),
    }
}

/// The error for what is wrong with a destination.
pub fn refused(answer: &StorageAnswer) -> Result<()> {
    match &answer.problem {
        None => Ok(()),
        Some(problem) => Err(Error::Unprocessable { code: problem.kind.code(), message: problem.message.clone() }),
    }
}
