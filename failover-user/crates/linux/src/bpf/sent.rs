//! The sent counter: how many packets each control group has sent, counted in the kernel. Attached for as long as
//! it is held.

use std::{fs::File, path::Path};

use aya::{
    Ebpf, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray, PerCpuHashMap},
    programs::{CgroupAttachMode, CgroupSkb, CgroupSkbAttachType},
};
use failover_ebpf::stop::{MAP_SENT, MAP_UNCOUNTED};

use crate::bpf::{
    error::{LoadError, program},
    limits,
    stopper::object,
};

/// Counts what is sent from a control group and from those below it, each apart.
///
/// Packets of IP, over loopback as well (a resolver on this machine asks others on our behalf); netlink and
/// Unix sockets send none. A packet counts for the group that its socket was opened in.
pub struct SentCounter {
    sent: PerCpuHashMap<MapData, u64, u64>,
    uncounted: PerCpuArray<MapData, u64>,
    /// Holds the program and its attachment.
    _programs: Ebpf,
}

impl SentCounter {
    /// Counts from now on below this control group, which isn't the one of a unit: that comes and goes with it.
    ///
    /// # Errors
    /// A [`LoadError`], which says what to do.
    pub fn attach(parent: &Path) -> Result<Self, LoadError> {
        Self::attached(parent).map_err(LoadError::explained)
    }

    fn attached(parent: &Path) -> Result<Self, LoadError> {
        let object = object()?;
        limits::lift();
        let group = File::open(parent).map_err(|source| LoadError::ControlGroup {
            path: parent.to_owned(),
            source,
        })?;
        let mut programs = EbpfLoader::new().btf(None).load(object)?;
        let sent = programs
            .take_map(MAP_SENT)
            .ok_or(LoadError::Incomplete(MAP_SENT))?;
        let uncounted = programs
            .take_map(MAP_UNCOUNTED)
            .ok_or(LoadError::Incomplete(MAP_UNCOUNTED))?;
        let count: &mut CgroupSkb = program(&mut programs, "count_sent")?;
        count.load()?;
        // Beside whatever else is attached there or below, systemd's own for instance: a link allows that
        // by itself, and takes no flag for it (cgroup_bpf_link_attach, kernel/bpf/cgroup.c, 6.18).
        count.attach(group, CgroupSkbAttachType::Egress, CgroupAttachMode::Single)?;
        Ok(Self {
            sent: PerCpuHashMap::try_from(sent)?,
            uncounted: PerCpuArray::try_from(uncounted)?,
            _programs: programs,
        })
    }

    /// The packets that this control group (the inode of its directory) has sent, also if it is gone by now.
    /// `None`: not known, because more groups than 4096 have sent something.
    ///
    /// # Errors
    /// When the map can't be read.
    pub fn sent(&self, control_group: u64) -> Result<Option<u64>, LoadError> {
        match self.sent.get(&control_group, 0) {
            Ok(counts) => Ok(Some(counts.iter().sum())),
            Err(MapError::KeyNotFound) => {
                let uncounted: u64 = self.uncounted.get(&0, 0)?.iter().sum();
                Ok((uncounted == 0).then_some(0))
            }
            Err(error) => Err(error.into()),
        }
    }
}
