//! Could this gateway be parked on this machine? Asked before anything is started. It changes nothing.

use anyhow::Context as _;
use failover_linux::bpf::stopper::Stopper;

use crate::gateway::{
    parking::{
        group,
        manager::{self, ManagerVerb},
        place::Place,
        unit::{self, ParkedUnit},
    },
    spec::LocalGateway,
};

/// Asks the unit's service manager, the control groups, and the kernel. Blocking.
///
/// # Errors
/// With the first thing that is in the way, and what to do about it.
pub fn possible(place: &Place, gateway: &LocalGateway) -> anyhow::Result<()> {
    let parked = ParkedUnit::of(gateway)?;
    let account = parked.manager_account()?;
    let facts = manager::call(&parked, account.as_ref(), ManagerVerb::Look)?;
    unit::check(&facts)?;
    group::expected(&parked, account.as_ref(), &facts).context(
        "the unit's control group can't be known before it runs; is its Slice= one of systemd's?",
    )?;
    Stopper::probe(&place.pins())?;
    Ok(())
}
