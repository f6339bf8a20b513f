//! What callers see of notices, and what they want to be told of.

use super::model::{Notice, NoticeChoice, NoticeKind, NoticeKindView};
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::identity::audit::store::audit_append;
use crate::platform::http::{Caller, Ctx, IfMatch, List, Page, Principal};
use crate::signals::events::Subject;
use serde_json::json;

/// Open notices of what the caller may see, newest first; for the platform's administrator also the platform's own.
pub async fn notice_list(ctx: &Ctx, app: &App, kind: Option<NoticeKind>, page: &Page) -> Result<List<Notice>> {
    let mut connection = app.db.org(ctx.organization).await?;
    let mut notices = store::notice_list_open(&mut connection, ctx.organization, kind).await?;
    drop(connection);
    notices.retain(|notice| notice.kind.permissions(&notice.place).iter().all(|p| ctx.allows(*p, &notice.place)));
    if matches!(ctx.caller.principal, Principal::Person { is_admin: true, .. }) {
        notices.extend(store::notice_list_of_platform(app.db.system(), kind).await?);
        notices.sort_by_key(|notice| std::cmp::Reverse(notice.id));
    }
    if let Some(before) = page.before()? {
        notices.retain(|notice| notice.id.0 < before);
    }
    Ok(List::new(notices, page, |notice| notice.id.0))
}

pub async fn notice_choice_get(caller: &Caller, app: &App) -> Result<NoticeChoice> {
    let (user, _) = caller.person()?;
    let mut connection = app.db.system().acquire().await?;
    let (muted, version) = store::muted_get(&mut connection, user).await?.ok_or(Error::NotFound("account"))?;
    Ok(choice(&muted, version))
}

fn choice(muted: &[String], version: i64) -> NoticeChoice {
    NoticeChoice {
        muted: NoticeKind::ALL.into_iter().filter(|kind| muted.iter().any(|key| key == kind.key())).collect(),
        kinds: NoticeKind::ALL.map(|kind| NoticeKindView { kind, description: kind.description() }).into(),
        version,
    }
}

/// Choose which kinds no mail comes of.
pub async fn notice_choice_set(
    caller: &Caller, app: &App, if_match: IfMatch, change: impl FnOnce(&NoticeChoice) -> Result<Vec<NoticeKind>>,
) -> Result<NoticeChoice> {
    let (user, _) = caller.person()?;
    let mut tx = app.db.system().begin().await?;
    let (muted, version) = store::muted_get(&mut tx, user).await?.ok_or(Error::NotFound("account"))?;
    if_match.check(version)?;
    let before = choice(&muted, version);
    let wanted = change(&before)?;
    let wanted: Vec<_> = NoticeKind::ALL.into_iter().filter(|kind| wanted.contains(kind)).collect();
    if wanted == before.muted {
        return Ok(before);
    }
    let keys: Vec<String> = wanted.iter().map(|kind| kind.key().to_owned()).collect();
    store::muted_set(&mut tx, user, &keys).await?;
    let subject = Subject::new("user", user.0, &caller.actor.name);
    let (earlier, later) = (json!({ "muted": before.muted }), json!({ "muted": wanted }));
    let action = "user.notices_changed";
    audit_append(&mut tx, None, caller, action, &subject, Some(earlier), Some(later)).await?;
    tx.commit().await?;
    Ok(choice(&keys, version + 1))
}
