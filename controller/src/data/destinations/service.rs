//! The rules of destinations: they are the whole organization's, are tried before they are kept, and their secrets go to
//! no other place than the one that they were given for.

use super::model::{
    Destination, DestinationInput, Encryption, LOCAL_NAME, NewSecret, local_place, place_checked, recipients_check,
};
use super::store::{self, DestinationFilter};
use super::work::{self, Found, refused};
use crate::app::App;
use crate::data::backups::store::backup_count_at;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::bus::Signal;
use crate::platform::http::{Ctx, IfMatch, List, Page};
use crate::platform::secrets::store::{secret_add, secret_delete, secret_open};
use crate::signals::events::Subject;
use crate::signals::events::store::event_append;
use ocore_shared::ids::{DestinationId, OrganizationId, SecretId, ServerId};
use ocore_shared::protocol::storage::{Place, StorageAnswer, StorageWork};
use ocore_shared::secret::Secret;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};

pub async fn destination_list(ctx: &Ctx, app: &App, page: &Page) -> Result<List<Destination>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::destination_list(&mut connection, ctx.organization, &DestinationFilter::default(), page).await?;
    Ok(List::new(list, page, |destination| destination.id.0))
}

pub async fn destination_get(ctx: &Ctx, app: &App, id: DestinationId) -> Result<Destination> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    found(ctx, &mut connection, id).await
}

/// The one where new backups go.
pub async fn destination_get_default(ctx: &Ctx, app: &App) -> Result<Destination> {
    ctx.require_everywhere()?;
    let filter = DestinationFilter { is_default: true, ..DestinationFilter::default() };
    let mut connection = app.db.org(ctx.organization).await?;
    let list = store::destination_list(&mut connection, ctx.organization, &filter, &Page::default()).await?;
    list.into_iter().next().ok_or(Error::NotFound("backup destination"))
}

async fn found(ctx: &Ctx, connection: &mut PgConnection, id: DestinationId) -> Result<Destination> {
    let filter = DestinationFilter { id: Some(id), ..DestinationFilter::default() };
    let list = store::destination_list(connection, ctx.organization, &filter, &Page::default()).await?;
    list.into_iter().next().ok_or(Error::NotFound("backup destination"))
}

/// The destination that every organization begins with.
pub async fn destination_create_default(connection: &mut PgConnection, organization: OrganizationId) -> Result<()> {
    let input = DestinationInput {
        name: LOCAL_NAME.into(),
        config: local_place(),
        secret: NewSecret::None,
        encryption: Encryption::None,
        recipients: Vec::new(),
    };
    let id = DestinationId::new();
    store::destination_write(connection, organization, id, &input, None).await?;
    store::destination_make_default(connection, organization, id).await
}

/// Add a destination, unless trying it fails. `server`: who tries it.
pub async fn destination_create(
    ctx: &Ctx, app: &App, input: DestinationInput, server: Option<ServerId>, is_default: bool,
) -> Result<Destination> {
    ctx.require_everywhere()?;
    let mut input = fits(input)?;
    let secret = match &input.secret {
        NewSecret::Is(secret) => Some(secret.clone()),
        NewSecret::Stays | NewSecret::None => None,
    };
    let tried = tried(ctx, app, server, &mut input, secret.as_ref()).await?;
    let id = DestinationId::new();
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let secret = match &secret {
        Some(secret) => Some(secret_add(&mut tx, ctx.organization, &app.keyring, "destination", secret).await?),
        None => None,
    };
    store::destination_write(&mut tx, ctx.organization, id, &input, secret).await?;
    if is_default {
        store::destination_make_default(&mut tx, ctx.organization, id).await?;
    }
    checked(ctx, app, &mut tx, id, &tried).await?;
    let destination = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "backup_destination.created", None, Some(&destination)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(destination)
}

/// What cannot be right whatever answers there.
fn fits(input: DestinationInput) -> Result<DestinationInput> {
    let config = place_checked(input.config)?;
    recipients_check(input.encryption, &input.recipients)?;
    match (&config, &input.secret) {
        (Place::Local(_), NewSecret::Is(_)) => {
            Err(Error::field("secret", "other", "A directory of the server is opened with nothing; leave this out."))
        }
        (Place::S3(_), NewSecret::None) => {
            Err(Error::field("secret", "required", "Give the secret access key that goes with the access key."))
        }
        (Place::Sftp(_), NewSecret::None) => {
            Err(Error::field("secret", "required", "Give the user's password, or a private key without a passphrase."))
        }
        _ => Ok(DestinationInput { config, ..input }),
    }
}

/// Try it; the key that an SSH server shows the first time is the one that counts from then on.
async fn tried(
    ctx: &Ctx, app: &App, server: Option<ServerId>, input: &mut DestinationInput, secret: Option<&Secret>,
) -> Result<Found> {
    let found = work::work(ctx, app, server, (&input.config, secret), StorageWork::Probe).await?;
    refused(&found.answer)?;
    if let Place::Sftp(sftp) = &mut input.config {
        sftp.host_key = sftp.host_key.take().or_else(|| found.answer.host_key.clone());
    }
    Ok(found)
}

async fn checked(ctx: &Ctx, app: &App, connection: &mut PgConnection, id: DestinationId, found: &Found) -> Result<()> {
    store::destination_checked(connection, ctx.organization, id, found.status, &found.answer, app.clock.now()).await
}

async fn secret_of(
    ctx: &Ctx, app: &App, connection: &mut PgConnection, secret: Option<SecretId>,
) -> Result<Option<Secret>> {
    match secret {
        Some(secret) => secret_open(connection, ctx.organization, &app.keyring, secret).await,
        None => Ok(None),
    }
}

/// Change a destination. One whose place or secret changes is tried first. Its stored secret is never sent to another
/// place.
pub async fn destination_update(
    ctx: &Ctx, app: &App, id: DestinationId, if_match: IfMatch, server: Option<ServerId>,
    change: impl FnOnce(&Destination) -> Result<DestinationInput>,
) -> Result<Destination> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let before = found(ctx, &mut connection, id).await?;
    if_match.check(before.version)?;
    let mut to = fits(change(&before)?)?;
    let is_same_place = opened_alike(&before.config, &to.config);
    if before.has_secret && matches!(to.secret, NewSecret::Stays) && !is_same_place {
        let message = "Give the secret again: the stored one is for another place or user.";
        return Err(Error::field("secret", "required", message));
    }
    let opened = store::destination_lock(&mut connection, ctx.organization, id).await?;
    let stored = opened.ok_or(Error::NotFound("backup destination"))?.secret;
    let secret = match &to.secret {
        NewSecret::Is(secret) => Some(secret.clone()),
        NewSecret::Stays => secret_of(ctx, app, &mut connection, stored).await?,
        NewSecret::None => None,
    };
    // Nobody waits for a destination with a connection in hand.
    drop(connection);
    let is_tried = to.config != before.config || matches!(to.secret, NewSecret::Is(_));
    let tried = match is_tried {
        true => Some(tried(ctx, app, server, &mut to, secret.as_ref()).await?),
        false => None,
    };
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let Some(old) = store::destination_lock(&mut tx, ctx.organization, id).await? else {
        return Err(Error::NotFound("backup destination"));
    };
    if found(ctx, &mut tx, id).await?.version != before.version {
        let message = "The destination has just been changed; read it again, then retry.";
        return Err(Error::conflict("changed_meanwhile", message));
    }
    let secret = match &to.secret {
        NewSecret::Stays => old.secret,
        NewSecret::None => None,
        NewSecret::Is(secret) => {
            Some(secret_add(&mut tx, ctx.organization, &app.keyring, "destination", secret).await?)
        }
    };
    store::destination_write(&mut tx, ctx.organization, id, &to, secret).await?;
    if let Some(old) = old.secret.filter(|old| secret != Some(*old)) {
        secret_delete(&mut tx, ctx.organization, old).await?;
    }
    if let Some(tried) = &tried {
        checked(ctx, app, &mut tx, id, tried).await?;
    }
    let after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "backup_destination.updated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Whether a secret for the one is a secret for the other: the same service, and the same user there.
fn opened_alike(a: &Place, b: &Place) -> bool {
    match (a, b) {
        (Place::S3(a), Place::S3(b)) => {
            (&a.endpoint, &a.access_key_id, &a.ca_certificate) == (&b.endpoint, &b.access_key_id, &b.ca_certificate)
        }
        (Place::Sftp(a), Place::Sftp(b)) => {
            (&a.host, a.port, &a.username, &a.host_key) == (&b.host, b.port, &b.username, &b.host_key)
        }
        (Place::Local(_), Place::Local(_)) => true,
        _ => false,
    }
}

/// Remove a destination with its secret. What it holds stays there.
pub async fn destination_delete(
    ctx: &Ctx, app: &App, id: DestinationId, if_match: IfMatch, dry_run: bool,
) -> Result<()> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    let opened = store::destination_lock(&mut tx, ctx.organization, id).await?;
    let before = found(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    if before.is_default {
        let message = "New backups go there; make another destination the default first.";
        return Err(Error::conflict("destination_is_default", message));
    }
    let held = backup_count_at(&mut tx, ctx.organization, id).await?;
    if held > 0 {
        let message = format!("It holds {held} backups; delete them first, or have them forgotten.");
        return Err(Error::conflict("destination_in_use", message));
    }
    if dry_run {
        return Ok(());
    }
    store::destination_delete(&mut tx, ctx.organization, id).await?;
    if let Some(secret) = opened.and_then(|opened| opened.secret) {
        secret_delete(&mut tx, ctx.organization, secret).await?;
    }
    tell(ctx, &mut tx, "backup_destination.deleted", Some(&before), None).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(())
}

/// New backups go there from now on.
pub async fn destination_activate(ctx: &Ctx, app: &App, id: DestinationId, if_match: IfMatch) -> Result<Destination> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    store::destination_lock(&mut tx, ctx.organization, id).await?;
    let before = found(ctx, &mut tx, id).await?;
    if_match.check(before.version)?;
    if before.is_default {
        return Ok(before);
    }
    store::destination_make_default(&mut tx, ctx.organization, id).await?;
    let after = found(ctx, &mut tx, id).await?;
    tell(ctx, &mut tx, "backup_destination.activated", Some(&before), Some(&after)).await?;
    tx.commit().await?;
    app.bus.send(Signal::EventsAppended);
    Ok(after)
}

/// Write something there, read it, remove it, with what is stored.
pub async fn destination_test(
    ctx: &Ctx, app: &App, id: DestinationId, server: Option<ServerId>,
) -> Result<Destination> {
    let found = asked(ctx, app, id, server, Some("backup_destination.tested"), StorageWork::Probe).await?;
    let mut connection = app.db.org(ctx.organization).await?;
    checked(ctx, app, &mut connection, id, &found).await?;
    self::found(ctx, &mut connection, id).await
}

/// Buckets that its credential sees.
pub async fn bucket_list(ctx: &Ctx, app: &App, id: DestinationId, server: Option<ServerId>) -> Result<StorageAnswer> {
    let found = asked(ctx, app, id, server, None, StorageWork::Buckets).await?;
    refused(&found.answer)?;
    Ok(found.answer)
}

/// Make a bucket with its credential.
pub async fn bucket_create(
    ctx: &Ctx, app: &App, id: DestinationId, server: Option<ServerId>, name: String,
) -> Result<StorageAnswer> {
    let work = StorageWork::BucketCreate(name);
    let found = asked(ctx, app, id, server, Some("backup_destination.bucket_created"), work).await?;
    refused(&found.answer)?;
    Ok(found.answer)
}

async fn asked(
    ctx: &Ctx, app: &App, id: DestinationId, server: Option<ServerId>, action: Option<&str>, work: StorageWork,
) -> Result<Found> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    let destination = found(ctx, &mut connection, id).await?;
    if work != StorageWork::Probe && !matches!(destination.config, Place::S3(_)) {
        return Err(Error::Unprocessable {
            code: "destination_has_no_buckets",
            message: "Only destinations of kind s3 have buckets.".into(),
        });
    }
    let opened = store::destination_lock(&mut connection, ctx.organization, id).await?;
    let stored = opened.and_then(|opened| opened.secret);
    let secret = secret_of(ctx, app, &mut connection, stored).await?;
    if let Some(action) = action {
        let subject = Subject::new("backup_destination", id.0, &destination.name);
        audit_append(&mut connection, Some(ctx.organization), &ctx.caller, action, &subject, None, None).await?;
    }
    drop(connection);
    work::work(ctx, app, server, (&destination.config, secret.as_ref()), work).await
}

async fn tell(
    ctx: &Ctx, connection: &mut PgConnection, action: &str, before: Option<&Destination>, after: Option<&Destination>,
) -> Result<()> {
    let Some(destination) = after.or(before) else { return Ok(()) };
    let subject = Subject::new("backup_destination", destination.id.0, &destination.name);
    let value = |destination: &Destination| serde_json::to_value(destination).map_err(Error::internal);
    let (before, after): (Option<Value>, Option<Value>) =
        (before.map(value).transpose()?, after.map(value).transpose()?);
    audit_append(connection, Some(ctx.organization), &ctx.caller, action, &subject, before, after).await?;
    event_append(connection, ctx.organization, action, ctx.actor(), &subject, json!({})).await
}
