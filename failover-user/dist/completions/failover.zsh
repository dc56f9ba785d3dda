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
'--config=[Configuration file (TOML); flags override it; /dev/null for none \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--primary=[Address of the primary\: the gateway on PC-A \[default\: port 18789\]]:HOST[:PORT]:_default' \
'--check=[What a healthy primary must do within the timeout. tcp\: accept a connection (a hung process still does); openclaw\: report that it is live; http\: answer as the check-* options require \[default\: openclaw; tcp with gateway=command or systemd\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--check-status=[For check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--check-pointer=[For check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--check-value=[Required value at check-pointer \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: use TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[PEM file with the CA of the primary'\''s certificate, or the certificate itself (self-signed or not) \[default\: the system'\''s CA store\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s certificate, instead of check-ca\: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced]:FINGERPRINTS:_default' \
'--check-host=[Name for the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: file with the primary'\''s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer counts as failed \[default\: never\] \[range\: 0s to 24h\]]:DURATION:_default' \
'--gateway=[What the local gateway is\: sets how it is started, stopped and recognized \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, through its own commands"
command\:"Anything, through the start and stop commands"
systemd-user\:"A user unit (systemctl --user) of the account, through D-Bus"
systemd\:"A system unit, through D-Bus"))' \
'--user=[Account of the local gateway\: start and stop run as this account, with its HOME; fence runs as the daemon'\''s user \[default\: the daemon'\''s user\]]:NAME:_default' \
'--unit=[systemd unit of the local gateway; required with gateway=systemd \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'--port=[Port of the local gateway \[default\: 18789\]]:PORT:_default' \
'--start=[Command that starts the local gateway; split like a shell does, but run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Command that stops the local gateway \[default\: openclaw gateway stop, with --force if supported\]]:COMMAND:_default' \
'--start-timeout=[Time limit of a start\: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once \[default\: 6m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--stop-timeout=[Timeout of the stop command; then it is killed and retried \[default\: 5m 40s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'*--owner=[Which process on the port is the local gateway\: unit\:NAME, account\:NAME, executable\:PATH or executable\:FILE of the gateway'\''s account; of another one as "unit\:NAME of ACCOUNT" \[default\: set by gateway\]]:OWNER:_default' \
'--standby=[How ready the local gateway is kept\: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) \[default\: auto\]]:MODE:((auto\:"Warm once a drill of this very gateway has passed and there is memory for it; until then cold"
cold\:"Started when it is needed"
warm\:"Parked from the first strike on"
hot\:"Parked all the time"))' \
'--hot-refresh=[Shortest time between two new starts of a hot gateway whose program or configuration has changed \[default\: 10m\] \[range\: 10s to 8760h\]]:DURATION:_default' \
'--drill-every=[Time between automatic drills\: the local gateway is started up to its bind, and ended; 0s\: never \[default\: 24h\] \[range\: 0s to 8760h\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway must do. tcp\: listen; openclaw\: report that it is live; http\: answer as the local-check-* options require; any\: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted \[default\: openclaw; for other gateways that of check, but any for http\]]:CHECK:((tcp\:"Listen"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--local-check-value=[Required value at local-check-pointer \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--local-check-tls=[Use TLS for the check \[default\: plain text, then TLS if that fails\]]::BOOL:(true false)' \
'--local-check-ca=[PEM file with the CA of the local gateway'\''s certificate, or the certificate itself \[default\: the certificate is not verified\]]:FILE:_files' \
'--local-check-host=[Name for the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: file with the local gateway'\''s token for /readyz and /startupz \[default\: none, OpenClaw doesn'\''t require it on its own machine\]]:FILE:_files' \
'--interval=[Time between probes \[default\: 30s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--strikes=[Failed probes in a row before a takeover \[default\: 3\] \[range\: 1 to 100\]]:COUNT:_default' \
'--timeout=[Probe timeout \[default\: 5s, or the interval if shorter\] \[range\: 10ms to 1h\]]:DURATION:_default' \
'--confirm-interval=[Time between probes after a failed probe, and between strikes \[default\: the interval\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--recovery-interval=[Time between probes during a takeover \[default\: 1s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--veto-limit=[Ignore up to this many failed probes in a row while other clients'\'' connections to the primary work; 0\: never \[default\: 3\]]:COUNT:_default' \
'--arm=[When takeovers are allowed\: only after the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"After a successful probe with this configuration\: a wrong address must not start a second gateway"
always\:"From the start"))' \
'--witnesses=[Hosts that must be reachable before a takeover\: 192.168.1.1 is pinged, 9.9.9.9\:53 connected to, router is PC-B'\''s default router (not counted until it has answered a ping). Empty\: no witnesses \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[Minimum number of witnesses that must answer; all of them where fewer count \[default\: 1\]]:COUNT:_default' \
'--fence=[Command that fences the primary before the local gateway starts, e.g. switches its power off]:COMMAND:_default' \
'--fence-required=[No takeover unless the fence command succeeds \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[Timeout of the fence command; then it is killed \[default\: 1m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--flap-damping=[Delay the release of a flapping primary \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure within this time after the primary'\''s recovery counts as a flap \[default\: 10m\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'--flap-quiet=[Reset the flap count when the primary has been healthy for this time \[default\: 1h\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'*--flap-successes=[Successful probes in a row before a release\: normally, after one flap, after two, and so on \[default\: 1,3,10\] \[range\: 1 to 100 each\]]:COUNTS:_default' \
'--flap-interval=[Time between these probes, where a release needs more than one \[default\: 3s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--guard-port=[Port for the heartbeats of PC-A'\''s guard (UDP), and for pairing (TCP) \[default\: 18790\]]:PORT:_default' \
'--host-loss=[When a host whose guard is silent counts as lost\: after all strikes, or at once (fast) if a probe has failed as well and a witness answers \[default\: strikes\]]:WHEN:((strikes\:"After all strikes"
fast\:"At once, if a probe has failed as well and a witness answers"))' \
'--on-crash=[What follows when PC-A'\''s gateway has crashed and its service manager restarts it\: that gets its time (wait), or a takeover at once (take-over) \[default\: wait\]]:WHAT:((wait\:"Its service manager gets its time"
take-over\:"A takeover at once"))' \
'--sync-from=[Account and host that sessions and configuration are copied from, over ssh\: PC-A; nothing is copied without it]:ACCOUNT@HOST[:PORT]:_default' \
'--sync-every=[Time between rounds; each copies what has changed \[default\: 30s\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--sync-max-age=[Age of the newest copy that is a problem \[default\: 10m\] \[range\: 10s to 720h\]]:DURATION:_default' \
'--sync-within=[Time limit of a round; then it is killed \[default\: 20s\] \[range\: 1s to 1h\]]:DURATION:_default' \
'--sync-place-within=[Time limit for putting the copy in place, before the local gateway starts \[default\: 10s\] \[range\: 1s to 10m\]]:DURATION:_default' \
'--sync-max-bytes=[Largest copy \[default\: 4GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-file=[Largest file of a copy \[default\: 2.5GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-files=[Most files of a copy \[default\: 200000\] \[range\: 1 to 100000000\]]:COUNT:_default' \
'--sync-min-free=[Space that a copy leaves free \[default\: 1GB\] \[range\: 0B to 100TB\]]:SIZE:_default' \
'*--sync-paths=[Trees and files to copy, the same path on both hosts, ~/ for the account'\''s home; added to OpenClaw'\''s own \[default\: ~/.openclaw for OpenClaw\]]:PATHS:_default' \
'*--sync-databases=[SQLite databases in them, as rsync patterns; added to OpenClaw'\''s own \[default\: OpenClaw'\''s own\]]:PATTERNS:_default' \
'*--sync-exclude=[What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw'\''s tree \[default\: caches, logs and installed programs of OpenClaw\]]:PATTERNS:_default' \
'--notify=[Command to run on events\: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input]:COMMAND:_default' \
'--webhook=[URL to POST each event to, as JSON; retried for up to a day]:URL:_default' \
'--webhook-token-file=[File with the webhook'\''s token, sent as Authorization\: Bearer]:FILE:_files' \
'--webhook-ca=[PEM file with the CA of the webhook'\''s certificate, or the certificate itself \[default\: the system'\''s CA store\]]:FILE:_files' \
'--heartbeat-url=[URL to request while PC-A is protected or PC-B serves\: a monitoring service that gets no more requests reports that PC-B itself is off]:URL:_default' \
'--heartbeat-every=[Time between two of these requests \[default\: 1m\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--state-dir=[Directory for the history, the daemon'\''s state and the output of commands \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[Control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts besides root that may pause, take over and release]:ACCOUNTS:_default' \
'--metrics=[Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect]:IP:PORT:_default' \
'--kernel-events=[Kernel events (eBPF)\: used if available, required, or off \[default\: auto\]]:MODE:((auto\:"Use them if available; otherwise log why, and poll the port every second"
required\:"Don'\''t run without them"
off\:"Poll the port every second"))' \
'--log-format=[Log format \[default\: text\]]:FORMAT:((text\:"Text for people"
json\:"One JSON object per line"))' \
'--dry-run=[Decide and log, but run no commands \[default\: false\]]::BOOL:(true false)' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(check)
_arguments "${_arguments_options[@]}" : \
'--config=[Configuration file (TOML); flags override it; /dev/null for none \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--primary=[Address of the primary\: the gateway on PC-A \[default\: port 18789\]]:HOST[:PORT]:_default' \
'--check=[What a healthy primary must do within the timeout. tcp\: accept a connection (a hung process still does); openclaw\: report that it is live; http\: answer as the check-* options require \[default\: openclaw; tcp with gateway=command or systemd\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--check-status=[For check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--check-pointer=[For check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--check-value=[Required value at check-pointer \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: use TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[PEM file with the CA of the primary'\''s certificate, or the certificate itself (self-signed or not) \[default\: the system'\''s CA store\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s certificate, instead of check-ca\: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced]:FINGERPRINTS:_default' \
'--check-host=[Name for the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: file with the primary'\''s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer counts as failed \[default\: never\] \[range\: 0s to 24h\]]:DURATION:_default' \
'--gateway=[What the local gateway is\: sets how it is started, stopped and recognized \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, through its own commands"
command\:"Anything, through the start and stop commands"
systemd-user\:"A user unit (systemctl --user) of the account, through D-Bus"
systemd\:"A system unit, through D-Bus"))' \
'--user=[Account of the local gateway\: start and stop run as this account, with its HOME; fence runs as the daemon'\''s user \[default\: the daemon'\''s user\]]:NAME:_default' \
'--unit=[systemd unit of the local gateway; required with gateway=systemd \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'--port=[Port of the local gateway \[default\: 18789\]]:PORT:_default' \
'--start=[Command that starts the local gateway; split like a shell does, but run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Command that stops the local gateway \[default\: openclaw gateway stop, with --force if supported\]]:COMMAND:_default' \
'--start-timeout=[Time limit of a start\: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once \[default\: 6m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--stop-timeout=[Timeout of the stop command; then it is killed and retried \[default\: 5m 40s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'*--owner=[Which process on the port is the local gateway\: unit\:NAME, account\:NAME, executable\:PATH or executable\:FILE of the gateway'\''s account; of another one as "unit\:NAME of ACCOUNT" \[default\: set by gateway\]]:OWNER:_default' \
'--standby=[How ready the local gateway is kept\: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) \[default\: auto\]]:MODE:((auto\:"Warm once a drill of this very gateway has passed and there is memory for it; until then cold"
cold\:"Started when it is needed"
warm\:"Parked from the first strike on"
hot\:"Parked all the time"))' \
'--hot-refresh=[Shortest time between two new starts of a hot gateway whose program or configuration has changed \[default\: 10m\] \[range\: 10s to 8760h\]]:DURATION:_default' \
'--drill-every=[Time between automatic drills\: the local gateway is started up to its bind, and ended; 0s\: never \[default\: 24h\] \[range\: 0s to 8760h\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway must do. tcp\: listen; openclaw\: report that it is live; http\: answer as the local-check-* options require; any\: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted \[default\: openclaw; for other gateways that of check, but any for http\]]:CHECK:((tcp\:"Listen"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--local-check-value=[Required value at local-check-pointer \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--local-check-tls=[Use TLS for the check \[default\: plain text, then TLS if that fails\]]::BOOL:(true false)' \
'--local-check-ca=[PEM file with the CA of the local gateway'\''s certificate, or the certificate itself \[default\: the certificate is not verified\]]:FILE:_files' \
'--local-check-host=[Name for the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: file with the local gateway'\''s token for /readyz and /startupz \[default\: none, OpenClaw doesn'\''t require it on its own machine\]]:FILE:_files' \
'--interval=[Time between probes \[default\: 30s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--strikes=[Failed probes in a row before a takeover \[default\: 3\] \[range\: 1 to 100\]]:COUNT:_default' \
'--timeout=[Probe timeout \[default\: 5s, or the interval if shorter\] \[range\: 10ms to 1h\]]:DURATION:_default' \
'--confirm-interval=[Time between probes after a failed probe, and between strikes \[default\: the interval\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--recovery-interval=[Time between probes during a takeover \[default\: 1s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--veto-limit=[Ignore up to this many failed probes in a row while other clients'\'' connections to the primary work; 0\: never \[default\: 3\]]:COUNT:_default' \
'--arm=[When takeovers are allowed\: only after the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"After a successful probe with this configuration\: a wrong address must not start a second gateway"
always\:"From the start"))' \
'--witnesses=[Hosts that must be reachable before a takeover\: 192.168.1.1 is pinged, 9.9.9.9\:53 connected to, router is PC-B'\''s default router (not counted until it has answered a ping). Empty\: no witnesses \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[Minimum number of witnesses that must answer; all of them where fewer count \[default\: 1\]]:COUNT:_default' \
'--fence=[Command that fences the primary before the local gateway starts, e.g. switches its power off]:COMMAND:_default' \
'--fence-required=[No takeover unless the fence command succeeds \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[Timeout of the fence command; then it is killed \[default\: 1m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--flap-damping=[Delay the release of a flapping primary \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure within this time after the primary'\''s recovery counts as a flap \[default\: 10m\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'--flap-quiet=[Reset the flap count when the primary has been healthy for this time \[default\: 1h\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'*--flap-successes=[Successful probes in a row before a release\: normally, after one flap, after two, and so on \[default\: 1,3,10\] \[range\: 1 to 100 each\]]:COUNTS:_default' \
'--flap-interval=[Time between these probes, where a release needs more than one \[default\: 3s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--guard-port=[Port for the heartbeats of PC-A'\''s guard (UDP), and for pairing (TCP) \[default\: 18790\]]:PORT:_default' \
'--host-loss=[When a host whose guard is silent counts as lost\: after all strikes, or at once (fast) if a probe has failed as well and a witness answers \[default\: strikes\]]:WHEN:((strikes\:"After all strikes"
fast\:"At once, if a probe has failed as well and a witness answers"))' \
'--on-crash=[What follows when PC-A'\''s gateway has crashed and its service manager restarts it\: that gets its time (wait), or a takeover at once (take-over) \[default\: wait\]]:WHAT:((wait\:"Its service manager gets its time"
take-over\:"A takeover at once"))' \
'--sync-from=[Account and host that sessions and configuration are copied from, over ssh\: PC-A; nothing is copied without it]:ACCOUNT@HOST[:PORT]:_default' \
'--sync-every=[Time between rounds; each copies what has changed \[default\: 30s\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--sync-max-age=[Age of the newest copy that is a problem \[default\: 10m\] \[range\: 10s to 720h\]]:DURATION:_default' \
'--sync-within=[Time limit of a round; then it is killed \[default\: 20s\] \[range\: 1s to 1h\]]:DURATION:_default' \
'--sync-place-within=[Time limit for putting the copy in place, before the local gateway starts \[default\: 10s\] \[range\: 1s to 10m\]]:DURATION:_default' \
'--sync-max-bytes=[Largest copy \[default\: 4GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-file=[Largest file of a copy \[default\: 2.5GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-files=[Most files of a copy \[default\: 200000\] \[range\: 1 to 100000000\]]:COUNT:_default' \
'--sync-min-free=[Space that a copy leaves free \[default\: 1GB\] \[range\: 0B to 100TB\]]:SIZE:_default' \
'*--sync-paths=[Trees and files to copy, the same path on both hosts, ~/ for the account'\''s home; added to OpenClaw'\''s own \[default\: ~/.openclaw for OpenClaw\]]:PATHS:_default' \
'*--sync-databases=[SQLite databases in them, as rsync patterns; added to OpenClaw'\''s own \[default\: OpenClaw'\''s own\]]:PATTERNS:_default' \
'*--sync-exclude=[What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw'\''s tree \[default\: caches, logs and installed programs of OpenClaw\]]:PATTERNS:_default' \
'--notify=[Command to run on events\: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input]:COMMAND:_default' \
'--webhook=[URL to POST each event to, as JSON; retried for up to a day]:URL:_default' \
'--webhook-token-file=[File with the webhook'\''s token, sent as Authorization\: Bearer]:FILE:_files' \
'--webhook-ca=[PEM file with the CA of the webhook'\''s certificate, or the certificate itself \[default\: the system'\''s CA store\]]:FILE:_files' \
'--heartbeat-url=[URL to request while PC-A is protected or PC-B serves\: a monitoring service that gets no more requests reports that PC-B itself is off]:URL:_default' \
'--heartbeat-every=[Time between two of these requests \[default\: 1m\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--state-dir=[Directory for the history, the daemon'\''s state and the output of commands \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[Control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts besides root that may pause, take over and release]:ACCOUNTS:_default' \
'--metrics=[Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect]:IP:PORT:_default' \
'--kernel-events=[Kernel events (eBPF)\: used if available, required, or off \[default\: auto\]]:MODE:((auto\:"Use them if available; otherwise log why, and poll the port every second"
required\:"Don'\''t run without them"
off\:"Poll the port every second"))' \
'--log-format=[Log format \[default\: text\]]:FORMAT:((text\:"Text for people"
json\:"One JSON object per line"))' \
'--dry-run=[Decide and log, but run no commands \[default\: false\]]::BOOL:(true false)' \
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
'(--watch --output)--short[One short line, for a shell prompt or a status bar]' \
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
'(--for)--until=[End of the pause, in local time\: 18\:30, "Sun 06\:00" or "2026-12-24 08\:00"]:WHEN:_default' \
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
(drill)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--output=[Output format]:FORMAT:((text\:"Aligned columns"
json\:"JSON, one object a line"))' \
'--full[Take over for real, and hand back\: the bots are silent twice for a moment, and two gateways serve in between]' \
'--yes[Do not ask for confirmation of a full drill]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(sync)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_failover__subcmd__sync_commands" \
"*::: :->sync" \
&& ret=0

    case $state in
    (sync)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-sync-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--back=[PC-B as PC-A reaches it \[default\: the gateway'\''s account, and the address of PC-B on the way to PC-A\]]:ACCOUNT@HOST[:PORT]:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--all[Also delete the trees that were kept aside]' \
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
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(now)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--generation=[The number of the copy]:NUMBER:_default' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(answer)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'-h[Print help]' \
'--help[Print help]' \
&& ret=0
;;
(choose)
_arguments "${_arguments_options[@]}" : \
'--control=[The daemon'\''s control socket \[default\: from the configuration file, or /run/failover/control.sock\]]:PATH:_files' \
'--config=[The daemon'\''s configuration file \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
':side -- The side whose state stays:((pc-a\:"PC-A'\''s"
pc-b\:"PC-B'\''s"))' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__sync__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-sync-help-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(now)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(answer)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(choose)
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
(explain)
_arguments "${_arguments_options[@]}" : \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
'*::words -- A name, or part of a message\: isolated, FailoverStartFails, interval \[default\: list all names\]:_default' \
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
'*--config=[Configuration file; repeat it to compare settings]:FILE:_files' \
'--days=[Number of days to simulate]:COUNT:_default' \
'--seed=[Seed of all random numbers]:NUMBER:_default' \
'--output=[Output format]:FORMAT:((text\:"A table"
json\:"One JSON object"))' \
'--svg=[Also draw histograms and a timeline]:FILE:_files' \
'*--standby=[How ready the local gateway is kept; several are compared]:MODES:_default' \
'--interval=[Time between probes \[default\: 30s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--strikes=[Failed probes in a row before a takeover \[default\: 3\] \[range\: 1 to 100\]]:COUNT:_default' \
'--timeout=[Probe timeout \[default\: 5s, or the interval if shorter\] \[range\: 10ms to 1h\]]:DURATION:_default' \
'--confirm-interval=[Time between probes after a failed probe, and between strikes \[default\: the interval\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--recovery-interval=[Time between probes during a takeover \[default\: 1s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--veto-limit=[Ignore up to this many failed probes in a row while other clients'\'' connections to the primary work; 0\: never \[default\: 3\]]:COUNT:_default' \
'--arm=[When takeovers are allowed\: only after the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"After a successful probe with this configuration\: a wrong address must not start a second gateway"
always\:"From the start"))' \
'--witnesses=[Hosts that must be reachable before a takeover\: 192.168.1.1 is pinged, 9.9.9.9\:53 connected to, router is PC-B'\''s default router (not counted until it has answered a ping). Empty\: no witnesses \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[Minimum number of witnesses that must answer; all of them where fewer count \[default\: 1\]]:COUNT:_default' \
'--fence=[Command that fences the primary before the local gateway starts, e.g. switches its power off]:COMMAND:_default' \
'--fence-required=[No takeover unless the fence command succeeds \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[Timeout of the fence command; then it is killed \[default\: 1m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--flap-damping=[Delay the release of a flapping primary \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure within this time after the primary'\''s recovery counts as a flap \[default\: 10m\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'--flap-quiet=[Reset the flap count when the primary has been healthy for this time \[default\: 1h\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'*--flap-successes=[Successful probes in a row before a release\: normally, after one flap, after two, and so on \[default\: 1,3,10\] \[range\: 1 to 100 each\]]:COUNTS:_default' \
'--flap-interval=[Time between these probes, where a release needs more than one \[default\: 3s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--baseline[Also simulate the plain shell loop]' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(guard)
_arguments "${_arguments_options[@]}" : \
'-h[Print help]' \
'--help[Print help]' \
":: :_failover__subcmd__guard_commands" \
"*::: :->guard" \
&& ret=0

    case $state in
    (guard)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-guard-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
'--gateway=[What the gateway is\: sets how it is recognized \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, through its own commands"
command\:"Anything, through the start and stop commands"
systemd-user\:"A user unit (systemctl --user) of the account, through D-Bus"
systemd\:"A system unit, through D-Bus"))' \
'--user=[Account of the gateway \[default\: the guard'\''s user\]]:NAME:_default' \
'--unit=[systemd unit of the gateway; required with --gateway=systemd]:NAME:_default' \
'--port=[Port of the gateway \[default\: 18789\]]:PORT:_default' \
'*--owner=[Which process on the port is the gateway, as in the daemon'\''s configuration]:OWNER:_default' \
'--state-dir=[Directory with the keys \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[Control socket of the guard]:PATH:_files' \
'--kernel-events=[Kernel events (eBPF)\: used if available, required, or off \[default\: auto\]]:MODE:((auto\:"Use them if available; otherwise log why, and poll the port every second"
required\:"Don'\''t run without them"
off\:"Poll the port every second"))' \
'--log-format=[Log format \[default\: text\]]:FORMAT:((text\:"Text for people"
json\:"One JSON object per line"))' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(ask)
_arguments "${_arguments_options[@]}" : \
'--timeout=[Limit for the whole time, at most 30 s]:DURATION:_default' \
'--or=[What follows if PC-B does not answer, or has not finished in time]:WHAT:((start\:"The gateway starts, and two may serve"
refuse\:"It doesn'\''t, and none may"))' \
'--control=[Control socket of the guard]:PATH:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(pair)
_arguments "${_arguments_options[@]}" : \
'--with=[PC-B, where \`failover guard pair\` waits \[default\: wait for PC-A\]]:HOST[:PORT]:_default' \
'(--with)--guard-port=[The port to wait at (TCP)]:PORT:_default' \
'--state-dir=[The state directory, where the keys are kept]:DIR:_files' \
'-h[Print help (see more with '\''--help'\'')]' \
'--help[Print help (see more with '\''--help'\'')]' \
&& ret=0
;;
(help)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__guard__subcmd__help_commands" \
"*::: :->help" \
&& ret=0

    case $state in
    (help)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-guard-help-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ask)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pair)
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
'--config=[Configuration file (TOML); flags override it; /dev/null for none \[default\: /etc/failover/failover.toml, if it exists\]]:FILE:_files' \
'--primary=[Address of the primary\: the gateway on PC-A \[default\: port 18789\]]:HOST[:PORT]:_default' \
'--check=[What a healthy primary must do within the timeout. tcp\: accept a connection (a hung process still does); openclaw\: report that it is live; http\: answer as the check-* options require \[default\: openclaw; tcp with gateway=command or systemd\]]:CHECK:((tcp\:"Accept a TCP connection"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request"))' \
'--check-path=[For check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--check-status=[For check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--check-pointer=[For check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--check-value=[Required value at check-pointer \[default\: any but null\]]:VALUE:_default' \
'--check-contains=[For check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--check-tls=[For check=openclaw and http\: use TLS \[default\: false\]]::BOOL:(true false)' \
'--check-ca=[PEM file with the CA of the primary'\''s certificate, or the certificate itself (self-signed or not) \[default\: the system'\''s CA store\]]:FILE:_files' \
'*--check-fingerprint=[SHA-256 fingerprint of the primary'\''s certificate, instead of check-ca\: only this certificate is trusted, whatever its name and issuer. Several while it is being replaced]:FINGERPRINTS:_default' \
'--check-host=[Name for the Host header and the certificate \[default\: the primary'\''s host\]]:HOST:_default' \
'--check-token-file=[For check=openclaw\: file with the primary'\''s token, which /readyz and /startupz require before they list what is failing; sent unencrypted unless check-tls is on]:FILE:_files' \
'--drain-limit=[For check=openclaw\: a gateway that drains for longer counts as failed \[default\: never\] \[range\: 0s to 24h\]]:DURATION:_default' \
'--gateway=[What the local gateway is\: sets how it is started, stopped and recognized \[default\: openclaw\]]:KIND:((openclaw\:"OpenClaw, through its own commands"
command\:"Anything, through the start and stop commands"
systemd-user\:"A user unit (systemctl --user) of the account, through D-Bus"
systemd\:"A system unit, through D-Bus"))' \
'--user=[Account of the local gateway\: start and stop run as this account, with its HOME; fence runs as the daemon'\''s user \[default\: the daemon'\''s user\]]:NAME:_default' \
'--unit=[systemd unit of the local gateway; required with gateway=systemd \[default\: openclaw-gateway.service of the account\]]:NAME:_default' \
'--port=[Port of the local gateway \[default\: 18789\]]:PORT:_default' \
'--start=[Command that starts the local gateway; split like a shell does, but run without one \[default\: openclaw gateway start\]]:COMMAND:_default' \
'--stop=[Command that stops the local gateway \[default\: openclaw gateway stop, with --force if supported\]]:COMMAND:_default' \
'--start-timeout=[Time limit of a start\: until the port listens and a gateway that is checked answers. Then it is killed and retried with twice the time. A start that is seen to be dead is retried at once \[default\: 6m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--stop-timeout=[Timeout of the stop command; then it is killed and retried \[default\: 5m 40s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'*--owner=[Which process on the port is the local gateway\: unit\:NAME, account\:NAME, executable\:PATH or executable\:FILE of the gateway'\''s account; of another one as "unit\:NAME of ACCOUNT" \[default\: set by gateway\]]:OWNER:_default' \
'--standby=[How ready the local gateway is kept\: started when it is needed (cold), started at the first strike and stopped by the kernel before it listens (warm), kept so all the time (hot), or warm once a drill has passed (auto) \[default\: auto\]]:MODE:((auto\:"Warm once a drill of this very gateway has passed and there is memory for it; until then cold"
cold\:"Started when it is needed"
warm\:"Parked from the first strike on"
hot\:"Parked all the time"))' \
'--hot-refresh=[Shortest time between two new starts of a hot gateway whose program or configuration has changed \[default\: 10m\] \[range\: 10s to 8760h\]]:DURATION:_default' \
'--drill-every=[Time between automatic drills\: the local gateway is started up to its bind, and ended; 0s\: never \[default\: 24h\] \[range\: 0s to 8760h\]]:DURATION:_default' \
'--local-check=[What a healthy local gateway must do. tcp\: listen; openclaw\: report that it is live; http\: answer as the local-check-* options require; any\: answer an HTTP request at all. If it fails --strikes checks in a row while it is needed, it is restarted \[default\: openclaw; for other gateways that of check, but any for http\]]:CHECK:((tcp\:"Listen"
openclaw\:"Report that it is live, by OpenClaw'\''s protocol"
http\:"Answer an HTTP request as configured"
any\:"Answer an HTTP request with anything"))' \
'--local-check-path=[For local-check=http\: path and query to GET; redirects are not followed]:PATH:_default' \
'--local-check-status=[For local-check=http\: required status \[default\: 200\] \[range\: 200 to 599\]]:STATUS:_default' \
'--local-check-pointer=[For local-check=http\: JSON pointer (RFC 6901) to a value that the body must have, as /status/0/ok]:POINTER:_default' \
'--local-check-value=[Required value at local-check-pointer \[default\: any but null\]]:VALUE:_default' \
'--local-check-contains=[For local-check=http\: text that the first 64 KiB of the body must contain]:TEXT:_default' \
'--local-check-tls=[Use TLS for the check \[default\: plain text, then TLS if that fails\]]::BOOL:(true false)' \
'--local-check-ca=[PEM file with the CA of the local gateway'\''s certificate, or the certificate itself \[default\: the certificate is not verified\]]:FILE:_files' \
'--local-check-host=[Name for the Host header and the certificate \[default\: the address that it listens on\]]:HOST:_default' \
'--local-check-token-file=[For local-check=openclaw\: file with the local gateway'\''s token for /readyz and /startupz \[default\: none, OpenClaw doesn'\''t require it on its own machine\]]:FILE:_files' \
'--interval=[Time between probes \[default\: 30s\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--strikes=[Failed probes in a row before a takeover \[default\: 3\] \[range\: 1 to 100\]]:COUNT:_default' \
'--timeout=[Probe timeout \[default\: 5s, or the interval if shorter\] \[range\: 10ms to 1h\]]:DURATION:_default' \
'--confirm-interval=[Time between probes after a failed probe, and between strikes \[default\: the interval\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--recovery-interval=[Time between probes during a takeover \[default\: 1s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--veto-limit=[Ignore up to this many failed probes in a row while other clients'\'' connections to the primary work; 0\: never \[default\: 3\]]:COUNT:_default' \
'--arm=[When takeovers are allowed\: only after the primary has been seen healthy, or always \[default\: seen\]]:WHEN:((seen\:"After a successful probe with this configuration\: a wrong address must not start a second gateway"
always\:"From the start"))' \
'--witnesses=[Hosts that must be reachable before a takeover\: 192.168.1.1 is pinged, 9.9.9.9\:53 connected to, router is PC-B'\''s default router (not counted until it has answered a ping). Empty\: no witnesses \[default\: router\]]:HOST[:PORT]:_default' \
'--witness-quorum=[Minimum number of witnesses that must answer; all of them where fewer count \[default\: 1\]]:COUNT:_default' \
'--fence=[Command that fences the primary before the local gateway starts, e.g. switches its power off]:COMMAND:_default' \
'--fence-required=[No takeover unless the fence command succeeds \[default\: true\]]::BOOL:(true false)' \
'--fence-timeout=[Timeout of the fence command; then it is killed \[default\: 1m\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--flap-damping=[Delay the release of a flapping primary \[default\: true\]]::BOOL:(true false)' \
'--flap-window=[A failure within this time after the primary'\''s recovery counts as a flap \[default\: 10m\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'--flap-quiet=[Reset the flap count when the primary has been healthy for this time \[default\: 1h\] \[range\: 100ms to 720h\]]:DURATION:_default' \
'*--flap-successes=[Successful probes in a row before a release\: normally, after one flap, after two, and so on \[default\: 1,3,10\] \[range\: 1 to 100 each\]]:COUNTS:_default' \
'--flap-interval=[Time between these probes, where a release needs more than one \[default\: 3s, or the interval if shorter\] \[range\: 100ms to 1h\]]:DURATION:_default' \
'--guard-port=[Port for the heartbeats of PC-A'\''s guard (UDP), and for pairing (TCP) \[default\: 18790\]]:PORT:_default' \
'--host-loss=[When a host whose guard is silent counts as lost\: after all strikes, or at once (fast) if a probe has failed as well and a witness answers \[default\: strikes\]]:WHEN:((strikes\:"After all strikes"
fast\:"At once, if a probe has failed as well and a witness answers"))' \
'--on-crash=[What follows when PC-A'\''s gateway has crashed and its service manager restarts it\: that gets its time (wait), or a takeover at once (take-over) \[default\: wait\]]:WHAT:((wait\:"Its service manager gets its time"
take-over\:"A takeover at once"))' \
'--sync-from=[Account and host that sessions and configuration are copied from, over ssh\: PC-A; nothing is copied without it]:ACCOUNT@HOST[:PORT]:_default' \
'--sync-every=[Time between rounds; each copies what has changed \[default\: 30s\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--sync-max-age=[Age of the newest copy that is a problem \[default\: 10m\] \[range\: 10s to 720h\]]:DURATION:_default' \
'--sync-within=[Time limit of a round; then it is killed \[default\: 20s\] \[range\: 1s to 1h\]]:DURATION:_default' \
'--sync-place-within=[Time limit for putting the copy in place, before the local gateway starts \[default\: 10s\] \[range\: 1s to 10m\]]:DURATION:_default' \
'--sync-max-bytes=[Largest copy \[default\: 4GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-file=[Largest file of a copy \[default\: 2.5GB\] \[range\: 1MB to 100TB\]]:SIZE:_default' \
'--sync-max-files=[Most files of a copy \[default\: 200000\] \[range\: 1 to 100000000\]]:COUNT:_default' \
'--sync-min-free=[Space that a copy leaves free \[default\: 1GB\] \[range\: 0B to 100TB\]]:SIZE:_default' \
'*--sync-paths=[Trees and files to copy, the same path on both hosts, ~/ for the account'\''s home; added to OpenClaw'\''s own \[default\: ~/.openclaw for OpenClaw\]]:PATHS:_default' \
'*--sync-databases=[SQLite databases in them, as rsync patterns; added to OpenClaw'\''s own \[default\: OpenClaw'\''s own\]]:PATTERNS:_default' \
'*--sync-exclude=[What is left out, as rsync patterns; added to what belongs to the machine in OpenClaw'\''s tree \[default\: caches, logs and installed programs of OpenClaw\]]:PATTERNS:_default' \
'--notify=[Command to run on events\: takeover, release, failed start or stop, ...; the event is in its environment and, as JSON, on its standard input]:COMMAND:_default' \
'--webhook=[URL to POST each event to, as JSON; retried for up to a day]:URL:_default' \
'--webhook-token-file=[File with the webhook'\''s token, sent as Authorization\: Bearer]:FILE:_files' \
'--webhook-ca=[PEM file with the CA of the webhook'\''s certificate, or the certificate itself \[default\: the system'\''s CA store\]]:FILE:_files' \
'--heartbeat-url=[URL to request while PC-A is protected or PC-B serves\: a monitoring service that gets no more requests reports that PC-B itself is off]:URL:_default' \
'--heartbeat-every=[Time between two of these requests \[default\: 1m\] \[range\: 5s to 24h\]]:DURATION:_default' \
'--state-dir=[Directory for the history, the daemon'\''s state and the output of commands \[default\: /var/lib/failover\]]:DIR:_files' \
'--control=[Control socket \[default\: /run/failover/control.sock\]]:PATH:_files' \
'*--operators=[Accounts besides root that may pause, take over and release]:ACCOUNTS:_default' \
'--metrics=[Address to serve the status page and /metrics (Prometheus) on, readable by everyone who can connect]:IP:PORT:_default' \
'--kernel-events=[Kernel events (eBPF)\: used if available, required, or off \[default\: auto\]]:MODE:((auto\:"Use them if available; otherwise log why, and poll the port every second"
required\:"Don'\''t run without them"
off\:"Poll the port every second"))' \
'--log-format=[Log format \[default\: text\]]:FORMAT:((text\:"Text for people"
json\:"One JSON object per line"))' \
'--dry-run=[Decide and log, but run no commands \[default\: false\]]::BOOL:(true false)' \
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
(drill)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(sync)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__help__subcmd__sync_commands" \
"*::: :->sync" \
&& ret=0

    case $state in
    (sync)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-help-sync-command-$line[1]:"
        case $line[1] in
            (init)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(remove)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(status)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(now)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(verify)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(restore)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(answer)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(choose)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
;;
(explain)
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
(guard)
_arguments "${_arguments_options[@]}" : \
":: :_failover__subcmd__help__subcmd__guard_commands" \
"*::: :->guard" \
&& ret=0

    case $state in
    (guard)
        words=($line[1] "${words[@]}")
        (( CURRENT += 1 ))
        curcontext="${curcontext%:*:*}:failover-help-guard-command-$line[1]:"
        case $line[1] in
            (run)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(ask)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
(pair)
_arguments "${_arguments_options[@]}" : \
&& ret=0
;;
        esac
    ;;
esac
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
'drill:Show that the local gateway could serve\: start it up to its bind, and end it again' \
'sync:Sessions and configuration that are copied from PC-A\: how fresh they are, and what to do with them' \
'explain:Explain a state, a problem, an alert, an event or an option, and what to do' \
'trace:Show kernel events of the port as they happen' \
'simulate:Simulate settings\: years of modelled networks in seconds' \
'guard:Heartbeats from PC-A\: run the guard there, and make the keys for both hosts' \
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
(( $+functions[_failover__subcmd__drill_commands] )) ||
_failover__subcmd__drill_commands() {
    local commands; commands=()
    _describe -t commands 'failover drill commands' commands "$@"
}
(( $+functions[_failover__subcmd__explain_commands] )) ||
_failover__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'failover explain commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard_commands] )) ||
_failover__subcmd__guard_commands() {
    local commands; commands=(
'run:Run the guard on PC-A\: report to PC-B every 50 ms how this host'\''s gateway is' \
'ask:Before PC-A'\''s gateway starts\: have PC-B release its own, and wait for that' \
'pair:Make the keys for the heartbeats\: on PC-B first, and then on PC-A with --with' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover guard commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__ask_commands] )) ||
_failover__subcmd__guard__subcmd__ask_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard ask commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__help_commands] )) ||
_failover__subcmd__guard__subcmd__help_commands() {
    local commands; commands=(
'run:Run the guard on PC-A\: report to PC-B every 50 ms how this host'\''s gateway is' \
'ask:Before PC-A'\''s gateway starts\: have PC-B release its own, and wait for that' \
'pair:Make the keys for the heartbeats\: on PC-B first, and then on PC-A with --with' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover guard help commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__help__subcmd__ask_commands] )) ||
_failover__subcmd__guard__subcmd__help__subcmd__ask_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard help ask commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__help__subcmd__help_commands] )) ||
_failover__subcmd__guard__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard help help commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__help__subcmd__pair_commands] )) ||
_failover__subcmd__guard__subcmd__help__subcmd__pair_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard help pair commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__help__subcmd__run_commands] )) ||
_failover__subcmd__guard__subcmd__help__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard help run commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__pair_commands] )) ||
_failover__subcmd__guard__subcmd__pair_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard pair commands' commands "$@"
}
(( $+functions[_failover__subcmd__guard__subcmd__run_commands] )) ||
_failover__subcmd__guard__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'failover guard run commands' commands "$@"
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
'drill:Show that the local gateway could serve\: start it up to its bind, and end it again' \
'sync:Sessions and configuration that are copied from PC-A\: how fresh they are, and what to do with them' \
'explain:Explain a state, a problem, an alert, an event or an option, and what to do' \
'trace:Show kernel events of the port as they happen' \
'simulate:Simulate settings\: years of modelled networks in seconds' \
'guard:Heartbeats from PC-A\: run the guard there, and make the keys for both hosts' \
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
(( $+functions[_failover__subcmd__help__subcmd__drill_commands] )) ||
_failover__subcmd__help__subcmd__drill_commands() {
    local commands; commands=()
    _describe -t commands 'failover help drill commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__explain_commands] )) ||
_failover__subcmd__help__subcmd__explain_commands() {
    local commands; commands=()
    _describe -t commands 'failover help explain commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__guard_commands] )) ||
_failover__subcmd__help__subcmd__guard_commands() {
    local commands; commands=(
'run:Run the guard on PC-A\: report to PC-B every 50 ms how this host'\''s gateway is' \
'ask:Before PC-A'\''s gateway starts\: have PC-B release its own, and wait for that' \
'pair:Make the keys for the heartbeats\: on PC-B first, and then on PC-A with --with' \
    )
    _describe -t commands 'failover help guard commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__guard__subcmd__ask_commands] )) ||
_failover__subcmd__help__subcmd__guard__subcmd__ask_commands() {
    local commands; commands=()
    _describe -t commands 'failover help guard ask commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__guard__subcmd__pair_commands] )) ||
_failover__subcmd__help__subcmd__guard__subcmd__pair_commands() {
    local commands; commands=()
    _describe -t commands 'failover help guard pair commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__guard__subcmd__run_commands] )) ||
_failover__subcmd__help__subcmd__guard__subcmd__run_commands() {
    local commands; commands=()
    _describe -t commands 'failover help guard run commands' commands "$@"
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
(( $+functions[_failover__subcmd__help__subcmd__sync_commands] )) ||
_failover__subcmd__help__subcmd__sync_commands() {
    local commands; commands=(
'init:Make the way to PC-A\: a key that may do one thing there, and the way back' \
'remove:Undo the way to PC-A on both hosts, and delete the copies' \
'status:Show the newest copy, its age, what is in place, and what differs' \
'now:Copy what has changed on PC-A now, and wait for the result' \
'verify:Check all copies again' \
'restore:Put a copy in place of PC-B'\''s state, which is kept aside' \
'answer:What PC-A'\''s key runs here\: hands PC-A'\''s state back before its gateway starts' \
'choose:Choose whose state stays where PC-A and PC-B have both changed' \
    )
    _describe -t commands 'failover help sync commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__answer_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__answer_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync answer commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__choose_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__choose_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync choose commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__init_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync init commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__now_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__now_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync now commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__remove_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync remove commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__restore_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync restore commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__status_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync status commands' commands "$@"
}
(( $+functions[_failover__subcmd__help__subcmd__sync__subcmd__verify_commands] )) ||
_failover__subcmd__help__subcmd__sync__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'failover help sync verify commands' commands "$@"
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
(( $+functions[_failover__subcmd__sync_commands] )) ||
_failover__subcmd__sync_commands() {
    local commands; commands=(
'init:Make the way to PC-A\: a key that may do one thing there, and the way back' \
'remove:Undo the way to PC-A on both hosts, and delete the copies' \
'status:Show the newest copy, its age, what is in place, and what differs' \
'now:Copy what has changed on PC-A now, and wait for the result' \
'verify:Check all copies again' \
'restore:Put a copy in place of PC-B'\''s state, which is kept aside' \
'answer:What PC-A'\''s key runs here\: hands PC-A'\''s state back before its gateway starts' \
'choose:Choose whose state stays where PC-A and PC-B have both changed' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover sync commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__answer_commands] )) ||
_failover__subcmd__sync__subcmd__answer_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync answer commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__choose_commands] )) ||
_failover__subcmd__sync__subcmd__choose_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync choose commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help_commands] )) ||
_failover__subcmd__sync__subcmd__help_commands() {
    local commands; commands=(
'init:Make the way to PC-A\: a key that may do one thing there, and the way back' \
'remove:Undo the way to PC-A on both hosts, and delete the copies' \
'status:Show the newest copy, its age, what is in place, and what differs' \
'now:Copy what has changed on PC-A now, and wait for the result' \
'verify:Check all copies again' \
'restore:Put a copy in place of PC-B'\''s state, which is kept aside' \
'answer:What PC-A'\''s key runs here\: hands PC-A'\''s state back before its gateway starts' \
'choose:Choose whose state stays where PC-A and PC-B have both changed' \
'help:Print this message or the help of the given subcommand(s)' \
    )
    _describe -t commands 'failover sync help commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__answer_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__answer_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help answer commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__choose_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__choose_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help choose commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__help_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__help_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help help commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__init_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help init commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__now_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__now_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help now commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__remove_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help remove commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__restore_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help restore commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__status_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help status commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__help__subcmd__verify_commands] )) ||
_failover__subcmd__sync__subcmd__help__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync help verify commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__init_commands] )) ||
_failover__subcmd__sync__subcmd__init_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync init commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__now_commands] )) ||
_failover__subcmd__sync__subcmd__now_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync now commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__remove_commands] )) ||
_failover__subcmd__sync__subcmd__remove_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync remove commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__restore_commands] )) ||
_failover__subcmd__sync__subcmd__restore_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync restore commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__status_commands] )) ||
_failover__subcmd__sync__subcmd__status_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync status commands' commands "$@"
}
(( $+functions[_failover__subcmd__sync__subcmd__verify_commands] )) ||
_failover__subcmd__sync__subcmd__verify_commands() {
    local commands; commands=()
    _describe -t commands 'failover sync verify commands' commands "$@"
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
