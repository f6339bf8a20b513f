//! For which host a passkey is made and asked: the one that the person's browser is at, if it is ours.

use crate::app::App;
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use webauthn_rs::prelude::{Url, Webauthn, WebauthnBuilder};

const SHOWN_NAME: &str = "oCore";
const LOCALHOST: &str = "localhost";

/// A host with the addresses at which browsers reach it.
#[derive(Debug)]
pub struct Site {
    pub host: String,
    origins: Vec<Url>,
}

impl Site {
    /// The one of a page with that `Origin`; without one, that of the first public address.
    pub fn of(app: &App, origin: Option<&str>) -> Result<Self> {
        let ours = origins(app);
        let found = match origin {
            Some(text) => {
                let at = Url::parse(text).ok();
                at.and_then(|at| ours.into_iter().find(|own| is_same(own, &at)))
            }
            None => ours.into_iter().next(),
        };
        let host = found.and_then(|url| url.domain().map(str::to_owned)).ok_or_else(unavailable)?;
        Self::again(app, &host)
    }

    /// The one of a host that was found before, while it is still ours.
    pub fn again(app: &App, host: &str) -> Result<Self> {
        let origins: Vec<Url> = origins(app).into_iter().filter(|url| url.domain() == Some(host)).collect();
        if origins.is_empty() { Err(unavailable()) } else { Ok(Self { host: host.to_owned(), origins }) }
    }

    pub fn webauthn(&self) -> Result<Webauthn> {
        let mut origins = self.origins.iter();
        let first = origins.next().ok_or_else(unavailable)?;
        let mut builder = WebauthnBuilder::new(&self.host, first)
            .map_err(Error::internal)?
            .rp_name(SHOWN_NAME)
            .allow_any_port(self.host == LOCALHOST);
        for origin in origins {
            builder = builder.append_allowed_origin(origin);
        }
        builder.build().map_err(Error::internal)
    }
}

/// Every address at which browsers allow passkeys: HTTPS with a host name, and this machine.
fn origins(app: &App) -> Vec<Url> {
    let public = addresses::people(&app.config, &app.public_urls.get());
    let public = public.iter().filter_map(|url| Url::parse(url).ok());
    let public = public.filter(|url| url.scheme() == "https" && url.domain().is_some());
    let here = ["https://localhost", "http://localhost"].into_iter().filter_map(|url| Url::parse(url).ok());
    public.chain(here).collect()
}

fn is_same(own: &Url, at: &Url) -> bool {
    let any_port = own.domain() == Some(LOCALHOST);
    own.scheme() == at.scheme()
        && own.domain().is_some()
        && own.domain() == at.domain()
        && (any_port || own.port_or_known_default() == at.port_or_known_default())
}

fn unavailable() -> Error {
    Error::Unprocessable {
        code: "passkeys_unavailable",
        message: "Passkeys work only where the console is opened by HTTPS and a host name that is one of its public \
                  addresses, or on this machine as localhost."
            .into(),
    }
}
