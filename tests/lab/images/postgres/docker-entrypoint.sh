#!/bin/bash
# Same behaviour as the official postgres image's entrypoint, in our own words.
set -eo pipefail

# Stops with a message, before anything is written.
fail() { printf 'error: %s\n' "$*" >&2; exit 1; }

# VAR, or the content of the file that VAR_FILE names, or the default; both at once is a mistake.
from_env_or_file() {
    local var=$1 file_var=$1_FILE value=${2:-}
    [ -z "${!var:-}" ] || [ -z "${!file_var:-}" ] || fail "both $var and $file_var are set (but are exclusive)"
    if [ -n "${!var:-}" ]; then
        value=${!var}
    elif [ -n "${!file_var:-}" ]; then
        value=$(<"${!file_var}")
    fi
    export "$var=$value"
    unset "$file_var"
}

# A server without password must be asked for, never happen.
check_password() {
    if [ -z "$POSTGRES_PASSWORD" ] && [ "${POSTGRES_HOST_AUTH_METHOD:-}" != trust ]; then
        fail "Database is uninitialized and superuser password is not specified." \
            "Set POSTGRES_PASSWORD or POSTGRES_PASSWORD_FILE to a non-empty value."
    fi
}

# Local socket without password, every network connection with scram.
create_cluster() {
    local method=${POSTGRES_HOST_AUTH_METHOD:-scram-sha-256} extra
    eval "extra=($POSTGRES_INITDB_ARGS)"
    initdb --username="$POSTGRES_USER" --pwfile=<(printf '%s\n' "$POSTGRES_PASSWORD") \
        --auth-local=trust --auth-host=scram-sha-256 "${extra[@]}"
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# psql as the superuser over the local socket, stopping at the first error.
run_sql() { psql -v ON_ERROR_STOP=1 --no-password --no-psqlrc --username "$POSTGRES_USER" "$@"; }

# POSTGRES_DB is created unless initdb made it already.
create_database() {
    [ "$POSTGRES_DB" != postgres ] || return 0
    [ -z "$(run_sql -d postgres -v db="$POSTGRES_DB" -tA <<<"SELECT 1 FROM pg_database WHERE datname = :'db'")" ] || return 0
    run_sql -d postgres -v db="$POSTGRES_DB" <<<'CREATE DATABASE :"db"'
}

# The operator's scripts, in name order.
run_init_files() {
    local f
    for f in /docker-entrypoint-initdb.d/*; do
        case "$f" in
            *.sh) if [ -x "$f" ]; then echo "running $f"; "$f"; else echo "sourcing $f"; . "$f"; fi ;;
            *.sql) echo "running $f"; run_sql -d "$POSTGRES_DB" -f "$f" ;;
            *.sql.gz) echo "running $f"; gunzip -c "$f" | run_sql -d "$POSTGRES_DB" ;;
            *.sql.xz) echo "running $f"; xzcat "$f" | run_sql -d "$POSTGRES_DB" ;;
            */\*) ;;
            *) echo "ignoring $f" ;;
        esac
    done
}

# The first start: create the cluster, prepare it on a server that only the socket reaches, stop that server.
first_start() {
    shift
    check_password
    create_cluster
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@" -c listen_addresses= -p 5432)" -w start
    create_database
    run_init_files
    PGUSER=$POSTGRES_USER pg_ctl -D "$PGDATA" -m fast -w stop
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

# Asking for help or the version must not create a cluster.
only_asks() {
    local arg
    for arg; do
        case "$arg" in -\? | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

[ "${1:0:1}" != - ] || set -- postgres "$@"

if [ "${1:-}" = postgres ] && ! only_asks "$@"; then
    if [ "$(id -u)" = 0 ]; then
        mkdir -p "$PGDATA"
        chmod 700 "$PGDATA"
        find "$PGDATA" /var/run/postgresql \! -user postgres -exec chown postgres '{}' +
        export HOME=/var/lib/postgresql
        exec setpriv --reuid=postgres --regid=postgres --init-groups -- "$0" "$@"
    fi
    from_env_or_file POSTGRES_PASSWORD
    from_env_or_file POSTGRES_USER postgres
    from_env_or_file POSTGRES_DB "$POSTGRES_USER"
    from_env_or_file POSTGRES_INITDB_ARGS
    if [ -s "$PGDATA/PG_VERSION" ]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        first_start "$@"
    fi
    unset POSTGRES_PASSWORD
fi

exec "$@"
