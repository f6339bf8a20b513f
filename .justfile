# The few commands that are typed often.

run:
    controller/run

test:
    tests/run

# Write the committed query data and the API document anew; needs DATABASE_URL of a migrated database.
generate:
    mkdir -p .sqlx && rm -f .sqlx/query-*.json && touch controller/src/lib.rs
    SQLX_OFFLINE_DIR=$PWD/.sqlx cargo check -p ocore-controller --all-targets
    cargo run -p ocore-controller -- openapi > controller/openapi/api.json
