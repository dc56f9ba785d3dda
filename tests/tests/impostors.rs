//! Unprivileged accounts that try to be taken for the gateway.

use std::{
    io::IoSlice,
    net::SocketAddr,
    os::{
        fd::{AsFd as _, OwnedFd},
        unix::net::UnixStream,
    },
    process::Stdio,
    time::Duration,
};

use failover_tests::{
    PORT,
    commands::Command,
    daemon::{Daemon, Setup},
    lab::{ControlGroup, Lab, Process, host::stream_socket},
    wait,
};
use rustix::{
    net::{SendAncillaryBuffer, SendAncillaryMessage, SendFlags, bind, listen, sendmsg},
    process::Uid,
    thread::set_thread_res_uid,
};

/// Nobody's, and without any right.
const MALLORY: u32 = 65534;

/// A program `node` of Mallory's on PC-B that listens on the gateway's port, in the control group of
/// this path.
fn node_in(lab: &Lab, group: &ControlGroup, path: &str) -> Process {
    let program = lab.directory().join("node");
    Lab::copy_program(lab.binary(), &program);
    let group = group.below(path);
    // The program is opened before the rights are dropped, because only root gets to its folder.
    let script = r#"echo $$ >"$1/cgroup.procs" && exec 3<"$0" && exec setpriv --reuid "$2" --regid "$2" --clear-groups /proc/self/fd/3 gateway --listen "$3""#;
    let mut command = lab.host_b().command("sh");
    command
        .args(["-c", script])
        .arg(&program)
        .arg(&group)
        .args([&MALLORY.to_string(), &format!("0.0.0.0:{PORT}")])
        .stdout(Stdio::null());
    let node = lab.host_b().spawn(&mut command).expect("Mallory's node");
    lab.host_b().await_listening(true);
    node
}

fn assert_foreign(mut daemon: Daemon, who: &str) {
    daemon.becomes("blocked");
    let (status, _) = daemon.status();
    let field = |name: &str| status.pointer(&format!("/gateway/{name}"));
    assert_eq!(field("foreign"), Some(&true.into()), "{status}");
    let held_by = field("held_by")
        .map(ToString::to_string)
        .unwrap_or_default();
    assert!(held_by.contains(who), "{held_by}");
    daemon.runs_nothing_for(Duration::from_millis(500));
    assert!(!daemon.states().contains(&"active".to_owned()));
    daemon.terminate();
}

/// The daemon sees the group as the top of the hierarchy, so a path in it is what it would be on a
/// machine of its own.
#[test]
fn a_unit_that_another_account_named_in_its_own_service_manager_is_not_the_gateway() {
    let own = format!("user.slice/user-{MALLORY}.slice/user@{MALLORY}.service");
    for path in [
        // As systemd would make it of a unit of that name.
        format!("{own}/app.slice/openclaw-gateway.service"),
        // As Mallory may make it below.
        format!("{own}/user@0.service/openclaw-gateway.service"),
        format!("{own}/system.slice/openclaw-gateway.service"),
    ] {
        let lab = Lab::new();
        let group = ControlGroup::new(&lab);
        let node = node_in(&lab, &group, &path);
        let daemon = Setup::new(&lab)
            .gateway("openclaw")
            .argument("--check=tcp")
            .below(&group)
            .spawn();
        let unit = path.rsplit('/').next().unwrap_or_default();
        let said = daemon.said(|line| line.message() == "local port changed");
        let held_by = said[0].field("held_by");
        assert!(held_by.contains(&format!("of user {MALLORY}")), "{held_by}");
        if !path.contains("user@0") {
            assert!(held_by.contains(unit), "{held_by}");
        }
        assert_foreign(daemon, &format!("pid {}, uid {MALLORY}", node.pid()));
    }
}

#[test]
fn a_service_of_another_account_that_comes_up_during_a_start_is_not_the_gateway() {
    let own = format!("user.slice/user-{MALLORY}.slice/user@{MALLORY}.service");
    for path in [
        format!("{own}/app.slice/bot.service"),
        // A job of Mallory's.
        "system.slice/cron.service".to_owned(),
        format!("{own}/docker-0123.scope"),
    ] {
        let lab = Lab::new();
        let group = ControlGroup::new(&lab);
        let daemon = Setup::new(&lab)
            .starts(&["held"])
            .start_timeout(wait::LONG)
            .below(&group)
            .spawn();
        daemon.begins(1, Command::Start);
        let node = node_in(&lab, &group, &path);
        let who = format!("pid {}, uid {MALLORY}", node.pid());
        assert_foreign_while_starting(daemon, &who);
    }
}

fn assert_foreign_while_starting(mut daemon: Daemon, who: &str) {
    let seen = daemon.says("who listens", |line| {
        line.message() == "local port changed" && line.field("held_by").contains(who)
    });
    assert_eq!(
        seen.json.get("foreign"),
        Some(&true.into()),
        "{}",
        seen.text
    );
    // The next start would begin later than the foreign program.
    daemon.commands().unblock();
    daemon.becomes("blocked");
    assert!(!daemon.states().contains(&"active".to_owned()));
    daemon.terminate();
}

/// A socket that listens, opened by Mallory, and on its way between two processes: none has it open.
struct InFlight {
    /// The socket waits in its buffer.
    _receiver: UnixStream,
}

impl InFlight {
    fn on(lab: &Lab) -> Self {
        lab.host_b().enter("mallory", || {
            // This thread's account only, which the socket belongs to then.
            let mallory = Uid::from_raw(MALLORY);
            set_thread_res_uid(mallory, mallory, mallory).expect("becoming Mallory");
            let address = SocketAddr::from(([0, 0, 0, 0], PORT));
            let socket = stream_socket(address).expect("a socket");
            bind(&socket, &address).expect("the port is free");
            listen(&socket, 16).expect("listening");
            let (sender, receiver) = UnixStream::pair().expect("two sockets");
            send(&sender, &socket);
            Self {
                _receiver: receiver,
            }
        })
    }
}

fn send(sender: &UnixStream, socket: &OwnedFd) {
    let descriptors = [socket.as_fd()];
    let mut space = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut buffer = SendAncillaryBuffer::new(&mut space);
    assert!(buffer.push(SendAncillaryMessage::ScmRights(&descriptors)));
    let byte = [IoSlice::new(b"x")];
    sendmsg(sender, &byte, &mut buffer, SendFlags::empty()).expect("handing it over");
}

#[test]
fn a_socket_of_another_account_that_no_process_has_open_is_not_the_gateway() {
    let lab = Lab::new();
    let daemon = Setup::new(&lab)
        .starts(&["held"])
        .start_timeout(wait::LONG)
        .spawn();
    daemon.begins(1, Command::Start);
    let _socket = InFlight::on(&lab);
    assert_foreign_while_starting(daemon, &format!("isn't visible from here (uid {MALLORY})"));
}
