//! The rules of passkeys.

use super::model::{
    CHALLENGE_LIFE, MOST, Passkey, Registering, SigningIn, Who, challenge_of, challenge_text, id_text, named_by_device,
    refusal_text,
};
use super::site::Site;
use super::store::{self, Answering, NewPasskey, Usable};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::identity::auth::model::{Proof, SignedIn};
use crate::identity::auth::refusal::sign_in_refused;
use crate::identity::auth::service::{session_begin, signed_in};
use crate::identity::authentication::Client;
use crate::identity::challenges::{Challenge, NewChallenge, Purpose, challenge_put, challenge_take};
use crate::identity::oauth::service::provider_ids;
use crate::identity::second_factors::service::{factor_shown, owed_peek, owed_take, sessions_forget, way_in_left};
use crate::identity::second_factors::store::{person_lock, session_mark, sessions_unmark, ways_in};
use crate::platform::http::{Caller, IfMatch, List};
use crate::platform::secrets::token_hash;
use crate::signals::events::Subject;
use ocore_shared::ids::{PasskeyId, SessionId, UserId};
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use webauthn_rs::fake::{FakePasskeyDistribution, WebauthnFakeCredentialGenerator};
use webauthn_rs::prelude::{PublicKeyCredential, RegisterPublicKeyCredential, WebauthnError};

const SIGN_IN: &str = "passkey";

pub async fn passkey_list(caller: &Caller, app: &App) -> Result<List<Passkey>> {
    let (user, _) = caller.person()?;
    let mut connection = app.db.system().acquire().await?;
    Ok(List::whole(store::passkey_list(&mut connection, user).await?))
}

/// What `navigator.credentials.create()` takes for a new passkey of the caller.
pub async fn passkey_register_begin(
    caller: &Caller, app: &App, origin: Option<&str>, device_name: &str,
) -> Result<Value> {
    let (user, session) = caller.person()?;
    let site = Site::of(app, origin)?;
    let mut tx = app.db.system().begin().await?;
    factor_shown(&mut tx, user, session).await?;
    let person = person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    room_left(&mut tx, user).await?;
    let known = store::passkeys_usable(&mut tx, user, &site.host).await?;
    let known = known.into_iter().map(|passkey| passkey.credential_id).collect();
    let (options, state) = site
        .webauthn()?
        .start_passkey_registration(user.0, &person.email, &person.name, Some(known))
        .map_err(Error::internal)?;
    let challenge = challenge_text(&options.public_key.challenge);
    let mut options = serde_json::to_value(&options).map_err(Error::internal)?;
    // Only a passkey that the device can find by itself signs in without an address.
    options["publicKey"]["authenticatorSelection"]["residentKey"] = json!("required");
    options["publicKey"]["authenticatorSelection"]["requireResidentKey"] = json!(true);
    let state = Registering { host: site.host, device_name: device_name.to_owned(), state };
    let new = NewChallenge {
        purpose: Purpose::PasskeyRegister,
        token_hash: &token_hash(&challenge),
        user: Some(user),
        session: Some(session),
        state: &state,
        life: CHALLENGE_LIFE,
    };
    challenge_put(&mut tx, app, &new).await?;
    tx.commit().await?;
    Ok(options)
}

async fn room_left(connection: &mut sqlx::PgConnection, user: UserId) -> Result<()> {
    if ways_in(connection, user).await?.passkeys < MOST {
        return Ok(());
    }
    let message = format!("You have {MOST} passkeys, which is the most; remove one first.");
    Err(Error::conflict("too_many_passkeys", message))
}

/// Keep what the browser made. The session counts as one with a second factor from now on.
pub async fn passkey_register_finish(
    caller: &Caller, app: &App, credential: &RegisterPublicKeyCredential, transports: &[String],
) -> Result<Passkey> {
    let (user, session) = caller.person()?;
    let over = || Error::Unprocessable {
        code: "passkey_challenge_expired",
        message: "This registration is over or took too long; begin again.".into(),
    };
    let challenge = challenge_of(&credential.response.client_data_json).ok_or_else(over)?;
    let mut connection = app.db.system().acquire().await?;
    let begun: Option<Challenge<Registering>> =
        challenge_take(&mut connection, app, Purpose::PasskeyRegister, &token_hash(&challenge)).await?;
    drop(connection);
    let begun = begun.filter(|begun| begun.user == Some(user) && begun.session == Some(session)).ok_or_else(over)?;
    let Registering { host, device_name, state } = begun.state;
    let stored =
        Site::again(app, &host)?.webauthn()?.finish_passkey_registration(credential, &state).map_err(|error| {
            tracing::info!(%error, "a passkey was not registered");
            Error::Unprocessable { code: "passkey_refused", message: refusal_text(&error).into() }
        })?;

    let now = app.clock.now();
    let mut tx = app.db.system().begin().await?;
    let person = person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    // What was asked at the beginning is asked again where it counts.
    factor_shown(&mut tx, user, session).await?;
    room_left(&mut tx, user).await?;
    let new = NewPasskey { user, name: &device_name, host: &host, credential: &stored, transports, now };
    let id = store::passkey_insert(&mut tx, &new).await?;
    let passkey = store::passkey_lock(&mut tx, user, id).await?.ok_or(Error::NotFound("passkey"))?;
    session_mark(&mut tx, session).await?;
    let after = json!({ "user": person.email, "device_name": device_name, "host": host });
    let subject = Subject::new("passkey", id.0, &device_name);
    audit_append(&mut tx, None, caller, "auth.passkey_registered", &subject, None, Some(after)).await?;
    tx.commit().await?;
    app.auth.forget_session(session).await;
    Ok(passkey)
}

/// Give a passkey another name.
pub async fn passkey_update(
    caller: &Caller, app: &App, id: PasskeyId, if_match: IfMatch, change: impl FnOnce(&Passkey) -> Result<String>,
) -> Result<Passkey> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let before = store::passkey_lock(&mut tx, user, id).await?.ok_or(Error::NotFound("passkey"))?;
    if_match.check(before.version)?;
    let name = change(&before)?;
    store::passkey_rename(&mut tx, user, id, &name, app.clock.now()).await?;
    let after = store::passkey_lock(&mut tx, user, id).await?.ok_or(Error::NotFound("passkey"))?;
    let subject = Subject::new("passkey", id.0, &after.device_name);
    let value = |passkey: &Passkey| serde_json::to_value(passkey).map_err(Error::internal);
    let (earlier, later) = (value(&before)?, value(&after)?);
    audit_append(&mut tx, None, caller, "auth.passkey_renamed", &subject, Some(earlier), Some(later)).await?;
    tx.commit().await?;
    Ok(after)
}

/// Remove a passkey; never the last way in.
pub async fn passkey_delete(caller: &Caller, app: &App, id: PasskeyId, if_match: IfMatch) -> Result<()> {
    let (user, _) = caller.person()?;
    let providers = provider_ids(app).await?;
    let mut tx = app.db.system().begin().await?;
    // Whoever removes two ways at once does it one after the other.
    person_lock(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    let before = store::passkey_lock(&mut tx, user, id).await?.ok_or(Error::NotFound("passkey"))?;
    if_match.check(before.version)?;
    store::passkey_delete(&mut tx, user, id).await?;
    way_in_left(&ways_in(&mut tx, user).await?, &providers)?;
    let lost = sessions_unmark(&mut tx, user).await?;
    let subject = Subject::new("passkey", id.0, &before.device_name);
    let earlier = serde_json::to_value(&before).map_err(Error::internal)?;
    audit_append(&mut tx, None, caller, "auth.passkey_removed", &subject, Some(earlier), None).await?;
    tx.commit().await?;
    sessions_forget(app, &lost).await;
    Ok(())
}

/// How a sign-in by passkey begins.
pub enum Begin<'a> {
    /// The device knows who it is.
    Anybody,
    Email(&'a str),
    /// After a password, under the token that waits for a second factor.
    SecondFactor(&'a Secret),
}

/// What `navigator.credentials.get()` takes. Whether an address is known makes no difference to be seen.
pub async fn passkey_login_begin(app: &App, origin: Option<&str>, begin: &Begin<'_>) -> Result<Value> {
    let site = Site::of(app, origin)?;
    let mut connection = app.db.system().acquire().await?;
    let mut owed = None;
    let (who, allowed) = match begin {
        Begin::Anybody => (Who::Anybody, vec![]),
        Begin::Email(email) => {
            let user = store::person_by_email(app.db.system(), email.trim()).await?;
            let usable = match user {
                Some(user) => store::passkeys_usable(&mut connection, user, &site.host).await?,
                None => vec![],
            };
            match user {
                // How a device is reached would tell real passkeys from made-up ones.
                Some(user) if !usable.is_empty() => (Who::Person(user), allowed(&usable, false)),
                _ => (Who::Nobody, decoys(app, email, &site.host)?),
            }
        }
        Begin::SecondFactor(token) => {
            let token = token_hash(token.expose());
            let user = owed_peek(&mut connection, app, &token).await?;
            let usable = store::passkeys_usable(&mut connection, user, &site.host).await?;
            if usable.is_empty() {
                return Err(Error::Unprocessable {
                    code: "no_passkey",
                    message: "There is no passkey of yours for this address; use a code instead.".into(),
                });
            }
            owed = Some(token);
            (Who::Person(user), allowed(&usable, true))
        }
    };
    // Always begun as if nobody were known: what counts is the passkey as it is when the answer comes.
    let (mut options, state) = site.webauthn()?.start_discoverable_authentication().map_err(Error::internal)?;
    // Whether the browser offers it while one types is for the page to choose.
    options.mediation = None;
    let challenge = challenge_text(&options.public_key.challenge);
    let mut options = serde_json::to_value(&options).map_err(Error::internal)?;
    options["publicKey"]["allowCredentials"] = Value::Array(allowed);
    let state = SigningIn { host: site.host, state, who, owed };
    let new = NewChallenge {
        purpose: Purpose::PasskeyLogin,
        token_hash: &token_hash(&challenge),
        user: None,
        session: None,
        state: &state,
        life: CHALLENGE_LIFE,
    };
    challenge_put(&mut connection, app, &new).await?;
    Ok(options)
}

fn allowed(usable: &[Usable], with_transports: bool) -> Vec<Value> {
    let one = |passkey: &Usable| {
        let mut one = json!({ "type": "public-key", "id": id_text(&passkey.credential_id) });
        if with_transports && !passkey.transports.is_empty() {
            one["transports"] = json!(passkey.transports);
        }
        one
    };
    usable.iter().map(one).collect()
}

/// Made-up passkeys for an address that has none: always the same ones, as real ones would be.
fn decoys(app: &App, email: &str, host: &str) -> Result<Vec<Value>> {
    let key = app.keyring.derive("passkey decoys");
    let generator = WebauthnFakeCredentialGenerator::<FakePasskeyDistribution>::new(key.as_slice());
    let seed = |more: u8| format!("{host} {} {more}", email.trim().to_lowercase());
    let generator = generator.map_err(Error::internal)?;
    // The generator gives some addresses none at all; a known address with passkeys is never told so.
    let mut ids = Vec::new();
    for more in 0..u8::MAX {
        ids = generator.generate(seed(more).as_bytes()).map_err(Error::internal)?;
        if !ids.is_empty() {
            break;
        }
    }
    Ok(ids.iter().map(|id| json!({ "type": "public-key", "id": id_text(id) })).collect())
}

/// Sign in with what the browser answered.
pub async fn passkey_login_finish(app: &App, client: &Client, credential: &PublicKeyCredential) -> Result<SignedIn> {
    let over = || Error::Unauthenticated {
        code: "passkey_challenge_expired",
        message: "This sign-in is over or took too long; begin again.".into(),
    };
    let challenge = challenge_of(&credential.response.client_data_json).ok_or_else(over)?;
    let mut connection = app.db.system().acquire().await?;
    // Taken whatever comes of it: each challenge has one answer.
    let begun: Option<Challenge<SigningIn>> =
        challenge_take(&mut connection, app, Purpose::PasskeyLogin, &token_hash(&challenge)).await?;
    drop(connection);
    let SigningIn { host, state, who, owed } = begun.ok_or_else(over)?.state;
    let webauthn = Site::again(app, &host)?.webauthn()?;

    let mut tx = app.db.system().begin().await?;
    let id = credential.get_credential_id();
    // The person first, as everywhere; then the passkey, so that a second answer sees the counter of the first.
    let owner = store::passkey_owner(&mut tx, id).await?.ok_or_else(refused)?;
    person_lock(&mut tx, owner).await?.ok_or_else(refused)?;
    let answering = store::passkey_answering(&mut tx, id).await?;
    let named = named_by_device(credential).transpose();
    let (Some(mut passkey), Ok(named)) = (answering, named) else { return Err(refused()) };
    if passkey.ended || passkey.host != host || !who.allows(passkey.user, named) {
        return Err(refused());
    }
    let verified = webauthn.finish_discoverable_authentication_v2(
        credential,
        state,
        webauthn_rs::prelude::Credential::from(passkey.credential.0.clone()),
    );
    let verified = match verified {
        Ok(verified) => verified,
        Err(error) => {
            tx.rollback().await?;
            return Err(unverified(app, client, &passkey, &error).await?);
        }
    };
    passkey.credential.0.update_credential(&verified);
    store::passkey_used(&mut tx, passkey.id, &passkey.credential.0, app.clock.now()).await?;
    let proof = match owed {
        Some(token) => {
            let (user, person, owed) = owed_take(&mut tx, app, &token).await?;
            if user != passkey.user {
                return Err(refused());
            }
            owed.proof(user, person.name, SIGN_IN)
        }
        None => Proof {
            user: passkey.user,
            name: passkey.user_name.clone(),
            method: SIGN_IN.into(),
            second_factor: verified.user_verified(),
        },
    };
    let tokens = session_begin(app, &mut tx, client, SessionId::new(), &proof, app.clock.now()).await?;
    tx.commit().await?;
    signed_in(app, proof.user, tokens).await
}

/// An answer of a known passkey that does not hold: noted for its person, and said.
async fn unverified(app: &App, client: &Client, passkey: &Answering, error: &WebauthnError) -> Result<Error> {
    let person = (passkey.user, passkey.user_name.as_str());
    if !matches!(error, WebauthnError::CredentialPossibleCompromise) {
        tracing::info!(%error, "a passkey's answer was refused");
        sign_in_refused(app, client, person, SIGN_IN, "passkey_refused").await?;
        return Ok(Error::Unauthenticated { code: "passkey_refused", message: refusal_text(error).into() });
    }
    tracing::warn!(passkey = %passkey.id, "a passkey's counter went back: there may be a copy of it");
    sign_in_refused(app, client, person, SIGN_IN, "passkey_copied").await?;
    Ok(Error::Unauthenticated {
        code: "passkey_copied",
        message: format!(
            "The passkey '{}' has counted backwards, which a copy of it would do. Sign in another way and remove it.",
            passkey.device_name
        ),
    })
}

fn refused() -> Error {
    Error::Unauthenticated { code: "passkey_refused", message: "This passkey does not sign in here.".into() }
}
