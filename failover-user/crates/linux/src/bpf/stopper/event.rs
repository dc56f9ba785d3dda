//! A stop, checked: what comes out of the ring buffer is bytes until it has passed here.

use std::{net::SocketAddr, time::Duration};

use failover_decide::Time;
use failover_ebpf::stop::{self as contract, Stop};

use crate::bpf::event::{Cursor, address};

/// The process has been caught.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct StopEvent {
    /// On the boot clock.
    pub at: Time,
    /// Its number, for the caller that armed the stopper.
    pub pid: u32,
    /// Its thread that bound.
    pub tid: u32,
    /// The address that it has bound. An IPv4-mapped one is shown as IPv4.
    pub local: SocketAddr,
    /// Inode of its control group.
    pub control_group: u64,
    /// Where it was caught.
    pub caught: Caught,
    /// Whether the signal was sent; otherwise the errno, and the process continues.
    pub signal: Result<(), i32>,
}

/// Where the process was caught.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Caught {
    /// In its bind: it has been stopped, and doesn't listen.
    Bound,
    /// Its bind went unseen, and it came to listen: it has been killed in the same system call.
    Listened,
}

impl StopEvent {
    /// Checks a record. `None`: not one that this program can have written.
    pub(crate) fn parse(bytes: &[u8]) -> Option<Self> {
        let raw = read_record(bytes)?;
        Some(Self {
            at: Time::from_boot(Duration::from_nanos(raw.time)),
            pid: raw.pid,
            tid: raw.tid,
            local: SocketAddr::new(address(raw.family, raw.address)?, raw.port),
            control_group: raw.control_group,
            caught: match raw.kind {
                contract::BOUND => Caught::Bound,
                contract::LISTENED => Caught::Listened,
                _ => return None,
            },
            signal: match raw.result {
                0 => Ok(()),
                errno => Err(errno.checked_neg().filter(|errno| *errno > 0)?),
            },
        })
    }
}

/// Field by field in the order of `repr(C)`.
fn read_record(bytes: &[u8]) -> Option<Stop> {
    if bytes.len() != size_of::<Stop>() {
        return None;
    }
    let mut cursor = Cursor(bytes);
    Some(Stop {
        time: u64::from_ne_bytes(cursor.take()?),
        control_group: u64::from_ne_bytes(cursor.take()?),
        pid: u32::from_ne_bytes(cursor.take()?),
        tid: u32::from_ne_bytes(cursor.take()?),
        result: i32::from_ne_bytes(cursor.take()?),
        kind: u32::from_ne_bytes(cursor.take()?),
        port: u16::from_ne_bytes(cursor.take()?),
        family: u16::from_ne_bytes(cursor.take()?),
        reserved: u32::from_ne_bytes(cursor.take()?),
        address: cursor.take()?,
        reserved_too: u64::from_ne_bytes(cursor.take()?),
    })
}

#[cfg(test)]
mod tests {
    use std::mem::offset_of;

    use failover_ebpf::AF_INET;
    use proptest::{collection::vec, prelude::*};

    use super::*;
    use crate::fuzz;

    fn record(kind: u32, result: i32) -> Vec<u8> {
        let mut bytes = vec![0; size_of::<Stop>()];
        let mut put = |at: usize, value: &[u8]| bytes[at..at + value.len()].copy_from_slice(value);
        put(offset_of!(Stop, time), &1_500_000_000_u64.to_ne_bytes());
        put(offset_of!(Stop, control_group), &4711_u64.to_ne_bytes());
        put(offset_of!(Stop, pid), &7_u32.to_ne_bytes());
        put(offset_of!(Stop, tid), &8_u32.to_ne_bytes());
        put(offset_of!(Stop, result), &result.to_ne_bytes());
        put(offset_of!(Stop, kind), &kind.to_ne_bytes());
        put(offset_of!(Stop, port), &18789_u16.to_ne_bytes());
        put(offset_of!(Stop, family), &AF_INET.to_ne_bytes());
        put(offset_of!(Stop, address), &[127, 0, 0, 1]);
        bytes
    }

    #[test]
    fn a_stop_arrives_with_every_field() {
        let stop = StopEvent::parse(&record(contract::BOUND, 0)).unwrap();
        let expected = StopEvent {
            at: Time::from_boot(Duration::from_millis(1500)),
            pid: 7,
            tid: 8,
            local: "127.0.0.1:18789".parse().unwrap(),
            control_group: 4711,
            caught: Caught::Bound,
            signal: Ok(()),
        };
        assert_eq!(stop, expected);
        let refused = StopEvent::parse(&record(contract::LISTENED, -libc::EPERM)).unwrap();
        assert_eq!(refused.signal, Err(libc::EPERM));
        assert_eq!(refused.caught, Caught::Listened);
    }

    proptest! {
        #[test]
        fn no_record_breaks_it(bytes in vec(any::<u8>(), 60..70)) {
            fuzz::stop(&bytes);
        }

        #[test]
        fn no_damage_breaks_it(
            kind in 0..4_u32,
            result: i32,
            damage in vec((0..size_of::<Stop>(), any::<u8>()), 0..24),
        ) {
            let mut bytes = record(kind, result);
            for (at, byte) in damage {
                bytes[at] = byte;
            }
            fuzz::stop(&bytes);
        }
    }
}
