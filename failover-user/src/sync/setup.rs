//! `failover sync init` and `remove`: a process of the gateway's account makes the way to PC-A, or undoes it. It must not
//! know how that is done.

use std::{
    env,
    net::{ToSocketAddrs as _, UdpSocket},
    process::{Output, Stdio},
    time::Duration,
};

use anyhow::{Context as _, bail};
use tokio::{io::AsyncWriteExt as _, process::Command, time::timeout};

use failover_linux::escape::one_line;
use failover_sync::setup::{Setup, SetupOrder, SourceAddress};

use crate::{
    config::{Configuration, DEFAULT_CONTROL, Sync, address},
    gateway::command::{
        account::Account,
        alone,
        command_line::{CommandLine, THIS_PROGRAM},
    },
    sync::order,
};

/// What the process is called.
pub const VERB: &str = "sync-setup";
/// More than the process takes, which has a limit of its own.
const TEST: Duration = Duration::from_secs(40);
/// What is shown of its output, in bytes.
const LONGEST_TEXT: usize = 1000;

/// Makes the way to PC-A. `back`: PC-B, as PC-A reaches it. Is nothing left to do?
///
/// # Errors
/// When nothing is copied, or PC-B's address isn't known, or the process can't be run.
pub async fn init(configuration: &Configuration, back: Option<&str>) -> anyhow::Result<bool> {
    let options = options(configuration)?;
    let back = match back {
        Some(back) => {
            let (destination, port) =
                address(back).context("write --back as alice@pc-b or alice@pc-b:2222")?;
            SourceAddress { destination, port }
        }
        None => own_address(configuration, options)?,
    };
    let answer = SetupOrder::Init {
        back,
        answer: answer(configuration)?,
    };
    carry_out(configuration, options, answer).await
}

/// Undoes it. Is nothing left?
///
/// # Errors
/// When nothing is copied, or the process can't be run.
pub async fn remove(configuration: &Configuration, all: bool) -> anyhow::Result<bool> {
    let options = options(configuration)?;
    carry_out(configuration, options, SetupOrder::Remove { all }).await
}

/// Asks PC-A as a round does, and fetches nothing: what it reports.
///
/// # Errors
/// When nothing is copied, or the way doesn't work, with what is in the way.
pub(crate) async fn test(configuration: &Configuration) -> anyhow::Result<String> {
    let options = options(configuration)?;
    let files = options.limits.files;
    let (mut process, order) = process(configuration, options, SetupOrder::Test { files })?;
    process
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    let output = timeout(TEST, finished(process, order))
        .await
        .with_context(|| format!("{} didn't answer within the limit", options.destination))??;
    let text = |bytes: &[u8]| {
        let bytes = bytes.get(..LONGEST_TEXT).unwrap_or(bytes);
        one_line(String::from_utf8_lossy(bytes).trim())
    };
    match output.status.success() {
        true => Ok(text(&output.stdout)),
        false => {
            let complaint = text(&output.stderr);
            let complaint = complaint.strip_prefix("failover: ").unwrap_or(&complaint);
            bail!("{complaint}")
        }
    }
}

fn options(configuration: &Configuration) -> anyhow::Result<&Sync> {
    configuration
        .sync
        .as_ref()
        .context("nothing is copied from PC-A; set `sync-from` in the daemon's configuration first")
}

/// This host's address on the way to PC-A, with the gateway's account.
fn own_address(configuration: &Configuration, options: &Sync) -> anyhow::Result<SourceAddress> {
    const HINT: &str = "say how PC-A reaches PC-B: failover sync init --back alice@pc-b";
    let (_, host) = options.destination.split_once('@').context(HINT)?;
    let there = (host, options.port.unwrap_or(22)).to_socket_addrs();
    let there = there.context(HINT)?.next().context(HINT)?;
    let any = if there.is_ipv4() {
        "0.0.0.0:0"
    } else {
        "[::]:0"
    };
    let socket = UdpSocket::bind(any).context(HINT)?;
    // Nothing is sent: the kernel looks up the route.
    socket.connect(there).context(HINT)?;
    let own = socket.local_addr().context(HINT)?.ip();
    let account = match &configuration.gateway.user {
        Some(account) => account.clone(),
        None => Account::own()?,
    };
    Ok(SourceAddress {
        destination: format!("{}@{own}", account.name()),
        port: None,
    })
}

/// What PC-A's key runs here.
fn answer(configuration: &Configuration) -> anyhow::Result<String> {
    let program = env::current_exe().context("finding this program")?;
    let control = &configuration.control;
    let control = match control.as_os_str() == DEFAULT_CONTROL {
        true => String::new(),
        false => format!(" --control {}", control.display()),
    };
    Ok(format!("{} sync answer{control}", program.display()))
}

async fn carry_out(
    configuration: &Configuration,
    options: &Sync,
    order: SetupOrder,
) -> anyhow::Result<bool> {
    let (process, order) = process(configuration, options, order)?;
    Ok(finished(process, order).await?.status.success())
}

/// The process of the gateway's account, and what it is to read.
fn process(
    configuration: &Configuration,
    options: &Sync,
    order: SetupOrder,
) -> anyhow::Result<(Command, Vec<u8>)> {
    let setup = Setup {
        order,
        state: options.state.clone(),
        store: order::store(options),
        source: order::source(options),
    };
    let line = CommandLine {
        program: THIS_PROGRAM.into(),
        arguments: vec![VERB.to_owned()],
    };
    let mut process = alone(&line, configuration.gateway.user.as_ref())?;
    process.stdin(Stdio::piped());
    Ok((process, serde_json::to_vec(&setup)?))
}

async fn finished(mut process: Command, order: Vec<u8>) -> anyhow::Result<Output> {
    let mut child = process
        .spawn()
        .context("running the gateway's account's part")?;
    let Some(mut stdin) = child.stdin.take() else {
        bail!("no pipe to the process");
    };
    stdin.write_all(&order).await?;
    drop(stdin);
    Ok(child.wait_with_output().await?)
}
