//! What is there and what was put beside it change their names, forth and back. May be cut anywhere.

use super::Restore;
use crate::engine::OpError;
use crate::ops::backup::filestore;
use crate::ops::odoo::maintenance::Maintenance;
use crate::ops::odoo::record::disk;
use crate::ops::sql::literal;
use std::io;

impl Restore<'_> {
    /// The present database and its files get another name, and the restored ones theirs.
    pub(super) async fn swap(&self, kept: &str) -> Result<(), OpError> {
        self.rename(&self.scratch_name(), kept).await?;
        self.ctx.failpoint("backup_restore.swap.renamed");
        let volume = filestore::volume_path(self.host, self.record).await?;
        let staging = self.staging(&volume);
        let moved = || -> io::Result<()> {
            if !staging.exists() {
                return Ok(());
            }
            if filestore::is_directory(&volume, self.name()) && !filestore::is_directory(&volume, kept) {
                filestore::rename(&volume, self.name(), kept)?;
            }
            filestore::bring(&volume, &staging, self.name())
        };
        moved().map_err(|e| disk(&volume, &e))
    }

    /// As before the swap.
    pub(super) async fn swap_back(&self, kept: &str) -> Result<(), OpError> {
        let Self { host, ctx, record, .. } = self;
        Maintenance { host, ctx, record }.quiet().await?;
        self.rename(kept, &self.scratch_name()).await?;
        let volume = filestore::volume_path(host, record).await?;
        let staging = self.staging(&volume);
        let moved = || -> io::Result<()> {
            // The restored files are in place only once they have left where they were put.
            if !staging.exists() {
                filestore::take(&volume, self.name(), &staging)?;
            }
            match filestore::is_directory(&volume, kept) && !filestore::is_directory(&volume, self.name()) {
                true => filestore::rename(&volume, kept, self.name()),
                false => Ok(()),
            }
        };
        moved().map_err(|e| disk(&volume, &e))
    }

    /// Have the instance's database be the one that is called `comes`, and its present one be called `goes`.
    async fn rename(&self, comes: &str, goes: &str) -> Result<(), OpError> {
        let (comes, name, goes) = (literal(comes)?, literal(self.name())?, literal(goes)?);
        let is = |database: &str| format!("EXISTS (SELECT FROM pg_database WHERE datname = {database})");
        let script = format!(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname IN ({comes}, {name}) AND pid <> pg_backend_pid();\n\
             SELECT format('ALTER DATABASE %I RENAME TO %I', {name}, {goes}) WHERE {} AND {} AND NOT {} \\gexec\n\
             SELECT format('ALTER DATABASE %I RENAME TO %I', {comes}, {name}) WHERE {} AND NOT {} \\gexec\n",
            is(&comes),
            is(&name),
            is(&goes),
            is(&comes),
            is(&name)
        );
        self.sql("postgres", &script).await.map(drop)
    }
}
