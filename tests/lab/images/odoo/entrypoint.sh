#!/bin/bash
# Same behaviour as the official image's entrypoint for this series of Odoo, in our own words.
set -e

# A secret file wins over PASSWORD; the shell drops its trailing newline.
if [ -v PASSWORD_FILE ]; then
    PASSWORD=$(<"$PASSWORD_FILE")
fi

# Own variables first, then those of a linked or neighbouring postgres container, then the defaults.
HOST=${HOST:-${DB_PORT_5432_TCP_ADDR:-db}}
PORT=${PORT:-${DB_PORT_5432_TCP_PORT:-5432}}
USER=${USER:-${DB_ENV_POSTGRES_USER:-${POSTGRES_USER:-odoo}}}
PASSWORD=${PASSWORD:-${DB_ENV_POSTGRES_PASSWORD:-${POSTGRES_PASSWORD:-odoo}}}

# Adds --KEY VALUE; the configuration file wins. Like the original, until 18 its third word is taken as the value
# (so `key = value` needs exactly one space on each side), and the password does end up on the command line. From 19 on
# what the file or PostgreSQL's own variable says is left to Odoo.
DB_ARGS=()
check_config() {
    local key=$1 value=$2 own=$3
    if grep -qE "^\s*\b$key\b\s*=" "$ODOO_RC"; then
        [ "${ODOO_VERSION%.*}" -lt 19 ] || return 0
        value=$(grep -E "^\s*\b$key\b\s*=" "$ODOO_RC" | cut -d ' ' -f 3 | tr -d '"\r\n')
    elif [ "${ODOO_VERSION%.*}" -ge 19 ] && [ -v "$own" ]; then
        return 0
    fi
    DB_ARGS+=("--$key" "$value")
}
check_config db_host "$HOST" PGHOST
check_config db_port "$PORT" PGPORT
check_config db_user "$USER" PGUSER
check_config db_password "$PASSWORD" PGPASSWORD

# Odoo itself waits for its database; anything else runs as given.
case "${1:-}" in
    odoo | --)
        shift
        [ "${1:-}" != scaffold ] || exec odoo "$@"
        wait-for-psql.py "${DB_ARGS[@]}" --timeout=30
        exec odoo "$@" "${DB_ARGS[@]}"
        ;;
    -*)
        wait-for-psql.py "${DB_ARGS[@]}" --timeout=30
        exec odoo "$@" "${DB_ARGS[@]}"
        ;;
    *)
        exec "$@"
        ;;
esac
