//! The rules of accounts elsewhere.

use super::model::{
    ConnectedAccount, FLOW_LIFE, Failure, Flow, Identity, Pending, SignInProvider, SignInWays, name_of,
};
use super::provider::{self, ProviderError, Return};
use super::store;
use crate::app::App;
use crate::business::settings::model::{OAuthProvider, SignupMode};
use crate::business::settings::service::{oauth_providers, settings_get, settings_read};
use crate::error::{Error, Result};
use crate::fleet::enrollment::addresses;
use crate::identity::audit::store::audit_append;
use crate::identity::auth::model::{Proof, SignedIn};
use crate::identity::auth::refusal::sign_in_refused;
use crate::identity::auth::service::{person, session_begin, signed_in};
use crate::identity::auth::signup::model::{NewAccount, own_organization};
use crate::identity::auth::signup::service::account_create;
use crate::identity::authentication::Client;
use crate::identity::challenges::{Challenge, NewChallenge, Purpose, challenge_put, challenge_take};
use crate::identity::second_factors::service::{FactorOwed, factor_shown, second_factor_ask, way_in_left};
use crate::identity::second_factors::store::{person_lock, ways_in};
use crate::platform::bus::Signal;
use crate::platform::http::{Caller, List};
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use ocore_shared::ids::{ConnectedAccountId, SessionId, UserId};
use ocore_shared::secret::Secret;
use serde_json::json;
use sqlx::PgConnection;
use subtle::ConstantTimeEq;

/// Ids of the providers that people can sign in with now.
pub async fn provider_ids(app: &App) -> Result<Vec<String>> {
    Ok(oauth_providers(app).await?.into_iter().map(|provider| provider.id).collect())
}

/// What the sign-in page shows.
pub async fn sign_in_ways(app: &App) -> Result<SignInWays> {
    let settings = settings_get(app).await?;
    let shown = |p: &OAuthProvider| SignInProvider { id: p.id.clone(), kind: p.kind, name: p.name.clone() };
    Ok(SignInWays { signup: settings.signup, providers: settings.oauth.iter().map(shown).collect() })
}

async fn provider_find(app: &App, id: &str) -> Result<OAuthProvider> {
    let found = oauth_providers(app).await?.into_iter().find(|provider| provider.id == id);
    found.ok_or(Error::NotFound("provider"))
}

/// What somebody wants of a provider.
pub struct Wish<'a> {
    pub provider: &'a str,
    pub flow: Flow,
    pub return_to: &'a str,
    /// The address that the browser is at.
    pub host: Option<&'a str>,
}

/// Where the browser goes, and what it keeps meanwhile.
pub struct Leaving {
    pub url: String,
    pub cookie: Secret,
}

/// Send a browser to a provider. The inner error is for the console's page, not for a program.
pub async fn oauth_begin(app: &App, caller: Option<&Caller>, wish: &Wish<'_>) -> Result<Result<Leaving, Failure>> {
    let provider = provider_find(app, wish.provider).await?;
    let mut connection = app.db.system().acquire().await?;
    let linking = match wish.flow {
        Flow::Login => None,
        Flow::Link => {
            let (user, session) = caller.ok_or_else(Error::unauthenticated)?.person()?;
            factor_shown(&mut connection, user, session).await?;
            Some((user, session))
        }
    };
    let (state, cookie) = (token_make(), token_make());
    let redirect_uri = format!("{}/api/auth/oauth/{}/callback", base(app, wish.host), provider.id);
    drop(connection);
    let departure = match provider::depart(&provider, &redirect_uri, state.expose()).await {
        Ok(departure) => departure,
        Err(error) => return Ok(Err(told(&provider, &error))),
    };
    let pending = Pending {
        provider: provider.id,
        flow: wish.flow,
        browser: token_hash(cookie.expose()),
        nonce: departure.nonce,
        verifier: departure.verifier,
        redirect_uri,
        return_to: wish.return_to.to_owned(),
    };
    let new = NewChallenge {
        purpose: Purpose::OAuth,
        token_hash: &token_hash(state.expose()),
        user: linking.map(|(user, _)| user),
        session: linking.map(|(_, session)| session),
        state: &pending,
        life: FLOW_LIFE,
    };
    let mut connection = app.db.system().acquire().await?;
    challenge_put(&mut connection, app, &new).await?;
    Ok(Ok(Leaving { url: departure.url, cookie }))
}

/// The public address that the browser is at, so that it comes back to where its cookie is; else the first one.
fn base(app: &App, host: Option<&str>) -> String {
    let ours = addresses::people(&app.config, &app.public_urls.get());
    let at = |url: &&String| {
        let uri = url.parse::<http::Uri>().ok();
        uri.and_then(|uri| uri.authority().map(|a| a.as_str().to_ascii_lowercase()))
            .is_some_and(|authority| host.is_some_and(|host| host.eq_ignore_ascii_case(&authority)))
    };
    ours.iter().find(at).or_else(|| ours.first()).map(|url| url.trim_end_matches('/').to_owned()).unwrap_or_default()
}

fn told(provider: &OAuthProvider, error: &ProviderError) -> Failure {
    tracing::warn!(provider = %provider.id, %error, "signing in with a provider failed");
    match error {
        ProviderError::Unreachable(_) => Failure::ProviderUnreachable,
        ProviderError::Refused(_) => Failure::ProviderRefused,
    }
}

/// What a browser brings back.
pub struct Arrival<'a> {
    pub provider: &'a str,
    pub cookie: Option<&'a str>,
    pub state: Option<&'a str>,
    pub code: Option<&'a str>,
    pub error: Option<&'a str>,
    pub issuer: Option<&'a str>,
}

/// What comes of it, and the page to go on with.
pub enum Outcome {
    SignedIn(Box<SignedIn>, String),
    SecondFactor(FactorOwed, String),
    Linked(String),
    /// On the sign-in page where there is no other.
    Failed(Failure, Option<String>),
}

/// Take a browser back from a provider.
pub async fn oauth_finish(app: &App, client: &Client, arrival: &Arrival<'_>) -> Result<Outcome> {
    let Some((pending, linking)) = pending_take(app, arrival).await? else {
        return Ok(Outcome::Failed(Failure::StateInvalid, None));
    };
    let page = (pending.flow == Flow::Link).then(|| pending.return_to.clone());
    let failed = |failure| Ok(Outcome::Failed(failure, page.clone()));
    let code = match (arrival.code, arrival.error) {
        (Some(code), None) if !code.is_empty() => code,
        (_, Some("access_denied")) => return failed(Failure::Denied),
        _ => return failed(Failure::ProviderRefused),
    };
    // Switched off meanwhile: whoever knew its id may know that much.
    let provider = provider_find(app, &pending.provider).await?;
    let back = Return {
        code,
        nonce: &pending.nonce,
        verifier: &pending.verifier,
        redirect_uri: &pending.redirect_uri,
        issuer: arrival.issuer,
        now: app.clock.now(),
    };
    let identity = match provider::identity(&provider, &back).await {
        Ok(identity) => identity,
        Err(error) => return failed(told(&provider, &error)),
    };
    let done = match linking {
        Some((user, session)) => link(app, client, &provider, &identity, user, session).await?,
        None => login(app, client, &provider, &identity, &pending.return_to).await?,
    };
    match done {
        Ok(Outcome::Linked(_)) => Ok(Outcome::Linked(pending.return_to)),
        Ok(outcome) => Ok(outcome),
        Err(failure) => failed(failure),
    }
}

/// What was remembered under the state, if it was this browser that was sent away, and to this provider.
async fn pending_take(app: &App, arrival: &Arrival<'_>) -> Result<Option<(Pending, Option<(UserId, SessionId)>)>> {
    let Some(state) = arrival.state else { return Ok(None) };
    let mut connection = app.db.system().acquire().await?;
    let taken: Option<Challenge<Pending>> =
        challenge_take(&mut connection, app, Purpose::OAuth, &token_hash(state)).await?;
    let Some(Challenge { user, session, state: pending }) = taken else { return Ok(None) };
    // Taken also where it does not fit: a state that was seen in another browser is good for nothing any more.
    let same_browser = arrival.cookie.is_some_and(|cookie| bool::from(token_hash(cookie).ct_eq(&pending.browser)));
    if !same_browser || pending.provider != arrival.provider {
        return Ok(None);
    }
    let linking = user.zip(session);
    // A link is somebody's: what was remembered says whose, or it says nothing.
    if (pending.flow == Flow::Link) != linking.is_some() {
        return Ok(None);
    }
    Ok(Some((pending, linking)))
}

type Done = std::result::Result<Outcome, Failure>;

/// Connect it to who was signed in when the browser left.
async fn link(
    app: &App, client: &Client, provider: &OAuthProvider, identity: &Identity, user: UserId, session: SessionId,
) -> Result<Done> {
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let Some(row) = person_lock(&mut tx, user).await? else { return Ok(Err(Failure::SessionEnded)) };
    if !store::session_lives(&mut tx, user, session, now).await? {
        return Ok(Err(Failure::SessionEnded));
    }
    if factor_shown(&mut tx, user, session).await.is_err() {
        return Ok(Err(Failure::SecondFactorRequired));
    }
    match store::connected_account_find(&mut tx, &provider.id, identity).await? {
        Some(linked) if linked.user == user => return Ok(Ok(Outcome::Linked(String::new()))),
        Some(_) => return Ok(Err(Failure::LinkedElsewhere)),
        None => {}
    }
    let Some(id) = store::connected_account_insert(&mut tx, user, &provider.id, identity, now).await? else {
        return Ok(Err(Failure::LinkedAlready));
    };
    let caller = person(client, user, session, false, &row.name);
    link_note(&mut tx, &caller, provider, identity, id, &row.email).await?;
    tx.commit().await?;
    Ok(Ok(Outcome::Linked(String::new())))
}

async fn link_note(
    connection: &mut PgConnection, caller: &Caller, provider: &OAuthProvider, identity: &Identity,
    id: ConnectedAccountId, user: &str,
) -> Result<()> {
    let subject = Subject::new("connected_account", id.0, &provider.name);
    let Identity { subject: theirs, email, .. } = identity;
    let after = json!({ "user": user, "provider": provider.id, "subject": theirs, "email": email });
    audit_append(connection, None, caller, "auth.account_linked", &subject, None, Some(after)).await
}

/// Sign in whom it is connected to, or make an account where that is allowed.
async fn login(
    app: &App, client: &Client, provider: &OAuthProvider, identity: &Identity, return_to: &str,
) -> Result<Done> {
    let method = format!("oauth:{}", provider.id);
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let (user, name) = match store::connected_account_find(&mut tx, &provider.id, identity).await? {
        Some(linked) if linked.ended => {
            tx.rollback().await?;
            sign_in_refused(app, client, (linked.user, &linked.name), &method, "account_closed").await?;
            return Ok(Err(Failure::AccountClosed));
        }
        Some(linked) => {
            store::connected_account_used(&mut tx, linked.id, identity, now).await?;
            (linked.user, linked.name)
        }
        None => match sign_up(app, &mut tx, client, provider, identity).await? {
            Ok(made) => made,
            Err(failure) => return Ok(Err(failure)),
        },
    };
    if let Some(owed) = second_factor_ask(app, &mut tx, user, &method, None).await? {
        tx.commit().await?;
        return Ok(Ok(Outcome::SecondFactor(owed, return_to.to_owned())));
    }
    let proof = Proof { user, name, method, second_factor: false };
    let tokens = session_begin(app, &mut tx, client, SessionId::new(), &proof, now).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    let signed_in = signed_in(app, user, tokens).await?;
    Ok(Ok(Outcome::SignedIn(Box::new(signed_in), return_to.to_owned())))
}

/// A new account for somebody whose address the provider has verified. An account that has this address already is not
/// touched: its person signs in and connects.
async fn sign_up(
    app: &App, connection: &mut PgConnection, client: &Client, provider: &OAuthProvider, identity: &Identity,
) -> Result<std::result::Result<(UserId, String), Failure>> {
    let now = app.clock.now();
    let Some(email) = identity.email.as_deref().filter(|email| email_is_usable(email)) else {
        return Ok(Err(Failure::EmailUnverified));
    };
    if store::email_is_taken(connection, email).await? {
        return Ok(Err(Failure::AccountExists));
    }
    let signup = settings_read(connection, app).await?.signup;
    let allowed = match signup {
        SignupMode::Open => true,
        SignupMode::Invitation => store::email_is_invited(connection, email, now).await?,
        SignupMode::Closed => false,
    };
    if !allowed {
        return Ok(Err(Failure::SignupClosed));
    }
    let name = name_of(identity, email);
    // Whoever was invited has an organization to go to.
    let organization_name = (signup == SignupMode::Open).then(|| own_organization(&name, None));
    let new = NewAccount { email, name: &name, password_hash: None, organization_name };
    let Some(user) = account_create(connection, client, &new, now).await? else {
        return Ok(Err(Failure::AccountExists));
    };
    let Some(id) = store::connected_account_insert(connection, user, &provider.id, identity, now).await? else {
        return Ok(Err(Failure::LinkedElsewhere));
    };
    let caller = person(client, user, SessionId(uuid::Uuid::nil()), false, &name);
    link_note(connection, &caller, provider, identity, id, email).await?;
    Ok(Ok((user, name)))
}

/// Whether an address that a provider names can be one of ours.
fn email_is_usable(email: &str) -> bool {
    let parts = email.split_once('@');
    email.len() <= 254
        && email.chars().all(|c| !c.is_control() && !c.is_whitespace())
        && parts.is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.') && !domain.contains('@'))
}

/// The caller's accounts elsewhere, and whether they have a password beside them.
pub async fn connected_account_list(caller: &Caller, app: &App) -> Result<(List<ConnectedAccount>, bool)> {
    let (user, _) = caller.person()?;
    let providers = oauth_providers(app).await?;
    let mut connection = app.db.system().acquire().await?;
    let rows = store::connected_account_list(&mut connection, user).await?;
    let has_password = ways_in(&mut connection, user).await?.password;
    let shown = |row: store::Row| {
        let provider = providers.iter().find(|provider| provider.id == row.provider);
        ConnectedAccount {
            id: row.id,
            provider_name: provider.map_or_else(|| row.provider.clone(), |provider| provider.name.clone()),
            provider: row.provider,
            email: row.email,
            name: row.name,
            last_used_at: row.last_used_at,
            created_at: row.created_at,
        }
    };
    Ok((List::whole(rows.into_iter().map(shown).collect()), has_password))
}

/// Disconnect an account; never the last way in.
pub async fn connected_account_delete(caller: &Caller, app: &App, id: ConnectedAccountId) -> Result<()> {
    let (user, _) = caller.person()?;
    let providers = provider_ids(app).await?;
    let mut tx = app.db.system().begin().await?;
    let person = person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    let row = store::connected_account_delete(&mut tx, user, id).await?;
    let row = row.ok_or(Error::NotFound("connected account"))?;
    way_in_left(&ways_in(&mut tx, user).await?, &providers)?;
    let subject = Subject::new("connected_account", id.0, &row.provider);
    let before = json!({ "user": person.email, "provider": row.provider, "email": row.email });
    audit_append(&mut tx, None, caller, "auth.account_unlinked", &subject, Some(before), None).await?;
    tx.commit().await?;
    Ok(())
}
