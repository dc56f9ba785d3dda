//! The stopper: the program that binds the port is stopped before it can listen, and nobody else is.

use std::{
    fs,
    net::UdpSocket,
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use failover_linux::{
    bpf::{
        sent::SentCounter,
        stopper::{Caught, MainProcess, Stopper, StopperError, Way},
    },
    control_group::ControlGroup,
    sock_diag::{bound_only, listeners::Listeners},
};
use failover_tests::{
    PORT,
    binder::{LISTENS, REFUSED, UNABLE},
    lab::Lab,
    parker::{ADDRESS, Parker, assert_nobody_listens, id, next_stop},
    wait,
};
use rustix::process::Signal;

/// On PC-B, whose sockets are those that the test sees.
fn on_host(work: impl FnOnce(&Parker) + Send) {
    let lab = Lab::new();
    let parker = Parker::new(&lab);
    lab.host_b().enter("parker", || work(&parker));
}

fn open(parker: &Parker) -> Stopper {
    parker.open().unwrap_or_else(|error| panic!("{error}"))
}

#[test]
fn ten_thousand_binds_are_stopped_and_none_listens_before_it_may() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let target = parker.target();
        let mut listeners = Listeners::on(PORT);
        let mut binder = parker.start(&[]);
        let group = id(&parker.unit());
        for round in 0..10_000 {
            stopper.arm(&target).expect("arming");
            binder.go();
            let stop = next_stop(&mut stopper);
            binder.await_stopped();
            let expected = (binder.id(), ADDRESS, Caught::Bound, Ok(()));
            assert_eq!(
                (stop.pid, stop.local, stop.caught, stop.signal),
                expected,
                "round {round}"
            );
            assert_eq!(stop.control_group, group);
            assert_nobody_listens(&mut listeners);
            if round % 200 == 0 {
                // Ended without having served, as one that isn't needed.
                binder.signal(Signal::KILL);
                assert_eq!(binder.says(), None);
                binder = parker.start(&[]);
                continue;
            }
            stopper.disarm().expect("disarming");
            binder.signal(Signal::CONT);
            assert_eq!(binder.says(), Some(LISTENS));
            binder.go();
        }
    });
}

#[test]
fn only_the_main_process_of_the_control_group_is_stopped() {
    on_host(|parker| {
        let mut stopper = open(parker);
        stopper.arm(&parker.target()).expect("arming");
        // Of the same account, and children of the same process.
        let beside = parker.group("other.service");
        let below = parker.unit().join("below");
        fs::create_dir_all(&below).expect("making a control group");
        for group in [&beside, &below, &parker.slice().to_owned()] {
            let mut other = parker.start_in(group, &[]);
            other.go();
            assert_eq!(other.says(), Some(LISTENS), "in {}", group.display());
        }
        // A child of the main process.
        let mut main = parker.start(&["--child"]);
        main.go();
        assert_eq!(main.says(), Some(LISTENS));
        drop(main);
        // Another port.
        let mut main = parker.start(&["127.0.0.9:18790"]);
        main.go();
        assert_eq!(main.says(), Some(LISTENS));
        let stop = stopper.wait_for_stop(Instant::now()).expect("waiting");
        assert_eq!(stop, None);
        // It was armed all the time.
        let mut main = parker.start(&[]);
        main.go();
        assert_eq!(next_stop(&mut stopper).pid, main.id());
    });
}

#[test]
fn a_process_can_be_named_itself_and_that_of_another_number_is_not_stopped() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let mut main = parker.start(&[]);
        let mut target = parker.target();
        target.main = MainProcess::ChildOf(main.id());
        stopper.arm(&target).expect("arming");
        main.go();
        assert_eq!(main.says(), Some(LISTENS));
        main.go();
        target.main = MainProcess::Process(main.id());
        stopper.arm(&target).expect("arming");
        main.go();
        assert_eq!(next_stop(&mut stopper).pid, main.id());
    });
}

/// The kernel program compares names in pieces of 63 characters.
#[test]
fn names_of_any_length_are_compared_to_their_end() {
    on_host(|parker| {
        let mut stopper = open(parker);
        for length in [1, 62, 63, 64, 126, 127, 255] {
            let name = "x".repeat(length);
            stopper.arm(&parker.target_named(&name)).expect("arming");
            let shorter = "x".repeat(length - 1);
            let longer = "x".repeat(length + 1);
            let others = [shorter, format!("{}y", &name[1..]), longer];
            for other in others.iter().filter(|name| (1..256).contains(&name.len())) {
                let mut other = parker.start_in(&parker.group(other), &[]);
                other.go();
                assert_eq!(other.says(), Some(LISTENS), "beside {length} characters");
            }
            let mut main = parker.start_in(&parker.group(&name), &[]);
            main.go();
            assert_eq!(
                next_stop(&mut stopper).pid,
                main.id(),
                "{length} characters"
            );
        }
    });
}

#[test]
fn a_bind_that_fails_stops_nobody() {
    on_host(|parker| {
        let mut stopper = open(parker);
        stopper.arm(&parker.target()).expect("arming");
        let mut taken = parker.start_in(&parker.group("other.service"), &[]);
        taken.go();
        assert_eq!(taken.says(), Some(LISTENS));
        let mut main = parker.start(&[]);
        main.go();
        assert_eq!(main.says(), Some(REFUSED));
        let stop = stopper.wait_for_stop(Instant::now()).expect("waiting");
        assert_eq!(stop, None);
        taken.signal(Signal::KILL);
        taken.end();
        main.go();
        main.go();
        assert_eq!(next_stop(&mut stopper).pid, main.id());
    });
}

#[test]
fn the_bound_socket_of_a_stopped_process_is_seen() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let addresses = || {
            let found = bound_only::on(PORT).expect("asking");
            found.map(|all| all.iter().map(|one| one.address).collect::<Vec<_>>())
        };
        let Some(before) = addresses() else {
            failover_tests::skip("sock_diag shows no bound sockets, which came with Linux 6.8");
            return;
        };
        assert_eq!(before, []);
        stopper.arm(&parker.target()).expect("arming");
        let mut main = parker.start(&[]);
        main.go();
        next_stop(&mut stopper);
        assert_eq!(addresses(), Some(vec![ADDRESS]));
        main.signal(Signal::KILL);
        main.end();
        assert_eq!(addresses(), Some(vec![]));
    });
}

/// bind and listen linked in io_uring (since Linux 6.11) run in one system call, with nothing between them.
#[test]
fn a_listen_that_is_linked_to_the_bind_ends_with_the_process() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let target = parker.target();
        for round in 0..200 {
            stopper.arm(&target).expect("arming");
            let mut main = parker.start(&["--way", "linked"]);
            main.go();
            if round == 0 && main.says() == Some(UNABLE) {
                let why = "this kernel has no IORING_OP_LISTEN, which came with Linux 6.11";
                failover_tests::skip(why);
                return;
            }
            assert_eq!(main.says(), None, "it said that it listens");
            let stop = next_stop(&mut stopper);
            let last = match stopper.way() {
                // Its bind went past the system call's tracepoints.
                Way::Calls => stop,
                // Stopped as well, which the SIGKILL that follows overrides.
                Way::Functions => {
                    assert_eq!((stop.caught, stop.pid), (Caught::Bound, main.id()));
                    next_stop(&mut stopper)
                }
            };
            let expected = (main.id(), Caught::Listened, Ok(()));
            assert_eq!((last.pid, last.caught, last.signal), expected);
            main.end();
            assert_nobody_listens(&mut Listeners::on(PORT));
        }
    });
}

#[test]
fn what_is_pinned_outlives_the_process_that_armed_it_and_is_found_again() {
    on_host(|parker| {
        // The lab's own program arms it, and waits to be killed.
        let mut armer = Command::new(env!("CARGO_BIN_EXE_failover-lab"))
            .arg("arm")
            .args([parker.pins(), &parker.unit()])
            .arg(std::process::id().to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("running the lab's program");
        let mut output = armer.stdout.take().expect("a pipe");
        let armed = std::io::Read::read(&mut output, &mut [0]).expect("reading a pipe");
        assert_eq!(armed, 1, "it has armed the stopper");
        armer.kill().expect("killing it");
        armer.wait().expect("waiting for it");

        let mut main = parker.start(&[]);
        main.go();
        main.await_stopped();
        let found = Stopper::find(parker.pins()).expect("looking");
        let mut found = found.expect("its pins");
        assert_eq!(found.armed().expect("looking").map(Into::into), Some(PORT));
        assert_eq!(next_stop(&mut found).pid, main.id());
        assert_nobody_listens(&mut Listeners::on(PORT));
        found.disarm().expect("disarming");
        assert_eq!(found.armed().expect("looking"), None);
        main.signal(Signal::CONT);
        assert_eq!(main.says(), Some(LISTENS));
    });
}

#[test]
fn a_stopper_that_is_removed_leaves_nothing_and_stops_nobody() {
    on_host(|parker| {
        assert!(Stopper::find(parker.pins()).expect("looking").is_none());
        let mut stopper = open(parker);
        stopper.arm(&parker.target()).expect("arming");
        let above = parker.pins().parent().expect("a directory").to_owned();
        assert!(above.exists());
        Stopper::remove(parker.pins()).expect("removing");
        assert!(!above.exists(), "{} is there", above.display());
        let mut main = parker.start(&[]);
        main.go();
        assert_eq!(main.says(), Some(LISTENS));
        // Once more: nothing to do.
        Stopper::remove(parker.pins()).expect("removing");
    });
}

#[test]
fn a_stopper_that_is_detached_slows_nobody_down_and_can_be_armed_again() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let links = || {
            let entries = fs::read_dir(parker.pins()).expect("its pins");
            let names = entries.map(|entry| entry.expect("a pin").file_name());
            let mut names: Vec<String> = names
                .map(|name| name.to_string_lossy().into_owned())
                .filter(|name| name.contains("sys_") && name.starts_with("link_"))
                .collect();
            names.sort();
            names
        };
        let while_armed = match stopper.way() {
            Way::Functions => vec![],
            Way::Calls => vec!["link_sys_enter_bind", "link_sys_exit_bind"],
        };
        assert_eq!(links(), Vec::<String>::new());
        for _ in 0..3 {
            stopper.arm(&parker.target()).expect("arming");
            assert_eq!(links(), while_armed);
            stopper.detach().expect("detaching");
            assert_eq!(links(), Vec::<String>::new());
            let mut main = parker.start(&[]);
            main.go();
            assert_eq!(main.says(), Some(LISTENS));
        }
        stopper.arm(&parker.target()).expect("arming");
        let mut main = parker.start(&[]);
        main.go();
        assert_eq!(next_stop(&mut stopper).pid, main.id());
    });
}

#[test]
fn a_parked_process_that_is_woken_by_a_foreign_sigcont_never_serves() {
    on_host(|parker| {
        let mut stopper = open(parker);
        for _ in 0..50 {
            stopper.arm(&parker.target()).expect("arming");
            let mut main = parker.start(&[]);
            main.go();
            assert_eq!(next_stop(&mut stopper).caught, Caught::Bound);
            stopper.guard().expect("guarding");
            let entries = fs::read_dir(parker.pins()).expect("its pins");
            let mut names = entries.map(|entry| entry.expect("a pin").file_name());
            assert!(names.all(|name| !name.to_string_lossy().contains("link_sys_")));
            main.await_stopped();
            main.signal(Signal::CONT);
            assert_eq!(main.says(), None, "it said that it listens");
            let stop = next_stop(&mut stopper);
            assert_eq!((stop.caught, stop.pid), (Caught::Listened, main.id()));
            main.end();
            assert_nobody_listens(&mut Listeners::on(PORT));
        }
    });
}

#[test]
fn a_machine_is_tried_without_leaving_anything() {
    on_host(|parker| {
        let way = Stopper::probe(parker.pins());
        assert_eq!(way.ok(), Some(open(parker).way()));
        let found = fs::read_dir("/sys/fs/bpf").expect("pins").flatten();
        let name = parker.pins().parent().and_then(Path::file_name);
        let own: Vec<_> = found
            .filter(|entry| Some(entry.file_name().as_os_str()) == name)
            .flat_map(|entry| fs::read_dir(entry.path()).expect("pins"))
            .map(|entry| entry.expect("a pin").file_name())
            .collect();
        assert_eq!(own, ["stopper"]);
    });
}

#[test]
fn several_at_once_may_try_the_machine() {
    on_host(|parker| {
        let tries = std::thread::scope(|scope| {
            let tries: Vec<_> = (0..3)
                .map(|_| scope.spawn(|| Stopper::probe(parker.pins()).err()))
                .collect();
            tries
                .into_iter()
                .map(|one| one.join().expect("no panic"))
                .collect::<Vec<_>>()
        });
        assert!(tries.iter().all(Option::is_none), "{tries:?}");
    });
}

#[test]
fn pins_that_nothing_can_be_pinned_beside_are_refused_with_what_to_do() {
    let place = std::env::temp_dir().join("failover-no-bpf");
    let refused = Stopper::open(&place).err().expect("no BPF file system");
    assert!(matches!(refused, StopperError::NoBpfFileSystem { .. }));
    assert!(refused.to_string().contains("mount -t bpf"), "{refused}");
    assert!(!place.exists());
}

#[test]
fn a_frozen_group_heeds_no_sigcont_and_is_killed_without_waking() {
    on_host(|parker| {
        let mut stopper = open(parker);
        let group = ControlGroup::at(parker.unit());
        let deadline = || Instant::now() + wait::LONG;
        stopper.arm(&parker.target()).expect("arming");
        let mut main = parker.start(&[]);
        main.go();
        next_stop(&mut stopper);
        group.freeze(deadline()).expect("freezing");
        assert_eq!(group.is_frozen(), Some(true));
        stopper.disarm().expect("disarming");
        // A foreign SIGCONT ends the stop, but nothing runs.
        main.signal(Signal::CONT);
        let mut listeners = Listeners::on(PORT);
        wait::nothing_happens("it listens", Duration::from_millis(300), || {
            listeners.now().expect("asking").first().copied()
        });
        assert_eq!(group.processes().expect("listing"), [main.id()]);
        group.kill(deadline()).expect("killing");
        assert_eq!(group.is_populated(), Some(false));
        assert_eq!(main.says(), None, "it has never listened");
        main.end();
        // A group that is frozen and thawed runs on.
        group.thaw().expect("thawing");
        let mut main = parker.start(&[]);
        group.freeze(deadline()).expect("freezing");
        main.go();
        group.thaw().expect("thawing");
        assert_eq!(main.says(), Some(LISTENS));
    });
}

#[test]
fn packets_are_counted_by_the_control_group_that_sends_them() {
    on_host(|parker| {
        let counter = SentCounter::attach();
        let counter = counter.unwrap_or_else(|error| panic!("{error}"));
        let sent = |group: &Path| counter.sent(id(group)).expect("asking");
        let (unit, other) = (parker.unit(), parker.group("other.service"));
        let mut main = parker.start(&[]);
        main.go();
        assert_eq!(main.says(), Some(LISTENS));
        assert_eq!(sent(&unit), Some(0), "binding and listening send nothing");
        let receiver = UdpSocket::bind("127.0.0.1:0").expect("binding");
        let address = receiver.local_addr().expect("an address");
        // The shell joins the group, then sends three datagrams.
        let script = format!(
            "echo $$ > {}/cgroup.procs; for i in 1 2 3; do echo x > /dev/udp/127.0.0.1/{}; done",
            other.display(),
            address.port()
        );
        let status = Command::new("bash").args(["-c", &script]).status();
        assert!(status.expect("running bash").success());
        let counted = wait::attempt(wait::LONG, || (sent(&other) == Some(3)).then_some(()));
        assert_eq!(counted, Some(()), "{:?}", sent(&other));
        assert_eq!(sent(&unit), Some(0));
    });
}
