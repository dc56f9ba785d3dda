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
complete -c failover -n "__fish_failover_needs_command" -f -a "trace" -d 'Show kernel events of the port as they happen'
complete -c failover -n "__fish_failover_needs_command" -f -a "simulate" -d 'Simulate settings: years of modelled networks in seconds'
complete -c failover -n "__fish_failover_needs_command" -f -a "config" -d 'Write, check or show a configuration'
complete -c failover -n "__fish_failover_needs_command" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand run" -l config -d 'Configuration file (TOML, the same names); flags win over it; /dev/null is none [default: /etc/failover/failover.toml, if it is there]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l primary -d 'The gateway to watch, on PC-A [default port: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l port -d 'The local gateway\'s port [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l interval -d 'From one probe to the next [default: 30s]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l recovery-interval -d 'The same while the local gateway is wanted or runs [default: 1s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l timeout -d 'How long a probe may take [default: 5s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check -d 'What a healthy primary has to do within the timeout. tcp: accept a connection, which a process that hangs still does; openclaw: say that it is live; http: answer as the check-* options ask [default: openclaw, or tcp for other gateways]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand run" -l check-path -d 'For check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-status -d 'For check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-pointer -d 'For check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-value -d 'The value that check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-contains -d 'For check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-tls -d 'For check=openclaw and http: over TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l check-ca -d 'The certificates that are trusted, a PEM file: of an authority, or the primary\'s own, which may be self-signed [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s own certificate, in place of check-ca: it alone is trusted, whatever its name and issuer; several while it is replaced [default: none]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-host -d 'The name to ask for, in the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l check-token-file -d 'For check=openclaw: a file with the primary\'s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network [default: not asked]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer has failed [default: never]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check -d 'What a healthy local gateway has to do. tcp: listen; openclaw: say that it is live; http: answer as the local-check-* options ask; any: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed [default: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp]' -r -f -a "tcp\t'Listen'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-path -d 'For local-check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-status -d 'For local-check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-pointer -d 'For local-check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-value -d 'The value that local-check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-contains -d 'For local-check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-tls -d 'Ask the local gateway over TLS [default: only where it doesn\'t understand plain text]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-ca -d 'Verify the local gateway\'s certificate against these, a PEM file [default: any certificate will do]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-host -d 'The name to ask the local gateway for, in the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l local-check-token-file -d 'For local-check=openclaw: a file with the local gateway\'s token, for /readyz and /startupz [default: none, which OpenClaw doesn\'t ask of its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l strikes -d 'Failed probes in a row until takeover [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l confirm-interval -d 'From one probe to the next once one has failed, and from one strike to the next [default: the interval]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l witnesses -d 'Who tells before a takeover whether PC-B still has a network: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9:53; router is that of PC-B\'s default route, which abstains until it has answered a ping; an empty list is nobody [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l witness-quorum -d 'So many of them have to answer, or all that don\'t abstain [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l veto-limit -d 'So many failed probes in a row don\'t count while others\' connections to the primary live [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-damping -d 'Ask more of a primary that keeps failing soon after it is back [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-window -d 'A failure this soon after the primary was back makes the next release harder [default: 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-quiet -d 'When the primary has been well for so long, everything is forgotten [default: 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-successes -d 'Successes in a row that a release takes: the first time, the second, ... [default: 1,3,10]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l flap-interval -d 'From one of these to the next, where it takes several [default: 3s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l fence -d 'Makes sure that the primary is gone before the local gateway starts: switches it off, say' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l fence-required -d 'Whether a takeover needs the fence command to succeed [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -l fence-timeout -d 'How long the fence command may take; then it is killed [default: 1m]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l arm -d 'When a takeover may be made at all: once the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'Once the primary has been seen healthy under this configuration: a wrong address must not start a second gateway'
always\t'From the first moment on'"
complete -c failover -n "__fish_failover_using_subcommand run" -l user -d 'The account that owns the local gateway: start and stop are run as it, with its HOME [default: the one that runs this; fence always is]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l gateway -d 'What the local gateway is: sets how it is started and stopped, and how it is known [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, by its own commands'
command\t'Anything, by the commands given'
systemd-user\t'A unit of the account\'s own service manager, through D-Bus'
systemd\t'A unit of the system\'s service manager, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand run" -l unit -d 'The unit that is the local gateway [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l owner -d 'What counts as the local gateway on the port: unit:NAME, account:NAME, executable:PATH or a program\'s file name, of the gateway\'s account; another one\'s as "unit:NAME of ACCOUNT" [default: as the kind of gateway needs it]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l start -d 'Starts the local gateway; split like a shell does, run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l stop -d 'Stops the local gateway [default: openclaw gateway stop, or with --force where that is known]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l start-timeout -d 'How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once [default: 6m]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l stop-timeout -d 'How long the stop command may take; then it is killed and tried again [default: 5m 40s]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l notify -d 'Run when something happens that somebody should know: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input [default: nothing]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook -d 'The same JSON is sent there in a POST, again and again for at most a day [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook-token-file -d 'A file with the token that the webhook asks for, sent as Authorization: Bearer [default: none]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l webhook-ca -d 'Who signs the webhook\'s certificate, a PEM file [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l state-dir -d 'Where the history, what must be remembered and the commands\' output are kept [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l control -d 'The control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand run" -l operators -d 'Accounts, besides root, that may order pauses, takeovers and releases [default: nobody]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l metrics -d 'Where to serve /metrics for Prometheus and a page for people: whoever reaches it may read [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand run" -l kernel-events -d 'Kernel events: use them if they can be had, insist on them, or do without [default: auto]' -r -f -a "auto\t'Use them; where they can\'t be had, say why and look at the port every second'
required\t'Refuse to run without them'
off\t'Look at the port every second'"
complete -c failover -n "__fish_failover_using_subcommand run" -l log-format -d 'How the log looks [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c failover -n "__fish_failover_using_subcommand run" -l dry-run -d 'Decide and log, run nothing' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand run" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand check" -l config -d 'Configuration file (TOML, the same names); flags win over it; /dev/null is none [default: /etc/failover/failover.toml, if it is there]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l primary -d 'The gateway to watch, on PC-A [default port: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l port -d 'The local gateway\'s port [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l interval -d 'From one probe to the next [default: 30s]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l recovery-interval -d 'The same while the local gateway is wanted or runs [default: 1s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l timeout -d 'How long a probe may take [default: 5s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check -d 'What a healthy primary has to do within the timeout. tcp: accept a connection, which a process that hangs still does; openclaw: say that it is live; http: answer as the check-* options ask [default: openclaw, or tcp for other gateways]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand check" -l check-path -d 'For check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-status -d 'For check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-pointer -d 'For check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-value -d 'The value that check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-contains -d 'For check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-tls -d 'For check=openclaw and http: over TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l check-ca -d 'The certificates that are trusted, a PEM file: of an authority, or the primary\'s own, which may be self-signed [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s own certificate, in place of check-ca: it alone is trusted, whatever its name and issuer; several while it is replaced [default: none]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-host -d 'The name to ask for, in the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l check-token-file -d 'For check=openclaw: a file with the primary\'s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network [default: not asked]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer has failed [default: never]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check -d 'What a healthy local gateway has to do. tcp: listen; openclaw: say that it is live; http: answer as the local-check-* options ask; any: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed [default: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp]' -r -f -a "tcp\t'Listen'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-path -d 'For local-check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-status -d 'For local-check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-pointer -d 'For local-check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-value -d 'The value that local-check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-contains -d 'For local-check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-tls -d 'Ask the local gateway over TLS [default: only where it doesn\'t understand plain text]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-ca -d 'Verify the local gateway\'s certificate against these, a PEM file [default: any certificate will do]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-host -d 'The name to ask the local gateway for, in the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l local-check-token-file -d 'For local-check=openclaw: a file with the local gateway\'s token, for /readyz and /startupz [default: none, which OpenClaw doesn\'t ask of its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l strikes -d 'Failed probes in a row until takeover [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l confirm-interval -d 'From one probe to the next once one has failed, and from one strike to the next [default: the interval]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l witnesses -d 'Who tells before a takeover whether PC-B still has a network: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9:53; router is that of PC-B\'s default route, which abstains until it has answered a ping; an empty list is nobody [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l witness-quorum -d 'So many of them have to answer, or all that don\'t abstain [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l veto-limit -d 'So many failed probes in a row don\'t count while others\' connections to the primary live [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-damping -d 'Ask more of a primary that keeps failing soon after it is back [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-window -d 'A failure this soon after the primary was back makes the next release harder [default: 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-quiet -d 'When the primary has been well for so long, everything is forgotten [default: 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-successes -d 'Successes in a row that a release takes: the first time, the second, ... [default: 1,3,10]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l flap-interval -d 'From one of these to the next, where it takes several [default: 3s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l fence -d 'Makes sure that the primary is gone before the local gateway starts: switches it off, say' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l fence-required -d 'Whether a takeover needs the fence command to succeed [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l fence-timeout -d 'How long the fence command may take; then it is killed [default: 1m]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l arm -d 'When a takeover may be made at all: once the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'Once the primary has been seen healthy under this configuration: a wrong address must not start a second gateway'
always\t'From the first moment on'"
complete -c failover -n "__fish_failover_using_subcommand check" -l user -d 'The account that owns the local gateway: start and stop are run as it, with its HOME [default: the one that runs this; fence always is]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l gateway -d 'What the local gateway is: sets how it is started and stopped, and how it is known [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, by its own commands'
command\t'Anything, by the commands given'
systemd-user\t'A unit of the account\'s own service manager, through D-Bus'
systemd\t'A unit of the system\'s service manager, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand check" -l unit -d 'The unit that is the local gateway [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l owner -d 'What counts as the local gateway on the port: unit:NAME, account:NAME, executable:PATH or a program\'s file name, of the gateway\'s account; another one\'s as "unit:NAME of ACCOUNT" [default: as the kind of gateway needs it]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l start -d 'Starts the local gateway; split like a shell does, run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l stop -d 'Stops the local gateway [default: openclaw gateway stop, or with --force where that is known]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l start-timeout -d 'How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once [default: 6m]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l stop-timeout -d 'How long the stop command may take; then it is killed and tried again [default: 5m 40s]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l notify -d 'Run when something happens that somebody should know: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input [default: nothing]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook -d 'The same JSON is sent there in a POST, again and again for at most a day [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook-token-file -d 'A file with the token that the webhook asks for, sent as Authorization: Bearer [default: none]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l webhook-ca -d 'Who signs the webhook\'s certificate, a PEM file [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l state-dir -d 'Where the history, what must be remembered and the commands\' output are kept [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l control -d 'The control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand check" -l operators -d 'Accounts, besides root, that may order pauses, takeovers and releases [default: nobody]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l metrics -d 'Where to serve /metrics for Prometheus and a page for people: whoever reaches it may read [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand check" -l kernel-events -d 'Kernel events: use them if they can be had, insist on them, or do without [default: auto]' -r -f -a "auto\t'Use them; where they can\'t be had, say why and look at the port every second'
required\t'Refuse to run without them'
off\t'Look at the port every second'"
complete -c failover -n "__fish_failover_using_subcommand check" -l log-format -d 'How the log looks [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c failover -n "__fish_failover_using_subcommand check" -l dry-run -d 'Decide and log, run nothing' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand check" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand status" -l control -d 'The daemon\'s control socket [default: from the configuration file, or /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand status" -l config -d 'The daemon\'s configuration file [default: /etc/failover/failover.toml, if it exists]' -r -F
complete -c failover -n "__fish_failover_using_subcommand status" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand status" -l watch -d 'Update the output in place every second, until Ctrl-C'
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
complete -c failover -n "__fish_failover_using_subcommand simulate" -l config -d 'Configuration file; give it several times to compare settings' -r -F
complete -c failover -n "__fish_failover_using_subcommand simulate" -l days -d 'How many days are simulated' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l seed -d 'Everything random depends on it' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l output -d 'How the figures are shown' -r -f -a "text\t'A table'
json\t'One JSON object'"
complete -c failover -n "__fish_failover_using_subcommand simulate" -l svg -d 'Draw histograms and a timeline, too' -r -F
complete -c failover -n "__fish_failover_using_subcommand simulate" -l interval -d 'As for `run`; wins over the files' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l recovery-interval -d 'As for `run`; wins over the files' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l timeout -d 'As for `run`; wins over the files' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l strikes -d 'As for `run`; wins over the files' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l confirm-interval -d 'As for `run`; wins over the files' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l witnesses -d 'As for `run`; nobody is asked, and all answer unless PC-B has no network' -r
complete -c failover -n "__fish_failover_using_subcommand simulate" -l baseline -d 'Compare with the plain shell loop, too'
complete -c failover -n "__fish_failover_using_subcommand simulate" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
complete -c failover -n "__fish_failover_using_subcommand config; and not __fish_seen_subcommand_from init check show help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from init" -l output -d 'The file to create, with its folder; it must not exist yet [default: standard output]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from init" -s h -l help -d 'Print help'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from check" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l config -d 'Configuration file (TOML, the same names); flags win over it; /dev/null is none [default: /etc/failover/failover.toml, if it is there]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l primary -d 'The gateway to watch, on PC-A [default port: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l port -d 'The local gateway\'s port [default: 18789]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l interval -d 'From one probe to the next [default: 30s]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l recovery-interval -d 'The same while the local gateway is wanted or runs [default: 1s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l timeout -d 'How long a probe may take [default: 5s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check -d 'What a healthy primary has to do within the timeout. tcp: accept a connection, which a process that hangs still does; openclaw: say that it is live; http: answer as the check-* options ask [default: openclaw, or tcp for other gateways]' -r -f -a "tcp\t'Accept a TCP connection'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-path -d 'For check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-status -d 'For check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-pointer -d 'For check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-value -d 'The value that check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-contains -d 'For check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-tls -d 'For check=openclaw and http: over TLS [default: false]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-ca -d 'The certificates that are trusted, a PEM file: of an authority, or the primary\'s own, which may be self-signed [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-fingerprint -d 'SHA-256 fingerprint of the primary\'s own certificate, in place of check-ca: it alone is trusted, whatever its name and issuer; several while it is replaced [default: none]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-host -d 'The name to ask for, in the Host header and the certificate [default: the primary\'s host]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l check-token-file -d 'For check=openclaw: a file with the primary\'s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network [default: not asked]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l drain-limit -d 'For check=openclaw: a gateway that drains for longer has failed [default: never]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check -d 'What a healthy local gateway has to do. tcp: listen; openclaw: say that it is live; http: answer as the local-check-* options ask; any: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed [default: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp]' -r -f -a "tcp\t'Listen'
openclaw\t'Say that it is live, in OpenClaw\'s way'
http\t'Answer an HTTP request as configured'
any\t'Answer an HTTP request with anything'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-path -d 'For local-check=http: what to GET, as /path?query; no redirect is followed' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-status -d 'For local-check=http: the right status [default: 200]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-pointer -d 'For local-check=http: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-value -d 'The value that local-check-pointer must lead to [default: any but null]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-contains -d 'For local-check=http: a text that must be in the first 64 KiB of the body' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-tls -d 'Ask the local gateway over TLS [default: only where it doesn\'t understand plain text]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-ca -d 'Verify the local gateway\'s certificate against these, a PEM file [default: any certificate will do]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-host -d 'The name to ask the local gateway for, in the Host header and the certificate [default: the address that it listens on]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l local-check-token-file -d 'For local-check=openclaw: a file with the local gateway\'s token, for /readyz and /startupz [default: none, which OpenClaw doesn\'t ask of its own machine]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l strikes -d 'Failed probes in a row until takeover [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l confirm-interval -d 'From one probe to the next once one has failed, and from one strike to the next [default: the interval]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l witnesses -d 'Who tells before a takeover whether PC-B still has a network: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9:53; router is that of PC-B\'s default route, which abstains until it has answered a ping; an empty list is nobody [default: router]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l witness-quorum -d 'So many of them have to answer, or all that don\'t abstain [default: 1]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l veto-limit -d 'So many failed probes in a row don\'t count while others\' connections to the primary live [default: 3]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-damping -d 'Ask more of a primary that keeps failing soon after it is back [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-window -d 'A failure this soon after the primary was back makes the next release harder [default: 10m]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-quiet -d 'When the primary has been well for so long, everything is forgotten [default: 1h]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-successes -d 'Successes in a row that a release takes: the first time, the second, ... [default: 1,3,10]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l flap-interval -d 'From one of these to the next, where it takes several [default: 3s, or the interval if shorter]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence -d 'Makes sure that the primary is gone before the local gateway starts: switches it off, say' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence-required -d 'Whether a takeover needs the fence command to succeed [default: true]' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l fence-timeout -d 'How long the fence command may take; then it is killed [default: 1m]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l arm -d 'When a takeover may be made at all: once the primary has been seen healthy, or always [default: seen]' -r -f -a "seen\t'Once the primary has been seen healthy under this configuration: a wrong address must not start a second gateway'
always\t'From the first moment on'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l user -d 'The account that owns the local gateway: start and stop are run as it, with its HOME [default: the one that runs this; fence always is]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l gateway -d 'What the local gateway is: sets how it is started and stopped, and how it is known [default: openclaw]' -r -f -a "openclaw\t'OpenClaw, by its own commands'
command\t'Anything, by the commands given'
systemd-user\t'A unit of the account\'s own service manager, through D-Bus'
systemd\t'A unit of the system\'s service manager, through D-Bus'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l unit -d 'The unit that is the local gateway [default: openclaw-gateway.service of the account]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l owner -d 'What counts as the local gateway on the port: unit:NAME, account:NAME, executable:PATH or a program\'s file name, of the gateway\'s account; another one\'s as "unit:NAME of ACCOUNT" [default: as the kind of gateway needs it]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l start -d 'Starts the local gateway; split like a shell does, run without one [default: openclaw gateway start]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l stop -d 'Stops the local gateway [default: openclaw gateway stop, or with --force where that is known]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l start-timeout -d 'How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once [default: 6m]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l stop-timeout -d 'How long the stop command may take; then it is killed and tried again [default: 5m 40s]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l notify -d 'Run when something happens that somebody should know: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input [default: nothing]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook -d 'The same JSON is sent there in a POST, again and again for at most a day [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook-token-file -d 'A file with the token that the webhook asks for, sent as Authorization: Bearer [default: none]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l webhook-ca -d 'Who signs the webhook\'s certificate, a PEM file [default: whom this machine trusts]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l state-dir -d 'Where the history, what must be remembered and the commands\' output are kept [default: /var/lib/failover]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l control -d 'The control socket [default: /run/failover/control.sock]' -r -F
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l operators -d 'Accounts, besides root, that may order pauses, takeovers and releases [default: nobody]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l metrics -d 'Where to serve /metrics for Prometheus and a page for people: whoever reaches it may read [default: nowhere]' -r
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l kernel-events -d 'Kernel events: use them if they can be had, insist on them, or do without [default: auto]' -r -f -a "auto\t'Use them; where they can\'t be had, say why and look at the port every second'
required\t'Refuse to run without them'
off\t'Look at the port every second'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l log-format -d 'How the log looks [default: text]' -r -f -a "text\t'For people'
json\t'One JSON object a line'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l dry-run -d 'Decide and log, run nothing' -r -f -a "true\t''
false\t''"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l output -d 'Output format' -r -f -a "text\t'Aligned columns'
json\t'JSON, one object a line'"
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -l secrets -d 'Also show values that may contain secrets: URLs, paths and command lines'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from show" -s h -l help -d 'Print help (see more with \'--help\')'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
complete -c failover -n "__fish_failover_using_subcommand config; and __fish_seen_subcommand_from help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "run" -d 'Run the daemon: take over when the primary is down, release when it is back'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "check" -d 'Check that a takeover would work, and how to fix what would not'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "status" -d 'Show who serves, and whether PC-A is protected'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "history" -d 'List incidents: time, cause, evidence, and the duration of each phase'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "pause" -d 'Pause takeovers and releases (maintenance)'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "resume" -d 'End the pause, and the hold of a release'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "takeover" -d 'Take over now, without waiting for the strikes'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "release" -d 'Stop the local gateway now, although the primary does not answer'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "trace" -d 'Show kernel events of the port as they happen'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "simulate" -d 'Simulate settings: years of modelled networks in seconds'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "config" -d 'Write, check or show a configuration'
complete -c failover -n "__fish_failover_using_subcommand help; and not __fish_seen_subcommand_from run check status history pause resume takeover release trace simulate config help" -f -a "help" -d 'Print this message or the help of the given subcommand(s)'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "init" -d 'Write the default configuration, with comments'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "check" -d 'Check a configuration file like `run` does'
complete -c failover -n "__fish_failover_using_subcommand help; and __fish_seen_subcommand_from config" -f -a "show" -d 'Show the settings of `run` with these flags and this file, and where each value comes from'
