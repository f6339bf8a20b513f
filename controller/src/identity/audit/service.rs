//! Reading, exporting and verifying the log.

use super::chain::PLATFORM;
use super::chain::store as chain_store;
use super::model::{AuditEntry, AuditFilter, ExportFormat, Whose};
use super::store;
use super::verify::{Verification, chain_verify};
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::authentication::{admin_still, still_allowed};
use crate::platform::http::{Caller, Ctx, List, Page};
use crate::signals::events::Subject;
use bytes::Bytes;
use futures::Stream;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::collections::BTreeSet;
use uuid::Uuid;

/// Entries that an export reads at once.
const EXPORT_BATCH: i64 = 500;

pub async fn audit_list(ctx: &Ctx, app: &App, filter: &AuditFilter, page: &Page) -> Result<List<AuditEntry>> {
    ctx.require_everywhere()?;
    let mut connection = app.db.org(ctx.organization).await?;
    list(&mut connection, Whose::One(ctx.organization), filter, page).await
}

/// Entries of every organization and of the platform, or of one organization.
pub async fn admin_audit_list(app: &App, whose: Whose, filter: &AuditFilter, page: &Page) -> Result<List<AuditEntry>> {
    let mut connection = app.db.system().acquire().await?;
    list(&mut connection, whose, filter, page).await
}

async fn list(
    connection: &mut PgConnection, whose: Whose, filter: &AuditFilter, page: &Page,
) -> Result<List<AuditEntry>> {
    let entries = store::audit_list(connection, whose, filter, page.before()?, page.fetch()).await?;
    Ok(List::new(entries, page, |entry| entry.id.0))
}

/// Note that the log leaves the house.
async fn export_note(
    connection: &mut PgConnection, caller: &Caller, whose: Whose, format: ExportFormat, filter: &AuditFilter,
) -> Result<()> {
    let organization = whose.organization();
    let subject = Subject::new("audit_log", organization.map_or(PLATFORM, |o| o.0), "Audit log");
    let after = json!({ "format": format, "filter": filter });
    store::audit_append(connection, organization, caller, "audit_log.exported", &subject, None, Some(after)).await
}

/// The organization's entries, newest first, as long as the caller may read them.
pub async fn audit_export(
    ctx: Ctx, app: App, filter: AuditFilter, format: ExportFormat,
) -> Result<impl Stream<Item = Result<Bytes>> + Send> {
    ctx.require_everywhere()?;
    let whose = Whose::One(ctx.organization);
    let mut connection = app.db.org(ctx.organization).await?;
    let mut tx = connection.begin().await?;
    export_note(&mut tx, &ctx.caller, whose, format, &filter).await?;
    tx.commit().await?;
    drop(connection);
    Ok(exported(app, Exporter::Member(ctx), whose, filter, format))
}

/// The same across organizations, as long as the caller is the administrator.
pub async fn admin_audit_export(
    caller: Caller, app: App, whose: Whose, filter: AuditFilter, format: ExportFormat,
) -> Result<impl Stream<Item = Result<Bytes>> + Send> {
    let mut tx = app.db.system().begin().await?;
    export_note(&mut tx, &caller, whose, format, &filter).await?;
    tx.commit().await?;
    Ok(exported(app, Exporter::Administrator(caller), whose, filter, format))
}

/// Whoever reads an export, for as long as it takes.
enum Exporter {
    Member(Ctx),
    Administrator(Caller),
}

impl Exporter {
    /// The next entries. Each batch gives its connection back, however slowly it is read.
    async fn batch(
        &self, app: &App, whose: Whose, filter: &AuditFilter, before: Option<Uuid>,
    ) -> Result<Vec<AuditEntry>> {
        match self {
            Self::Member(ctx) => {
                let mut connection = app.db.org(ctx.organization).await?;
                store::audit_list(&mut connection, whose, filter, before, EXPORT_BATCH).await
            }
            Self::Administrator(_) => {
                let mut connection = app.db.system().acquire().await?;
                store::audit_list(&mut connection, whose, filter, before, EXPORT_BATCH).await
            }
        }
    }

    async fn still_may(&self, app: &App) -> bool {
        match self {
            Self::Member(ctx) => still_allowed(app, ctx).await,
            Self::Administrator(caller) => admin_still(app, caller).await,
        }
    }
}

fn exported(
    app: App, exporter: Exporter, whose: Whose, filter: AuditFilter, format: ExportFormat,
) -> impl Stream<Item = Result<Bytes>> + Send {
    async_stream::try_stream! {
        yield format.head()?;
        let mut before = None;
        loop {
            let entries = exporter.batch(&app, whose, &filter, before).await?;
            yield format.entries(&entries)?;
            if (entries.len() as i64) < EXPORT_BATCH {
                return;
            }
            before = entries.last().map(|entry| entry.id.0);
            if !exporter.still_may(&app).await {
                let text = "The right to read the audit log ended while it was exported.";
                Err(Error::forbidden("permission_denied", text))?;
            }
        }
    }
}

/// Verify the organization's chain.
pub async fn audit_verify(ctx: &Ctx, app: &App) -> Result<Verification> {
    ctx.require_everywhere()?;
    let _place = app.audit.verifying.acquire().await.map_err(Error::internal)?;
    let mut connection = app.db.org(ctx.organization).await?;
    verify(&mut connection, app, ctx.organization.0).await
}

/// Verify every chain: the platform's, each organization's, and those of organizations that are gone.
pub async fn admin_audit_verify(app: &App) -> Result<Vec<Verification>> {
    let _place = app.audit.verifying.acquire().await.map_err(Error::internal)?;
    let mut all: BTreeSet<Uuid> = app.audit.sinks.chains().await.map_err(Error::Internal)?.into_iter().collect();
    all.extend(chain_store::chain_list(app.db.system()).await?.into_iter().map(|chain| chain.head.organization_id));
    all.insert(PLATFORM);
    let mut found = Vec::with_capacity(all.len());
    for organization in all {
        let mut connection = app.db.system().acquire().await?;
        found.push(verify(&mut connection, app, organization).await?);
    }
    Ok(found)
}

async fn verify(connection: &mut PgConnection, app: &App, organization: Uuid) -> Result<Verification> {
    // Heads are kept after the commit that seals: those that are read before the snapshot are all in it.
    let kept = app.audit.sinks.of(organization).await.map_err(Error::Internal)?;
    let mut tx = connection.begin().await?;
    chain_store::snapshot_begin(&mut tx).await?;
    let found = chain_verify(&mut tx, &app.audit.signer, organization, kept).await?;
    tx.rollback().await?;
    if let Some(problem) = &found.problem {
        let (seq, kind) = (problem.seq, problem.kind);
        tracing::error!(%organization, seq, ?kind, "the audit log was tampered with: {}", problem.message);
    }
    Ok(found)
}
