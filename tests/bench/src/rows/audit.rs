//! A2 and A3: what the audit log costs those who write, and how fast it is sealed and verified.

use crate::report::Row;
use crate::stats::{milliseconds, percentile};
use ocore_tests::client::Client;
use ocore_tests::processes::Controller;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::time::{Duration, Instant};

const ENTRIES: i64 = 200_000;
/// Writes in a turn with entries, then without, and how many turns a round has: short ones, as the disk has moods.
const WRITES: usize = 50;
const TURNS: usize = 24;
const PINGS: usize = 100;
/// With it, entries are thought of and not written.
const MUTE: &str = "create rule muted as on insert to audit_log do instead nothing";
const UNMUTE: &str = "drop rule muted on audit_log";
const LIMIT: Duration = Duration::from_secs(300);

async fn execute(connection: &mut PgConnection, sql: &'static str) {
    sqlx::raw_sql(sql).execute(connection).await.expect("the database takes it");
}

async fn unsealed(connection: &mut PgConnection) -> i64 {
    let count = sqlx::query_scalar("select count(*) from audit_log where seq is null");
    count.fetch_one(connection).await.expect("the log can be counted")
}

async fn until_sealed(connection: &mut PgConnection) {
    let began = Instant::now();
    while unsealed(connection).await > 0 {
        assert!(began.elapsed() < LIMIT, "the log is not sealed after {LIMIT:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

/// Milliseconds that making a role takes, of each of a turn.
async fn write(client: &Client, made: &mut usize) -> Vec<f64> {
    let mut times = Vec::with_capacity(WRITES);
    for _ in 0..WRITES {
        *made += 1;
        let body = json!({"name": format!("role {made}"), "permissions": ["view:servers"]});
        let began = Instant::now();
        client.post("/api/roles", body).await.is(201);
        times.push(milliseconds(began.elapsed()));
    }
    times
}

/// What a statement costs that does nothing: also the muted one goes to the database and back.
async fn ping(connection: &mut PgConnection) -> Vec<f64> {
    let mut times = Vec::with_capacity(PINGS);
    for _ in 0..PINGS {
        let began = Instant::now();
        sqlx::query("select").execute(&mut *connection).await.expect("the database answers");
        times.push(milliseconds(began.elapsed()));
    }
    times
}

pub async fn run(rounds: usize) -> Vec<Row> {
    let controller = Controller::start().await;
    let client = controller.bootstrap().await;
    let mut connection = PgConnection::connect(&controller.database_url()).await.expect("the database answers");
    let (mut told, mut untold, mut made) = (Vec::new(), Vec::new(), 0);
    write(&client, &mut made).await;
    for round in 1..=rounds {
        let (mut all, mut muted, mut pings) = (Vec::new(), Vec::new(), Vec::new());
        for _ in 0..TURNS {
            all.extend(write(&client, &mut made).await);
            execute(&mut connection, MUTE).await;
            pings.extend(ping(&mut connection).await);
            muted.extend(write(&client, &mut made).await);
            execute(&mut connection, UNMUTE).await;
        }
        let with = percentile(&all, 0.5);
        let without = percentile(&muted, 0.5) - percentile(&pings, 0.5);
        println!("round {round}: a write {with:.3} ms, {without:.3} ms without its audit entry");
        told.push(with);
        untold.push(without);
    }
    let (mut sealed, mut verified) = (Vec::new(), Vec::new());
    for round in 1..=rounds {
        populate(&mut connection).await;
        let began = Instant::now();
        until_sealed(&mut connection).await;
        sealed.push(ENTRIES as f64 / began.elapsed().as_secs_f64());
        let began = Instant::now();
        let found = client.get("/api/audit-logs/verify").await.is(200);
        assert_eq!(found["valid"], true, "{found}");
        let entries = found["entries"].as_f64().expect("how many were verified");
        verified.push(entries / began.elapsed().as_secs_f64());
        println!("round {round}: sealed {:.0}, verified {:.0} a second", sealed[round - 1], verified[round - 1]);
    }
    vec![
        Row::of("A2", "a write with its audit entry, sealed beside it, p50", "ms", &told)
            .against("without the entry", &untold),
        Row::of("A3", "audit entries sealed", "/s", &sealed),
        Row::of("A3", "audit entries verified", "/s", &verified),
    ]
}

/// Entries with ids as they are made: by time.
async fn populate(connection: &mut PgConnection) {
    let sql = format!(
        r#"insert into audit_log (id, organization_id, action, actor, subject, before, after, address, request_id, user_agent)
           select (lpad(to_hex((extract(epoch from clock_timestamp()) * 1000)::bigint), 12, '0') || '70008'
                      || substr(md5(n::text), 1, 15))::uuid,
                  o.id, 'role.updated',
                  '{{"type": "user", "id": "0197a5a0-0000-7000-8000-000000000002", "name": "Ada"}}',
                  jsonb_build_object('type', 'role', 'id', gen_random_uuid(), 'name', 'role ' || n),
                  jsonb_build_object('description', n, 'permissions', array['view:servers']),
                  jsonb_build_object('description', n + 1, 'permissions', array['view:servers', 'view:instances']),
                  '192.0.2.7', gen_random_uuid()::text, 'Mozilla/5.0 (X11; Linux x86_64; rv:130.0) Gecko/20100101 Firefox/130.0'
           from organizations o, generate_series(1, {ENTRIES}) n"#
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(connection).await.expect("the entries are taken");
}
