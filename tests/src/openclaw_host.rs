//! The real OpenClaw as an [account](crate::account) of a host, with a [model](crate::model) of that host: what people
//! say to it, and what the model is asked then. Without a service manager, in namespaces as of a machine of its own.

use std::{
    fs,
    process::{Command, Stdio},
    time::Duration,
};

use crate::{
    PORT,
    account::Account,
    http,
    lab::{Host, Lab, Process},
    model::{self, MODEL, ModelServer, PROVIDER},
    openclaw::{self, LONGEST_START},
    wait,
};

/// Where the account has the program.
pub const FOLDER: &str = "/mnt/openclaw";
/// Of a turn, beside the start of the program that asks for it.
const LONGEST_TURN: Duration = Duration::from_secs(120);

/// See the module.
#[derive(Debug)]
pub struct OpenClawHost {
    account: Account,
    model: ModelServer,
}

impl OpenClawHost {
    /// On this host, configured and not started.
    ///
    /// # Panics
    /// When it can't be configured.
    #[must_use]
    pub fn new(lab: &Lab, host: &Host) -> Self {
        let account = Account::new(lab, host).with(&openclaw::folder(), FOLDER);
        account.write(".openclaw/openclaw.json", configuration());
        Self {
            account,
            model: ModelServer::on(host),
        }
    }

    /// Whose it is.
    #[must_use]
    pub fn account(&self) -> &Account {
        &self.account
    }

    /// What its model was asked so far, see [`ModelServer::asked`].
    #[must_use]
    pub fn asked(&self) -> Vec<String> {
        self.model.asked()
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = self.account.command("env");
        command
            .arg("OPENCLAW_DISABLE_BONJOUR=1")
            .arg(format!("{FOLDER}/bin/openclaw"))
            .args(arguments);
        command
    }

    /// Runs the gateway, and waits until it is ready. Dropped, it is killed with all its processes.
    ///
    /// # Panics
    /// With its log, when it isn't in time.
    #[must_use]
    pub fn start(&self) -> Process {
        let path = self.account.home().with_extension("log");
        let log = fs::File::options().append(true).create(true).open(&path);
        let log = log.expect("opening the gateway's log");
        let errors = log.try_clone().expect("one more descriptor");
        let mut command = self.command(&["gateway", "run", "--port", &PORT.to_string()]);
        let host = self.account.host();
        let spawned = host.spawn(command.stdout(log).stderr(errors));
        let mut process = spawned.unwrap_or_else(|error| panic!("{error:#}"));
        let log = || fs::read_to_string(&path).unwrap_or_default();
        let ready = wait::attempt(LONGEST_START, || {
            if let Some(status) = process.ended() {
                panic!("{status}: {}", log());
            }
            let answer = http::get(host, ([127, 0, 0, 1], PORT).into(), "/readyz").ok()?;
            answer.status.is_success().then_some(())
        });
        assert!(ready.is_some(), "it isn't ready: {}", log());
        process
    }

    /// Somebody says this to its agent, and waits for the answer.
    ///
    /// # Panics
    /// When there is none in time.
    #[must_use]
    pub fn answers(&self, message: &str) -> String {
        self.turn(&["--message", message])
    }

    /// Somebody says what is in a file below the home, in a session of this name.
    ///
    /// # Panics
    /// When there is no answer in time.
    #[must_use]
    pub fn answers_in(&self, session: &str, file: &str) -> String {
        let session = format!("agent:main:{session}");
        self.turn(&["--session-key", &session, "--message-file", file])
    }

    fn turn(&self, what: &[&str]) -> String {
        let seconds = LONGEST_TURN.as_secs().to_string();
        let mut command = self.command(&["agent", "--agent", "main", "--timeout", &seconds]);
        let output = command.args(what).stdin(Stdio::null()).output();
        let output = output.expect("unshare can be run");
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(
            output.status.success(),
            "{}{text}",
            String::from_utf8_lossy(&output.stderr)
        );
        text
    }
}

/// Of a gateway that knows this model alone.
#[must_use]
pub fn configuration() -> String {
    let model_port = model::PORT;
    format!(
        r#"{{
    gateway: {{ mode: "local", bind: "lan", port: {PORT}, auth: {{ mode: "token", token: "test" }} }},
    agents: {{ defaults: {{ model: {{ primary: "{PROVIDER}/{MODEL}" }} }} }},
    models: {{
        mode: "merge",
        providers: {{
            {PROVIDER}: {{
                baseUrl: "http://127.0.0.1:{model_port}/v1",
                apiKey: "none",
                api: "openai-completions",
                models: [
                    {{
                        id: "{MODEL}", name: "Stub", reasoning: false, input: ["text"],
                        cost: {{ input: 0, output: 0, cacheRead: 0, cacheWrite: 0 }},
                        contextWindow: 200000, maxTokens: 4096,
                    }},
                ],
            }},
        }},
    }},
}}
"#
    )
}
