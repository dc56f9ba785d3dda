//! Monitoring: the metrics, the alerts on them, and the web server.

use std::{
    collections::BTreeSet,
    fs,
    io::{Read as _, Write as _},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use failover_tests::{
    daemon::{Daemon, Setup},
    http::{self, Answer, get},
    lab::{Host, Lab},
    skip, wait,
};
use hyper::{Method, StatusCode};
use serde_json::Value;

const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 9179);
const OPTION: &str = "--metrics=127.0.0.1:9179";

/// There once a gateway was parked; the unit tests have one.
const ONCE_PARKED: [&str; 3] = [
    "failover_drill_last_success",
    "failover_standby_memory_bytes",
    "failover_standby_parking_seconds",
];

/// There once PC-A's state is copied; the unit tests have a copy.
const ONCE_COPIED: [&str; 9] = [
    "failover_sync_age_seconds",
    "failover_sync_both_changed",
    "failover_sync_failing",
    "failover_sync_max_age_seconds",
    "failover_sync_refused",
    "failover_sync_round_duration_seconds_total",
    "failover_sync_rounds_total",
    "failover_sync_size_bytes",
    "failover_sync_transferred_bytes_total",
];

/// A daemon that is observed, once it serves.
fn watched(setup: Setup, lab: &Lab) -> Daemon {
    let daemon = setup.argument(OPTION).spawn();
    await_served(lab);
    daemon
}

fn await_served(lab: &Lab) {
    wait::until("the listener", wait::LONG, || {
        lab.host_b().listens(ADDRESS.port()).then_some(())
    });
}

fn ask(host: &Host, method: &Method, path: &str, headers: &[(&str, &str)]) -> Answer {
    http::ask(host, ADDRESS, method, path, headers, String::new()).expect("an answer")
}

fn metrics(lab: &Lab) -> String {
    let answer = get(lab.host_b(), ADDRESS, "/metrics");
    answer.expect("the metrics").body
}

/// A sample's value.
fn value(metrics: &str, sample: &str) -> f64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(sample)?.strip_prefix(' '));
    line.unwrap_or_else(|| panic!("no {sample}:\n{metrics}"))
        .parse()
        .expect("a number")
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("the package is in the repository")
        .to_owned()
}

/// Runs promtool with this on its standard input; `None` where there is none.
fn promtool(arguments: &[&str], input: &str) -> Option<String> {
    let command = Command::new("promtool")
        .args(arguments)
        .current_dir(repository())
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut promtool) = command else {
        skip(
            "there is no promtool (Debian's prometheus, which `cargo xtask test` installs where it can)",
        );
        return None;
    };
    let mut pipe = promtool.stdin.take().expect("a pipe");
    pipe.write_all(input.as_bytes()).expect("promtool reads");
    drop(pipe);
    let output = promtool.wait_with_output().expect("promtool ends");
    let text = [output.stdout, output.stderr].concat();
    let text = String::from_utf8_lossy(&text).into_owned();
    assert!(output.status.success(), "promtool {arguments:?}: {text}");
    Some(text)
}

#[test]
fn a_takeover_is_counted_and_the_names_are_what_prometheus_expects() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = watched(Setup::new(&lab), &lab);
    daemon.probes("connected");
    let before = metrics(&lab);
    assert_eq!(value(&before, "failover_state{state=\"standby\"}"), 1.0);
    assert_eq!(value(&before, "failover_takeovers_total"), 0.0);
    assert_eq!(value(&before, "failover_kernel_events_on"), 1.0);
    primary.kill();
    daemon.becomes("active");
    let after = metrics(&lab);
    assert_eq!(value(&after, "failover_state{state=\"active\"}"), 1.0);
    assert_eq!(value(&after, "failover_state{state=\"standby\"}"), 0.0);
    assert_eq!(value(&after, "failover_takeovers_total"), 1.0);
    assert_eq!(value(&after, "failover_local_gateway_listening"), 1.0);
    assert_eq!(value(&after, "failover_protected"), 1.0);
    assert!(value(&after, "failover_probes_total{outcome=\"refused\"}") >= 3.0);
    assert!(value(&after, "failover_no_gateway_seconds_total") > 0.5);
    assert!(value(&after, "failover_kernel_events_total") >= 1.0);
    let (status, _) = daemon.status();
    assert_eq!(status["totals"]["takeovers"], 1, "{status}");
    daemon.ends_having_run(&["start"]);
    if let Some(text) = promtool(&["check", "metrics"], &after) {
        assert_eq!(text, "", "{after}");
    }
}

#[test]
fn the_heartbeat_is_the_deciding_loops_own() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    // While nothing happens, the loop is asked once a second, and shown for as long.
    let setup = Setup::new(&lab).interval(Duration::from_secs(30));
    let mut daemon = watched(setup, &lab);
    daemon.probes("connected");
    let beat = || value(&metrics(&lab), "failover_heartbeat_timestamp_seconds");
    let now = || jiff::Timestamp::now().as_duration().as_secs_f64();
    let before = now();
    let new = || Some(beat()).filter(|beat| *beat > before);
    wait::until("a new heartbeat", wait::LONG, new);
    // The browser's clock doesn't stand still.
    let same = || Some(beat()).filter(|first| beat() == *first);
    let last = wait::until("two looks at one heartbeat", wait::LONG, same);
    assert!(last <= now());
    daemon.ends_having_run(&[]);
}

#[test]
fn who_asks_for_openmetrics_gets_it() {
    let lab = Lab::new();
    let _daemon = watched(Setup::new(&lab), &lab);
    let accept = [(
        "accept",
        "application/openmetrics-text;version=1.0.0,text/plain;q=0.5",
    )];
    let answer = ask(lab.host_b(), &Method::GET, "/metrics", &accept);
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert!(kind.starts_with("application/openmetrics-text"), "{kind}");
    assert!(answer.body.ends_with("# EOF\n"), "{}", answer.body);
}

#[test]
fn alarms_and_dashboard_ask_for_what_there_is_and_promtool_finds_nothing_wrong() {
    let dist = repository().join("failover-user/dist");
    let alerts = fs::read_to_string(dist.join("alerts.yml")).unwrap();
    let dashboard = fs::read_to_string(dist.join("grafana-dashboard.json")).unwrap();
    let parsed: Value = serde_json::from_str(&dashboard).unwrap();
    let panels = parsed["panels"].as_array().unwrap();
    let targets = panels
        .iter()
        .flat_map(|panel| panel["targets"].as_array().unwrap());
    let expressions: Vec<&str> = targets
        .map(|target| target["expr"].as_str().unwrap())
        .collect();

    let lab = Lab::new();
    let daemon = watched(Setup::new(&lab).argument("--witnesses=10.0.0.99"), &lab);
    let text = wait::until("the witnesses' answers", wait::LONG, || {
        let text = metrics(&lab);
        text.contains("\nfailover_witnesses_answered ")
            .then_some(text)
    });
    let there: BTreeSet<&str> = text
        .lines()
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split(['{', ' ']).next())
        .collect();
    for text in expressions
        .iter()
        .copied()
        .chain(alerts.lines().filter(|line| line.contains("expr:")))
    {
        for word in text.split(|other: char| other != '_' && !other.is_ascii_alphanumeric()) {
            assert!(
                !word.starts_with("failover_")
                    || there.contains(word)
                    || ONCE_PARKED.contains(&word)
                    || ONCE_COPIED.contains(&word),
                "{word}: {text}"
            );
        }
    }
    drop(daemon);

    let alerts = "failover-user/dist/alerts.yml";
    if promtool(&["check", "rules", alerts], "").is_none() {
        return;
    }
    promtool(&["test", "rules", "tests/alerts.yml"], "");
    // Grafana's own variables are no PromQL.
    let rules: Vec<Value> = expressions
        .iter()
        .enumerate()
        .map(|(number, expression)| {
            let expression = expression.replace("$__rate_interval", "5m");
            serde_json::json!({"record": format!("panel_{number}"), "expr": expression})
        })
        .collect();
    let file = lab.directory().join("dashboard.json");
    let groups = serde_json::json!({"groups": [{"name": "dashboard", "rules": rules}]});
    fs::write(&file, groups.to_string()).unwrap();
    promtool(&["check", "rules", file.to_str().unwrap()], "");
}

#[test]
fn every_alarm_says_what_to_type() {
    let alerts = fs::read_to_string(repository().join("failover-user/dist/alerts.yml")).unwrap();
    let count = |what: &str| alerts.lines().filter(|line| line.contains(what)).count();
    let alarms = count("- alert: Failover");
    assert!(alarms >= 10, "{alarms}");
    for part in [
        "severity: ",
        " summary: ",
        " description: ",
        " runbook: 'On PC-B: ",
    ] {
        assert_eq!(count(part), alarms, "{part}");
    }
}

#[test]
fn the_page_says_all_of_it_without_a_script_and_nothing_of_it_leaks_to_other_sites() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = watched(Setup::new(&lab), &lab);
    daemon.probes("connected");
    let page = get(lab.host_b(), ADDRESS, "/").unwrap();
    assert_eq!(page.status, StatusCode::OK);
    for part in [
        "<h1 class=\"s-standby\">standby</h1>",
        "10.0.0.1:18789",
        "<noscript><meta http-equiv=\"refresh\"",
        "name=\"viewport\"",
        "<svg class=\"probes\"",
        "class=\"p-answered\"",
    ] {
        assert!(page.body.contains(part), "{part}: {}", page.body);
    }
    let policy = page.headers["content-security-policy"].to_str().unwrap();
    assert!(
        policy.starts_with("default-src 'none'; script-src 'nonce-"),
        "{policy}"
    );
    assert!(!policy.contains("unsafe"), "{policy}");
    for path in ["/", "/metrics", "/status.json", "/nowhere"] {
        let headers = get(lab.host_b(), ADDRESS, path).unwrap().headers;
        assert!(
            !headers.contains_key("access-control-allow-origin"),
            "{path}"
        );
        assert_eq!(
            headers["cross-origin-resource-policy"], "same-origin",
            "{path}"
        );
        assert_eq!(headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(headers["cache-control"], "no-store", "{path}");
        assert!(
            headers["content-security-policy"]
                .to_str()
                .unwrap()
                .contains("default-src 'none'")
        );
    }
    let document = get(lab.host_b(), ADDRESS, "/status.json").unwrap().body;
    let document: Value = serde_json::from_str(&document).unwrap();
    assert_eq!(document["version"], 1);
    assert_eq!(document["state"], "standby");
    daemon.ends_having_run(&[]);
}

#[test]
fn one_may_only_look_and_only_under_the_machines_own_name() {
    let lab = Lab::new();
    let _daemon = watched(Setup::new(&lab), &lab);
    let host = lab.host_b();
    let status = |method: &Method, path: &str, headers: &[(&str, &str)]| {
        ask(host, method, path, headers).status
    };
    assert_eq!(status(&Method::HEAD, "/", &[]), StatusCode::OK);
    assert_eq!(status(&Method::HEAD, "/events", &[]), StatusCode::OK);
    for method in [Method::POST, Method::PUT, Method::DELETE, Method::OPTIONS] {
        assert_eq!(
            status(&method, "/", &[]),
            StatusCode::METHOD_NOT_ALLOWED,
            "{method}"
        );
    }
    assert_eq!(
        status(&Method::GET, "/../etc/passwd", &[]),
        StatusCode::NOT_FOUND
    );
    for name in [
        "evil.example",
        "evil.example:9179",
        "localhost.evil.example",
    ] {
        let answer = status(&Method::GET, "/status.json", &[("host", name)]);
        assert_eq!(answer, StatusCode::MISDIRECTED_REQUEST, "{name}");
    }
    let elsewhere = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "no-cors"),
    ];
    assert_eq!(
        status(&Method::GET, "/events", &elsewhere),
        StatusCode::FORBIDDEN
    );
    let long = "x".repeat(100_000);
    let answer = status(&Method::GET, "/", &[("x-long", &long)]);
    assert_eq!(answer, StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE);
    // It binds what was said and nothing else.
    assert!(host.connect((host.address(), ADDRESS.port())).is_err());
}

#[test]
fn silent_endless_and_greedy_clients_cost_nothing() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = watched(Setup::new(&lab), &lab);
    daemon.probes("connected");
    let connect = || lab.host_b().connect(ADDRESS);
    // Pages that stay open and read nothing: other requests still get a place.
    let open: Vec<TcpStream> = (0..40)
        .filter_map(|_| {
            let mut stream = connect().ok()?;
            let request = format!("GET /events HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n");
            stream.write_all(request.as_bytes()).ok()?;
            Some(stream)
        })
        .collect();
    wait::until("a place beside forty open pages", wait::LONG, || {
        let answer = get(lab.host_b(), ADDRESS, "/metrics").ok()?;
        answer.status.is_success().then_some(())
    });
    // Far more than there are places, some of them half a request.
    let silent: Vec<TcpStream> = (0..100)
        .filter_map(|number| {
            let mut stream = connect().ok()?;
            if number % 2 == 0 {
                let _ = stream.write_all(b"GET / HTTP/1.1\r\nX: ");
            }
            Some(stream)
        })
        .collect();
    primary.kill();
    daemon.becomes("active");
    // After ten seconds the silent ones are disconnected.
    wait::until("an answer in spite of them", 2 * wait::LONG, || {
        let answer = get(lab.host_b(), ADDRESS, "/metrics").ok()?;
        answer.status.is_success().then_some(())
    });
    drop((silent, open));
    assert_eq!(daemon.status().1, 0);
    daemon.ends_having_run(&["start"]);
}

#[test]
fn an_open_page_gets_each_state_in_turn() {
    let lab = Lab::new();
    let primary = lab.host_a().gateway().unwrap();
    let mut daemon = watched(Setup::new(&lab), &lab);
    daemon.probes("connected");
    let mut stream = lab.host_b().connect(ADDRESS).unwrap();
    stream.set_read_timeout(Some(wait::LONG)).unwrap();
    let request = format!("GET /events HTTP/1.1\r\nHost: {ADDRESS}\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut text = String::new();
    let mut until = |wanted: &str| {
        let mut piece = [0; 4096];
        // The page is updated repeatedly, so the end of patience is not the connection's.
        let began = Instant::now();
        while !text.contains(wanted) {
            assert!(began.elapsed() < wait::LONG, "{wanted} is missing: {text}");
            let length = stream.read(&mut piece).unwrap();
            assert_ne!(length, 0, "it ended before {wanted}: {text}");
            text.push_str(&String::from_utf8_lossy(&piece[..length]));
        }
    };
    // Then the machine's name.
    until("\"title\":\"standby - ");
    primary.kill();
    until("\"title\":\"(degraded) active - ");
    daemon.becomes("active");
    daemon.ends_having_run(&["start"]);
}

#[test]
fn an_address_that_is_taken_is_a_warning_and_is_had_once_it_is_free() {
    let lab = Lab::new();
    let taken = lab.host_b().listen(ADDRESS, 1).unwrap();
    let mut daemon = Setup::new(&lab).argument(OPTION).spawn();
    let line = daemon.says("that it can't be served", |line| {
        line.message()
            .starts_with("metrics and the page can't be served")
    });
    assert!(line.field("remedy").contains("--metrics"), "{line:?}");
    daemon.becomes("active");
    failover_tests::lab::end_listener(taken);
    daemon.says_within(2 * wait::LONG, "that it is served", |line| {
        line.message() == "metrics and the page are served"
    });
    assert_eq!(
        value(&metrics(&lab), "failover_state{state=\"active\"}"),
        1.0
    );
    daemon.ends_having_run(&["start"]);
}

#[test]
fn another_address_takes_a_reload_and_none_ends_it() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let daemon = Setup::new(&lab).in_file().spawn();
    let host = lab.host_b();
    assert!(!host.listens(9179));
    let becomes = |port: u16, wanted: bool| {
        wait::until("the listener's change", wait::LONG, || {
            (host.listens(port) == wanted).then_some(())
        });
    };
    daemon.reload(&[("metrics", "\"127.0.0.1:9179\"")]);
    becomes(9179, true);
    daemon.reload(&[("metrics", "\"127.0.0.1:9180\"")]);
    becomes(9180, true);
    becomes(9179, false);
    daemon.reload(&[]);
    becomes(9180, false);
    daemon.ends_having_run(&[]);
}

#[test]
fn the_gateways_port_is_no_place_for_metrics() {
    let lab = Lab::new();
    let output = lab
        .host_b()
        .command(failover_tests::lab::failover_binary())
        .args([
            "run",
            "--primary=10.0.0.1",
            "--dry-run",
            "--metrics=127.0.0.1:18789",
        ])
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(2));
    let message = String::from_utf8_lossy(&output.stderr);
    assert!(message.contains("9179"), "{message}");
}

#[test]
fn it_stays_below_ten_megabytes_while_many_look() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let setup = Setup::new(&lab)
        .interval(Duration::from_millis(100))
        .timeout(Duration::from_millis(100));
    let mut daemon = watched(setup, &lab);
    daemon.probes("connected");
    // Code that is read from the file is shared and given back; what it takes for itself isn't.
    let own = || daemon.memory("RssAnon");
    for _ in 0..100 {
        for path in ["/", "/metrics", "/status.json"] {
            get(lab.host_b(), ADDRESS, path).unwrap();
        }
    }
    assert!(own() < 10 << 20, "{} bytes", own());
}

#[test]
fn memory_that_only_starting_takes_is_given_back() {
    let lab = Lab::new();
    let _primary = lab.host_a().gateway().unwrap();
    let mut daemon = Setup::new(&lab).spawn();
    let armed = daemon.memory("RssFile");
    daemon.probes("connected");
    // Else it only ever grows.
    wait::until("fewer of the program's pages", wait::LONG, || {
        (daemon.memory("RssFile") < armed).then_some(())
    });
    daemon.probes("connected");
    daemon.ends_having_run(&[]);
}
