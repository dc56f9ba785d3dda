//! A real browser on a host of the lab: Chromium without a window, driven over WebDriver (W3C).

use std::{
    net::{Ipv4Addr, SocketAddr},
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

/// What is missing for one, if anything.
#[must_use]
pub fn missing() -> Option<&'static str> {
    let folders: Vec<_> =
        std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect();
    let is_there = |program: &&str| folders.iter().any(|folder| folder.join(program).is_file());
    PROGRAMS.into_iter().find(|program| !is_there(program))
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
        let [chromium, chromedriver] = PROGRAMS;
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
            "goog:chromeOptions": {"args": arguments, "binary": format!("/usr/bin/{chromium}")},
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

    /// What it complained about since this was asked last: errors of scripts, and what the page's policy
    /// forbade.
    ///
    /// # Panics
    /// When it can't be asked.
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
        let mut told: Value = serde_json::from_str(&answer.body)?;
        let value = told.get_mut("value").map(Value::take).unwrap_or_default();
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
