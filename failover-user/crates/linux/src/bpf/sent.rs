//! The sent counter: how many packets each control group has sent, counted in the kernel. Attached for as long as
//! it is held.

use aya::{
    Btf, Ebpf, EbpfLoader,
    maps::{MapData, MapError, PerCpuArray, PerCpuHashMap},
    programs::BtfTracePoint,
};
use failover_ebpf::stop::{GLOBAL_TASKS, MAP_SENT, MAP_UNCOUNTED};

use crate::bpf::{
    error::{LoadError, program},
    layout, limits,
    pod::Pod,
    stopper::object,
};

/// Where packets are seen.
const QUEUED: &str = "net_dev_queue";

/// Counts what is sent from each control group of the machine. While it is attached, every packet takes a little longer.
///
/// Packets of all interfaces, loopback as well (a resolver on this machine asks others on our behalf); netlink and Unix
/// sockets send none. A packet counts for the group that its socket was opened in.
pub struct SentCounter {
    sent: PerCpuHashMap<MapData, u64, u64>,
    uncounted: PerCpuArray<MapData, u64>,
    /// Holds the program and its attachment.
    _programs: Ebpf,
}

impl SentCounter {
    /// Counts from now on.
    ///
    /// # Errors
    /// A [`LoadError`], which says what to do.
    pub fn attach() -> Result<Self, LoadError> {
        Self::attached().map_err(LoadError::explained)
    }

    fn attached() -> Result<Self, LoadError> {
        let object = object()?;
        limits::lift();
        let (_, tasks) = layout::kernel_and_tasks()?;
        let mut programs = EbpfLoader::new()
            .btf(None)
            .override_global(GLOBAL_TASKS, &Pod(tasks), true)
            .load(object)?;
        let sent = programs
            .take_map(MAP_SENT)
            .ok_or(LoadError::Incomplete(MAP_SENT))?;
        let uncounted = programs
            .take_map(MAP_UNCOUNTED)
            .ok_or(LoadError::Incomplete(MAP_UNCOUNTED))?;
        let count: &mut BtfTracePoint = program(&mut programs, QUEUED)?;
        count.load(QUEUED, &Btf::from_sys_fs()?)?;
        count.attach()?;
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
