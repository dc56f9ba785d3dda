# Print an optspec for argparse to handle cmd's options that are independent of any subcommand.
function __fish_failover_global_optspecs
    string join \n h/help V/version
end

function __fish_failover_needs_command
    # Figure out if the current invocation already has a command.
    set -l cmd (commandline -opc)
    set -e cmd[1]
    argparse -s (__fish_failover_global_optspecs) -- $cmd 2>/dev/null
    or return
    if set -q argv[1]
        # Also print the command, so this can be used to figure out what it is.
        echo $argv[1]
        return 1
    end
    return 0
end

function __fish_failover_using_subcommand
    set -l cmd (__fish_failover_needs_command)
    test -z "$cmd"
    and return 1
    contains -- $cmd[1] $argv
end

complete -c failover -n "__fish_failover_needs_command" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_needs_command" -s V -l version -d 'Print version'
complete -c failover -n "__fish_failover_needs_command" -f -a "run" -d 'Run the daemon: take over when the primary is down, release when it is back'
complete -c failover -n "__fish_failover_needs_command" -f -a "check" -d 'Check that a takeover would work, and how to fix what would not'
complete -c failover -n "__fish_failover_needs_command" -f -a "status" -d 'Show who serves, and whether PC-A is protected'
complete -c failover -n "__fish_failover_needs_command" -f -a "history" -d 'List incidents: time, cause, evidence, and the duration of each phase'
complete -c failover -n "__fish_failover_needs_command" -f -a "pause" -d 'Pause takeovers and releases (maintenance)'
complete -c failover -n "__fish_failover_needs_command" -f -a "resume" -d 'End the pause, and the hold of a release'
complete -c failover -n "__fish_failover_needs_command" -f -a "takeover" -d 'Take over now, without waiting for the strikes'
complete -c failover -n "__fish_failover_needs_command" -f -a "release" -d 'Stop the local gateway now, although the primary does not answer'
complete -c failover -n "__fish_failover_needs_command" -f -a "drill" -d 'Show that the local gateway could serve: start it up to its bind, and end it again'
complete -c failover -n "__fish_failover_needs_command" -f -a "sync" -d 'Sessions and configuration that are copied from PC-A: how fresh they are, and what to do with them'
complete -c failover -n "__fish_failover_needs_command" -f -a "explain" -d 'Explain a state, a problem, an alert, an event or an option, and what to do'
complete -c failover -n "__fish_failover_needs_command" -f -a "trace" -d 'Show kernel events of the port as they happen'
complete -c failover -n "__fish_failover_needs_command" -f -a "simulate" -d 'Simulate settings: years of modelled networks in seconds'
complete -c failover -n "__fish_failover_needs_command" -f -a "guard" -d 'Heartbeats from PC-A: run the guard there, and make the keys for both hosts'
complete -c failover -n "__fish_failover_needs_command" -f -a "config" -d 'Write, check or show a configuration'
complete -c failover -n "__fish_failover_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand run" -l config -d 'Configuration file (TOML); flags override it; /dev/null for none [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l primary -d 'Address of the primary: the gateway on PC-A [default: port 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check -d 'What a healthy primary must do within the timeout. tcp: accept a connection (a hung process still does); openclaw: report that it is live; http: answer as the check-* options require [default: openclaw; tcp with gateway=command or systemd]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand run" -l check-path -d 'For check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-status -d 'For check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-pointer -d 'For check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-value -d 'Required value at check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-contains -d 'For check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-tls -d 'For check=openclaw and http: use TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l check-ca -d 'PEM file with the CA of the primary\'s certificate, or the certificate itself (self-signed or not) [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s certificate, instead of check-ca: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-host -d 'Name for the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-token-file -d 'For check=openclaw: file with the primary\'s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer counts as failed [default: never] [range: 0s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l gateway -d 'What the local gateway is: sets how it is started, stopped and recognized [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, through its own commands'
command\t'Anything, through the start and stop commands'
systemd-user\t'A user unit (systemctl --user) of the account, through D-Bus'
systemd\t'A system unit, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand run" -l user -d 'Account of the local gateway: start and stop run as this account, with its HOME; fence runs as the daemon\'s user [default: the daemon\'s user]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l unit -d 'systemd unit of the local gateway; required with gateway=systemd [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l port -d 'Port of the local gateway [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l start -d 'Command that starts the local gateway; split like a shell does, but run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l stop -d 'Command that stops the local gateway [default: openclaw gateway stop, with --force if supported]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l start-timeout -d 'Time limit of a start: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once [default: 6m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l stop-timeout -d 'Timeout of the stop command; then it is killed and retried [default: 5m 40s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l owner -d 'Which process on the port is the local gateway: unit:NAME, account:NAME, executable:PATH or executable:FILE of the gateway\'s account; of another one as "unit:NAME of ACCOUNT" [default: set by gateway]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l standby -d 'How ready the local gateway is kept: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) [default: auto]' -r -f -a "auto\t'Warm once a drill of this very gateway has passed and there is memory for it; until then cold'
cold\t'Started when it is needed'
warm\t'Parked from the first strike on'
hot\t'Parked all the time'"
complete -c failover -n "__fish_failover_using_subcommand run" -l hot-refresh -d 'Shortest time between two new starts of a hot gateway whose program or configuration has changed [default: 10m] [range: 10s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l drill-every -d 'Time between automatic drills: the local gateway is started up to its bind, and ended; 0s: never [default: 24h] [range: 0s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check -d 'What a healthy local gateway must do. tcp: listen; openclaw: report that it is live; http: answer as the local-check-* options require; any: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted [default: openclaw; for other gateways that of check, but any for http]' -r -f -a "tcp\t'Listen'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-path -d 'For local-check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-status -d 'For local-check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-pointer -d 'For local-check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-value -d 'Required value at local-check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-contains -d 'For local-check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-tls -d 'Use TLS for the check [default: plain text, then TLS if that fails]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-ca -d 'PEM file with the CA of the local gateway\'s certificate, or the certificate itself [default: the certificate is not verified]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-host -d 'Name for the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-token-file -d 'For local-check=openclaw: file with the local gateway\'s token for /readyz and /startupz [default: none, OpenClaw doesn\'t require it on its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l interval -d 'Time between probes [default: 30s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l strikes -d 'Failed probes in a row before a takeover [default: 3] [range: 1 to 100]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l timeout -d 'Probe timeout [default: 5s, or the interval if shorter] [range: 10ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l confirm-interval -d 'Time between probes after a failed probe, and between strikes [default: the interval] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l recovery-interval -d 'Time between probes during a takeover [default: 1s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l veto-limit -d 'Ignore up to this many failed probes in a row while other clients\' connections to the primary work; 0: never [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l arm -d 'When takeovers are allowed: only after the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'After a successful probe with this configuration: a wrong address must not start a second gateway'
always\t'From the start'"
complete -c failover -n "__fish_failover_using_subcommand run" -l witnesses -d 'Hosts that must be reachable before a takeover: 192.168.1.1 is pinged, 9.9.9.9:53 connected to, router is PC-B\'s default router (not counted until it has answered a ping). Empty: no witnesses [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l witness-quorum -d 'Minimum number of witnesses that must answer; all of them where fewer count [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l fence -d 'Command that fences the primary before the local gateway starts, e.g. switches its power off' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l fence-required -d 'No takeover unless the fence command succeeds [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l fence-timeout -d 'Timeout of the fence command; then it is killed [default: 1m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-damping -d 'Delay the release of a flapping primary [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-window -d 'A failure within this time after the primary\'s recovery counts as a flap [default: 10m] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-quiet -d 'Reset the flap count when the primary has been healthy for this time [default: 1h] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-successes -d 'Successful probes in a row before a release: normally, after one flap, after two, and so on [default: 1,3,10] [range: 1 to 100 each]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-interval -d 'Time between these probes, where a release needs more than one [default: 3s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l guard-port -d 'Port for the heartbeats of PC-A\'s guard (UDP), and for pairing (TCP) [default: 18790]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l host-loss -d 'When a host whose guard is silent counts as lost: after all strikes, or at once (fast) if a probe has failed as well and a witness answers [default: strikes]' -r -f -a "strikes\t'After all strikes'
fast\t'At once, if a probe has failed as well and a witness answers'"
complete -c failover -n "__fish_failover_using_subcommand run" -l on-crash -d 'What follows when PC-A\'s gateway has crashed and its service manager restarts it: that gets its time (wait), or a takeover at once (take-over) [default: wait]' -r -f -a "wait\t'Its service manager gets its time'
take-over\t'A takeover at once'"
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-from -d 'Account and host that sessions and configuration are copied from, over ssh: PC-A; nothing is copied without it' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-every -d 'Time between rounds; each copies what has changed [default: 30s] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-max-age -d 'Age of the newest copy that is a problem [default: 10m] [range: 10s to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-within -d 'Time limit of a round; then it is killed [default: 20s] [range: 1s to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-place-within -d 'Time limit for putting the copy in place, before the local gateway starts [default: 10s] [range: 1s to 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-max-bytes -d 'Largest copy [default: 4GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-max-file -d 'Largest file of a copy [default: 2.5GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-max-files -d 'Most files of a copy [default: 200000] [range: 1 to 100000000]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-min-free -d 'Space that a copy leaves free [default: 1GB] [range: 0B to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-paths -d 'Trees and files to copy, the same path on both hosts, ~/ for the account\'s home; added to OpenClaw\'s own [default: ~/.openclaw for OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-databases -d 'SQLite databases in them, as rsync patterns; added to OpenClaw\'s own [default: OpenClaw\'s own]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l sync-exclude -d 'What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw\'s tree [default: caches, logs and installed programs of OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l notify -d 'Command to run on events: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook -d 'URL to POST each event to, as JSON; retried for up to a day' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook-token-file -d 'File with the webhook\'s token, sent as Authorization: Bearer' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook-ca -d 'PEM file with the CA of the webhook\'s certificate, or the certificate itself [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l heartbeat-url -d 'URL to request while PC-A is protected or PC-B serves: a monitoring service that gets no more requests reports that PC-B itself is off' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l heartbeat-every -d 'Time between two of these requests [default: 1m] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l state-dir -d 'Directory for the history, the daemon\'s state and the output of commands [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l control -d 'Control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l operators -d 'Accounts besides root that may pause, take over and release' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l metrics -d 'Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l kernel-events -d 'Kernel events (eBPF): used if available, required, or off [default: auto]' -r -f -a "auto\t'Use them if available; otherwise log why, and poll the port every second'
required\t'Don\'t run without them'
off\t'Poll the port every second'"
complete -c failover -n "__fish_failover_using_subcommand run" -l log-format -d 'Log format [default: text]' -r -f -a "text\t'Text for people'
json\t'One JSON object per line'"
complete -c failover -n "__fish_failover_using_subcommand run" -l dry-run -d 'Decide and log, but run no commands [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand check" -l config -d 'Configuration file (TOML); flags override it; /dev/null for none [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l primary -d 'Address of the primary: the gateway on PC-A [default: port 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check -d 'What a healthy primary must do within the timeout. tcp: accept a connection (a hung process still does); openclaw: report that it is live; http: answer as the check-* options require [default: openclaw; tcp with gateway=command or systemd]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand check" -l check-path -d 'For check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-status -d 'For check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-pointer -d 'For check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-value -d 'Required value at check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-contains -d 'For check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-tls -d 'For check=openclaw and http: use TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l check-ca -d 'PEM file with the CA of the primary\'s certificate, or the certificate itself (self-signed or not) [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s certificate, instead of check-ca: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-host -d 'Name for the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-token-file -d 'For check=openclaw: file with the primary\'s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer counts as failed [default: never] [range: 0s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l gateway -d 'What the local gateway is: sets how it is started, stopped and recognized [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, through its own commands'
command\t'Anything, through the start and stop commands'
systemd-user\t'A user unit (systemctl --user) of the account, through D-Bus'
systemd\t'A system unit, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand check" -l user -d 'Account of the local gateway: start and stop run as this account, with its HOME; fence runs as the daemon\'s user [default: the daemon\'s user]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l unit -d 'systemd unit of the local gateway; required with gateway=systemd [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l port -d 'Port of the local gateway [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l start -d 'Command that starts the local gateway; split like a shell does, but run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l stop -d 'Command that stops the local gateway [default: openclaw gateway stop, with --force if supported]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l start-timeout -d 'Time limit of a start: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once [default: 6m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l stop-timeout -d 'Timeout of the stop command; then it is killed and retried [default: 5m 40s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l owner -d 'Which process on the port is the local gateway: unit:NAME, account:NAME, executable:PATH or executable:FILE of the gateway\'s account; of another one as "unit:NAME of ACCOUNT" [default: set by gateway]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l standby -d 'How ready the local gateway is kept: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) [default: auto]' -r -f -a "auto\t'Warm once a drill of this very gateway has passed and there is memory for it; until then cold'
cold\t'Started when it is needed'
warm\t'Parked from the first strike on'
hot\t'Parked all the time'"
complete -c failover -n "__fish_failover_using_subcommand check" -l hot-refresh -d 'Shortest time between two new starts of a hot gateway whose program or configuration has changed [default: 10m] [range: 10s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l drill-every -d 'Time between automatic drills: the local gateway is started up to its bind, and ended; 0s: never [default: 24h] [range: 0s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check -d 'What a healthy local gateway must do. tcp: listen; openclaw: report that it is live; http: answer as the local-check-* options require; any: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted [default: openclaw; for other gateways that of check, but any for http]' -r -f -a "tcp\t'Listen'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-path -d 'For local-check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-status -d 'For local-check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-pointer -d 'For local-check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-value -d 'Required value at local-check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-contains -d 'For local-check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-tls -d 'Use TLS for the check [default: plain text, then TLS if that fails]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-ca -d 'PEM file with the CA of the local gateway\'s certificate, or the certificate itself [default: the certificate is not verified]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-host -d 'Name for the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-token-file -d 'For local-check=openclaw: file with the local gateway\'s token for /readyz and /startupz [default: none, OpenClaw doesn\'t require it on its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l interval -d 'Time between probes [default: 30s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l strikes -d 'Failed probes in a row before a takeover [default: 3] [range: 1 to 100]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l timeout -d 'Probe timeout [default: 5s, or the interval if shorter] [range: 10ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l confirm-interval -d 'Time between probes after a failed probe, and between strikes [default: the interval] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l recovery-interval -d 'Time between probes during a takeover [default: 1s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l veto-limit -d 'Ignore up to this many failed probes in a row while other clients\' connections to the primary work; 0: never [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l arm -d 'When takeovers are allowed: only after the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'After a successful probe with this configuration: a wrong address must not start a second gateway'
always\t'From the start'"
complete -c failover -n "__fish_failover_using_subcommand check" -l witnesses -d 'Hosts that must be reachable before a takeover: 192.168.1.1 is pinged, 9.9.9.9:53 connected to, router is PC-B\'s default router (not counted until it has answered a ping). Empty: no witnesses [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l witness-quorum -d 'Minimum number of witnesses that must answer; all of them where fewer count [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l fence -d 'Command that fences the primary before the local gateway starts, e.g. switches its power off' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l fence-required -d 'No takeover unless the fence command succeeds [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l fence-timeout -d 'Timeout of the fence command; then it is killed [default: 1m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-damping -d 'Delay the release of a flapping primary [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-window -d 'A failure within this time after the primary\'s recovery counts as a flap [default: 10m] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-quiet -d 'Reset the flap count when the primary has been healthy for this time [default: 1h] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-successes -d 'Successful probes in a row before a release: normally, after one flap, after two, and so on [default: 1,3,10] [range: 1 to 100 each]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-interval -d 'Time between these probes, where a release needs more than one [default: 3s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l guard-port -d 'Port for the heartbeats of PC-A\'s guard (UDP), and for pairing (TCP) [default: 18790]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l host-loss -d 'When a host whose guard is silent counts as lost: after all strikes, or at once (fast) if a probe has failed as well and a witness answers [default: strikes]' -r -f -a "strikes\t'After all strikes'
fast\t'At once, if a probe has failed as well and a witness answers'"
complete -c failover -n "__fish_failover_using_subcommand check" -l on-crash -d 'What follows when PC-A\'s gateway has crashed and its service manager restarts it: that gets its time (wait), or a takeover at once (take-over) [default: wait]' -r -f -a "wait\t'Its service manager gets its time'
take-over\t'A takeover at once'"
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-from -d 'Account and host that sessions and configuration are copied from, over ssh: PC-A; nothing is copied without it' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-every -d 'Time between rounds; each copies what has changed [default: 30s] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-max-age -d 'Age of the newest copy that is a problem [default: 10m] [range: 10s to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-within -d 'Time limit of a round; then it is killed [default: 20s] [range: 1s to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-place-within -d 'Time limit for putting the copy in place, before the local gateway starts [default: 10s] [range: 1s to 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-max-bytes -d 'Largest copy [default: 4GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-max-file -d 'Largest file of a copy [default: 2.5GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-max-files -d 'Most files of a copy [default: 200000] [range: 1 to 100000000]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-min-free -d 'Space that a copy leaves free [default: 1GB] [range: 0B to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-paths -d 'Trees and files to copy, the same path on both hosts, ~/ for the account\'s home; added to OpenClaw\'s own [default: ~/.openclaw for OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-databases -d 'SQLite databases in them, as rsync patterns; added to OpenClaw\'s own [default: OpenClaw\'s own]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l sync-exclude -d 'What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw\'s tree [default: caches, logs and installed programs of OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l notify -d 'Command to run on events: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook -d 'URL to POST each event to, as JSON; retried for up to a day' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook-token-file -d 'File with the webhook\'s token, sent as Authorization: Bearer' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook-ca -d 'PEM file with the CA of the webhook\'s certificate, or the certificate itself [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l heartbeat-url -d 'URL to request while PC-A is protected or PC-B serves: a monitoring service that gets no more requests reports that PC-B itself is off' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l heartbeat-every -d 'Time between two of these requests [default: 1m] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l state-dir -d 'Directory for the history, the daemon\'s state and the output of commands [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l control -d 'Control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l operators -d 'Accounts besides root that may pause, take over and release' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l metrics -d 'Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l kernel-events -d 'Kernel events (eBPF): used if available, required, or off [default: auto]' -r -f -a "auto\t'Use them if available; otherwise log why, and poll the port every second'
required\t'Don\'t run without them'
off\t'Poll the port every second'"
complete -c failover -n "__fish_failover_using_subcommand check" -l log-format -d 'Log format [default: text]' -r -f -a "text\t'Text for people'
json\t'One JSON object per line'"
complete -c failover -n "__fish_failover_using_subcommand check" -l dry-run -d 'Decide and log, but run no commands [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand status" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand status" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand status" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand status" -l watch -d 'Update the output in place every second, until Ctrl-C'
complete -c failover -n "__fish_failover_using_subcommand status" -l short -d 'One short line, for a shell prompt or a status bar'
complete -c failover -n "__fish_failover_using_subcommand status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand history" -l state-dir -d 'The daemon\'s state directory [default: from the configuration file, or /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand history" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand history" -l since -d 'Only incidents since then: a duration before now, like 2d or 12h, or a date in UTC, like 2026-11-24' -r
complete -c failover -n "__fish_failover_using_subcommand history" -l output -d 'Output format; json: one object a line' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand history" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand pause" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand pause" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand pause" -l for -d 'Duration of the pause [default: until `failover resume`]' -r
complete -c failover -n "__fish_failover_using_subcommand pause" -l until -d 'End of the pause, in local time: 18:30, "Sun 06:00" or "2026-12-24 08:00"' -r
complete -c failover -n "__fish_failover_using_subcommand pause" -l reason -d 'The reason, for the log and `failover status`' -r
complete -c failover -n "__fish_failover_using_subcommand pause" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand resume" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand resume" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand resume" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand takeover" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand takeover" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand takeover" -l force -d 'Take over even if the primary answers, was never seen healthy, or no witness answers'
complete -c failover -n "__fish_failover_using_subcommand takeover" -l yes -d 'Do not ask for confirmation if both gateways will run'
complete -c failover -n "__fish_failover_using_subcommand takeover" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand release" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand release" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand release" -l hold -d 'Prevent a takeover for this time' -r
complete -c failover -n "__fish_failover_using_subcommand release" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand drill" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand drill" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand drill" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand drill" -l full -d 'Take over for real, and hand back: the bots are silent twice for a moment, and two gateways serve in between'
complete -c failover -n "__fish_failover_using_subcommand drill" -l yes -d 'Do not ask for confirmation of a full drill'
complete -c failover -n "__fish_failover_using_subcommand drill" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "init" -d 'Make the way to PC-A: a key that may do one thing there, and the way back'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "remove" -d 'Undo the way to PC-A on both hosts, and delete the copies'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "status" -d 'Show the newest copy, its age, what is in place, and what differs'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "now" -d 'Copy what has changed on PC-A now, and wait for the result'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "verify" -d 'Check all copies again'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "restore" -d 'Put a copy in place of PC-B\'s state, which is kept aside'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "answer" -d 'What PC-A\'s key runs here: hands PC-A\'s state back before its gateway starts'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "choose" -d 'Choose whose state stays where PC-A and PC-B have both changed'
complete -c failover -n "__fish_failover_using_subcommand sync; and not __fish_seen_subcommand_from init remove status now verify restore answer choose help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from init" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from init" -l back -d 'PC-B as PC-A reaches it [default: the gateway\'s account, and the address of PC-B on the way to PC-A]' -r
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from remove" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from remove" -l all -d 'Also delete the trees that were kept aside'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from remove" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from status" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from status" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from status" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from status" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from now" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from now" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from now" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from verify" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from verify" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from verify" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from restore" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from restore" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from restore" -l generation -d 'The number of the copy' -r
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from restore" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from answer" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from answer" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from answer" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from choose" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from choose" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from choose" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "init" -d 'Make the way to PC-A: a key that may do one thing there, and the way back'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "remove" -d 'Undo the way to PC-A on both hosts, and delete the copies'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "status" -d 'Show the newest copy, its age, what is in place, and what differs'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "now" -d 'Copy what has changed on PC-A now, and wait for the result'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "verify" -d 'Check all copies again'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "restore" -d 'Put a copy in place of PC-B\'s state, which is kept aside'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "answer" -d 'What PC-A\'s key runs here: hands PC-A\'s state back before its gateway starts'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "choose" -d 'Choose whose state stays where PC-A and PC-B have both changed'
complete -c failover -n "__fish_failover_using_subcommand sync; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand explain" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand trace" -l port -d 'The port to trace, local or remote' -r
complete -c failover -n "__fish_failover_using_subcommand trace" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand trace" -l color -d 'When to colour the text output' -r -f -a "auto\t'On a terminal, unless `NO_COLOR` is set'
always\t'Always'
never\t'Never'"
complete -c failover -n "__fish_failover_using_subcommand trace" -l duration -d 'Stop after this time' -r
complete -c failover -n "__fish_failover_using_subcommand trace" -l count -d 'Stop after this number of events' -r
complete -c failover -n "__fish_failover_using_subcommand trace" -l all-namespaces -d 'Trace sockets of all network namespaces, not only of this one'
complete -c failover -n "__fish_failover_using_subcommand trace" -l debug -d 'Show debug messages of the eBPF program, on standard error'
complete -c failover -n "__fish_failover_using_subcommand trace" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand simulate" -l config -d 'Configuration file; repeat it to compare settings' -r -F
complete -c failover -n "__fish_failover_using_subcommand simulate" -l days -d 'Number of days to simulate' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l seed -d 'Seed of all random numbers' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l output -d 'Output format' -r -f -a "text\t'A table'
json\t'One JSON object'"
complete -c failover -n "__fish_failover_using_subcommand simulate" -l svg -d 'Also draw histograms and a timeline' -r -F
complete -c failover -n "__fish_failover_using_subcommand simulate" -l standby -d 'How ready the local gateway is kept; several are compared' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l interval -d 'Time between probes [default: 30s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l strikes -d 'Failed probes in a row before a takeover [default: 3] [range: 1 to 100]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l timeout -d 'Probe timeout [default: 5s, or the interval if shorter] [range: 10ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l confirm-interval -d 'Time between probes after a failed probe, and between strikes [default: the interval] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l recovery-interval -d 'Time between probes during a takeover [default: 1s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l veto-limit -d 'Ignore up to this many failed probes in a row while other clients\' connections to the primary work; 0: never [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l arm -d 'When takeovers are allowed: only after the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'After a successful probe with this configuration: a wrong address must not start a second gateway'
always\t'From the start'"
complete -c failover -n "__fish_failover_using_subcommand simulate" -l witnesses -d 'Hosts that must be reachable before a takeover: 192.168.1.1 is pinged, 9.9.9.9:53 connected to, router is PC-B\'s default router (not counted until it has answered a ping). Empty: no witnesses [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l witness-quorum -d 'Minimum number of witnesses that must answer; all of them where fewer count [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l fence -d 'Command that fences the primary before the local gateway starts, e.g. switches its power off' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l fence-required -d 'No takeover unless the fence command succeeds [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand simulate" -l fence-timeout -d 'Timeout of the fence command; then it is killed [default: 1m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l flap-damping -d 'Delay the release of a flapping primary [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand simulate" -l flap-window -d 'A failure within this time after the primary\'s recovery counts as a flap [default: 10m] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l flap-quiet -d 'Reset the flap count when the primary has been healthy for this time [default: 1h] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l flap-successes -d 'Successful probes in a row before a release: normally, after one flap, after two, and so on [default: 1,3,10] [range: 1 to 100 each]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l flap-interval -d 'Time between these probes, where a release needs more than one [default: 3s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l baseline -d 'Also simulate the plain shell loop'
complete -c failover -n "__fish_failover_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand guard; and not __fish_seen_subcommand_from run ask pair help" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand guard; and not __fish_seen_subcommand_from run ask pair help" -f -a "run" -d 'Run the guard on PC-A: report to PC-B every 50 ms how this host\'s gateway is'
complete -c failover -n "__fish_failover_using_subcommand guard; and not __fish_seen_subcommand_from run ask pair help" -f -a "ask" -d 'Before PC-A\'s gateway starts: have PC-B release its own, and wait for that'
complete -c failover -n "__fish_failover_using_subcommand guard; and not __fish_seen_subcommand_from run ask pair help" -f -a "pair" -d 'Make the keys for the heartbeats: on PC-B first, and then on PC-A with --with'
complete -c failover -n "__fish_failover_using_subcommand guard; and not __fish_seen_subcommand_from run ask pair help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l gateway -d 'What the gateway is: sets how it is recognized [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, through its own commands'
command\t'Anything, through the start and stop commands'
systemd-user\t'A user unit (systemctl --user) of the account, through D-Bus'
systemd\t'A system unit, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l user -d 'Account of the gateway [default: the guard\'s user]' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l unit -d 'systemd unit of the gateway; required with --gateway=systemd' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l port -d 'Port of the gateway [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l owner -d 'Which process on the port is the gateway, as in the daemon\'s configuration' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l state-dir -d 'Directory with the keys [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l control -d 'Control socket of the guard' -r -F
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l kernel-events -d 'Kernel events (eBPF): used if available, required, or off [default: auto]' -r -f -a "auto\t'Use them if available; otherwise log why, and poll the port every second'
required\t'Don\'t run without them'
off\t'Poll the port every second'"
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -l log-format -d 'Log format [default: text]' -r -f -a "text\t'Text for people'
json\t'One JSON object per line'"
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from ask" -l timeout -d 'Limit for the whole time, at most 30 s' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from ask" -l or -d 'What follows if PC-B does not answer, or has not finished in time' -r -f -a "start\t'The gateway starts, and two may serve'
refuse\t'It doesn\'t, and none may'"
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from ask" -l control -d 'Control socket of the guard' -r -F
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from ask" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from pair" -l with -d 'PC-B, where `failover guard pair` waits [default: wait for PC-A]' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from pair" -l guard-port -d 'The port to wait at (TCP)' -r
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from pair" -l state-dir -d 'The state directory, where the keys are kept' -r -F
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from pair" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from help" -f -a "run" -d 'Run the guard on PC-A: report to PC-B every 50 ms how this host\'s gateway is'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from help" -f -a "ask" -d 'Before PC-A\'s gateway starts: have PC-B release its own, and wait for that'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from help" -f -a "pair" -d 'Make the keys for the heartbeats: on PC-B first, and then on PC-A with --with'
complete -c failover -n "__fish_failover_using_subcommand guard; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from init" -l output -d 'The file to create, with its folder; it must not exist yet [default: standard output]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (TOML); flags override it; /dev/null for none [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l primary -d 'Address of the primary: the gateway on PC-A [default: port 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check -d 'What a healthy primary must do within the timeout. tcp: accept a connection (a hung process still does); openclaw: report that it is live; http: answer as the check-* options require [default: openclaw; tcp with gateway=command or systemd]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-path -d 'For check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-status -d 'For check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-pointer -d 'For check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-value -d 'Required value at check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-contains -d 'For check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-tls -d 'For check=openclaw and http: use TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-ca -d 'PEM file with the CA of the primary\'s certificate, or the certificate itself (self-signed or not) [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s certificate, instead of check-ca: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-host -d 'Name for the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-token-file -d 'For check=openclaw: file with the primary\'s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer counts as failed [default: never] [range: 0s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l gateway -d 'What the local gateway is: sets how it is started, stopped and recognized [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, through its own commands'
command\t'Anything, through the start and stop commands'
systemd-user\t'A user unit (systemctl --user) of the account, through D-Bus'
systemd\t'A system unit, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l user -d 'Account of the local gateway: start and stop run as this account, with its HOME; fence runs as the daemon\'s user [default: the daemon\'s user]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l unit -d 'systemd unit of the local gateway; required with gateway=systemd [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l port -d 'Port of the local gateway [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l start -d 'Command that starts the local gateway; split like a shell does, but run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l stop -d 'Command that stops the local gateway [default: openclaw gateway stop, with --force if supported]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l start-timeout -d 'Time limit of a start: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once [default: 6m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l stop-timeout -d 'Timeout of the stop command; then it is killed and retried [default: 5m 40s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l owner -d 'Which process on the port is the local gateway: unit:NAME, account:NAME, executable:PATH or executable:FILE of the gateway\'s account; of another one as "unit:NAME of ACCOUNT" [default: set by gateway]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l standby -d 'How ready the local gateway is kept: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) [default: auto]' -r -f -a "auto\t'Warm once a drill of this very gateway has passed and there is memory for it; until then cold'
cold\t'Started when it is needed'
warm\t'Parked from the first strike on'
hot\t'Parked all the time'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l hot-refresh -d 'Shortest time between two new starts of a hot gateway whose program or configuration has changed [default: 10m] [range: 10s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l drill-every -d 'Time between automatic drills: the local gateway is started up to its bind, and ended; 0s: never [default: 24h] [range: 0s to 8760h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check -d 'What a healthy local gateway must do. tcp: listen; openclaw: report that it is live; http: answer as the local-check-* options require; any: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted [default: openclaw; for other gateways that of check, but any for http]' -r -f -a "tcp\t'Listen'
openclaw\t'Report that it is live, by OpenClaw\'s protocol'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-path -d 'For local-check=http: path and query to GET; redirects are not followed' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-status -d 'For local-check=http: required status [default: 200] [range: 200 to 599]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-pointer -d 'For local-check=http: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-value -d 'Required value at local-check-pointer [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-contains -d 'For local-check=http: text that the first 64 KiB of the body must contain' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-tls -d 'Use TLS for the check [default: plain text, then TLS if that fails]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-ca -d 'PEM file with the CA of the local gateway\'s certificate, or the certificate itself [default: the certificate is not verified]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-host -d 'Name for the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-token-file -d 'For local-check=openclaw: file with the local gateway\'s token for /readyz and /startupz [default: none, OpenClaw doesn\'t require it on its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l interval -d 'Time between probes [default: 30s] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l strikes -d 'Failed probes in a row before a takeover [default: 3] [range: 1 to 100]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l timeout -d 'Probe timeout [default: 5s, or the interval if shorter] [range: 10ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l confirm-interval -d 'Time between probes after a failed probe, and between strikes [default: the interval] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l recovery-interval -d 'Time between probes during a takeover [default: 1s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l veto-limit -d 'Ignore up to this many failed probes in a row while other clients\' connections to the primary work; 0: never [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l arm -d 'When takeovers are allowed: only after the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'After a successful probe with this configuration: a wrong address must not start a second gateway'
always\t'From the start'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l witnesses -d 'Hosts that must be reachable before a takeover: 192.168.1.1 is pinged, 9.9.9.9:53 connected to, router is PC-B\'s default router (not counted until it has answered a ping). Empty: no witnesses [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l witness-quorum -d 'Minimum number of witnesses that must answer; all of them where fewer count [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence -d 'Command that fences the primary before the local gateway starts, e.g. switches its power off' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence-required -d 'No takeover unless the fence command succeeds [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence-timeout -d 'Timeout of the fence command; then it is killed [default: 1m] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-damping -d 'Delay the release of a flapping primary [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-window -d 'A failure within this time after the primary\'s recovery counts as a flap [default: 10m] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-quiet -d 'Reset the flap count when the primary has been healthy for this time [default: 1h] [range: 100ms to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-successes -d 'Successful probes in a row before a release: normally, after one flap, after two, and so on [default: 1,3,10] [range: 1 to 100 each]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-interval -d 'Time between these probes, where a release needs more than one [default: 3s, or the interval if shorter] [range: 100ms to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l guard-port -d 'Port for the heartbeats of PC-A\'s guard (UDP), and for pairing (TCP) [default: 18790]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l host-loss -d 'When a host whose guard is silent counts as lost: after all strikes, or at once (fast) if a probe has failed as well and a witness answers [default: strikes]' -r -f -a "strikes\t'After all strikes'
fast\t'At once, if a probe has failed as well and a witness answers'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l on-crash -d 'What follows when PC-A\'s gateway has crashed and its service manager restarts it: that gets its time (wait), or a takeover at once (take-over) [default: wait]' -r -f -a "wait\t'Its service manager gets its time'
take-over\t'A takeover at once'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-from -d 'Account and host that sessions and configuration are copied from, over ssh: PC-A; nothing is copied without it' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-every -d 'Time between rounds; each copies what has changed [default: 30s] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-max-age -d 'Age of the newest copy that is a problem [default: 10m] [range: 10s to 720h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-within -d 'Time limit of a round; then it is killed [default: 20s] [range: 1s to 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-place-within -d 'Time limit for putting the copy in place, before the local gateway starts [default: 10s] [range: 1s to 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-max-bytes -d 'Largest copy [default: 4GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-max-file -d 'Largest file of a copy [default: 2.5GB] [range: 1MB to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-max-files -d 'Most files of a copy [default: 200000] [range: 1 to 100000000]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-min-free -d 'Space that a copy leaves free [default: 1GB] [range: 0B to 100TB]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-paths -d 'Trees and files to copy, the same path on both hosts, ~/ for the account\'s home; added to OpenClaw\'s own [default: ~/.openclaw for OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-databases -d 'SQLite databases in them, as rsync patterns; added to OpenClaw\'s own [default: OpenClaw\'s own]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l sync-exclude -d 'What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw\'s tree [default: caches, logs and installed programs of OpenClaw]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l notify -d 'Command to run on events: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook -d 'URL to POST each event to, as JSON; retried for up to a day' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook-token-file -d 'File with the webhook\'s token, sent as Authorization: Bearer' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook-ca -d 'PEM file with the CA of the webhook\'s certificate, or the certificate itself [default: the system\'s CA store]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l heartbeat-url -d 'URL to request while PC-A is protected or PC-B serves: a monitoring service that gets no more requests reports that PC-B itself is off' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l heartbeat-every -d 'Time between two of these requests [default: 1m] [range: 5s to 24h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l state-dir -d 'Directory for the history, the daemon\'s state and the output of commands [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l control -d 'Control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l operators -d 'Accounts besides root that may pause, take over and release' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics -d 'Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l kernel-events -d 'Kernel events (eBPF): used if available, required, or off [default: auto]' -r -f -a "auto\t'Use them if available; otherwise log why, and poll the port every second'
required\t'Don\'t run without them'
off\t'Poll the port every second'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'Log format [default: text]' -r -f -a "text\t'Text for people'
json\t'One JSON object per line'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l dry-run -d 'Decide and log, but run no commands [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l secrets -d 'Also show values that may contain secrets: URLs, paths and command lines'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "run" -d 'Run the daemon: take over when the primary is down, release when it is back'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "check" -d 'Check that a takeover would work, and how to fix what would not'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "status" -d 'Show who serves, and whether PC-A is protected'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "history" -d 'List incidents: time, cause, evidence, and the duration of each phase'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "pause" -d 'Pause takeovers and releases (maintenance)'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "resume" -d 'End the pause, and the hold of a release'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "takeover" -d 'Take over now, without waiting for the strikes'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "release" -d 'Stop the local gateway now, although the primary does not answer'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "drill" -d 'Show that the local gateway could serve: start it up to its bind, and end it again'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "sync" -d 'Sessions and configuration that are copied from PC-A: how fresh they are, and what to do with them'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "explain" -d 'Explain a state, a problem, an alert, an event or an option, and what to do'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "trace" -d 'Show kernel events of the port as they happen'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "simulate" -d 'Simulate settings: years of modelled networks in seconds'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "guard" -d 'Heartbeats from PC-A: run the guard there, and make the keys for both hosts'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "config" -d 'Write, check or show a configuration'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release drill sync explain trace simulate guard config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "init" -d 'Make the way to PC-A: a key that may do one thing there, and the way back'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "remove" -d 'Undo the way to PC-A on both hosts, and delete the copies'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "status" -d 'Show the newest copy, its age, what is in place, and what differs'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "now" -d 'Copy what has changed on PC-A now, and wait for the result'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "verify" -d 'Check all copies again'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "restore" -d 'Put a copy in place of PC-B\'s state, which is kept aside'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "answer" -d 'What PC-A\'s key runs here: hands PC-A\'s state back before its gateway starts'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from sync" -f -a "choose" -d 'Choose whose state stays where PC-A and PC-B have both changed'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from guard" -f -a "run" -d 'Run the guard on PC-A: report to PC-B every 50 ms how this host\'s gateway is'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from guard" -f -a "ask" -d 'Before PC-A\'s gateway starts: have PC-B release its own, and wait for that'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from guard" -f -a "pair" -d 'Make the keys for the heartbeats: on PC-B first, and then on PC-A with --with'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
