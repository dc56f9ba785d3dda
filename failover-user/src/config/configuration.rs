//! What is in force: all options, complete and checked together.

use std::{net::SocketAddr, num::NonZeroU16, path::PathBuf};

use crate::{
    config::{
        check::Check,
        command::CommandError,
        error::ConfigurationError,
        local_check::LocalCheck,
        notify::Notifications,
        operation::{KernelEventsMode, LogFormat},
        options::{OptionValues, Options},
        primary::PrimaryAddress,
        standby::Standby,
        sync::Sync,
        witness::{Witness, counted},
    },
    gateway::{
        command::command_line::CommandLine,
        parking::place::Place,
        spec::{Commands, LocalGateway},
    },
};

/// What is in force. Every value is concrete.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Configuration {
    /// The primary's address.
    pub primary: PrimaryAddress,
    /// The port for PC-A's guard.
    pub guard_port: NonZeroU16,
    /// What it has to do to be healthy.
    pub check: Check,
    /// What the local gateway has to do to be healthy.
    pub local_check: LocalCheck,
    /// Who confirms that PC-B has a network.
    pub witnesses: Vec<Witness>,
    /// The local gateway's port.
    pub port: NonZeroU16,
    /// The numbers of the state machine.
    pub decide: failover_decide::Settings,
    /// The local gateway: how it is started and stopped, and what counts as it.
    pub gateway: LocalGateway,
    /// How ready it is kept.
    pub standby: Standby,
    /// What is copied from PC-A, if anything is.
    pub sync: Option<Sync>,
    /// Makes sure that the primary is gone, if there is one.
    pub fence: Option<CommandLine>,
    /// The channels that events are sent to.
    pub notifications: Notifications,
    /// Directory for the history, the daemon's state and the output of commands.
    pub state_dir: PathBuf,
    /// The control socket.
    pub control: PathBuf,
    /// Accounts besides root that may pause, take over and release.
    pub operators: Vec<u32>,
    /// Address of the status page and the metrics, if they are served.
    pub metrics: Option<SocketAddr>,
    /// Log format.
    pub log_format: LogFormat,
    /// Whether kernel events are used.
    pub kernel_events: KernelEventsMode,
    /// Decide and log, but run no commands.
    pub dry_run: bool,
}

impl Configuration {
    /// What is run, and whether it is.
    #[must_use]
    pub fn commands(&self) -> Commands {
        Commands {
            gateway: self.gateway.clone(),
            fence: self.fence.clone(),
            dry_run: self.dry_run,
            parking: self.parking(),
            park_within: self.decide.start_timeout,
        }
    }

    /// Where it is noted that the local gateway is parked: beside the control socket.
    #[must_use]
    pub fn parking(&self) -> Place {
        Place::beside(&self.control, self.port)
    }

    /// The account that PC-A's key logs in as, if it isn't root's: it may ask for PC-A's state.
    #[must_use]
    pub(crate) fn hands_back_to(&self) -> Option<u32> {
        let account = self.gateway.uid();
        (self.sync.is_some() && account != 0).then_some(account)
    }

    /// With the programs of its commands looked up, as the accounts that run them find them; or all that
    /// there are not. A dry run needs no gateway on the machine.
    pub(super) fn resolved(mut self) -> Result<Self, Vec<CommandError>> {
        if self.dry_run {
            return Ok(self);
        }
        let user = self.gateway.user.as_ref();
        let commands = [
            ("start", Some(&mut self.gateway.start), user),
            ("stop", Some(&mut self.gateway.stop), user),
            ("fence", self.fence.as_mut(), None),
            ("notify", self.notifications.command.as_mut(), None),
        ];
        let mut faults = Vec::new();
        for (option, line, account) in commands {
            let Some(line) = line.filter(|line| !line.is_this_program()) else {
                continue;
            };
            match line.clone().resolved(account) {
                Ok(resolved) => *line = resolved,
                Err(source) => faults.push(CommandError { option, source }),
            }
        }
        match faults.is_empty() {
            true => Ok(self),
            false => Err(faults),
        }
    }

    /// The programs of its commands aren't looked up.
    pub(crate) fn check(options: Options) -> Result<Self, ConfigurationError> {
        let OptionValues {
            primary,
            check,
            gateway,
            standby,
            local_check,
            takeover,
            witness,
            fence,
            flap_damping,
            guard,
            sync,
            notify,
            webhook,
            dead_mans_switch,
            operation,
        } = options.resolve()?;
        let primary = primary.primary.ok_or(ConfigurationError::NoPrimary)?;
        if primary.is_local(gateway.port) {
            return Err(ConfigurationError::OwnGateway {
                primary: primary.to_string(),
            });
        }
        let operation = operation.checked(gateway.port)?;
        let (witnesses, witness_quorum) = witness.checked(&primary)?;
        let (named_witnesses, router_is_witness) = counted(&witnesses);
        let drain_limit = check.drain_limit;
        let check = check.checked(&primary.host)?;
        let local_check = LocalCheck::from_options(local_check, &check, drain_limit)?;
        let takeover = takeover.checked()?;
        let kind = gateway.gateway;
        let gateway = gateway.checked()?;
        let sync = sync.checked(kind, &gateway.gateway)?;
        let fence = fence.checked()?;
        let decide = failover_decide::Settings {
            interval: takeover.interval,
            recovery_interval: takeover.recovery_interval,
            timeout: takeover.timeout,
            strikes: takeover.strikes,
            start_timeout: gateway.start_timeout,
            stop_timeout: gateway.stop_timeout,
            confirm_interval: takeover.confirm_interval,
            witness_quorum,
            named_witnesses,
            router_is_witness,
            fence: fence.mode,
            fence_timeout: fence.timeout,
            veto_limit: takeover.veto_limit,
            // That it accepts connections is seen by its listening.
            watch_gateway: local_check.check != Check::Tcp,
            needs_arming: takeover.needs_arming,
            flapping: flap_damping.checked()?,
            guard: guard.rules(),
        };
        Ok(Self {
            primary,
            guard_port: guard.guard_port,
            check,
            local_check,
            witnesses,
            port: gateway.port,
            decide,
            gateway: gateway.gateway,
            standby: standby.checked()?,
            sync,
            fence: fence.command,
            notifications: Notifications::checked::<ConfigurationError>(
                notify,
                webhook,
                dead_mans_switch,
            )?,
            state_dir: operation.state_dir,
            control: operation.control,
            operators: operation.operators,
            metrics: operation.metrics,
            log_format: operation.log_format,
            kernel_events: operation.kernel_events,
            dry_run: operation.dry_run,
        })
    }
}
