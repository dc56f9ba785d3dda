#compdef failover

autoload -U is-at-least

_failover() {
    typeset -A opt_args
    typeset -a _arguments_options
    local ret=1

    if is-at-least 5.2; then
        _arguments_options=(-s -S -C)
    else
        _arguments_options=(-s -C)
    fi

    local context curcontext="$curcontext" state line
    _arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
'-V[Print version]' \
'--version[Print version]' \
":: :_failover_commands" \
"*::: :->failover" \
&& ret=0
    case $state in
    (failover)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file (TOML, the same names); flags win over it; /dev/null is none \[default\: /etc/failover/failover.toml, if it is there\]]:FILE:_files' \
'--primary=[The gateway to watch, on PC-A \[default port\: 18789\]]:HOST[:PORT]:_default' \
'--port=[The local gateway'\''s port \[default\: 18789\]]:PORT:_default' \
'--interval=[From one probe to the next \[default\: 30s\]]:DURATION:_default' \
'--recovery-interval=[The same while the local gateway is wanted or runs \[default\: 1s, or the interval if shorter\]]:DURATION:_default' \
'--timeout=[How long a probe may take \[default\: 5s, or the interval if shorter\]]:DURATION:_default' \
'--check=[What a healthy primary has to do within the timeout. tcp\: accept a connection, which a process that hangs still does; openclaw\: say that it is live; http\: answer as the check-* options ask \[default\: openclaw, or tcp for other gateways\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--check-status=[For check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--check-pointer=[For check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--check-value=[The value that check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: over TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[The certificates that are trusted, a PEM file\: of an authority, or the primary'\''s own, which may be self-signed \[default\: whom this machine trusts\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s own certificate, in place of check-ca\: it alone is trusted, whatever its name and issuer; several while it is replaced \[default\: none\]]:FINGERPRINTS:_default' \
'--check-host=[The name to ask for, in the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: a file with the primary'\''s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network \[default\: not asked\]]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer has failed \[default\: never\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway has to do. tcp\: listen; openclaw\: say that it is live; http\: answer as the local-check-* options ask; any\: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed \[default\: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp\]]:CHECK:((tcp\:"Listen"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--local-check-value=[The value that local-check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--local-check-tls=[Ask the local gateway over TLS \[default\: only where it doesn'\''t understand plain text\]]::BOOL:(true false)' \
'--local-check-ca=[Verify the local gateway'\''s certificate against these, a PEM file \[default\: any certificate will do\]]:FILE:_files' \
'--local-check-host=[The name to ask the local gateway for, in the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: a file with the local gateway'\''s token, for /readyz and /startupz \[default\: none, which OpenClaw doesn'\''t ask of its own machine\]]:FILE:_files' \
'--strikes=[Failed probes in a row until takeover \[default\: 3\]]:COUNT:_default' \
'--confirm-interval=[From one probe to the next once one has failed, and from one strike to the next \[default\: the interval\]]:DURATION:_default' \
'--witnesses=[Who tells before a takeover whether PC-B still has a network\: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9\:53; router is that of PC-B'\''s default route, which abstains until it has answered a ping; an empty list is nobody \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[So many of them have to answer, or all that don'\''t abstain \[default\: 1\]]:COUNT:_default' \
'--veto-limit=[So many failed probes in a row don'\''t count while others'\'' connections to the primary live \[default\: 3\]]:COUNT:_default' \
'--flap-damping=[Ask more of a primary that keeps failing soon after it is back \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure this soon after the primary was back makes the next release harder \[default\: 10m\]]:DURATION:_default' \
'--flap-quiet=[When the primary has been well for so long, everything is forgotten \[default\: 1h\]]:DURATION:_default' \
'*--flap-successes=[Successes in a row that a release takes\: the first time, the second, ... \[default\: 1,3,10\]]:COUNTS:_default' \
'--flap-interval=[From one of these to the next, where it takes several \[default\: 3s, or the interval if shorter\]]:DURATION:_default' \
'--fence=[Makes sure that the primary is gone before the local gateway starts\: switches it off, say]:COMMAND:_default' \
'--fence-required=[Whether a takeover needs the fence command to succeed \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[How long the fence command may take; then it is killed \[default\: 1m\]]:DURATION:_default' \
'--arm=[When a takeover may be made at all\: once the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"Once the primary has been seen healthy under this configuration\: a wrong address must not start a second gateway"
always\:"From the first moment on"))' \
'--user=[The account that owns the local gateway\: start and stop are run as it, with its HOME \[default\: the one that runs this; fence always is\]]:NAME:_default' \
'--gateway=[What the local gateway is\: sets how it is started and stopped, and how it is known \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, by its own commands"
command\:"Anything, by the commands given"
systemd-user\:"A unit of the account'\''s own service manager, through D-Bus"
systemd\:"A unit of the system'\''s service manager, through D-Bus"))' \
'--unit=[The unit that is the local gateway \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'*--owner=[What counts as the local gateway on the port\: unit\:NAME, account\:NAME, executable\:PATH or a program'\''s file name, of the gateway'\''s account; another one'\''s as "unit\:NAME of ACCOUNT" \[default\: as the kind of gateway needs it\]]:OWNER:_default' \
'--start=[Starts the local gateway; split like a shell does, run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Stops the local gateway \[default\: openclaw gateway stop, or with --force where that is known\]]:COMMAND:_default' \
'--start-timeout=[How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once \[default\: 6m\]]:DURATION:_default' \
'--stop-timeout=[How long the stop command may take; then it is killed and tried again \[default\: 5m 40s\]]:DURATION:_default' \
'--notify=[Run when something happens that somebody should know\: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input \[default\: nothing\]]:COMMAND:_default' \
'--webhook=[The same JSON is sent there in a POST, again and again for at most a day \[default\: nowhere\]]:URL:_default' \
'--webhook-token-file=[A file with the token that the webhook asks for, sent as Authorization\: Bearer \[default\: none\]]:FILE:_files' \
'--webhook-ca=[Who signs the webhook'\''s certificate, a PEM file \[default\: whom this machine trusts\]]:FILE:_files' \
'--state-dir=[Where the history, what must be remembered and the commands'\'' output are kept \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[The control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts, besides root, that may order pauses, takeovers and releases \[default\: nobody\]]:ACCOUNTS:_default' \
'--metrics=[Where to serve /metrics for Prometheus and a page for people\: whoever reaches it may read \[default\: nowhere\]]:IP:PORT:_default' \
'--kernel-events=[Kernel events\: use them if they can be had, insist on them, or do without \[default\: auto\]]:MODE:((auto\:"Use them; where they can'\''t be had, say why and look at the port every second"
required\:"Refuse to run without them"
off\:"Look at the port every second"))' \
'--log-format=[How the log looks \[default\: text\]]:FORMAT:((text\:"For people"
json\:"One JSON object a line"))' \
'--dry-run=[Decide and log, run nothing]::BOOL:(true false)' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file (TOML, the same names); flags win over it; /dev/null is none \[default\: /etc/failover/failover.toml, if it is there\]]:FILE:_files' \
'--primary=[The gateway to watch, on PC-A \[default port\: 18789\]]:HOST[:PORT]:_default' \
'--port=[The local gateway'\''s port \[default\: 18789\]]:PORT:_default' \
'--interval=[From one probe to the next \[default\: 30s\]]:DURATION:_default' \
'--recovery-interval=[The same while the local gateway is wanted or runs \[default\: 1s, or the interval if shorter\]]:DURATION:_default' \
'--timeout=[How long a probe may take \[default\: 5s, or the interval if shorter\]]:DURATION:_default' \
'--check=[What a healthy primary has to do within the timeout. tcp\: accept a connection, which a process that hangs still does; openclaw\: say that it is live; http\: answer as the check-* options ask \[default\: openclaw, or tcp for other gateways\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--check-status=[For check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--check-pointer=[For check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--check-value=[The value that check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: over TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[The certificates that are trusted, a PEM file\: of an authority, or the primary'\''s own, which may be self-signed \[default\: whom this machine trusts\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s own certificate, in place of check-ca\: it alone is trusted, whatever its name and issuer; several while it is replaced \[default\: none\]]:FINGERPRINTS:_default' \
'--check-host=[The name to ask for, in the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: a file with the primary'\''s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network \[default\: not asked\]]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer has failed \[default\: never\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway has to do. tcp\: listen; openclaw\: say that it is live; http\: answer as the local-check-* options ask; any\: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed \[default\: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp\]]:CHECK:((tcp\:"Listen"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--local-check-value=[The value that local-check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--local-check-tls=[Ask the local gateway over TLS \[default\: only where it doesn'\''t understand plain text\]]::BOOL:(true false)' \
'--local-check-ca=[Verify the local gateway'\''s certificate against these, a PEM file \[default\: any certificate will do\]]:FILE:_files' \
'--local-check-host=[The name to ask the local gateway for, in the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: a file with the local gateway'\''s token, for /readyz and /startupz \[default\: none, which OpenClaw doesn'\''t ask of its own machine\]]:FILE:_files' \
'--strikes=[Failed probes in a row until takeover \[default\: 3\]]:COUNT:_default' \
'--confirm-interval=[From one probe to the next once one has failed, and from one strike to the next \[default\: the interval\]]:DURATION:_default' \
'--witnesses=[Who tells before a takeover whether PC-B still has a network\: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9\:53; router is that of PC-B'\''s default route, which abstains until it has answered a ping; an empty list is nobody \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[So many of them have to answer, or all that don'\''t abstain \[default\: 1\]]:COUNT:_default' \
'--veto-limit=[So many failed probes in a row don'\''t count while others'\'' connections to the primary live \[default\: 3\]]:COUNT:_default' \
'--flap-damping=[Ask more of a primary that keeps failing soon after it is back \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure this soon after the primary was back makes the next release harder \[default\: 10m\]]:DURATION:_default' \
'--flap-quiet=[When the primary has been well for so long, everything is forgotten \[default\: 1h\]]:DURATION:_default' \
'*--flap-successes=[Successes in a row that a release takes\: the first time, the second, ... \[default\: 1,3,10\]]:COUNTS:_default' \
'--flap-interval=[From one of these to the next, where it takes several \[default\: 3s, or the interval if shorter\]]:DURATION:_default' \
'--fence=[Makes sure that the primary is gone before the local gateway starts\: switches it off, say]:COMMAND:_default' \
'--fence-required=[Whether a takeover needs the fence command to succeed \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[How long the fence command may take; then it is killed \[default\: 1m\]]:DURATION:_default' \
'--arm=[When a takeover may be made at all\: once the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"Once the primary has been seen healthy under this configuration\: a wrong address must not start a second gateway"
always\:"From the first moment on"))' \
'--user=[The account that owns the local gateway\: start and stop are run as it, with its HOME \[default\: the one that runs this; fence always is\]]:NAME:_default' \
'--gateway=[What the local gateway is\: sets how it is started and stopped, and how it is known \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, by its own commands"
command\:"Anything, by the commands given"
systemd-user\:"A unit of the account'\''s own service manager, through D-Bus"
systemd\:"A unit of the system'\''s service manager, through D-Bus"))' \
'--unit=[The unit that is the local gateway \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'*--owner=[What counts as the local gateway on the port\: unit\:NAME, account\:NAME, executable\:PATH or a program'\''s file name, of the gateway'\''s account; another one'\''s as "unit\:NAME of ACCOUNT" \[default\: as the kind of gateway needs it\]]:OWNER:_default' \
'--start=[Starts the local gateway; split like a shell does, run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Stops the local gateway \[default\: openclaw gateway stop, or with --force where that is known\]]:COMMAND:_default' \
'--start-timeout=[How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once \[default\: 6m\]]:DURATION:_default' \
'--stop-timeout=[How long the stop command may take; then it is killed and tried again \[default\: 5m 40s\]]:DURATION:_default' \
'--notify=[Run when something happens that somebody should know\: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input \[default\: nothing\]]:COMMAND:_default' \
'--webhook=[The same JSON is sent there in a POST, again and again for at most a day \[default\: nowhere\]]:URL:_default' \
'--webhook-token-file=[A file with the token that the webhook asks for, sent as Authorization\: Bearer \[default\: none\]]:FILE:_files' \
'--webhook-ca=[Who signs the webhook'\''s certificate, a PEM file \[default\: whom this machine trusts\]]:FILE:_files' \
'--state-dir=[Where the history, what must be remembered and the commands'\'' output are kept \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[The control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts, besides root, that may order pauses, takeovers and releases \[default\: nobody\]]:ACCOUNTS:_default' \
'--metrics=[Where to serve /metrics for Prometheus and a page for people\: whoever reaches it may read \[default\: nowhere\]]:IP:PORT:_default' \
'--kernel-events=[Kernel events\: use them if they can be had, insist on them, or do without \[default\: auto\]]:MODE:((auto\:"Use them; where they can'\''t be had, say why and look at the port every second"
required\:"Refuse to run without them"
off\:"Look at the port every second"))' \
'--log-format=[How the log looks \[default\: text\]]:FORMAT:((text\:"For people"
json\:"One JSON object a line"))' \
'--dry-run=[Decide and log, run nothing]::BOOL:(true false)' \
'--output=[Output format]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--output=[Output format]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'--watch[Update the output in place every second, until Ctrl-C]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(history)
_arguments "${_arguments_options[@]}" : \
'--state-dir=[The daemon'\''s state directory \[default\: from the configuration file, or /var/lib/failover\]]:DIR:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--since=[Only incidents since then\: a duration before now, like 2d or 12h, or a date in UTC, like 2026-11-24]:WHEN:_default' \
'--output=[Output format; json\: one object a line]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--for=[Duration of the pause \[default\: until \`failover resume\`\]]:DURATION:_default' \
'--reason=[The reason, for the log and \`failover status\`]:TEXT:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(resume)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(takeover)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--force[Take over even if the primary answers, was never seen healthy, or no witness answers]' \
'--yes[Do not ask for confirmation if both gateways will run]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--hold=[Prevent a takeover for this time]:DURATION:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(trace)
_arguments "${_arguments_options[@]}" : \
'--port=[The port to trace, local or remote]:PORT:_default' \
'--output=[Output format]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'--color=[When to colour the text output]:WHEN:((auto\:"On a terminal, unless \`NO_COLOR\` is set"
always\:"Always"
never\:"Never"))' \
'--duration=[Stop after this time]:DURATION:_default' \
'--count=[Stop after this number of events]:COUNT:_default' \
'--all-namespaces[Trace sockets of all network namespaces, not only of this one]' \
'--debug[Show debug messages of the eBPF program, on standard error]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(simulate)
_arguments "${_arguments_options[@]}" : \
'*--config=[Configuration file; give it several times to compare settings]:FILE:_files' \
'--days=[How many days are simulated]:COUNT:_default' \
'--seed=[Everything random depends on it]:NUMBER:_default' \
'--output=[How the figures are shown]:FORMAT:((text\:"A table"
json\:"One JSON object"))' \
'--svg=[Draw histograms and a timeline, too]:FILE:_files' \
'--interval=[As for \`run\`; wins over the files]:DURATION:_default' \
'--recovery-interval=[As for \`run\`; wins over the files]:DURATION:_default' \
'--timeout=[As for \`run\`; wins over the files]:DURATION:_default' \
'--strikes=[As for \`run\`; wins over the files]:COUNT:_default' \
'--confirm-interval=[As for \`run\`; wins over the files]:DURATION:_default' \
'--witnesses=[As for \`run\`; nobody is asked, and all answer unless PC-B has no network]:HOST[:PORT]:_default' \
'--baseline[Compare with the plain shell loop, too]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_failover__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-config-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
'--output=[The file to create, with its folder; it must not exist yet \[default\: standard output\]]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'::file -- The file:_files' \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file (TOML, the same names); flags win over it; /dev/null is none \[default\: /etc/failover/failover.toml, if it is there\]]:FILE:_files' \
'--primary=[The gateway to watch, on PC-A \[default port\: 18789\]]:HOST[:PORT]:_default' \
'--port=[The local gateway'\''s port \[default\: 18789\]]:PORT:_default' \
'--interval=[From one probe to the next \[default\: 30s\]]:DURATION:_default' \
'--recovery-interval=[The same while the local gateway is wanted or runs \[default\: 1s, or the interval if shorter\]]:DURATION:_default' \
'--timeout=[How long a probe may take \[default\: 5s, or the interval if shorter\]]:DURATION:_default' \
'--check=[What a healthy primary has to do within the timeout. tcp\: accept a connection, which a process that hangs still does; openclaw\: say that it is live; http\: answer as the check-* options ask \[default\: openclaw, or tcp for other gateways\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--check-status=[For check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--check-pointer=[For check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--check-value=[The value that check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: over TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[The certificates that are trusted, a PEM file\: of an authority, or the primary'\''s own, which may be self-signed \[default\: whom this machine trusts\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s own certificate, in place of check-ca\: it alone is trusted, whatever its name and issuer; several while it is replaced \[default\: none\]]:FINGERPRINTS:_default' \
'--check-host=[The name to ask for, in the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: a file with the primary'\''s token, which /readyz and /startupz ask for before they say what is failing; sent as it is, so mind the network \[default\: not asked\]]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer has failed \[default\: never\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway has to do. tcp\: listen; openclaw\: say that it is live; http\: answer as the local-check-* options ask; any\: answer an HTTP request with anything. One that fails --strikes checks in a row is restarted while it is needed \[default\: openclaw, or for other gateways openclaw, any or tcp, as --check is openclaw, http or tcp\]]:CHECK:((tcp\:"Listen"
openclaw\:"Say that it is live, in OpenClaw'\''s way"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: what to GET, as /path?query; no redirect is followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: the right status \[default\: 200\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: a JSON pointer (RFC 6901), as /status/0/ok, to something that must be in the body]:POINTER:_default' \
'--local-check-value=[The value that local-check-pointer must lead to \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: a text that must be in the first 64 KiB of the body]:TEXT:_default' \
'--local-check-tls=[Ask the local gateway over TLS \[default\: only where it doesn'\''t understand plain text\]]::BOOL:(true false)' \
'--local-check-ca=[Verify the local gateway'\''s certificate against these, a PEM file \[default\: any certificate will do\]]:FILE:_files' \
'--local-check-host=[The name to ask the local gateway for, in the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: a file with the local gateway'\''s token, for /readyz and /startupz \[default\: none, which OpenClaw doesn'\''t ask of its own machine\]]:FILE:_files' \
'--strikes=[Failed probes in a row until takeover \[default\: 3\]]:COUNT:_default' \
'--confirm-interval=[From one probe to the next once one has failed, and from one strike to the next \[default\: the interval\]]:DURATION:_default' \
'--witnesses=[Who tells before a takeover whether PC-B still has a network\: hosts that are pinged, as 192.168.1.1, or connected to, as 9.9.9.9\:53; router is that of PC-B'\''s default route, which abstains until it has answered a ping; an empty list is nobody \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[So many of them have to answer, or all that don'\''t abstain \[default\: 1\]]:COUNT:_default' \
'--veto-limit=[So many failed probes in a row don'\''t count while others'\'' connections to the primary live \[default\: 3\]]:COUNT:_default' \
'--flap-damping=[Ask more of a primary that keeps failing soon after it is back \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure this soon after the primary was back makes the next release harder \[default\: 10m\]]:DURATION:_default' \
'--flap-quiet=[When the primary has been well for so long, everything is forgotten \[default\: 1h\]]:DURATION:_default' \
'*--flap-successes=[Successes in a row that a release takes\: the first time, the second, ... \[default\: 1,3,10\]]:COUNTS:_default' \
'--flap-interval=[From one of these to the next, where it takes several \[default\: 3s, or the interval if shorter\]]:DURATION:_default' \
'--fence=[Makes sure that the primary is gone before the local gateway starts\: switches it off, say]:COMMAND:_default' \
'--fence-required=[Whether a takeover needs the fence command to succeed \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[How long the fence command may take; then it is killed \[default\: 1m\]]:DURATION:_default' \
'--arm=[When a takeover may be made at all\: once the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"Once the primary has been seen healthy under this configuration\: a wrong address must not start a second gateway"
always\:"From the first moment on"))' \
'--user=[The account that owns the local gateway\: start and stop are run as it, with its HOME \[default\: the one that runs this; fence always is\]]:NAME:_default' \
'--gateway=[What the local gateway is\: sets how it is started and stopped, and how it is known \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, by its own commands"
command\:"Anything, by the commands given"
systemd-user\:"A unit of the account'\''s own service manager, through D-Bus"
systemd\:"A unit of the system'\''s service manager, through D-Bus"))' \
'--unit=[The unit that is the local gateway \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'*--owner=[What counts as the local gateway on the port\: unit\:NAME, account\:NAME, executable\:PATH or a program'\''s file name, of the gateway'\''s account; another one'\''s as "unit\:NAME of ACCOUNT" \[default\: as the kind of gateway needs it\]]:OWNER:_default' \
'--start=[Starts the local gateway; split like a shell does, run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Stops the local gateway \[default\: openclaw gateway stop, or with --force where that is known\]]:COMMAND:_default' \
'--start-timeout=[How long a start may take, from the start command to a port that listens and to the first answer of a gateway that is checked; then it is killed and tried again, with twice the time. One that is seen to be dead is tried again at once \[default\: 6m\]]:DURATION:_default' \
'--stop-timeout=[How long the stop command may take; then it is killed and tried again \[default\: 5m 40s\]]:DURATION:_default' \
'--notify=[Run when something happens that somebody should know\: a takeover, a release, a start or stop that fails, ...; told in its environment, and as JSON on standard input \[default\: nothing\]]:COMMAND:_default' \
'--webhook=[The same JSON is sent there in a POST, again and again for at most a day \[default\: nowhere\]]:URL:_default' \
'--webhook-token-file=[A file with the token that the webhook asks for, sent as Authorization\: Bearer \[default\: none\]]:FILE:_files' \
'--webhook-ca=[Who signs the webhook'\''s certificate, a PEM file \[default\: whom this machine trusts\]]:FILE:_files' \
'--state-dir=[Where the history, what must be remembered and the commands'\'' output are kept \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[The control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts, besides root, that may order pauses, takeovers and releases \[default\: nobody\]]:ACCOUNTS:_default' \
'--metrics=[Where to serve /metrics for Prometheus and a page for people\: whoever reaches it may read \[default\: nowhere\]]:IP:PORT:_default' \
'--kernel-events=[Kernel events\: use them if they can be had, insist on them, or do without \[default\: auto\]]:MODE:((auto\:"Use them; where they can'\''t be had, say why and look at the port every second"
required\:"Refuse to run without them"
off\:"Look at the port every second"))' \
'--log-format=[How the log looks \[default\: text\]]:FORMAT:((text\:"For people"
json\:"One JSON object a line"))' \
'--dry-run=[Decide and log, run nothing]::BOOL:(true false)' \
'--output=[Output format]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'--secrets[Also show values that may contain secrets\: URLs, paths and command lines]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__config__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-config-help-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(history)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pause)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(resume)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(takeover)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(release)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(trace)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(simulate)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(config)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__help__subcmd__config_commands" \
"*::: :->config" \
&& ret=0

    case $state in
    (config)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-help-config-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(show)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(help)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
        esac
    ;;
esac
}

(( $+functions[_failover_commands] )) ||
_failover_commands() {
    local commands; commands=(
'run:Run the daemon\: take over when the primary is down, release when it is back' \
'check:Check that a takeover would work, and how to fix what would not' \
'status:Show who serves, and whether PC-A is protected' \
'history:List incidents\: time, cause, evidence, and the duration of each phase' \
'pause:Pause takeovers and releases (maintenance)' \
'resume:End the pause, and the hold of a release' \
'takeover:Take over now, without waiting for the strikes' \
'release:Stop the local gateway now, although the primary does not answer' \
'trace:Show kernel events of the port as they happen' \
'simulate:Simulate settings\: years of modelled networks in seconds' \
'config:Write, check or show a configuration' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover commands' commands "$@"
}
(( $+functions[_failover__subcmd__check_commands] )) ||
_failover__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'failover check commands' commands "$@"
}
(( $+functions[_failover__subcmd__config_commands] )) ||
_failover__subcmd__config_commands() {
    local commands; commands=(
'init:Write the default configuration, with comments' \
'check:Check a configuration file like \`run\` does' \
'show:Show the settings of \`run\` with these flags and this file, and where each value comes from' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover config commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__check_commands] )) ||
_failover__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'failover config check commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__help_commands] )) ||
_failover__subcmd__config__subcmd__help_commands() {
    local commands; commands=(
'init:Write the default configuration, with comments' \
'check:Check a configuration file like \`run\` does' \
'show:Show the settings of \`run\` with these flags and this file, and where each value comes from' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover config help commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__help__subcmd__check_commands] )) ||
_failover__subcmd__config__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'failover config help check commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__help__subcmd__help_commands] )) ||
_failover__subcmd__config__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'failover config help help commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__help__subcmd__init_commands] )) ||
_failover__subcmd__config__subcmd__help__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover config help init commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__help__subcmd__show_commands] )) ||
_failover__subcmd__config__subcmd__help__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'failover config help show commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__init_commands] )) ||
_failover__subcmd__config__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover config init commands' commands "$@"
}
(( $+functions[_failover__subcmd__config__subcmd__show_commands] )) ||
_failover__subcmd__config__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'failover config show commands' commands "$@"
}
(( $+functions[_failover__subcmd__help_commands] )) ||
_failover__subcmd__help_commands() {
    local commands; commands=(
'run:Run the daemon\: take over when the primary is down, release when it is back' \
'check:Check that a takeover would work, and how to fix what would not' \
'status:Show who serves, and whether PC-A is protected' \
'history:List incidents\: time, cause, evidence, and the duration of each phase' \
'pause:Pause takeovers and releases (maintenance)' \
'resume:End the pause, and the hold of a release' \
'takeover:Take over now, without waiting for the strikes' \
'release:Stop the local gateway now, although the primary does not answer' \
'trace:Show kernel events of the port as they happen' \
'simulate:Simulate settings\: years of modelled networks in seconds' \
'config:Write, check or show a configuration' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover help commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__check_commands] )) ||
_failover__subcmd__help__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'failover help check commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__config_commands] )) ||
_failover__subcmd__help__subcmd__config_commands() {
    local commands; commands=(
'init:Write the default configuration, with comments' \
'check:Check a configuration file like \`run\` does' \
'show:Show the settings of \`run\` with these flags and this file, and where each value comes from' \
    )
    _describe -t commands 'failover help config commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__config__subcmd__check_commands] )) ||
_failover__subcmd__help__subcmd__config__subcmd__check_commands() {
    local commands; commands=()
    _describe -t commands 'failover help config check commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__config__subcmd__init_commands] )) ||
_failover__subcmd__help__subcmd__config__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover help config init commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__config__subcmd__show_commands] )) ||
_failover__subcmd__help__subcmd__config__subcmd__show_commands() {
    local commands; commands=()
    _describe -t commands 'failover help config show commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__help_commands] )) ||
_failover__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'failover help help commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__history_commands] )) ||
_failover__subcmd__help__subcmd__history_commands() {
    local commands; commands=()
    _describe -t commands 'failover help history commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__pause_commands] )) ||
_failover__subcmd__help__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'failover help pause commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__release_commands] )) ||
_failover__subcmd__help__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'failover help release commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__resume_commands] )) ||
_failover__subcmd__help__subcmd__resume_commands() {
    local commands; commands=()
    _describe -t commands 'failover help resume commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__run_commands] )) ||
_failover__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'failover help run commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__simulate_commands] )) ||
_failover__subcmd__help__subcmd__simulate_commands() {
    local commands; commands=()
    _describe -t commands 'failover help simulate commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__status_commands] )) ||
_failover__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'failover help status commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__takeover_commands] )) ||
_failover__subcmd__help__subcmd__takeover_commands() {
    local commands; commands=()
    _describe -t commands 'failover help takeover commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__trace_commands] )) ||
_failover__subcmd__help__subcmd__trace_commands() {
    local commands; commands=()
    _describe -t commands 'failover help trace commands' commands "$@"
}
(( $+functions[_failover__subcmd__history_commands] )) ||
_failover__subcmd__history_commands() {
    local commands; commands=()
    _describe -t commands 'failover history commands' commands "$@"
}
(( $+functions[_failover__subcmd__pause_commands] )) ||
_failover__subcmd__pause_commands() {
    local commands; commands=()
    _describe -t commands 'failover pause commands' commands "$@"
}
(( $+functions[_failover__subcmd__release_commands] )) ||
_failover__subcmd__release_commands() {
    local commands; commands=()
    _describe -t commands 'failover release commands' commands "$@"
}
(( $+functions[_failover__subcmd__resume_commands] )) ||
_failover__subcmd__resume_commands() {
    local commands; commands=()
    _describe -t commands 'failover resume commands' commands "$@"
}
(( $+functions[_failover__subcmd__run_commands] )) ||
_failover__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'failover run commands' commands "$@"
}
(( $+functions[_failover__subcmd__simulate_commands] )) ||
_failover__subcmd__simulate_commands() {
    local commands; commands=()
    _describe -t commands 'failover simulate commands' commands "$@"
}
(( $+functions[_failover__subcmd__status_commands] )) ||
_failover__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'failover status commands' commands "$@"
}
(( $+functions[_failover__subcmd__takeover_commands] )) ||
_failover__subcmd__takeover_commands() {
    local commands; commands=()
    _describe -t commands 'failover takeover commands' commands "$@"
}
(( $+functions[_failover__subcmd__trace_commands] )) ||
_failover__subcmd__trace_commands() {
    local commands; commands=()
    _describe -t commands 'failover trace commands' commands "$@"
}

if [ "$funcstack[1]" = "_failover" ]; then
    _failover "$@"
else
    compdef _failover failover
fi
