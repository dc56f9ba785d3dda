//! The web page in a real browser on PC-B.

use std::path::Path;

use failover_tests::{
    browser::{self, Browser},
    daemon::{Daemon, Setup},
    lab::{Lab, Process},
    moment::Moment,
    skip, wait,
};

const URL: &str = "http://127.0.0.1:9179/";

/// What a test needs, or `None` where there is no browser.
struct Scene {
    lab: Lab,
    primary: Process,
    daemon: Daemon,
    browser: Browser,
}

/// The page is open, and says that all is well.
fn scene() -> Option<Scene> {
    if let Some(program) = browser::missing() {
        skip(&format!(
            "there is no {program} (Debian's chromium-driver, which `cargo xtask test` installs where it can)"
        ));
        return None;
    }
    let lab = Lab::new();
    let primary = lab.host_a().gateway().expect("a primary");
    let mut daemon = Setup::new(&lab)
        .argument("--metrics=127.0.0.1:9179")
        .spawn();
    daemon.probes("connected");
    wait::until("the listener", wait::LONG, || {
        lab.host_b().listens(9179).then_some(())
    });
    let browser = Browser::on(lab.host_b(), &lab);
    browser.open(URL);
    assert_eq!(
        browser.run("return document.querySelector('h1').textContent"),
        "standby"
    );
    Some(Scene {
        lab,
        primary,
        daemon,
        browser,
    })
}

impl Scene {
    fn shows(&self, what: &str, script: &str) {
        wait::until(what, 2 * wait::LONG, || {
            (self.browser.run(script) == true).then_some(())
        });
    }
}

#[test]
fn a_takeover_shows_on_the_open_page_within_a_second() {
    let Some(mut scene) = scene() else { return };
    // It notes itself when each state shows first.
    scene.browser.run(
        "window.shown = {}; const note = () => {
           const state = document.querySelector('h1').textContent;
           window.shown[state] ??= Date.now(); };
         new MutationObserver(note).observe(document.body, {subtree: true, childList: true});",
    );
    let primary = scene.primary;
    primary.kill();
    let active = scene.daemon.becomes("active").at;
    let shown = wait::until("the takeover on the page", wait::LONG, || {
        scene
            .browser
            .run("return window.shown.active ?? null")
            .as_i64()
    });
    let shown = jiff::Timestamp::from_millisecond(shown)
        .unwrap()
        .to_string();
    let late = Moment::of_day(&shown).unwrap().since(active);
    assert!(late.as_millis() < 1000, "{late:?}");
    let text = scene.browser.run("return document.body.innerText");
    let text = text.as_str().unwrap().to_lowercase();
    for part in [
        "active",
        "the local gateway serves",
        "does not answer",
        "3 of 3",
        "starting to active",
    ] {
        assert!(text.contains(part), "{part}: {text}");
    }
    // Somebody may watch two pairs.
    let name = rustix::system::uname();
    let host = name.nodename().to_string_lossy();
    let title = format!("(degraded) active - {host} - failover");
    assert_eq!(scene.browser.run("return document.title"), title);
    let chart = "return ['.states .s-active', '.probes .p-failed', '.strikes rect', '.kernel rect']
        .filter(part => !document.querySelector(part)).join()";
    assert_eq!(scene.browser.run(chart), "");
    assert_eq!(scene.browser.complaints(), Vec::<String>::new());
    scene.daemon.ends_having_run(&["start"]);
}

#[test]
fn a_program_with_a_hostile_name_is_shown_by_that_name_and_does_nothing() {
    let Some(scene) = scene() else { return };
    let name = "<img src=x>";
    let program = scene.lab.directory().join(name);
    Lab::copy_program(Path::new("/bin/bash"), &program);
    // Nobody listens there on PC-A's other address, so it is refused.
    let primary = scene.primary;
    primary.kill();
    let mut command = scene.lab.host_b().command(&program);
    command.args(["-c", "exec 3<>/dev/tcp/10.0.0.1/18789"]);
    command.output().unwrap();
    scene.browser.run("window.images = 0");
    wait::until("its name on the page", 2 * wait::LONG, || {
        let text = scene.browser.run("return document.body.innerText");
        text.as_str()?.contains(name).then_some(())
    });
    assert_eq!(
        scene
            .browser
            .run("return document.querySelectorAll('img').length"),
        0
    );
    assert_eq!(scene.browser.complaints(), Vec::<String>::new());
}

#[test]
fn an_open_page_says_so_when_the_daemon_is_gone_and_goes_on_when_it_is_back() {
    let Some(mut scene) = scene() else { return };
    assert_eq!(
        scene
            .browser
            .run("return document.getElementById('silence').hidden"),
        true
    );
    scene.daemon.signal(rustix::process::Signal::KILL);
    scene.shows(
        "that nobody answers",
        "const notice = document.getElementById('silence');
         return !notice.hidden && notice.textContent.startsWith('No update from the daemon since ')",
    );
    scene.daemon = scene.daemon.killed_and_restarted();
    let pid = scene.daemon.pid();
    scene.shows(
        "the new daemon",
        "return document.getElementById('silence').hidden",
    );
    let footer = scene
        .browser
        .run("return document.querySelector('footer').textContent");
    assert!(
        footer.as_str().unwrap().contains("failover"),
        "{pid} {footer}"
    );
}

#[test]
fn it_fits_a_phone_and_follows_dark_and_light() {
    let Some(scene) = scene() else { return };
    for width in [320, 390, 1200] {
        scene.browser.resize(width, 800);
        let size = "return [innerWidth, document.documentElement.scrollWidth].join()";
        assert_eq!(scene.browser.run(size), format!("{width},{width}"));
    }
    let schemes = "return [...document.styleSheets].flatMap(sheet => [...sheet.cssRules])
        .some(rule => rule.conditionText?.includes('prefers-color-scheme: dark'))";
    assert_eq!(scene.browser.run(schemes), true);
    assert_eq!(scene.browser.complaints(), Vec::<String>::new());
}
