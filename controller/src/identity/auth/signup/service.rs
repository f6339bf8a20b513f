//! The rules of signing up.
//!
//! Nobody learns whether an address has an account: with mail, every sign-up waits in `signups`, takes the same time, and
//! signing in with its password answers the same, whether its address is known or not; only the mail differs. The account
//! itself is made when the link is opened, so that nobody occupies an address that they cannot read. Without mail there
//! is nothing to wait for: the account is there at once.

use super::model::{LIFE, NewAccount, NewSignup, SignedUp, own_organization};
use super::store::{self, SignupRow};
use crate::app::App;
use crate::business::settings::model::SignupMode;
use crate::business::settings::service::settings_get;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::model::client_key;
use crate::identity::auth::recovery::jobs::AccountMail;
use crate::identity::auth::recovery::service::{
    RESET_LIFE, account_mail, account_mail_enqueue, link_void, mail_allowed, password_link,
};
use crate::identity::auth::service::{attempt_begin, person, person_of_system};
use crate::identity::auth::store::person_by_email;
use crate::identity::authentication::{Client, Passwords};
use crate::identity::invitations::service::{Joining, invitation_join, invitation_view, same_address};
use crate::identity::organizations::model::NewOrganization;
use crate::identity::organizations::service::organization_create;
use crate::platform::bus::Signal;
use crate::platform::jobs::tasks::task_poke;
use crate::platform::mail::model::{Letter, Mail};
use crate::platform::mail::service::{mail_queue, page_url};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use chrono::{DateTime, Utc};
use ocore_shared::ids::{SessionId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use uuid::Uuid;

/// Make an account, or the wish for one.
pub async fn signup(app: &App, client: &Client, new: NewSignup) -> Result<SignedUp> {
    let settings = settings_get(app).await?;
    signup_allowed(settings.signup, new.invitation.is_some())?;
    Passwords::check("password", &new.password)?;
    attempt_begin(app, &client_key("signup", client.address), app.clock.now()).await?;
    match &new.invitation {
        Some(token) => by_invitation(app, client, &new, token).await,
        None if settings.mail.is_some() => by_mail(app, client, new).await,
        None => at_once(app, client, &new).await,
    }
}

/// Whether the platform's settings let somebody make an account for themself.
pub fn signup_allowed(mode: SignupMode, invited: bool) -> Result<()> {
    match mode {
        SignupMode::Open => Ok(()),
        SignupMode::Invitation if invited => Ok(()),
        SignupMode::Invitation => Err(Error::forbidden(
            "invitation_required",
            "Accounts are made by invitation only; open the link of yours.",
        )),
        SignupMode::Closed => Err(Error::forbidden(
            "signup_closed",
            "Nobody can sign up here; ask the administrator of this platform for an account.",
        )),
    }
}

async fn by_mail(app: &App, client: &Client, new: NewSignup) -> Result<SignedUp> {
    let password_hash = app.auth.passwords.hash(&new.password).await?;
    // Beyond that the answer is the same, and nothing happens.
    if mail_allowed(app, &new.email).await? {
        let NewSignup { email, name, organization_name, .. } = new;
        let id = Uuid::now_v7();
        let row = SignupRow { email, name, organization_name, password_hash };
        let mut tx = app.db.system().begin().await?;
        store::signup_insert(&mut tx, id, &row, app.clock.now() + LIFE).await?;
        let mail = AccountMail::Signup { signup_id: id, email: row.email.clone() };
        account_mail_enqueue(&mut tx, app, &row.email, &mail).await?;
        let subject = Subject::new("signup", id, &row.email);
        let caller = person_of_system(client);
        audit_append(&mut tx, None, &caller, "auth.signup_requested", &subject, None, None).await?;
        tx.commit().await?;
        task_poke(app);
    }
    Ok(SignedUp { verification_required: true, organization: None })
}

async fn at_once(app: &App, client: &Client, new: &NewSignup) -> Result<SignedUp> {
    let password_hash = app.auth.passwords.hash(&new.password).await?;
    let mut tx = app.db.system().begin().await?;
    let account = NewAccount {
        email: &new.email,
        name: &new.name,
        password_hash: Some(&password_hash),
        organization_name: Some(own_organization(&new.name, new.organization_name.as_deref())),
    };
    if account_create(&mut tx, client, &account, app.clock.now()).await?.is_some() {
        tx.commit().await?;
        app.bus.send(Signal::EventsAppended);
    } else {
        drop(tx);
        if mail_allowed(app, &new.email).await? {
            known_mail(app, &new.email).await?;
        }
    }
    Ok(SignedUp { verification_required: false, organization: None })
}

/// An invitation's link proves the address that it was sent to: account and membership in one go.
async fn by_invitation(app: &App, client: &Client, new: &NewSignup, token: &Secret) -> Result<SignedUp> {
    let invitation = invitation_view(app, token).await?;
    same_address(&new.email, &invitation.email)?;
    let password_hash = app.auth.passwords.hash(&new.password).await?;
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let (email, name) = (new.email.as_str(), new.name.as_str());
    let account = NewAccount { email, name, password_hash: Some(&password_hash), organization_name: None };
    let user = account_create(&mut tx, client, &account, now).await?.ok_or_else(account_exists)?;
    let caller = person(client, user, SessionId(Uuid::nil()), false, name);
    let joining = Joining { caller: &caller, user, name, email };
    let organization = invitation_join(&mut tx, &joining, token, now).await?;
    store::default_organization_set(&mut tx, user, organization).await?;
    store::signups_clear(&mut tx, email).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(SignedUp { verification_required: false, organization: Some(organization) })
}

fn account_exists() -> Error {
    Error::conflict("account_exists", "There is an account of this address already; sign in with it.")
}

/// Make an account whose address is proved, with an organization of its own where one is named. None: the address has an
/// account. Tell [`Signal::EventsAppended`] after the commit.
pub async fn account_create(
    connection: &mut PgConnection, client: &Client, new: &NewAccount<'_>, now: DateTime<Utc>,
) -> Result<Option<UserId>> {
    let Some(user) = store::user_add(connection, new.email, new.name, new.password_hash, now).await? else {
        return Ok(None);
    };
    let caller = person(client, user, SessionId(Uuid::nil()), false, new.name);
    let subject = Subject::new("user", user.0, new.name);
    let after = json!({ "email": new.email, "is_admin": false });
    let organization = match &new.organization_name {
        Some(name) => {
            let organization = NewOrganization { name: name.clone(), slug: None };
            let organization = organization_create(connection, &caller, user, &organization, now).await?.id;
            store::default_organization_set(connection, user, organization).await?;
            event_append(connection, organization, "user.created", &caller.actor, &subject, json!({})).await?;
            Some(organization)
        }
        None => None,
    };
    audit_append(connection, organization, &caller, "user.created", &subject, None, Some(after)).await?;
    Ok(Some(user))
}

/// Write to who signs up: the link, or that there is an account already.
pub async fn signup_mail(app: &App, id: Uuid, email: &str) -> Result<()> {
    let known = person_by_email(app.db.system(), email).await?.is_some();
    let mut tx = app.db.system().begin().await?;
    let Some(signup) = store::signup_mailed(&mut tx, id, app.clock.now()).await? else { return Ok(()) };
    if known {
        tx.commit().await?;
        return known_mail(app, &signup.email).await;
    }
    link_mail(&mut tx, app, id, signup.email, signup.name).await?;
    tx.commit().await?;
    Ok(())
}

/// The link again, for the newest sign-up of an address. The link before is void.
pub async fn signup_mail_again(app: &App, email: &str) -> Result<()> {
    let Some((id, name)) = store::signup_newest(app.db.system(), email, app.clock.now()).await? else { return Ok(()) };
    let mut tx = app.db.system().begin().await?;
    link_mail(&mut tx, app, id, email.to_owned(), name).await?;
    tx.commit().await?;
    Ok(())
}

async fn link_mail(connection: &mut PgConnection, app: &App, id: Uuid, to: String, name: String) -> Result<()> {
    let token = token_make();
    store::signup_token_set(connection, id, &token_hash(token.expose())).await?;
    let link = page_url(app, &format!("/verify-email#token={}", token.expose()));
    mail_queue(connection, app, &Mail { organization: None, to, letter: Letter::VerifyEmail { name, link } }).await?;
    Ok(())
}

/// Somebody tried to sign up with the address of an account: its owner is told, with a way in if it was them.
pub async fn known_mail(app: &App, email: &str) -> Result<()> {
    let person = person_by_email(app.db.system(), email).await?;
    let Some(person) = person.filter(|person| !person.deactivated) else { return Ok(()) };
    let mut tx = app.db.system().begin().await?;
    let link = password_link(&mut tx, app, person.id, &person.email, RESET_LIFE).await?;
    let letter = Letter::SignupAgain { name: person.name, link };
    mail_queue(&mut tx, app, &Mail { organization: None, to: person.email, letter }).await?;
    tx.commit().await?;
    task_poke(app);
    Ok(())
}

/// Ask for the link again.
pub async fn verify_resend(app: &App, client: &Client, email: &str) -> Result<()> {
    attempt_begin(app, &client_key("resend", client.address), app.clock.now()).await?;
    account_mail(app, email, &AccountMail::SignupResend { email: email.to_owned() }).await
}

/// Open the mailed link: the account is made. Its address.
pub async fn email_verify(app: &App, client: &Client, token: &Secret) -> Result<String> {
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let signup = store::signup_take(&mut tx, &token_hash(token.expose()), now).await?.ok_or_else(link_void)?;
    let account = NewAccount {
        email: &signup.email,
        name: &signup.name,
        password_hash: Some(&signup.password_hash),
        organization_name: Some(own_organization(&signup.name, signup.organization_name.as_deref())),
    };
    let made = account_create(&mut tx, client, &account, now).await?;
    store::signups_clear(&mut tx, &signup.email).await?;
    tx.commit().await?;
    made.ok_or_else(account_exists)?;
    app.bus.send(Signal::EventsAppended);
    Ok(signup.email)
}
