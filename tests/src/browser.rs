//! A real browser on a host of the lab: Chromium without a window, driven over WebDriver (W3C).

use std::{
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    process::Stdio,
};

use anyhow::{Context as _, Result, ensure};
use hyper::Method;
use serde_json::{Value, json};

use crate::{
    http::ask,
    lab::{Host, Lab, Process},
    wait,
};

/// Debian's names; the second one comes with the package chromium-driver.
const PROGRAMS: [&str; 2] = ["chromium", "chromedriver"];
const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9515);

/// A browser with one page. Dropping it ends it.
#[derive(Debug)]
pub struct Browser {
    host: Host,
    session: String,
    // The browser ends with the lab's namespace, at the latest.
    _driver: Process,
}

/// The missing requirement, if any.
#[must_use]
pub fn missing() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| find(program).is_none())
}

fn find(program: &str) -> Option<PathBuf> {
    let folders = std::env::var_os("PATH")?;
    let mut places = std::env::split_paths(&folders).map(|folder| folder.join(program));
    places.find(|place| place.is_file())
}
impl Browser {
    /// On this host, with whatever it keeps in the lab's directory.
    ///
    /// # Panics
    /// When it can't be started.
    #[must_use]
    pub fn on(host: &Host, lab: &Lab) -> Self {
        Self::start(host, lab).unwrap_or_else(|error| panic!("the browser: {error:#}"))
    }

    fn start(host: &Host, lab: &Lab) -> Result<Self> {
        let home = lab.directory().join("browser");
        std::fs::create_dir_all(&home)?;
        let [chromium, chromedriver] = PROGRAMS.map(find);
        let chromium = chromium.context("no Chromium")?;
        let chromedriver = chromedriver.context("no chromedriver")?;
        let mut command = host.command(chromedriver);
        command
            .arg(format!("--port={}", ADDRESS.port()))
            .env("HOME", &home)
            .env("TMPDIR", &home)
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let driver = host.spawn(&mut command)?;
        wait::attempt(wait::LONG, || host.listens(ADDRESS.port()).then_some(()))
            .context("chromedriver doesn't listen")?;
        let profile = format!("--user-data-dir={}", home.join("profile").display());
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--disable-background-networking",
            "--disable-component-update",
            "--disable-sync",
            "--no-first-run",
            &profile,
        ];
        let wanted = json!({"capabilities": {"alwaysMatch": {
            "browserName": "chrome",
            "goog:chromeOptions": {"args": arguments, "binary": chromium},
            "goog:loggingPrefs": {"browser": "ALL"},
        }}});
        let mut browser = Self {
            host: host.clone(),
            session: String::new(),
            _driver: driver,
        };
        let session = browser.tell(&Method::POST, "/session", &wanted)?;
        let session = session.get("sessionId").and_then(Value::as_str);
        browser.session = session.context("no session")?.to_owned();
        Ok(browser)
    }

    /// Opens a page, and waits until it is loaded.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn open(&self, url: &str) {
        self.do_or_panic("url", &json!({"url": url}));
    }

    /// Runs a script on the page, and returns what it returns.
    ///
    /// # Panics
    /// When it fails.
    pub fn run(&self, script: &str) -> Value {
        self.do_or_panic("execute/sync", &json!({"script": script, "args": []}))
    }

    /// Makes the page this wide, as on a phone.
    ///
    /// # Panics
    /// When that can't be done.
    pub fn resize(&self, width: u32, height: u32) {
        let metrics =
            json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": true});
        let order = json!({"cmd": "Emulation.setDeviceMetricsOverride", "params": metrics});
        self.do_or_panic("goog/cdp/execute", &order);
    }

    /// Its errors since the last call: of scripts, and of violations of the page's policy.
    ///
    /// # Panics
    /// When it can't be queried.
    #[must_use]
    pub fn complaints(&self) -> Vec<String> {
        let log = self.do_or_panic("se/log", &json!({"type": "browser"}));
        let entries = log.as_array().cloned().unwrap_or_default();
        let message = |entry: &Value| entry.get("message").map(ToString::to_string);
        entries.iter().filter_map(message).collect()
    }

    fn do_or_panic(&self, what: &str, order: &Value) -> Value {
        let path = format!("/session/{}/{what}", self.session);
        self.tell(&Method::POST, &path, order)
            .unwrap_or_else(|error| panic!("the browser: {what}: {error:#}"))
    }

    fn tell(&self, method: &Method, path: &str, order: &Value) -> Result<Value> {
        let kind = [("content-type", "application/json")];
        let answer = ask(&self.host, ADDRESS, method, path, &kind, order.to_string())?;
        let mut decoded: Value = serde_json::from_str(&answer.body)?;
        let value = decoded
            .get_mut("value")
            .map(Value::take)
            .unwrap_or_default();
        ensure!(answer.status.is_success(), "{}: {value}", answer.status);
        Ok(value)
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let path = format!("/session/{}", self.session);
        let _ = self.tell(&Method::DELETE, &path, &Value::Null);
    }
}
