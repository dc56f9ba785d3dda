//! A host's addresses: given, or looked up by name.
//!
//! A name is looked up when there is no address yet, and again when the host stopped answering.
//! A name server that is down costs nothing: the last good addresses go on being used, and there is
//! never more than one look-up at a time.

use std::{future::Future, net::SocketAddr};

use tokio::{
    sync::watch::{self, Receiver},
    task::JoinHandle,
};

use crate::{background, config::Host};

/// More than a host has; a hostile name server must not make probes long.
const MOST_ADDRESSES: usize = 4;

type Lookup = Result<Vec<SocketAddr>, String>;

pub(super) struct Resolver {
    host: Host,
    port: u16,
    /// Where the name was given, for people.
    option: &'static str,
    known: Vec<SocketAddr>,
    looking: Option<(JoinHandle<()>, Receiver<Option<Lookup>>)>,
}

impl Resolver {
    pub(super) fn new(host: Host, port: u16, option: &'static str) -> Self {
        let known = match &host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(_) => Vec::new(),
        };
        Self {
            host,
            port,
            option,
            known,
            looking: None,
        }
    }

    /// The addresses to use now. Waits for a look-up only where there was never one.
    pub(super) fn addresses(&mut self) -> impl Future<Output = Lookup> + use<> {
        self.collect();
        if self.known.is_empty() {
            self.refresh();
        }
        let known = self.known.clone();
        let answer = self.looking.as_ref().map(|(_, answer)| answer.clone());
        async move {
            match answer {
                Some(mut answer) if known.is_empty() => {
                    match answer.wait_for(Option::is_some).await {
                        Ok(lookup) => lookup.clone().unwrap_or(Ok(known)),
                        Err(_) => Err("the look-up was given up".to_owned()),
                    }
                }
                _ => Ok(known),
            }
        }
    }

    pub(super) fn known(&self) -> &[SocketAddr] {
        &self.known
    }

    /// Looks the name up again, in the background.
    pub(super) fn refresh(&mut self) {
        self.collect();
        let Host::Name(name) = &self.host else {
            return;
        };
        if self.looking.is_some() {
            return;
        }
        let (name, port, option) = (name.clone(), self.port, self.option);
        let (sender, receiver) = watch::channel(None);
        let task = tokio::spawn(async move {
            let lookup = background::look_up(&name, port).await;
            let lookup = match lookup.map(|found| first(&found)) {
                Ok(found) if found.is_empty() => Err(format!("`{name}` has no address")),
                Ok(found) => Ok(found),
                Err(error) => Err(format!(
                    "`{name}` can't be resolved ({error}); see `getent ahosts {name}`, or give {option} an address"
                )),
            };
            // Nobody listens when the daemon is going down.
            let _ = sender.send(Some(lookup));
        });
        self.looking = Some((task, receiver));
    }

    /// Takes over a finished look-up.
    pub(super) fn collect(&mut self) {
        let Some((task, answer)) = &self.looking else {
            return;
        };
        let finished = answer.borrow().clone();
        match finished {
            Some(Ok(found)) => self.known = found,
            Some(Err(reason)) if !self.known.is_empty() => {
                tracing::warn!(reason, "its last good address is used");
            }
            Some(Err(_)) => {}
            None if task.is_finished() => {}
            None => return,
        }
        self.looking = None;
    }
}

fn first(found: &[SocketAddr]) -> Vec<SocketAddr> {
    found.iter().copied().take(MOST_ADDRESSES).collect()
}
