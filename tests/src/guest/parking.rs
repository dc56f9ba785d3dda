//! The stopper on this kernel: it loads, stops a bind and nothing else, stays without a process, and goes.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    time::Instant,
};

use failover_linux::{
    bpf::{
        error::LoadError,
        sent::SentCounter,
        stopper::{Caught, Stopper, StopperError, Way},
    },
    control_group::ControlGroup,
    sock_diag::{bound_only, listeners::Listeners},
};
use rustix::process::Signal;

use super::{report::Report, system};
use crate::{
    PORT,
    binder::{LISTENS, UNABLE},
    lab::Lab,
    parker::{ADDRESS, Parker, assert_nobody_listens, id, next_stop},
    wait,
};

/// Emulated machines are slow, and the plain tests do ten thousand.
const ROUNDS: u32 = 200;
/// Since then functions can be watched on 64-bit ARM, as in `checks`.
const DIRECT_CALLS: (u32, u32) = (6, 4);
/// Since then links of the system call's tracepoints can be pinned (kernel/bpf/syscall.c, 5.15,
/// `bpf_perf_link_attach`).
const PERF_LINKS: (u32, u32) = (5, 15);
/// Since then sock_diag shows bound sockets, and io_uring can bind and listen.
const BOUND_INACTIVE: (u32, u32) = (6, 8);
const URING_LISTEN: (u32, u32) = (6, 11);

/// Where the kernel's memory may not be read, there is no parking, and the error says why.
pub(super) fn run_locked_down(report: &mut Report, lab: &Lab) {
    report.check("no parking, for the kernel is locked down", || {
        let parker = Parker::new(lab);
        let refused = parker.open().err().expect("it can't be had");
        assert!(
            matches!(refused, StopperError::Load(LoadError::LockedDown { .. })),
            "{refused}"
        );
    });
}

pub(super) fn run(report: &mut Report, lab: &Lab) {
    let by_function = !cfg!(target_arch = "aarch64") || system::release() >= DIRECT_CALLS;
    if !by_function && system::release() < PERF_LINKS {
        report.check("no parking, for nothing can be pinned", || {
            let refused = Parker::new(lab).open().err().expect("it can't be had");
            assert!(matches!(refused, StopperError::NotPinnable(_)), "{refused}");
        });
        return;
    }
    report.check("the stopper is loaded, pinned and attached", || {
        let parker = Parker::new(lab);
        let way = Stopper::probe(parker.pins()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(way == Way::Functions, by_function);
    });
    let on_host = |work: fn(&Parker)| {
        let parker = Parker::new(lab);
        lab.host_b().enter("parker", || work(&parker));
    };
    report.check("a bind is stopped before it can listen", || {
        on_host(stops_binds);
    });
    report.check("only the unit's main process is stopped", || {
        on_host(stops_nobody_else);
    });
    report.check("a listen linked to its bind ends with the process", || {
        on_host(ends_linked_listen);
    });
    report.check("a control group is frozen, thawed and killed", || {
        on_host(freezes_and_kills);
    });
    report.check("packets are counted by control group", || {
        on_host(counts_packets);
    });
}

fn open(parker: &Parker) -> Stopper {
    parker.open().unwrap_or_else(|error| panic!("{error}"))
}

fn stops_binds(parker: &Parker) {
    // It needs no process that holds it.
    drop(open(parker));
    let mut listeners = Listeners::on(PORT);
    let mut binder = parker.start(&[]);
    for round in 0..ROUNDS {
        let found = Stopper::find(parker.pins()).unwrap_or_else(|error| panic!("{error}"));
        let mut stopper = found.expect("its pins");
        stopper.arm(&parker.target()).expect("arming");
        binder.go();
        let stop = next_stop(&mut stopper);
        binder.await_stopped();
        let expected = (binder.id(), ADDRESS, Caught::Bound, Ok(()));
        assert_eq!(
            (stop.pid, stop.local, stop.caught, stop.signal),
            expected,
            "round {round}"
        );
        assert_eq!(stop.control_group, id(&parker.unit()));
        assert_nobody_listens(&mut listeners);
        if round == 0 {
            let bound = bound_only::on(PORT).expect("asking");
            assert_eq!(bound.is_some(), system::release() >= BOUND_INACTIVE);
            assert!(bound.is_none_or(|bound| bound.len() == 1));
        }
        stopper.disarm().expect("disarming");
        stopper.settle();
        binder.signal(Signal::CONT);
        assert_eq!(binder.says(), Some(LISTENS));
        binder.go();
    }
    // IPv6 has a function of its own.
    let mut stopper = open(parker);
    stopper.arm(&parker.target()).expect("arming");
    let mut binder = parker.start(&[&format!("[::1]:{PORT}")]);
    binder.go();
    assert_eq!(
        next_stop(&mut stopper).local.to_string(),
        format!("[::1]:{PORT}")
    );
    Stopper::remove(parker.pins()).expect("removing");
    assert!(!parker.pins().exists());
}

fn stops_nobody_else(parker: &Parker) {
    let mut stopper = open(parker);
    stopper.arm(&parker.target()).expect("arming");
    let mut other = parker.start_in(&parker.group("other.service"), &[]);
    let mut child = parker.start(&["--child"]);
    for one in [&mut other, &mut child] {
        one.go();
        assert_eq!(one.says(), Some(LISTENS));
        one.go();
        one.signal(Signal::KILL);
        one.end();
        wait::until("the socket is gone", wait::LONG, || {
            Listeners::on(PORT).now().ok()?.is_empty().then_some(())
        });
    }
    let stop = stopper.wait_for_stop(Instant::now()).expect("waiting");
    assert_eq!(stop, None);
}

fn ends_linked_listen(parker: &Parker) {
    let mut stopper = open(parker);
    stopper.arm(&parker.target()).expect("arming");
    let mut binder = parker.start(&["--way", "linked"]);
    binder.go();
    let said = binder.says();
    if system::release() < URING_LISTEN {
        assert!(said == Some(UNABLE) || said.is_none(), "{said:?}");
        return;
    }
    assert_eq!(said, None, "it said that it listens");
    let mut stop = next_stop(&mut stopper);
    if stopper.way() == Way::Functions {
        assert_eq!(stop.caught, Caught::Bound);
        stop = next_stop(&mut stopper);
    }
    assert_eq!((stop.caught, stop.pid), (Caught::Listened, binder.id()));
    binder.end();
}

fn freezes_and_kills(parker: &Parker) {
    let group = ControlGroup::at(parker.unit());
    let deadline = || Instant::now() + wait::LONG;
    let mut binder = parker.start(&[]);
    group.freeze(deadline()).expect("freezing");
    binder.go();
    assert_eq!(Listeners::on(PORT).now().expect("asking"), []);
    group.thaw().expect("thawing");
    assert_eq!(binder.says(), Some(LISTENS));
    group.freeze(deadline()).expect("freezing");
    // Before 5.14 without cgroup.kill.
    group.kill(deadline()).expect("killing");
    assert_eq!(group.is_populated(), Some(false));
    binder.end();
    group.thaw().expect("thawing");
}

fn counts_packets(parker: &Parker) {
    let counter = SentCounter::attach().unwrap_or_else(|error| panic!("{error}"));
    let own = fs::read_to_string("/proc/self/cgroup").expect("its control group");
    let own = own.lines().find_map(|line| line.strip_prefix("0::/"));
    let root = failover_linux::control_group::mount_point().expect("control groups");
    let back = root.join(own.expect("version 2")).join("cgroup.procs");
    // Sockets belong to the group that they are opened in.
    let join = |procs: &std::path::Path| fs::write(procs, std::process::id().to_string());
    join(&parker.unit().join("cgroup.procs")).expect("joining it");
    let sender = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("binding");
    join(&back).expect("leaving it");
    for _ in 0..3 {
        let own = sender.local_addr().expect("an address");
        sender.send_to(b"x", own).expect("sending");
    }
    let sent = |group| counter.sent(group).expect("asking");
    assert_eq!(sent(id(&parker.unit())), Some(3));
    assert_eq!(sent(id(&parker.group("other.service"))), Some(0));
}
