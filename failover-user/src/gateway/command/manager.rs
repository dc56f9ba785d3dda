//! A connection to a service manager's D-Bus interface (org.freedesktop.systemd1(5)), and the calls that the
//! commands on units are made of. It must not know why a unit is started or stopped.

use std::{collections::HashMap, time::Duration};

use anyhow::{Context as _, bail, ensure};
use rustix::process::geteuid;
use tokio::time::timeout;
use zbus::{
    Connection, MatchRule, MessageStream,
    connection::Builder,
    export::ordered_stream::OrderedStreamExt as _,
    message::Type,
    zvariant::{OwnedObjectPath, OwnedValue},
};

pub(crate) const DESTINATION: &str = "org.freedesktop.systemd1";
/// The manager's own object.
pub(crate) const PATH: &str = "/org/freedesktop/systemd1";
pub(crate) const MANAGER: &str = "org.freedesktop.systemd1.Manager";
pub(crate) const UNIT: &str = "org.freedesktop.systemd1.Unit";
pub(crate) const SERVICE: &str = "org.freedesktop.systemd1.Service";
const PROPERTIES: &str = "org.freedesktop.DBus.Properties";
/// Timeout of a manager's answer: systemd's own default for clients (sd_bus_set_method_call_timeout(3)).
const ANSWER: Duration = Duration::from_secs(25);
const CONNECT: Duration = Duration::from_secs(5);
/// Limit for signals that aren't read yet: a booting machine sends many.
const MOST_SIGNALS: usize = 1024;

/// The service manager that has a unit.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Scope {
    /// The system's.
    System,
    /// The one of the account that runs this.
    User,
}

/// A connection to a service manager.
pub(crate) struct Manager {
    connection: Connection,
}

impl Manager {
    /// Over the message bus. zbus can't use the manager's own socket, which systemctl prefers: it takes the
    /// sender name of the signals there for an error (systemd 252, zbus 5.19).
    pub(crate) async fn connect(scope: Scope) -> anyhow::Result<Self> {
        let uid = geteuid().as_raw();
        let (bus, remedy) = match scope {
            Scope::System => (
                "/run/dbus/system_bus_socket".to_owned(),
                "is this machine run by systemd, with dbus installed?",
            ),
            Scope::User => (
                format!("/run/user/{uid}/bus"),
                "the account needs a service manager while nobody is logged in (`loginctl enable-linger NAME`) and a bus (Debian's dbus-user-session)",
            ),
        };
        let build = || async {
            let builder = Builder::address(format!("unix:path={bus}").as_str())?;
            let building = builder.method_timeout(ANSWER).build();
            anyhow::Ok(timeout(CONNECT, building).await.context("no answer")??)
        };
        let connection = build()
            .await
            .with_context(|| format!("connecting to {bus} as uid {uid}: {remedy}"))?;
        Ok(Self { connection })
    }

    pub(crate) async fn call<B>(
        &self,
        path: &str,
        interface: &str,
        method: &str,
        body: &B,
    ) -> zbus::Result<zbus::Message>
    where
        B: serde::Serialize + zbus::zvariant::DynamicType,
    {
        let destination = Some(DESTINATION);
        self.connection
            .call_method(destination, path, Some(interface), method, body)
            .await
    }

    pub(crate) async fn ask(&self, method: &str, unit: &str) -> zbus::Result<zbus::Message> {
        self.call(PATH, MANAGER, method, &unit).await
    }

    /// The unit's object; fails if there is no such unit.
    pub(crate) async fn load(&self, unit: &str) -> anyhow::Result<OwnedObjectPath> {
        let object: OwnedObjectPath = self.ask("LoadUnit", unit).await?.body().deserialize()?;
        let state: String = self.property(&object, "LoadState").await?;
        match state.as_str() {
            "not-found" => bail!("there is no such unit; is the gateway installed as one?"),
            "masked" => bail!("the unit is masked; `systemctl unmask` frees it"),
            "loaded" => Ok(object),
            other => bail!("the unit can't be loaded ({other}); `systemctl status` says more"),
        }
    }

    pub(crate) async fn property(
        &self,
        unit: &OwnedObjectPath,
        name: &str,
    ) -> anyhow::Result<String> {
        let answer = self
            .call(unit.as_str(), PROPERTIES, "Get", &(UNIT, name))
            .await?;
        let value: OwnedValue = answer.body().deserialize()?;
        Ok(String::try_from(value)?)
    }

    pub(crate) async fn restarts(&self, unit: &OwnedObjectPath) -> anyhow::Result<u32> {
        let answer = self
            .call(unit.as_str(), PROPERTIES, "Get", &(SERVICE, "NRestarts"))
            .await?;
        let value: OwnedValue = answer.body().deserialize()?;
        Ok(u32::try_from(value)?)
    }

    pub(crate) async fn job_ends(&self) -> anyhow::Result<MessageStream> {
        let rule = MatchRule::builder()
            .msg_type(Type::Signal)
            .path(PATH)?
            .interface(MANAGER)?
            .member("JobRemoved")?
            .sender(DESTINATION)?
            .build();
        let signals =
            MessageStream::for_match_rule(rule, &self.connection, Some(MOST_SIGNALS)).await?;
        self.call(PATH, MANAGER, "Subscribe", &()).await?;
        Ok(signals)
    }

    /// Starts a unit, and doesn't wait for its job.
    pub(crate) async fn begin_start(&self, unit: &str) -> anyhow::Result<()> {
        self.call(PATH, MANAGER, "StartUnit", &(unit, "replace"))
            .await?;
        Ok(())
    }

    /// Starts or stops a unit (`method`), and waits until its job has ended. Returns the job's result.
    pub(crate) async fn job(&self, method: &str, unit: &str) -> anyhow::Result<String> {
        // Before the job, or its end could be missed.
        let mut signals = self.job_ends().await?;
        let job: OwnedObjectPath = self
            .call(PATH, MANAGER, method, &(unit, "replace"))
            .await?
            .body()
            .deserialize()?;
        loop {
            let signal = signals.next().await.context("the manager is gone")??;
            let body = signal.body();
            let (_, ended, _, result): (u32, OwnedObjectPath, String, String) =
                body.deserialize()?;
            if ended == job {
                return Ok(result);
            }
        }
    }

    /// All properties of an object's interface.
    pub(crate) async fn properties(
        &self,
        object: &str,
        interface: &str,
    ) -> anyhow::Result<HashMap<String, OwnedValue>> {
        let answer = self.call(object, PROPERTIES, "GetAll", &interface).await?;
        let properties: HashMap<String, OwnedValue> = answer.body().deserialize()?;
        ensure!(!properties.is_empty(), "{interface} has no properties");
        Ok(properties)
    }

    /// The manager's process.
    pub(crate) async fn process(&self) -> anyhow::Result<u32> {
        let bus = "org.freedesktop.DBus";
        let answer = self
            .connection
            .call_method(
                Some(bus),
                "/org/freedesktop/DBus",
                Some(bus),
                "GetConnectionUnixProcessID",
                &DESTINATION,
            )
            .await?;
        Ok(answer.body().deserialize()?)
    }

    /// Reads all unit files again.
    pub(crate) async fn reload(&self) -> anyhow::Result<()> {
        self.call(PATH, MANAGER, "Reload", &()).await?;
        Ok(())
    }
}
