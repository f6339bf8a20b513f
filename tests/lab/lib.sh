# Shared by up, down and host: names, paths and small helpers. Sourced, never run.

LAB_DIR=${OCORE_LAB_DIR:-/var/cache/ocore-lab}
RUN_DIR=$LAB_DIR/run
LOG_DIR=$LAB_DIR/log
REGISTRY=localhost:5000
# The address that nested engines use for the lab's registry (the default bridge).
BRIDGE_REGISTRY=172.17.0.1:5000
RECIPE_LABEL=ocore.lab.recipe

# Every message of the lab goes through here, so a test log shows where it comes from.
say() { printf 'lab: %s\n' "$*"; }

# One clear line, then stop: a missing need must never look like a passed test.
die() { printf 'lab: error: %s\n' "$*" >&2; exit 1; }

# Field 22 of stat: with it, a recycled pid is never taken for ours.
start_time() { sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d' ' -f20; }

# Pid and start time together identify a process that up started.
record_pid() { echo "$2 $(start_time "$2")" >"$RUN_DIR/$1.pid"; }

# Prints the pid of a recorded process if that very process is still alive.
recorded_pid() {
    local pid started
    read -r pid started 2>/dev/null <"$RUN_DIR/$1.pid" || return 1
    [ -n "$started" ] && [ "$(start_time "$pid")" = "$started" ] && echo "$pid"
}

# Polls a command until it succeeds or the deadline (seconds) passes.
wait_for() {
    local deadline=$((SECONDS + $1))
    shift
    until "$@" >/dev/null 2>&1; do
        [ "$SECONDS" -lt "$deadline" ] || return 1
        sleep 0.2
    done
}
