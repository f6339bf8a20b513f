//! The rules of second factors.

use super::model::{Code, Enrollment, OWED_LIFE, TotpKey, TotpStatus, recovery_codes_make, recovery_hash, tries_key};
use super::store::{self, FactorPerson};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::model::{Proof, SignedIn};
use crate::identity::auth::refusal::sign_in_refused;
use crate::identity::auth::service::{caller_of_host, session_begin, signed_in};
use crate::identity::authentication::Client;
use crate::identity::challenges::{Challenge, NewChallenge, Purpose, challenge_peek, challenge_put, challenge_take};
use crate::platform::http::Caller;
use crate::platform::secrets::{token_hash, token_make};
use crate::signals::events::Subject;
use ocore_shared::ids::{SecretId, SessionId, UserId};
use ocore_shared::secret::Secret;
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::PgConnection;

/// A second factor that must be shown before there is a session.
pub struct FactorOwed {
    pub token: Secret,
    pub methods: Vec<&'static str>,
    /// Seconds.
    pub expires_in: i64,
}

/// What is remembered of the first factor.
#[derive(Serialize, Deserialize)]
pub struct Owed {
    /// How the first factor was shown, e.g. `password`.
    pub method: String,
    /// Tells whether the password is still the one that was shown.
    password_mark: Option<String>,
}

impl Owed {
    /// Both factors were shown.
    pub fn proof(&self, user: UserId, name: String, second: &str) -> Proof {
        Proof { user, name, method: format!("{}+{second}", self.method), second_factor: true }
    }
}

/// The first factor was right: None where it is enough, else what is to be shown next. Codes are asked for once an
/// authenticator app is set up; then a passkey does as well.
pub async fn second_factor_ask(
    app: &App, connection: &mut PgConnection, user: UserId, method: &str, password_hash: Option<&str>,
) -> Result<Option<FactorOwed>> {
    let factors = store::factors_get(connection, user).await?;
    if !factors.totp {
        return Ok(None);
    }
    let token = token_make();
    let state = Owed { method: method.into(), password_mark: password_hash.map(password_mark) };
    let challenge = NewChallenge {
        purpose: Purpose::SecondFactor,
        token_hash: &token_hash(token.expose()),
        user: Some(user),
        session: None,
        state: &state,
        life: OWED_LIFE,
    };
    challenge_put(connection, app, &challenge).await?;
    let mut methods = vec!["totp"];
    if factors.recovery_codes > 0 {
        methods.push("recovery_code");
    }
    if factors.passkeys > 0 {
        methods.push("passkey");
    }
    Ok(Some(FactorOwed { token, methods, expires_in: OWED_LIFE.num_seconds() }))
}

fn password_mark(hash: &str) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD.encode(token_hash(hash))
}

/// Whose sign-in waits for a second factor under this token.
pub async fn owed_peek(connection: &mut PgConnection, app: &App, token: &[u8]) -> Result<UserId> {
    let found: Option<Challenge<Owed>> = challenge_peek(connection, app, Purpose::SecondFactor, token).await?;
    found.and_then(|challenge| challenge.user).ok_or_else(owed_gone)
}

/// Take the token, with its person locked; refused where the account or its password has changed meanwhile.
pub async fn owed_take(connection: &mut PgConnection, app: &App, token: &[u8]) -> Result<(UserId, FactorPerson, Owed)> {
    // The person first: everything that concerns them is locked in this order.
    let user = owed_peek(connection, app, token).await?;
    let person = store::person_lock(connection, user).await?.filter(|person| !person.ended).ok_or_else(owed_gone)?;
    let taken: Option<Challenge<Owed>> = challenge_take(connection, app, Purpose::SecondFactor, token).await?;
    let state = taken.filter(|challenge| challenge.user == Some(user)).ok_or_else(owed_gone)?.state;
    if state.password_mark.is_some() && state.password_mark != person.password_hash.as_deref().map(password_mark) {
        return Err(owed_gone());
    }
    Ok((user, person, state))
}

fn owed_gone() -> Error {
    Error::Unauthenticated {
        code: "mfa_token_invalid",
        message: "This sign-in has been finished or has taken too long; begin again with your password.".into(),
    }
}

/// Finish a sign-in with a code of the app or a recovery code. Of many with one code at once, one gets a session.
pub async fn login_totp(app: &App, client: &Client, token: &Secret, typed: &Secret) -> Result<SignedIn> {
    let code = Code::read("code", typed)?;
    let token = token_hash(token.expose());
    let mut connection = app.db.system().acquire().await?;
    let user = owed_peek(&mut connection, app, &token).await?;
    drop(connection);
    try_begin(app, user).await?;

    let mut tx = app.db.system().begin().await?;
    let (user, person, owed) = owed_take(&mut tx, app, &token).await?;
    let proof = owed.proof(user, person.name, code.method());
    if !code_spend(app, &mut tx, user, &code).await? {
        // The token stays good for another try.
        tx.rollback().await?;
        sign_in_refused(app, client, (user, &proof.name), &proof.method, "wrong_code").await?;
        return Err(Error::Unauthenticated {
            code: "wrong_code",
            message: "The code is wrong, or was used before; wait for the next one and try again.".into(),
        });
    }
    store::tries_clear(&mut tx, &tries_key(user)).await?;
    let tokens = session_begin(app, &mut tx, client, SessionId::new(), &proof, app.clock.now()).await?;
    tx.commit().await?;
    signed_in(app, user, tokens).await
}

/// Count a try; refused when there were too many within a minute.
async fn try_begin(app: &App, user: UserId) -> Result<()> {
    let now = app.clock.now();
    let Some(until) = store::try_take(app.db.system(), &tries_key(user), now).await? else { return Ok(()) };
    let retry_after = u64::try_from((until - now).num_seconds() + 1).unwrap_or(1);
    let message = format!("Too many codes were tried; try again in {retry_after} s.");
    Err(Error::RateLimited { message, retry_after })
}

/// Whether the code is right and was not used before; then it is used now.
async fn code_spend(app: &App, connection: &mut PgConnection, user: UserId, code: &Code) -> Result<bool> {
    let now = app.clock.now();
    match code {
        Code::Totp(code) => {
            let Some(row) = store::totp_get(connection, user).await?.filter(|row| row.confirmed_at.is_some()) else {
                return Ok(false);
            };
            match key_open(app, &row, "")?.step_of(code.expose(), now) {
                Some(step) => store::totp_step_spend(connection, user, step).await,
                None => Ok(false),
            }
        }
        Code::Recovery(code) => {
            let hash = recovery_hash(recovery_key(app).as_slice(), user, code.expose());
            store::recovery_code_spend(connection, user, &hash, now).await
        }
    }
}

fn key_open(app: &App, row: &store::TotpRow, email: &str) -> Result<TotpKey> {
    let bytes = app.keyring.unseal(&seal_context(row.secret), &row.sealed).map_err(Error::Internal)?;
    TotpKey::new(&bytes, email)
}

fn recovery_key(app: &App) -> zeroize::Zeroizing<[u8; 32]> {
    app.keyring.derive("recovery codes")
}

fn seal_context(secret: SecretId) -> String {
    format!("secrets {secret}")
}

/// Whether the person's second factor is on.
pub async fn totp_get(caller: &Caller, app: &App) -> Result<TotpStatus> {
    let (user, _) = caller.person()?;
    let mut connection = app.db.system().acquire().await?;
    let factors = store::factors_get(&mut connection, user).await?;
    Ok(TotpStatus {
        enabled: factors.totp,
        enabled_at: factors.totp_at,
        pending: factors.totp_pending,
        recovery_codes_left: factors.recovery_codes,
    })
}

/// A new key for an app. Nothing is asked for until a code of it was shown; enrolling again replaces it until then.
pub async fn totp_enroll(caller: &Caller, app: &App) -> Result<Enrollment> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let person = store::person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    if store::totp_get(&mut tx, user).await?.is_some_and(|row| row.confirmed_at.is_some()) {
        return Err(totp_enabled());
    }
    store::totp_delete(&mut tx, user).await?;
    let bytes = zeroize::Zeroizing::new(TotpKey::new_bytes());
    let enrollment = TotpKey::new(bytes.as_slice(), &person.email)?.enrollment()?;
    let secret = SecretId::new();
    let sealed = app.keyring.seal(&seal_context(secret), bytes.as_slice());
    store::totp_insert(&mut tx, user, secret, &sealed, app.clock.now()).await?;
    note(&mut tx, caller, user, &person, "auth.totp_enrolled").await?;
    tx.commit().await?;
    Ok(enrollment)
}

/// Show the first code of the new key: from now on it is asked for. Answers the recovery codes, this once.
pub async fn totp_verify(caller: &Caller, app: &App, typed: &Secret) -> Result<Vec<String>> {
    let (user, session) = caller.person()?;
    let Code::Totp(code) = Code::read("code", typed)? else {
        return Err(Error::field("code", "pattern", "The code of the app has six digits."));
    };
    try_begin(app, user).await?;
    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let person = store::person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    let row = store::totp_get(&mut tx, user).await?.ok_or_else(|| {
        Error::conflict("totp_not_enrolled", "There is no key yet; begin with POST /api/user/totp/enroll.")
    })?;
    if row.confirmed_at.is_some() {
        return Err(totp_enabled());
    }
    let step = key_open(app, &row, &person.email)?.step_of(code.expose(), now).ok_or_else(wrong_code)?;
    if !store::totp_step_spend(&mut tx, user, step).await? {
        return Err(wrong_code());
    }
    store::totp_confirm(&mut tx, user, now).await?;
    let codes = recovery_codes_replace(app, &mut tx, user).await?;
    store::session_mark(&mut tx, session).await?;
    store::tries_clear(&mut tx, &tries_key(user)).await?;
    note(&mut tx, caller, user, &person, "auth.totp_enabled").await?;
    tx.commit().await?;
    app.auth.forget_session(session).await;
    Ok(codes)
}

/// Ask for no codes any more. Needs a code.
pub async fn totp_disable(caller: &Caller, app: &App, typed: &Secret) -> Result<()> {
    let (user, _) = caller.person()?;
    let (mut tx, person) = code_confirm(caller, app, typed).await?;
    let lost = totp_remove(&mut tx, user).await?;
    note(&mut tx, caller, user, &person, "auth.totp_disabled").await?;
    tx.commit().await?;
    sessions_forget(app, &lost).await;
    Ok(())
}

/// Take a person's key and recovery codes away, in the caller's transaction, which writes the audit row. The sessions
/// that no longer count as signed in with a second factor are to be forgotten after the commit ([`sessions_forget`]).
pub async fn totp_remove(connection: &mut PgConnection, user: UserId) -> Result<Vec<SessionId>> {
    store::totp_delete(connection, user).await?;
    store::sessions_unmark(connection, user).await
}

/// The same from the host's shell: the way back in for who has lost phone and recovery codes.
pub async fn totp_remove_by_host(app: &App, email: &str) -> Result<()> {
    let mut tx = app.db.system().begin().await?;
    let user = store::person_by_email(&mut tx, email.trim()).await?.ok_or(Error::NotFound("user"))?;
    let person = store::person_lock(&mut tx, user).await?.ok_or(Error::NotFound("user"))?;
    let lost = totp_remove(&mut tx, user).await?;
    note(&mut tx, &caller_of_host(), user, &person, "auth.totp_disabled").await?;
    tx.commit().await?;
    sessions_forget(app, &lost).await;
    Ok(())
}

/// This replica knows it at once, the others in a moment.
pub async fn sessions_forget(app: &App, sessions: &[SessionId]) {
    for session in sessions {
        app.auth.forget_session(*session).await;
    }
}

/// A new set of recovery codes; those before are void. Needs a code.
pub async fn recovery_codes_create(caller: &Caller, app: &App, typed: &Secret) -> Result<Vec<String>> {
    let (user, _) = caller.person()?;
    let (mut tx, person) = code_confirm(caller, app, typed).await?;
    let codes = recovery_codes_replace(app, &mut tx, user).await?;
    note(&mut tx, caller, user, &person, "auth.recovery_codes_replaced").await?;
    tx.commit().await?;
    Ok(codes)
}

/// A transaction in which a code was spent, with the person locked.
async fn code_confirm(
    caller: &Caller, app: &App, typed: &Secret,
) -> Result<(sqlx::Transaction<'static, sqlx::Postgres>, FactorPerson)> {
    let (user, _) = caller.person()?;
    let code = Code::read("code", typed)?;
    try_begin(app, user).await?;
    let mut tx = app.db.system().begin().await?;
    let person = store::person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    if !store::factors_get(&mut tx, user).await?.totp {
        return Err(Error::conflict("totp_not_enabled", "No second factor is set up."));
    }
    if !code_spend(app, &mut tx, user, &code).await? {
        return Err(wrong_code());
    }
    store::tries_clear(&mut tx, &tries_key(user)).await?;
    Ok((tx, person))
}

async fn recovery_codes_replace(app: &App, connection: &mut PgConnection, user: UserId) -> Result<Vec<String>> {
    let codes = recovery_codes_make();
    let key = recovery_key(app);
    let hashes: Vec<_> = codes.iter().map(|code| recovery_hash(key.as_slice(), user, code)).collect();
    store::recovery_codes_set(connection, user, &hashes).await?;
    Ok(codes)
}

async fn note(
    connection: &mut PgConnection, caller: &Caller, user: UserId, person: &FactorPerson, action: &str,
) -> Result<()> {
    let subject = Subject::new("user", user.0, &person.name);
    audit_append(connection, None, caller, action, &subject, None, Some(json!({ "email": person.email }))).await
}

/// Another way in may be added only by who has shown every factor that is set up: a session from before codes were
/// asked for, or a stolen one, must not outlive them.
pub async fn factor_shown(connection: &mut PgConnection, user: UserId, session: SessionId) -> Result<()> {
    if store::factors_get(connection, user).await?.totp && !store::session_is_marked(connection, session).await? {
        return Err(Error::forbidden(
            "second_factor_required",
            "This session began without your second factor; sign in again with it, then do this.",
        ));
    }
    Ok(())
}

/// Refuse what would leave a person no way in. `providers` are those that people can sign in with.
pub fn way_in_left(left: &store::WaysIn, providers: &[String]) -> Result<()> {
    if left.password || left.passkeys > 0 || left.providers.iter().any(|provider| providers.contains(provider)) {
        return Ok(());
    }
    Err(Error::conflict(
        "last_way_in",
        "This is your last way to sign in; set a password, or add a passkey or a connected account first.",
    ))
}

fn totp_enabled() -> Error {
    Error::conflict(
        "totp_enabled",
        "The second factor is on already; switch it off first (POST /api/user/totp/disable).",
    )
}

fn wrong_code() -> Error {
    Error::forbidden("wrong_code", "The code is wrong, or was used before; wait for the next one and try again.")
}
