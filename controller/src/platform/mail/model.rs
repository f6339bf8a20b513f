//! What mails say.

use crate::error::{Error, Result};
use askama::Template as _;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{MailId, OrganizationId};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A mail to be queued.
pub struct Mail {
    /// Whose mail it is, where it is an organization's.
    pub organization: Option<OrganizationId>,
    pub to: String,
    pub letter: Letter,
}

/// Every mail that there is.
pub enum Letter {
    VerifyEmail {
        name: String,
        link: String,
    },
    /// To the new address, which the link proves.
    ChangeEmail {
        name: String,
        link: String,
    },
    /// To the old address.
    EmailChanged {
        name: String,
        new_address: String,
    },
    ResetPassword {
        name: String,
        link: String,
    },
    PasswordChanged {
        name: String,
    },
    /// Somebody tried to sign up with an address that has an account.
    SignupAgain {
        name: String,
        link: String,
    },
    /// An administrator has made the account.
    Welcome {
        name: String,
        link: String,
    },
    Invitation {
        organization: String,
        role: String,
        invited_by: String,
        link: String,
    },
    Notice {
        name: String,
        title: String,
        text: String,
        link: String,
        mute_link: String,
    },
    Test,
}

/// A letter in words.
pub struct Words {
    pub template: &'static str,
    pub subject: String,
    name: String,
    paragraphs: Vec<String>,
    button: Option<(&'static str, String)>,
    footer: String,
}

const UNASKED: &str = "You get this because your address was given there. If that was not you, do nothing.";

impl Letter {
    /// Its words. What people typed is in them as it is; both forms of the body take care of it.
    pub fn words(&self) -> Words {
        let words = |template, subject: &str, name: &str, paragraphs: &[String]| Words {
            template,
            subject: subject.to_owned(),
            name: name.to_owned(),
            paragraphs: paragraphs.to_vec(),
            button: None,
            footer: UNASKED.to_owned(),
        };
        match self {
            Self::VerifyEmail { name, link } => {
                let text = "Please confirm that this is your address. The link works once, for 24 hours.";
                let letter = words("verify_email", "Confirm your address", name, &[text.into()]);
                letter.button("Confirm the address", link)
            }
            Self::ChangeEmail { name, link } => {
                let text = "You asked to sign in with this address from now on. The link works once, for 24 hours; until \
                            then the address before counts.";
                words("change_email", "Confirm your new address", name, &[text.into()]).button("Use this address", link)
            }
            Self::EmailChanged { name, new_address } => {
                let text = format!("The address of your account has been changed to {new_address}.");
                let help = "If that was not you, ask your administrator at once: somebody may have your password.";
                words("email_changed", "Your address was changed", name, &[text, help.into()])
            }
            Self::ResetPassword { name, link } => {
                let text = "Somebody, hopefully you, asked for a new password. The link works once, for one hour. Your \
                            password stays as it is until you choose another one there.";
                words("reset_password", "Choose a new password", name, &[text.into()]).button("Choose a password", link)
            }
            Self::PasswordChanged { name } => {
                let text = "The password of your account has been changed.";
                let help = "If that was not you, ask your administrator at once.";
                words("password_changed", "Your password was changed", name, &[text.into(), help.into()])
            }
            Self::SignupAgain { name, link } => {
                let text = "Somebody, perhaps you, tried to sign up with this address. There is an account already; if you \
                            have forgotten its password, choose a new one. The link works once, for one hour.";
                words("signup_again", "You have an account already", name, &[text.into()])
                    .button("Choose a password", link)
            }
            Self::Welcome { name, link } => {
                let text =
                    "An account has been made for you. Choose a password to sign in. The link works once, for 7 days.";
                words("welcome", "Your account", name, &[text.into()]).button("Choose a password", link)
            }
            Self::Invitation { organization, role, invited_by, link } => {
                let text =
                    format!("{invited_by} invites you to {organization} as {role}. The link works once, for 7 days.");
                let subject = format!("Invitation to {organization}");
                words("invitation", &subject, "", &[text]).button("Accept the invitation", link)
            }
            Self::Notice { name, title, text, link, mute_link } => {
                let letter = words("notice", title, name, std::slice::from_ref(text)).button("Look at it", link);
                Words { footer: format!("Choose which notices you get: {mute_link}"), ..letter }
            }
            Self::Test => words(
                "test",
                "Mail from oCore works",
                "",
                &["This mail was sent from the settings to try them out.".into()],
            ),
        }
    }
}

impl Words {
    fn button(self, label: &'static str, link: &str) -> Self {
        Self { button: Some((label, link.to_owned())), ..self }
    }

    /// The whole mail as it is stored and sent. `home` is the controller's address.
    pub fn written(self, home: &str) -> Result<Written> {
        let Self { subject, name, paragraphs, button, footer, .. } = self;
        let link = button.as_ref().map(|(_, link)| link.clone());
        let html =
            Html { subject: &subject, name: &name, paragraphs: &paragraphs, button: &button, home, footer: &footer };
        let html = html.render().map_err(Error::internal)?;
        let text = Text { name: &name, paragraphs: &paragraphs, button: &button, home, footer: &footer };
        Ok(Written { text: text.render().map_err(Error::internal)?, html, link })
    }
}

#[derive(askama::Template)]
#[template(path = "mail.html")]
struct Html<'a> {
    subject: &'a str,
    name: &'a str,
    paragraphs: &'a [String],
    button: &'a Option<(&'static str, String)>,
    home: &'a str,
    footer: &'a str,
}

#[derive(askama::Template)]
#[template(path = "mail.txt")]
struct Text<'a> {
    name: &'a str,
    paragraphs: &'a [String],
    button: &'a Option<(&'static str, String)>,
    home: &'a str,
    footer: &'a str,
}

/// The body of a mail; sealed where it is stored, since its link counts as a credential.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Written {
    pub text: String,
    pub html: String,
    pub link: Option<String>,
}

/// What became of a mail.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, sqlx::Type)]
#[serde(rename_all = "snake_case")]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum MailStatus {
    Queued,
    Sent,
    Failed,
    /// No SMTP server is configured: an administrator passes its link on.
    Kept,
}

/// A mail as administrators see it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MailView {
    pub id: MailId,
    pub organization_id: Option<OrganizationId>,
    pub recipient: String,
    /// Which mail it is, e.g. `invitation`.
    pub template: String,
    pub subject: String,
    pub status: MailStatus,
    /// What the SMTP server said.
    pub problem: Option<String>,
    pub sent_at: Option<DateTime<Utc>>,
    pub created_at: DateTime<Utc>,
}

/// A mail with its words.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct MailOpened {
    #[serde(flatten)]
    pub mail: MailView,
    /// None once it was sent.
    pub text: Option<String>,
    /// The address that its recipient is to open; it counts as a credential.
    pub link: Option<String>,
}

/// How to reach the SMTP server.
#[derive(Clone, Debug)]
pub struct MailSettings {
    pub host: String,
    pub port: u16,
    pub tls: MailTls,
    pub login: Option<(String, Secret)>,
    pub from: Sender,
}

/// Who mail comes from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sender {
    pub address: String,
    pub name: Option<String>,
}

/// How the connection to the SMTP server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema, clap::ValueEnum)]
#[serde(rename_all = "snake_case")]
pub enum MailTls {
    /// Not at all: for a server on this machine.
    None,
    /// From plain to TLS before anything is said; refused where the server cannot.
    Starttls,
    /// From the first byte (port 465).
    Tls,
}
