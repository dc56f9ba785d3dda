//! The two hosts, what is said to the gateway, and the ways to copy its state that end by themselves; with what each used.

use std::{
    fmt, fs,
    path::Path,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context as _, Result, bail, ensure};
use failover_sync::{outcome, spec::Order};

use super::{Round, Way};
use crate::{
    account::{self, Account, HOME, NAME},
    bench::{cgroup::Cgroup, progress},
    lab::{Lab, Process, failover_binary},
    openclaw_host::{FOLDER, OpenClawHost},
    sync_worker,
};

/// Longer than the 30 s after which OpenClaw 2026.9.6 renews its lease.
const LEASE: Duration = Duration::from_secs(35);
/// What ends with a copy, as the other end of a connection, has ended then.
const SETTLED: Duration = Duration::from_millis(300);
/// Of a message of the history, in bytes.
const MESSAGE: usize = 300_000;
/// A limit for the number of them: they make far more than any state that is asked for.
const MOST_MESSAGES: u32 = 100;
/// The key of the ways that need a shell on PC-A, below the home.
pub(super) const KEY: &str = ".ssh/of-the-peers";
const HISTORY: &str = "message.txt";

/// See the module. Dropped in this order.
pub(super) struct Site {
    gateway: Option<Process>,
    _servers: [Process; 2],
    primary: OpenClawHost,
    /// PC-A's account, counted.
    pub(super) source: Account,
    /// PC-B's, counted.
    pub(super) local: Account,
    turns: std::cell::Cell<u32>,
    groups: [Cgroup; 2],
    lab: Lab,
}

/// What something used.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sample {
    /// That PC-A's interface counted, both directions.
    pub(super) bytes: u64,
    /// CPU time on PC-A and on PC-B.
    pub(super) cpu: [Duration; 2],
    pub(super) took: Duration,
}

impl fmt::Display for Sample {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, cpu, took } = self;
        let [source, local] = cpu;
        write!(
            formatter,
            "{bytes} bytes, {source:.0?} of CPU on PC-A and {local:.0?} on PC-B, {took:.1?}"
        )
    }
}

impl Site {
    /// With a history of this many megabytes.
    pub(super) fn new(failover: &Path, megabytes: u64) -> Result<Self> {
        ensure!(
            failover_binary() == failover,
            "the hosts run {}",
            failover_binary().display()
        );
        let lab = Lab::build()?;
        let groups = [Cgroup::new()?, Cgroup::new()?];
        let [of_source, of_local] = groups.each_ref().map(Cgroup::procs);
        let primary = OpenClawHost::new(&lab, lab.host_a());
        let source = primary.account().clone().counted_in(of_source);
        let local = Account::new(&lab, lab.host_b()).counted_in(of_local);
        let servers = [
            source.sshd().context("no sshd")?,
            local.sshd().context("no sshd")?,
        ];
        sync_worker::permit(&source, &local);
        for (client, server) in [(&local, &source), (&source, &local)] {
            let key = client.make_key(KEY);
            client.write(&format!("{KEY}.hosts"), server.known_host());
            let keys = server.home().join(".ssh/authorized_keys");
            let present = fs::read_to_string(keys).unwrap_or_default();
            server.write(".ssh/authorized_keys", present + &key);
        }
        let this = Self {
            gateway: Some(primary.start()),
            _servers: servers,
            primary,
            source,
            local,
            turns: std::cell::Cell::new(0),
            groups,
            lab,
        };
        this.grow(megabytes * 1_000_000)?;
        // OpenClaw puts what was said into its index some seconds later.
        thread::sleep(LEASE);
        Ok(this)
    }

    /// Conversations, each in a session of its own, until there is this much.
    fn grow(&self, wanted: u64) -> Result<()> {
        let mut random = fastrand::Rng::with_seed(1);
        for number in 0..MOST_MESSAGES {
            let size = self.databases();
            progress(&format!("the databases have {} KB", size / 1000));
            if size >= wanted {
                return Ok(());
            }
            self.source.write(HISTORY, text(&mut random));
            let _ = self
                .primary
                .answers_in(&format!("history-{number}"), &format!("{HOME}/{HISTORY}"));
        }
        bail!("the databases don't grow to {wanted} bytes");
    }

    /// Bytes in the databases and what is written ahead of them.
    fn databases(&self) -> u64 {
        let folder = self.source.home().join(".openclaw");
        let names = [
            "state/openclaw.sqlite",
            "agents/main/agent/openclaw-agent.sqlite",
        ];
        let size = |name: String| fs::metadata(folder.join(name)).map_or(0, |file| file.len());
        let sizes = names.map(|name| size(name.to_owned()).max(size(format!("{name}-wal"))));
        sizes.iter().sum()
    }

    /// What a round is about.
    pub(super) fn bring_about(&self, round: Round) {
        match round {
            Round::First => {}
            Round::Idle => thread::sleep(LEASE),
            Round::Turn => self.turn(),
        }
    }

    /// Somebody says something short.
    pub(super) fn turn(&self) {
        let number = self.turns.get() + 1;
        self.turns.set(number);
        let message = format!("What do we have to buy for dinner number {number}?");
        let _ = self.primary.answers(&message);
    }

    /// One copy in a way that takes no stop.
    pub(super) fn copied(&self, way: Way) -> Result<Sample> {
        self.measured(|| match way {
            Way::Failover => self.round(),
            Way::OpenclawBackup => self.backup(),
            Way::RsyncStopped | Way::Litestream => bail!("{} doesn't fit here", way.name()),
        })
    }

    fn round(&self) -> Result<()> {
        match sync_worker::carries_out(&self.source, &self.local, Order::Round) {
            outcome::Outcome::Copied { .. } => progress("copied"),
            outcome::Outcome::Unchanged { .. } => progress("unchanged"),
            other => bail!("the round: {other:?}"),
        }
        Ok(())
    }

    /// As its documentation has it: an archive, which is then moved away.
    fn backup(&self) -> Result<()> {
        let archive = "backup.tar.gz";
        let script = format!(
            "{FOLDER}/bin/openclaw backup create --output {HOME}/{archive} >&2 && cat {archive} && rm {archive}"
        );
        let file = fs::File::create(self.local.home().join(archive)).context("an archive")?;
        let mut command = self.local.command("ssh");
        command.args(self.ssh_options());
        command.arg(self.destination()).arg(script).stdout(file);
        succeeds(command)
    }

    /// One copy with the gateway stopped, which starts again afterwards.
    pub(super) fn copied_while_stopped(&mut self) -> Result<Sample> {
        drop(self.gateway.take());
        let sample = self.measured(|| {
            let mut command = self.local.command("rsync");
            let transport = format!("ssh {}", self.ssh_options().join(" "));
            command.args(["-az", "--delete", "-e", &transport]);
            // Of the machine: it would be 54 MB more.
            command.args(["--exclude=/cache/", "--exclude=/tmp/"]);
            command.arg(format!("{}:.openclaw/", self.destination()));
            command.arg("rsync-stopped/");
            succeeds(command)
        })?;
        self.gateway = Some(self.primary.start());
        Ok(sample)
    }

    fn destination(&self) -> String {
        format!("{NAME}@{}", self.lab.host_a().address())
    }

    fn ssh_options(&self) -> [String; 6] {
        [
            "-oBatchMode=yes".to_owned(),
            "-oIdentitiesOnly=yes".to_owned(),
            format!("-oIdentityFile={HOME}/{KEY}"),
            format!("-oUserKnownHostsFile={HOME}/{KEY}.hosts"),
            "-oStrictHostKeyChecking=yes".to_owned(),
            format!("-oPort={}", account::SSH_PORT),
        ]
    }

    /// What this used.
    fn measured(&self, work: impl FnOnce() -> Result<()>) -> Result<Sample> {
        let (began, before) = (Instant::now(), self.used()?);
        work()?;
        let took = began.elapsed();
        thread::sleep(SETTLED);
        self.since(before, took)
    }

    /// What was used between then and now.
    pub(super) fn since(&self, before: Sample, took: Duration) -> Result<Sample> {
        let after = self.used()?;
        let [source, local] = after.cpu;
        let [source_before, local_before] = before.cpu;
        Ok(Sample {
            bytes: after.bytes - before.bytes,
            cpu: [source - source_before, local - local_before],
            took,
        })
    }

    /// What was used so far.
    pub(super) fn used(&self) -> Result<Sample> {
        let [source, local] = &self.groups;
        Ok(Sample {
            bytes: self.carried()?,
            cpu: [source.cpu_time()?, local.cpu_time()?],
            took: Duration::ZERO,
        })
    }

    /// Bytes on PC-A's interface so far.
    pub(super) fn carried(&self) -> Result<u64> {
        let table = self.lab.host_a().enter("count", || {
            fs::read_to_string("/proc/thread-self/net/dev").context("reading the interfaces")
        })?;
        carried(&table).with_context(|| format!("no eth0: {table}"))
    }
}

/// Received and sent, the first and the ninth number of `/proc/net/dev` (proc_pid_net(5)).
fn carried(table: &str) -> Option<u64> {
    let line = table
        .lines()
        .find_map(|line| line.trim().strip_prefix("eth0:"))?;
    let mut numbers = line.split_whitespace().map(str::parse);
    let received: u64 = numbers.next()?.ok()?;
    let sent: u64 = numbers.nth(7)?.ok()?;
    Some(received + sent)
}

fn succeeds(mut command: Command) -> Result<()> {
    let output = command.stdin(Stdio::null()).stderr(Stdio::piped()).spawn();
    let output = output.and_then(std::process::Child::wait_with_output);
    let output = output.context("running unshare")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", output.status);
    Ok(())
}

/// A long message of words, which compresses about as well as what people write.
fn text(random: &mut fastrand::Rng) -> String {
    let vocabulary: Vec<String> = (0..4000)
        .map(|_| {
            let letters = random.usize(2..11);
            std::iter::repeat_with(|| random.lowercase())
                .take(letters)
                .collect()
        })
        .collect();
    let mut text = String::with_capacity(MESSAGE + 16);
    while text.len() < MESSAGE {
        // Few words are said often.
        let rank = vocabulary.len().min(1 << random.u32(0..13));
        if let Some(word) = vocabulary.get(random.usize(0..rank)) {
            text.push_str(word);
            text.push(' ');
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::carried;

    #[test]
    fn an_interface_has_carried_what_it_received_and_sent() {
        let table = "Inter-|   Receive  |  Transmit\n face |bytes packets\n\
             \u{20}   lo: 7 1 0 0 0 0 0 0 7 1 0 0 0 0 0 0\n\
             \u{20} eth0: 1000 9 0 0 0 0 0 0 234 8 0 0 0 0 0 0\n";
        assert_eq!(carried(table), Some(1234));
        assert_eq!(carried("  lo: 7 1 0 0 0 0 0 0 7 1"), None);
    }
}
