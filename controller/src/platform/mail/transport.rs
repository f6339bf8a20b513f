//! The conversation with the SMTP server.

use super::model::{MailSettings, MailTls, Written};
use lettre::message::{Mailbox, MultiPart};
use lettre::transport::smtp::authentication::Credentials;
use lettre::transport::smtp::client::{Tls, TlsParameters};
use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor};
use ocore_shared::ids::MailId;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

/// Why a mail was not taken.
#[derive(Debug)]
pub struct Refusal {
    pub message: String,
    /// Trying again would change nothing.
    pub for_good: bool,
}

impl Refusal {
    fn for_good(message: impl Into<String>) -> Self {
        Self { message: message.into(), for_good: true }
    }
}

/// One SMTP server.
pub struct MailTransport {
    smtp: AsyncSmtpTransport<Tokio1Executor>,
    from: Mailbox,
}

impl MailTransport {
    /// Nothing is connected yet.
    pub fn new(settings: &MailSettings) -> Result<Self, Refusal> {
        let address = settings.from.address.parse().map_err(|_| {
            Refusal::for_good(format!(
                "The sender '{}' is not an address such as oCore <noreply@example.com>.",
                settings.from.address
            ))
        })?;
        let from = Mailbox::new(settings.from.name.clone(), address);
        let parameters = || {
            TlsParameters::new(settings.host.clone())
                .map_err(|error| Refusal::for_good(format!("TLS for {} cannot be set up: {error}.", settings.host)))
        };
        let tls = match settings.tls {
            MailTls::None => Tls::None,
            MailTls::Starttls => Tls::Required(parameters()?),
            MailTls::Tls => Tls::Wrapper(parameters()?),
        };
        let mut builder = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(&settings.host)
            .port(settings.port)
            .tls(tls)
            .timeout(Some(PATIENCE));
        if let Some((user, password)) = &settings.login {
            builder = builder.credentials(Credentials::new(user.clone(), password.expose().to_owned()));
        }
        Ok(Self { smtp: builder.build(), from })
    }

    /// Hand one mail over; what the server answers. Its id is its Message-ID, so that one that is sent twice can be known as one.
    pub async fn send(&self, id: MailId, to: &str, subject: &str, body: &Written) -> Result<String, Refusal> {
        let to: Mailbox =
            to.parse().map_err(|_| Refusal::for_good(format!("'{to}' is not an address that mail can be sent to.")))?;
        let domain = self.from.email.domain();
        let message = Message::builder()
            .from(self.from.clone())
            .to(to)
            .subject(subject)
            .message_id(Some(format!("<{id}@{domain}>")))
            .header(lettre::message::header::ContentTransferEncoding::QuotedPrintable)
            .multipart(MultiPart::alternative_plain_html(body.text.clone(), body.html.clone()))
            .map_err(|error| Refusal::for_good(format!("The mail cannot be written: {error}.")))?;
        match self.smtp.send(message).await {
            Ok(response) => {
                let words: Vec<&str> = response.message().collect();
                Ok(format!("{} {}", response.code(), words.join(" ")).trim_end().to_owned())
            }
            Err(error) => Err(Refusal { for_good: error.is_permanent(), message: told(&error) }),
        }
    }
}

/// The error with its causes: "Connection error" alone helps nobody.
fn told(error: &lettre::transport::smtp::Error) -> String {
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(error);
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text = format!("{text}: {words}");
        }
        cause = inner.source();
    }
    text
}
