//! The rules of one's own account.

use super::model::Account;
use super::store;
use crate::app::App;
use crate::error::{Error, Result};
use crate::platform::http::Caller;

pub async fn account_get(caller: &Caller, app: &App) -> Result<Account> {
    let (user, _) = caller.person()?;
    store::account_get(app.db.system(), user).await?.ok_or(Error::NotFound("account"))
}
