//! keepalived on both hosts as its users have it: VRRP version 3, adverts of 0.1 s, and a TCP check each second that has
//! to fail three times. A gateway runs on each host all the time.

use std::{fs, net::Ipv4Addr, path::Path, process::Stdio, thread, time::Duration};

use anyhow::{Context as _, Result};
use rustix::process::Signal;

use super::{
    Event,
    observer::{Client, Serves, both, longest_gap},
    outcome::Sample,
};
use crate::{
    PORT,
    lab::{Host, Lab, Process},
    moment::Moment,
    wait,
};

const ADDRESS: Ipv4Addr = Ipv4Addr::new(10, 0, 0, 100);
/// A check that has to fail three times takes 3 s.
const PATIENCE: Duration = Duration::from_secs(20);
/// The check has been good often enough, and what was moved has come to rest.
const SETTLED: Duration = Duration::from_secs(3);

struct Site {
    lab: Lab,
    gateway: Option<Process>,
    keepalived: Option<Process>,
    client: Client,
    serves: [Serves; 2],
    _others: [Process; 2],
}

pub(super) fn measure(samples: u32) -> Result<Vec<Sample>> {
    let mut site = Site::new()?;
    let mut measured = Vec::new();
    let mut random = fastrand::Rng::with_seed(1);
    for _ in 0..samples {
        for event in [Event::HostLoss, Event::Killed, Event::Switchover] {
            // Somewhere within a check's second.
            thread::sleep(SETTLED + Duration::from_secs(1).mul_f64(random.f64()));
            measured.push(site.lose(event)?);
            thread::sleep(SETTLED);
            measured.push(site.give_back(event)?);
        }
    }
    Ok(measured)
}

impl Site {
    fn new() -> Result<Self> {
        let lab = Lab::build()?;
        let outside = lab.add_host("PC-C");
        let [a, b] = [lab.host_a(), lab.host_b()];
        let gateway = a.gateway()?;
        let keepalived = keepalived(&lab, a, 150)?;
        let others = [b.gateway()?, keepalived_of_b(&lab)?];
        let client = Client::of(&outside, (ADDRESS, PORT).into());
        let serves = [a, b].map(|host| Serves::holding(host, ADDRESS.into()));
        let site = Self {
            gateway: Some(gateway),
            keepalived: Some(keepalived),
            client,
            serves,
            _others: others,
            lab,
        };
        site.await_holder(0)?;
        Ok(site)
    }

    fn await_holder(&self, wanted: usize) -> Result<()> {
        let holds = wait::attempt(PATIENCE, || {
            let held = [0, 1].map(|host| self.serves.get(host).is_some_and(Serves::now));
            (held == [wanted == 0, wanted == 1]).then_some(())
        });
        holds.with_context(|| format!("host {wanted} doesn't hold the address alone"))
    }

    fn lose(&mut self, event: Event) -> Result<Sample> {
        let lost = match event {
            Event::HostLoss => {
                let cut = self.lab.switch_port(self.lab.host_a()).down();
                // A host that is gone holds nothing.
                self.keepalived.take().map(Process::kill);
                self.gateway.take().map(Process::kill);
                self.drop_address();
                cut
            }
            Event::Killed => self.gateway.take().context("no gateway")?.kill(),
            Event::Switchover | Event::Return => {
                let keepalived = self.keepalived.take().context("no keepalived")?;
                let asked = keepalived.signal(Signal::TERM);
                ended(keepalived)?;
                asked
            }
        };
        self.await_holder(1)?;
        let [a, b] = &self.serves;
        // Until then PC-A still answers at that address: pulling a cable takes its time.
        let held = b.first_after(lost).context("PC-B doesn't hold it")?;
        let first = self.client.first_after(held, PATIENCE);
        let first = first.context("PC-B doesn't answer")?;
        let nobody = match event {
            Event::HostLoss | Event::Killed => first.since(lost),
            Event::Switchover | Event::Return => {
                thread::sleep(SETTLED);
                longest_gap(&[&self.client], lost, Moment::now())
            }
        };
        Ok(Sample {
            event,
            nobody,
            two: both(a, b, lost, Moment::now()),
        })
    }

    fn give_back(&mut self, event: Event) -> Result<Sample> {
        let back = match event {
            Event::HostLoss => self.lab.switch_port(self.lab.host_a()).up(),
            Event::Killed | Event::Switchover | Event::Return => Moment::now(),
        };
        if self.gateway.is_none() {
            self.gateway = Some(self.lab.host_a().gateway()?);
        }
        if self.keepalived.is_none() {
            self.keepalived = Some(keepalived(&self.lab, self.lab.host_a(), 150)?);
        }
        self.await_holder(0)?;
        thread::sleep(SETTLED);
        let now = Moment::now();
        let [a, b] = &self.serves;
        Ok(Sample {
            event: Event::Return,
            nobody: longest_gap(&[&self.client], back, now),
            two: both(a, b, back, now),
        })
    }

    /// One that is killed leaves the address behind, which a host that is gone doesn't have.
    fn drop_address(&self) {
        let address = format!("{ADDRESS}/24");
        let a = self.lab.host_a();
        let mut command = a.command("ip");
        command.args(["address", "del", &address, "dev", "eth0"]);
        // It may be gone by itself.
        let _ = command.stderr(Stdio::null()).status();
    }
}

fn keepalived_of_b(lab: &Lab) -> Result<Process> {
    keepalived(lab, lab.host_b(), 100)
}

/// keepalived.conf(5), 2.2.
fn keepalived(lab: &Lab, host: &Host, priority: u8) -> Result<Process> {
    let directory = lab.directory().join(host.name().to_lowercase());
    fs::create_dir_all(&directory).context("making keepalived's directory")?;
    let check = directory.join("check.sh");
    let script =
        format!("#!/bin/bash\ntimeout 1 bash -c 'echo > /dev/tcp/127.0.0.1/{PORT}' 2>/dev/null\n");
    fs::write(&check, script).context("writing keepalived's check")?;
    let configuration = directory.join("keepalived.conf");
    let text = format!(
        "global_defs {{\n\
         script_user root\n\
         vrrp_version 3\n\
         }}\n\
         vrrp_script serves {{\n\
         script \"/bin/bash {check}\"\n\
         interval 1\n\
         fall 3\n\
         rise 1\n\
         }}\n\
         vrrp_instance gateway {{\n\
         state BACKUP\n\
         interface eth0\n\
         virtual_router_id 51\n\
         priority {priority}\n\
         advert_int 0.1\n\
         virtual_ipaddress {{\n{ADDRESS}/24\n}}\n\
         track_script {{\nserves\n}}\n\
         }}\n",
        check = check.display(),
    );
    fs::write(&configuration, text).context("writing keepalived's configuration")?;
    let file = |name: &str| option(&directory, name);
    let mut command = host.command("keepalived");
    command
        .args(["--dont-fork", "--vrrp", "--use-file"])
        .arg(&configuration)
        .args(["--pid", &file("keepalived.pid")])
        .args(["--vrrp_pid", &file("vrrp.pid")])
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    host.spawn(&mut command)
}

fn option(directory: &Path, name: &str) -> String {
    directory.join(name).display().to_string()
}

fn ended(mut process: Process) -> Result<()> {
    let ended = wait::attempt(PATIENCE, || process.ended());
    ended.map(drop).context("it doesn't end")
}
