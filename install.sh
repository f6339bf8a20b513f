#!/bin/sh
# Installs, or removes, the oCore agent on this server. Safe to run again.
#
#   install.sh --url https://HOST:8443 [--url ...] --pin sha256//KEY --token TOKEN [--with-docker]
#   install.sh --uninstall     removes the agent; containers, volumes and instances' files stay
#   install.sh --purge         removes those too: every container, volume and network that oCore made here
set -eu
umask 077

DIR=/var/lib/ocore-agent
UNIT=/etc/systemd/system/ocore-agent.service
DROP_IN=$UNIT.d/docker-root.conf
URLS='' PIN='' TOKEN='' URL='' WITH_DOCKER='' ACTION=install FORCE=''

say() { printf '%s\n' "ocore: $*"; }

# Tells the controller too, where it can be reached, so that its page shows what went wrong here.
fail() {
    say "FAILED: $*" >&2
    report problem "$*"
    exit 1
}

usage() {
    cat <<'EOF'
Usage, as root:
  install.sh --url https://HOST:8443 [--url ...] --pin sha256//KEY --token TOKEN [--with-docker] [--force]
  install.sh --uninstall     removes the agent; containers, volumes and instances' files stay
  install.sh --purge         removes those too: every container, volume and network that oCore made here
EOF
    exit "$1"
}

while [ $# -gt 0 ]; do
    case $1 in
        --url) [ $# -ge 2 ] || usage 2; URLS="$URLS $2"; shift ;;
        --pin) [ $# -ge 2 ] || usage 2; PIN=$2; shift ;;
        --token) [ $# -ge 2 ] || usage 2; TOKEN=$2; shift ;;
        --with-docker) WITH_DOCKER=1 ;;
        --force) FORCE=--force ;;
        --uninstall) ACTION=uninstall ;;
        --purge) ACTION=purge ;;
        -h|--help) usage 0 ;;
        *) say "unknown option: $1" >&2; usage 2 >&2 ;;
    esac
    shift
done

# Every request is pinned to the controller's public key: no other machine can answer in its place. A connection that
# stands still ends as one that was never made.
ask() { curl -sSk --pinnedpubkey "$PIN" --connect-timeout 10 --speed-limit 1 --speed-time 30 "$@"; }
request() { ask -f --retry 2 "$@"; }

# A JSON text from anything: backslash and quote escaped, control characters dropped.
quoted() { printf '%s' "$1" | tr -d '\000-\037' | sed 's/\\/\\\\/g; s/"/\\"/g'; }

report() {
    [ -n "$URL" ] && [ -n "$TOKEN" ] || return 0
    printf '{"token":"%s","%s":"%s"}' "$(quoted "$TOKEN")" "$1" "$(quoted "$2")" |
        request -o /dev/null -H 'Content-Type: application/json' --data-binary @- "$URL/agent/enroll" 2>/dev/null || true
}

check_system() {
    [ "$(uname -s)" = Linux ] || fail "the agent runs on Linux; this is $(uname -s)"
    case $(uname -m) in
        x86_64|amd64) ARCH=x86_64 ;;
        aarch64|arm64) ARCH=aarch64 ;;
        *) fail "there is no agent for $(uname -m); it runs on x86_64" ;;
    esac
    ID='' ID_LIKE='' PRETTY_NAME=unknown
    # shellcheck disable=SC1091
    [ ! -r /etc/os-release ] || . /etc/os-release
    case " $ID $ID_LIKE " in
        *" debian "*|*" ubuntu "*) say "system: $PRETTY_NAME, $ARCH" ;;
        *) say "warning: $PRETTY_NAME is not Debian or Ubuntu; going on, but nobody has tried it" ;;
    esac
}

require_systemd() {
    [ -d /run/systemd/system ] ||
        fail "systemd does not run here; start the agent by hand instead (ocore-agent enroll, then ocore-agent run)"
}

# The first address that answers with the pinned key; otherwise each one's reason.
find_controller() {
    for value in "$URLS" "$PIN" "$TOKEN"; do
        [ -n "$value" ] || fail "--url, --pin and --token are needed; copy the whole command"
    done
    command -v curl >/dev/null 2>&1 || fail "curl is missing; run: apt-get install curl"
    reasons=''
    for url in $URLS; do
        code=0
        ask -f -o /dev/null "$url/install.sh" 2>/dev/null || code=$?
        case $code in
            0) URL=$url; say "controller: $URL"; return ;;
            6) why="the name does not resolve." ;;
            7) why="the connection is refused; is the port open in every firewall between?" ;;
            22) why="no oCore controller answers there; is this the agents' port?" ;;
            28) why="no answer; is the port open in every firewall between?" ;;
            35|52|56) why="no TLS; is something else on that port?" ;;
            90) why="the key is not the pinned one; something in between ends TLS, or the controller is another one." ;;
            *) why="curl ended with $code." ;;
        esac
        reasons="$reasons $url: $why"
    done
    fail "the controller cannot be reached.$reasons"
}

has_docker() { [ -S /var/run/docker.sock ] || [ -S /run/docker.sock ]; }

check_docker() {
    if has_docker; then
        say "docker: found"
    elif [ -n "$WITH_DOCKER" ]; then
        command -v apt-get >/dev/null 2>&1 || fail "--with-docker works with apt-get only; install Docker by hand"
        say "docker: installing Debian's package docker.io"
        export DEBIAN_FRONTEND=noninteractive
        apt-get update -qq || fail "apt-get update failed; see the messages above"
        apt-get install -y -qq docker.io >/dev/null || fail "docker.io could not be installed; see the messages above"
        systemctl enable --now docker >/dev/null 2>&1 || true
        has_docker || fail "Docker was installed but does not start; see: journalctl -u docker"
    else
        say "warning: Docker is not here; install it (apt-get install docker.io) or run this again with --with-docker"
    fi
    command -v git >/dev/null 2>&1 ||
        say "note: git is not here; addons from git need it (apt-get install git openssh-client)"
}

download() {
    mkdir -p "$DIR"
    chmod 711 "$DIR"
    # The unit may write there only if it is there when it starts.
    install -d -m 700 /var/backups/ocore
    NEW=$DIR/.download.$$
    trap 'rm -f "$NEW" "$NEW.err"' EXIT
    trap 'exit 130' INT TERM HUP
    say "downloading the agent for $ARCH"
    wanted=$(request "$URL/agent/download?arch=$ARCH&checksum=true") || fail "the agent's checksum cannot be fetched; has the controller an agent for $ARCH?"
    request -o "$NEW" "$URL/agent/download?arch=$ARCH" || case $? in
        23) fail "the agent cannot be written to $DIR; is the disk full?" ;;
        28) fail "the download of the agent stood still; is the way to the controller good? Then run this again" ;;
        *) fail "the agent cannot be downloaded; see the message above" ;;
    esac
    found=$(sha256sum "$NEW" | cut -d' ' -f1)
    [ "$wanted" = "$found" ] || fail "the download is damaged (SHA-256 $found instead of $wanted); try again"
    chmod 755 "$NEW"
    "$NEW" --version >/dev/null 2>&1 || fail "the downloaded agent does not run here; is this really $ARCH?"
    say "verified: SHA-256 $found"
    report stage verified
}

enroll() {
    # The token goes by the environment: arguments can be read by every user of this machine.
    said=$(OCORE_JOIN_TOKEN=$TOKEN "$NEW" enroll --url "$URL" --pin "$PIN" $FORCE 2>"$NEW.err") || {
        text=$(tail -n 1 "$NEW.err")
        fail "${text#ocore-agent: }"
    }
    case $said in *"enrolled already"*) same_server ;; esac
    printf '%s\n' "$said"
}

# The command may be another server's than the one that this machine is already. One that is refused may become another.
same_server() {
    status=$("$NEW" status 2>/dev/null) || return 0
    case $status in *"connection:   Connected"*) ;; *) return 0 ;; esac
    known=$(printf '%s\n' "$status" | sed -n 's/^server: *//p')
    code=$(printf '{"token":"%s","enrolled_as":"%s"}' "$(quoted "$TOKEN")" "$known" |
        ask -o /dev/null -w '%{http_code}' -H 'Content-Type: application/json' --data-binary @- \
            "$URL/agent/enroll" 2>/dev/null) || code=''
    [ "$code" != 409 ] ||
        fail "this machine is enrolled as another server already ($known); to make it this one instead, add --force to the command"
}

# The unit lets the agent write where Docker's data is, as a rule; here where it is in fact.
allow_docker_root() {
    rm -f "$DROP_IN"
    root=$(docker info --format '{{.DockerRootDir}}' 2>/dev/null) || return 0
    case $root in
        '' | /var/lib/docker | /var/lib/docker/*) return 0 ;;
    esac
    mkdir -p "$UNIT.d"
    printf '[Service]\nReadWritePaths=-%s\n' "$root" > "$DROP_IN"
}

install_service() {
    "$DIR/current/ocore-agent" unit > "$UNIT.new" || fail "the agent does not print its service"
    chmod 644 "$UNIT.new"
    mv "$UNIT.new" "$UNIT"
    allow_docker_root
    ln -sf "$DIR/current/ocore-agent" /usr/local/bin/ocore-agent
    systemctl daemon-reload
    systemctl enable ocore-agent >/dev/null 2>&1 || fail "the service cannot be enabled; see: systemctl enable ocore-agent"
}

# True when connected. CONNECTION keeps the last word and its reason.
start() {
    # What an earlier run wrote says nothing about this one.
    rm -f "$DIR/status.json"
    systemctl restart ocore-agent || fail "the service does not start; see: journalctl -u ocore-agent"
    tries=0
    while [ $tries -lt 60 ]; do
        [ -x "$DIR/current/ocore-agent" ] || { CONNECTION=Left; return 1; }
        CONNECTION=$("$DIR/current/ocore-agent" status 2>/dev/null | sed -n '/^connection:/,$ { s/^connection: *//; s/^ *//; p; }') || true
        case $CONNECTION in
            Connected*) return 0 ;;
            Refused*) return 1 ;;
        esac
        tries=$((tries + 1))
        sleep 0.5
    done
    return 1
}

connect() {
    start && return
    case $CONNECTION in
        # The server was removed there, or is another machine now: the token makes this one known again.
        Refused*|Left) [ -n "$FORCE" ] || {
            say "the controller knows this server's earlier identity no more; enrolling anew"
            FORCE=--force
            while systemctl is-active --quiet ocore-agent-uninstall; do sleep 0.2; done
            enroll
            install_service
            start && return
        } ;;
    esac
    fail "the agent runs but has no connection: $(printf '%s' "${CONNECTION:-nothing is known yet}" | tr '\n' ' '); see: journalctl -u ocore-agent"
}

# Not from within what ends with the agent, which would be half a removal; nor what this script has not installed.
check_uninstall() {
    ! grep -q ocore-terminal- /proc/self/cgroup ||
        fail "this terminal is oCore's own and ends with the agent; run this in another shell, by ssh for example"
    [ -d /run/systemd/system ] ||
        fail "systemd does not run here; run $DIR/current/ocore-agent uninstall, and end the agent where it was started. What it made in Docker stays, with the label sh.ocore.managed=true"
}

# As the agent's own removal: what instances need stays.
uninstall() {
    systemctl disable --now ocore-agent >/dev/null 2>&1 || true
    systemctl stop 'ocore-terminal-*.service' >/dev/null 2>&1 || true
    systemctl reset-failed 'ocore-terminal-*.service' >/dev/null 2>&1 || true
    rm -f "$UNIT" "$DROP_IN" /usr/local/bin/ocore-agent
    rmdir "$UNIT.d" 2>/dev/null || true
    rm -rf /run/ocore-agent
    systemctl daemon-reload 2>/dev/null || true
    [ ! -d "$DIR" ] || find "$DIR" -mindepth 1 -maxdepth 1 ! -name instances ! -name proxy -exec rm -rf {} +
    say "the agent was removed"
}

# What a list of docker holds, removed one by one: remove KIND IDS COMMAND...
remove() {
    kind=$1 ids=$2
    shift 2
    for id in $ids; do
        "$@" "$id" >/dev/null || fail "$kind $id cannot be removed; see the message above, then run this again"
        say "removed $kind $id"
    done
}

# Only what carries our label is touched.
purge() {
    label=label=sh.ocore.managed=true
    if [ -S /var/run/docker.sock ] || command -v docker >/dev/null 2>&1; then
        silent="Docker does not answer the docker command, so not everything is removed; mend it, then run this again"
        containers=$(docker ps -aq --filter "$label") || fail "$silent"
        remove container "$containers" docker rm -fv
        volumes=$(docker volume ls -q --filter "$label") || fail "$silent"
        remove volume "$volumes" docker volume rm
        networks=$(docker network ls -q --filter "$label") || fail "$silent"
        remove network "$networks" docker network rm
    fi
    rm -rf "$DIR" /etc/ocore-agent
    say "everything of oCore was removed from this server"
}

main() {
    [ "$(id -u)" = 0 ] || fail "this must run as root; put sudo before sh"
    case $ACTION in
        uninstall) check_uninstall; uninstall; say "containers, volumes and instances' files stay; --purge removes them too" ;;
        purge) check_uninstall; uninstall; purge ;;
        install)
            # First, so that the controller's page shows whatever goes wrong next.
            find_controller
            report stage fetched
            check_system
            require_systemd
            check_docker
            download
            enroll
            install_service
            connect
            say "connected; this server is online"
            ;;
    esac
}

# Called last, so that a script cut off on its way does nothing; and nothing reads what is left of the script.
main </dev/null
