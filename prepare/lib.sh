# shellcheck shell=bash
# What the scripts in prepare/ share: the places, and a way to say what is going on. Sourced, never run.

dockstack_checkout=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
# shellcheck source=prepare/paths.sh
source "$dockstack_checkout/prepare/paths.sh"

# shellcheck source=prepare/proxy.sh
source "$dockstack_checkout/prepare/proxy.sh"
# apt, and curl for http, know a proxy by the lower-case name alone, and none knows it by all_proxy alone.
for name in http_proxy https_proxy; do
    upper=${name^^}
    value=${!name:-${!upper:-${all_proxy:-${ALL_PROXY:-}}}}
    [[ -z $value ]] || export "$name=$value" "$upper=$value"
done
unset name upper value

export HOME=${HOME:-$dockstack_user_home}
# Docker, Open vSwitch and the package manager's helpers live in sbin, which `su` leaves out of PATH.
for directory in /usr/local/sbin /usr/sbin /sbin; do
    [[ :$PATH: == *:$directory:* ]] || PATH=$PATH:$directory
done
export PATH

log_directory=$DOCKSTACK_HOME/log
apt_options=(-o DPkg::Lock::Timeout=300 -o Acquire::Retries=3 -o Acquire::http::Timeout=20 -o Acquire::https::Timeout=20)

say() { printf '%s: %s\n' "${0##*/}" "$*"; }

fail() {
    printf '%s: %s\n' "${0##*/}" "$*" >&2
    exit 1
}

# Root is needed to install, to start daemons and to wire containers.
require_root() { [[ $(id -u) == 0 ]] || fail "must run as root"; }

# Prints the stack to prepare for: STACK, or lab. An empty name would stand for whichever stack is selected.
chosen_stack() {
    [[ -n ${STACK-lab} ]] || fail "STACK is empty: name a stack, or leave it out"
    printf '%s\n' "${STACK-lab}"
}

has_systemd() { [[ $(cat /proc/1/comm) == systemd && -d /run/systemd/system ]]; }

# What a user gets by `. ./activate`, for the scripts that need the engine.
activate_environment() {
    local checkout=$dockstack_checkout
    # shellcheck source=activate
    source "$checkout/activate"
    [[ -n ${DOCKSTACK_PULUMI:-} ]] || fail "run prepare/run first"
    # activate leaves no variables of its own behind.
    dockstack_checkout=$checkout
    # shellcheck source=prepare/paths.sh
    source "$checkout/prepare/paths.sh"
}

# process_is PID NAME: whether PID runs and is NAME, so that a number given to another process since is not taken for it.
# Nor is a dead one that its parent hasn't looked after yet.
process_is() {
    [[ ${1:-} =~ ^[0-9]+$ && $(cat "/proc/$1/comm" 2>/dev/null) == "$2" ]] &&
        ! grep -qs '^State:[[:space:]]*[ZX]' "/proc/$1/status"
}

# version_at_least HAVE WANT
version_at_least() { [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]; }

make_home() {
    install -d -m 0700 -- "$DOCKSTACK_HOME" "$dockstack_record"
    install -d -m 0700 -- "$log_directory" "$DOCKSTACK_HOME/cache"
}

# apt_install PACKAGE...: the output goes to packages.log, its end to the console where it fails.
apt_install() {
    local log=$log_directory/packages.log
    if [[ -n $(dpkg --audit) ]]; then
        say "finishing what an interrupted installation left"
        DEBIAN_FRONTEND=noninteractive dpkg --configure -a
    fi
    with_progress "installing" env DEBIAN_FRONTEND=noninteractive apt-get "${apt_options[@]}" -q -y --no-install-recommends \
        install "$@" >>"$log" 2>&1 || {
        tail -n 25 "$log" >&2
        fail "the installation failed; the whole log is $log"
    }
}

# keep_daemons_down: until this script ends, no package that is installed starts a daemon.
keep_daemons_down() {
    local policy=/usr/sbin/policy-rc.d
    [[ ! -e $policy ]] || return 0
    # shellcheck disable=SC2064
    trap "rm -f -- '$policy'" EXIT
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod 0755 "$policy"
}

# apt_update: third parties' sources that can't be reached are no reason to stop: what was read may be enough.
apt_update() {
    say "reading the package lists"
    with_progress "package lists" apt-get "${apt_options[@]}" -q update >"$log_directory/packages.log" 2>&1 ||
        say "some package sources could not be read (see $log_directory/packages.log); going on with the others"
}

# Prints the Python to work with: DOCKSTACK_PYTHON, otherwise the distribution's, or python3 from PATH.
usable_python() {
    local candidate
    for candidate in "${DOCKSTACK_PYTHON:-/usr/bin/python3}" python3; do
        if "$candidate" -c 'import sys, ensurepip, venv; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            printf '%s\n' "$candidate"
            return 0
        fi
    done
    fail "no Python 3.11 or newer that can make environments; run prepare/packages or set DOCKSTACK_PYTHON"
}

# record NAME VALUE: what `activate` reads.
record() {
    printf '%s\n' "$2" >"$dockstack_record/$1.new"
    mv -f -- "$dockstack_record/$1.new" "$dockstack_record/$1"
}

# under_lock NAME: one prepare at a time does NAME; held until the script ends.
under_lock() {
    exec {lock_descriptor}>"$DOCKSTACK_HOME/.$1.lock"
    flock -n "$lock_descriptor" || { say "waiting for another run to finish $1"; flock "$lock_descriptor"; }
}

# What is said reaches the console where a command's own output goes into a log.
exec {console}>&1

# with_progress WHAT COMMAND...: runs COMMAND and says every 20 seconds that it still does.
with_progress() {
    local what=$1 status=0 command_pid ticker
    shift
    "$@" &
    command_pid=$!
    # Looks once a second, so that no long sleep outlives the command and keeps the output open.
    (
        [[ -z ${lock_descriptor:-} ]] || exec {lock_descriptor}>&-
        seconds=0
        while sleep 1 && kill -0 "$command_pid" 2>/dev/null; do
            ((++seconds % 20)) || say "$what: $seconds s so far" >&"$console"
        done
    ) &
    ticker=$!
    wait "$command_pid" || status=$?
    kill "$ticker" 2>/dev/null || true
    wait "$ticker" 2>/dev/null || true
    return "$status"
}

# alone COMMAND...: becomes COMMAND, with none of our files open but the first three; to be called in a subshell.
# A daemon that kept the pipe of whoever called us would have him wait for its end.
alone() {
    local open
    for open in "/proc/$BASHPID"/fd/*; do
        open=${open##*/}
        ((open <= 2)) || eval "exec $open>&-"
    done
    exec "$@"
}

# wait_until SECONDS WHAT COMMAND...: repeats COMMAND until it succeeds; says what it waits for; fails when time is up.
wait_until() {
    local limit=$1 what=$2 begin=$SECONDS told=0
    shift 2
    until "$@" >/dev/null 2>&1; do
        ((SECONDS - begin < limit)) || return 1
        if ((SECONDS - begin >= told + 5)); then
            told=$((SECONDS - begin))
            say "waiting for $what ($told s)"
        fi
        sleep 0.2
    done
}
