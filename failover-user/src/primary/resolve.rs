//! A host's addresses: configured, or looked up by name.
//!
//! A name is looked up when there is no address yet, and again when the host stops answering. A name server that
//! is down costs nothing: the last good addresses stay in use, also across a restart, and there is never more than
//! one look-up at a time.

use std::{future::Future, net::SocketAddr, time::Duration};

use tokio::{
    sync::watch::{self, Receiver},
    task::JoinHandle,
    time::timeout,
};

use crate::{config::Host, runtime::background};

/// Limit for addresses, more than a host has; a hostile name server must not make probes long.
const MOST_ADDRESSES: usize = 32;
/// Limit for the stored addresses that answered.
const MOST_KEPT: usize = 4;
/// Timeout of a look-up if there is an address from before.
const PATIENCE: Duration = Duration::from_millis(500);

type Lookup = Result<Vec<SocketAddr>, String>;

pub(crate) struct Resolver {
    host: Host,
    port: u16,
    /// The option with the name, for messages.
    option: &'static str,
    known: Vec<SocketAddr>,
    /// The addresses at which the host answered, the last one first; only for a name.
    good: Vec<SocketAddr>,
    looking: Option<(JoinHandle<()>, Receiver<Option<Lookup>>)>,
}

impl Resolver {
    pub(crate) fn new(host: Host, port: u16, option: &'static str) -> Self {
        let known = match &host {
            Host::Address(address) => vec![SocketAddr::new(*address, port)],
            Host::Name(_) => Vec::new(),
        };
        Self {
            host,
            port,
            option,
            known,
            good: Vec::new(),
            looking: None,
        }
    }

    /// Sets the addresses at which the host answered before a restart.
    pub(crate) fn recall(&mut self, good: Vec<SocketAddr>) {
        if let Host::Name(_) = self.host {
            self.good = good;
            self.good.truncate(MOST_KEPT);
        }
    }

    /// Records that the host answered at this address.
    pub(crate) fn answered(&mut self, at: SocketAddr) {
        if let Host::Name(_) = self.host {
            self.good.retain(|address| *address != at);
            self.good.insert(0, at);
            self.good.truncate(MOST_KEPT);
            // The next probe begins there: a silent address costs time.
            if let Some(place) = self.known.iter().position(|address| *address == at) {
                let answering = self.known.remove(place);
                self.known.insert(0, answering);
            }
        }
    }

    /// The addresses at which the host answered, for [`Self::recall`].
    pub(crate) fn good(&self) -> &[SocketAddr] {
        &self.good
    }

    /// The addresses to use now. Waits for a look-up only if there was never one, and not for long if there
    /// is an address from before a restart.
    pub(crate) fn addresses(&mut self) -> impl Future<Output = Lookup> + use<> {
        self.collect();
        if self.known.is_empty() {
            self.refresh();
        }
        let (known, good) = (self.known.clone(), self.good.clone());
        let answer = self.looking.as_ref().map(|(_, answer)| answer.clone());
        async move {
            match answer {
                Some(mut answer) if known.is_empty() => {
                    let looked_up = async {
                        match answer.wait_for(Option::is_some).await {
                            Ok(lookup) => lookup.clone().unwrap_or(Ok(known)),
                            Err(_) => Err("the look-up was given up".to_owned()),
                        }
                    };
                    if good.is_empty() {
                        return looked_up.await;
                    }
                    match timeout(PATIENCE, looked_up).await {
                        Ok(Ok(found)) => Ok(found),
                        Ok(Err(_)) | Err(_) => Ok(good),
                    }
                }
                _ => Ok(known),
            }
        }
    }

    pub(crate) fn known(&self) -> &[SocketAddr] {
        &self.known
    }

    /// Looks the name up again, in the background.
    pub(crate) fn refresh(&mut self) {
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
            // The receiver is gone when the daemon ends.
            let _ = sender.send(Some(lookup));
        });
        self.looking = Some((task, receiver));
    }

    /// Applies a finished look-up.
    pub(crate) fn collect(&mut self) {
        let Some((task, answer)) = &self.looking else {
            return;
        };
        let finished = answer.borrow().clone();
        match finished {
            Some(Ok(found)) => self.known = found,
            Some(Err(reason)) if !self.known.is_empty() => {
                tracing::warn!(reason, "its last good address is used");
            }
            Some(Err(reason)) if !self.good.is_empty() => {
                let addresses = self.good.iter().map(SocketAddr::to_string);
                let addresses = addresses.collect::<Vec<_>>().join(", ");
                tracing::warn!(reason, addresses, "its last good address is used");
                self.known.clone_from(&self.good);
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

#[cfg(test)]
mod tests {
    use super::*;

    fn nowhere() -> Resolver {
        Resolver::new(
            Host::Name("no-such-host.invalid".to_owned()),
            7,
            "--primary",
        )
    }

    fn address(host: u8) -> SocketAddr {
        ([192, 0, 2, host], 7).into()
    }

    #[tokio::test]
    async fn a_name_that_is_gone_is_what_it_was_before_the_restart() {
        let mut resolver = nowhere();
        resolver.recall(vec![address(1), address(2)]);
        assert_eq!(
            resolver.addresses().await.unwrap(),
            [address(1), address(2)]
        );
        // And without a look-up that has ended well, it stays so.
        loop {
            resolver.collect();
            if resolver.known() == [address(1), address(2)] {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        assert!(nowhere().addresses().await.is_err());
    }

    #[tokio::test]
    async fn a_name_that_resolves_is_believed_and_not_what_it_was_before() {
        let mut resolver = Resolver::new(Host::Name("localhost".to_owned()), 7, "--primary");
        resolver.recall(vec![address(1)]);
        let found = resolver.addresses().await.unwrap();
        assert!(
            found.iter().all(|found| found.ip().is_loopback()),
            "{found:?}"
        );
    }

    #[test]
    fn what_answers_is_asked_first_and_kept() {
        let mut resolver = nowhere();
        resolver.known = (1..=5).map(address).collect();
        for host in 1..=5 {
            resolver.answered(address(host));
        }
        assert_eq!(resolver.good(), [5, 4, 3, 2].map(address));
        assert_eq!(resolver.known(), [5, 4, 3, 2, 1].map(address));
        resolver.answered(address(9));
        assert_eq!(resolver.known()[0], address(5));
        let mut given = Resolver::new(Host::Address([192, 0, 2, 1].into()), 7, "--primary");
        given.answered(address(1));
        given.recall(vec![address(2)]);
        assert_eq!(given.good(), []);
    }
}
