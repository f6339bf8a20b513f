//! Odoo's modules: what there is, and the job that installs, updates and uninstalls.

pub mod change;
mod plan;
pub mod scan;
pub mod successor;

use crate::engine::OpError;
use crate::host::Host;
use ocore_shared::ids::InstanceId;
use ocore_shared::odoo::series::Series;
use ocore_shared::protocol::modules::ModuleInfo;

/// Everything that is installed or could be. Odoo has to run: its container is looked into.
pub async fn module_list(host: &Host, instance: InstanceId) -> Result<Vec<ModuleInfo>, OpError> {
    let record = host.records.get(instance)?;
    if !record.running {
        return Err(OpError::new("instance_stopped", "The instance is stopped; start it to see its modules."));
    }
    let known = scan::known(host, &record).await?;
    // What was installed with the series is compared by version; checksums are worth their time only once there are some.
    let disk = scan::on_disk(host, &record.odoo_container(), &known, !known.checksums.is_empty()).await?;
    Ok(scan::merged(Series::of(&record.spec.odoo_version), &known, &disk))
}
