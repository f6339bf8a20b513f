//! Who is told of new notices by mail: one letter each, however many there are at once.

use super::model::{Audience, Finding, NoticeKind, told_at_once};
use super::store::{self, Recipient};
use crate::app::App;
use crate::error::Result;
use crate::identity::authentication::access_of_member;
use crate::platform::http::ctx::Access;
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, page_url};
use ocore_shared::ids::OrganizationId;
use sqlx::PgConnection;

/// Where people choose what they are told of.
const CHOICE_PAGE: &str = "/account#notices";

/// Somebody with what they may see.
pub struct Reader {
    recipient: Recipient,
    /// None: an administrator, for the platform's notices.
    access: Option<Access>,
}

/// Everybody who may be told of that kind.
pub async fn readers(app: &App, organization: Option<OrganizationId>, kind: NoticeKind) -> Result<Vec<Reader>> {
    let mut found = Vec::new();
    for recipient in store::recipient_list(app.db.system(), organization, kind).await? {
        let Some(organization) = organization else {
            found.push(Reader { recipient, access: None });
            continue;
        };
        // Who has just left is told nothing.
        if let Some(access) = access_of_member(app, recipient.user, organization).await? {
            found.push(Reader { recipient, access: Some(access) });
        }
    }
    Ok(found)
}

impl Reader {
    fn is_told(&self, kind: NoticeKind, finding: &Finding) -> bool {
        let meant = match finding.audience {
            Audience::Everybody => true,
            Audience::Person(person) => person == Some(self.recipient.user),
        };
        meant && self.access.as_ref().is_none_or(|access| sees(access, kind, finding))
    }
}

fn sees(access: &Access, kind: NoticeKind, finding: &Finding) -> bool {
    let held = access.at(&finding.place);
    kind.permissions(&finding.place).iter().all(|permission| held.contains(*permission))
}

/// Queue the letters in the transaction that raises the notices.
pub async fn notices_mail(
    app: &App, connection: &mut PgConnection, kind: NoticeKind, readers: &[Reader], findings: &[&Finding],
) -> Result<()> {
    for reader in readers {
        let own: Vec<&Finding> = findings.iter().copied().filter(|finding| reader.is_told(kind, finding)).collect();
        let Some(first) = own.first() else { continue };
        let (title, text, page) = told_at_once(kind, &own);
        let letter = Letter::Notice {
            name: reader.recipient.name.clone(),
            title,
            text,
            link: page_url(app, &page),
            mute_link: page_url(app, CHOICE_PAGE),
        };
        let mail = Mail { organization: first.organization, to: reader.recipient.email.clone(), letter };
        mail_queue(connection, app, &mail).await?;
    }
    Ok(())
}
