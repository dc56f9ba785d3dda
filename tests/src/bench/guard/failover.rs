//! failover as its users have it: the guard on PC-A, a witness, and on PC-B the package's unit with a gateway that is
//! kept parked.

use std::{path::Path, process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result, ensure};

use super::{
    Event,
    observer::{Client, Serves, both, longest_gap},
    outcome::{Idle, Sample},
};
use crate::{
    PORT,
    bench::cgroup::{self, Cgroup},
    guard,
    lab::{Host, Lab, Process, failover_binary},
    moment::Moment,
    openclaw_unit::{self, await_status, configure_daemon, run_daemon},
    standby::{Gateway, StandbySite},
    wait,
};

/// Each return is as the first one is: what flaps would be believed later each time.
const OPTIONS: &str = "gateway = \"systemd-user\"\ncheck = \"tcp\"\nhost-loss = \"fast\"\nstandby = \"hot\"\n\
                       drill-every = \"0s\"\nflap-damping = false\n";
/// For a takeover or a return.
const PATIENCE: Duration = Duration::from_secs(90);
const SETTLED: Duration = Duration::from_secs(3);
/// How long the use of an idle machine is measured, without a guard and with one.
const IDLE: Duration = Duration::from_secs(60);

/// See the module. Dropped in this order.
pub(super) struct Site {
    guard: Option<Process>,
    gateway: Option<Process>,
    /// None while the use of an idle machine is measured: the guard sees their connections, too.
    clients: Option<[Client; 2]>,
    serves: [Serves; 2],
    used_by_guard: Cgroup,
    outside: Host,
    _witness: Host,
    site: StandbySite,
}

pub(super) fn measure(samples: u32, failover: &Path) -> Result<(Vec<Sample>, Idle)> {
    let mut site = Site::new(failover)?;
    let idle = site.idle()?;
    site.begin_to_ask();
    let mut measured = Vec::new();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..samples {
        for event in [Event::HostLoss, Event::Killed] {
            site.await_ready()?;
            thread::sleep(SETTLED + Duration::from_secs(1).mul_f64(random.f64()));
            measured.push(site.lose(event)?);
            thread::sleep(SETTLED);
            measured.push(site.give_back()?);
        }
    }
    Ok((measured, idle))
}

impl Site {
    /// Without a guard.
    pub(super) fn new(failover: &Path) -> Result<Self> {
        ensure!(
            failover_binary() == failover,
            "the machine runs {}",
            failover_binary().display()
        );
        let site = StandbySite::without_daemon(Gateway::Scripted).context("no machine")?;
        let lab = site.lab();
        let witness = lab.add_host("witness");
        let outside = lab.add_host("PC-C");
        let options = format!("{OPTIONS}witnesses = [\"{}\"]\n", witness.address());
        run_daemon(lab, site.machine(), &options);
        let mut waiting = site.machine().command("/usr/bin/failover");
        waiting.args(["guard", "pair"]);
        guard::pair_sides(guard::begun(waiting), lab.host_b(), |with| {
            guard::pairing(lab.host_a(), &guard::state_dir(lab), &["--with", with])
        });
        configure_daemon(lab, site.machine(), &options);
        site.machine().run(&["systemctl", "restart", "failover"]);
        openclaw_unit::await_seen(site.machine());
        let hosts = [lab.host_a(), lab.host_b()];
        let serves = hosts.map(Serves::listening);
        Ok(Self {
            guard: None,
            gateway: None,
            clients: None,
            serves,
            used_by_guard: Cgroup::new()?,
            outside,
            _witness: witness,
            site,
        })
    }

    /// A client asks both gateways from now on.
    pub(super) fn begin_to_ask(&mut self) {
        let lab = self.lab();
        let client = |host: &Host| Client::of(&self.outside, (host.address(), PORT).into());
        self.clients = Some([client(lab.host_a()), client(lab.host_b())]);
    }

    pub(super) const fn standby(&self) -> &StandbySite {
        &self.site
    }

    pub(super) fn lab(&self) -> &Lab {
        self.site.lab()
    }

    pub(super) fn start_guard(&mut self) -> Result<()> {
        let a = self.lab().host_a();
        let mut command = a.command("sh");
        command
            .args(["-c", r#"echo $$ >"$0" && exec "$@""#])
            .arg(self.used_by_guard.procs())
            .arg(failover_binary())
            .args(guard::run_arguments(&guard::state_dir(self.lab())))
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        self.guard = Some(a.spawn(&mut command)?);
        Ok(())
    }

    /// PC-B has a gateway parked, and hears that PC-A's listens.
    pub(super) fn await_ready(&self) -> Result<()> {
        let machine = self.site.machine();
        await_status(machine, "ready", PATIENCE, |status| {
            let at = |pointer: &str| status.pointer(pointer).and_then(serde_json::Value::as_str);
            at("/state") == Some("standby")
                && at("/standby/state") == Some("parked")
                && at("/guard/hearing") == Some("beats")
                && matches!(at("/guard/gateway"), Some("listening" | "answering"))
        });
        Ok(())
    }

    /// CPU time in a minute in which nothing happens.
    fn idle(&mut self) -> Result<Idle> {
        let machine = self.site.machine();
        await_status(machine, "parked", PATIENCE, |status| {
            status.pointer("/standby/state") == Some(&"parked".into())
        });
        thread::sleep(SETTLED);
        let [_, before] = self.used_in(IDLE)?;
        self.start_guard()?;
        self.await_ready()?;
        thread::sleep(SETTLED);
        let [pc_a, after] = self.used_in(IDLE)?;
        Ok(Idle {
            pc_a,
            pc_b: (after - before).max(0.0),
        })
    }

    /// Of the guard and of the daemon, of a core, in per cent.
    fn used_in(&self, period: Duration) -> Result<[f64; 2]> {
        let daemon = self
            .site
            .machine()
            .group()
            .join("system.slice/failover.service");
        let used = || {
            anyhow::Ok([
                self.used_by_guard.cpu_time()?,
                cgroup::cpu_time_in(&daemon)?,
            ])
        };
        let (began, [a, b]) = (Moment::now(), used()?);
        thread::sleep(period);
        let ([a_then, b_then], took) = (used()?, Moment::now().since(began));
        Ok([a_then - a, b_then - b].map(|used| used.as_secs_f64() / took.as_secs_f64() * 100.0))
    }

    pub(super) fn lose(&mut self, event: Event) -> Result<Sample> {
        let lost = match event {
            Event::HostLoss => {
                let cut = self.site.cut_primary();
                self.guard.take().map(Process::kill);
                self.end_gateway()?;
                cut
            }
            Event::Killed | Event::Switchover | Event::Return => self.end_gateway()?,
        };
        let [_, of_b] = self.clients.as_ref().context("nobody asks")?;
        let first = of_b.first_after(lost, PATIENCE);
        let nobody = first.context("PC-B doesn't answer")?.since(lost);
        let [a, b] = &self.serves;
        Ok(Sample {
            event,
            nobody,
            two: both(a, b, lost, Moment::now()),
        })
    }

    /// What PC-A's unit runs before its gateway. A guard that was just started may not be there yet, and one that was
    /// killed leaves its socket: the package's unit is started after its guard is ready.
    fn run_hook(&self) -> Result<()> {
        let control = guard::state_dir(self.lab()).join("control.sock");
        let asked = || {
            let mut hook = self.lab().host_a().command(failover_binary());
            hook.args(["guard", "ask", "--or=refuse"])
                .arg(format!("--control={}", control.display()));
            let asked = hook.output().ok()?;
            let said = String::from_utf8_lossy(&asked.stdout).into_owned();
            said.contains("PC-B has released").then_some(())
        };
        wait::attempt(PATIENCE, asked).context("PC-B doesn't release its gateway")
    }

    fn end_gateway(&mut self) -> Result<Moment> {
        match self.gateway.take() {
            Some(gateway) => Ok(gateway.kill()),
            // The first one came with the site.
            None => Ok(self.site.primary_killed().context("no gateway")?),
        }
    }

    pub(super) fn give_back(&mut self) -> Result<Sample> {
        let back = self.site.mend_primary();
        if self.guard.is_none() {
            self.start_guard()?;
        }
        self.run_hook()?;
        self.gateway = Some(self.lab().host_a().gateway()?);
        let [a, b] = &self.serves;
        wait::attempt(PATIENCE, || (!b.now()).then_some(())).context("PC-B isn't released")?;
        thread::sleep(SETTLED);
        let now = Moment::now();
        let [of_a, of_b] = self.clients.as_ref().context("nobody asks")?;
        Ok(Sample {
            event: Event::Return,
            nobody: longest_gap(&[of_a, of_b], back, now),
            two: both(a, b, back, now),
        })
    }
}
