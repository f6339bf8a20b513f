//! P5 and A1: what identity, permissions and tenancy cost a read, and what signing in costs everybody else.

use crate::load::{Target, pace, saturate};
use crate::report::Row;
use crate::stats::percentile;
use crate::swarm::facts;
use ocore_tests::client::{Client, text};
use ocore_tests::processes::{Controller, PASSWORD};
use rand::RngExt;
use serde_json::json;
use sqlx::{Connection, PgConnection};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

const INSTANCES: usize = 100_000;
const SERVERS: usize = 1_000;
const LIST: usize = 50;
/// The last one of them.
const FAR: usize = INSTANCES / LIST;
const WINDOW: Duration = Duration::from_secs(3);
const LOGINS: usize = 100;
/// 200 reads a second.
const READS: Duration = Duration::from_millis(5);
const BARE_PORT: u16 = 28_471;

/// Ended with this value.
struct Bare(Child);

impl Bare {
    async fn start(database: &str) -> Self {
        let mut command = Command::new(std::env::current_exe().expect("the bench has a path"));
        command.args(["--bare", &BARE_PORT.to_string(), "--database", database]).stdin(Stdio::null());
        let this = Self(command.spawn().expect("the peer starts"));
        let client = Client { port: BARE_PORT, token: None };
        ocore_tests::wait_for("the peer", Duration::from_secs(10), || async {
            client.try_call(http::Method::GET, "/instances?limit=1", &[], None).await.ok()
        })
        .await;
        this
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        // It has nothing to tidy up.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Ids in the order in which their instances were made.
fn instance_id(number: usize) -> String {
    format!("01980000-0000-7000-8000-{number:012x}")
}

/// Servers and instances that are there by their rows alone.
async fn populate(database: &str) {
    let mut connection = PgConnection::connect(database).await.expect("the database answers");
    let facts = serde_json::to_string(&facts("h")).expect("facts are JSON");
    let sql = format!(
        r#"insert into servers (id, organization_id, name, status, facts)
           select ('01970000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid, o.id, 'server ' || n, 'online',
                  '{facts}'
           from organizations o, generate_series(0, {SERVERS} - 1) n;
           insert into instances (id, organization_id, project_id, environment_id, server_id, name, slug, labels, spec,
                  status, health, http_port, observed_generation)
           select i.id, e.organization_id, e.project_id, e.id,
                  ('01970000-0000-7000-8000-' || lpad(to_hex(i.n % {SERVERS}), 12, '0'))::uuid,
                  'shop ' || i.n, 'shop-' || i.n, '{{"customer": "acme"}}',
                  jsonb_build_object('instance_id', i.id, 'organization_id', e.organization_id, 'environment_id', e.id,
                      'slug', 'shop-' || i.n, 'odoo_version', '14.0', 'image', 'odoo:14.0', 'postgres_image', 'postgres:13',
                      'database_name', 'shop_' || i.n, 'database_role', 'shop_' || i.n, 'admin_login', 'admin',
                      'language', 'en_US', 'modules', array['sale', 'stock'], 'bind_address', '0.0.0.0', 'generation', 1,
                      'limits', jsonb_build_object('cpus', 1, 'memory_mb', 1024)),
                  'running', 'healthy', 20000 + i.n % 10000, 1
           from environments e, (select ('01980000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid as id, n
                                 from generate_series(0, {INSTANCES} - 1) n) i
           where e.type = 'production';
           insert into users (id, email, name, password_hash)
           select gen_random_uuid(), 'person' || n || '@example.com', 'Person', u.password_hash
           from users u, generate_series(1, {LOGINS}) n"#
    );
    sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&mut connection).await.expect("the rows are taken");
    sqlx::raw_sql("vacuum analyze").execute(&mut connection).await.expect("the tables are looked over");
}

/// The path of a page far behind, walked to as a client would.
async fn page_far(client: &Client) -> String {
    let mut path = format!("/api/instances?limit={LIST}");
    for _ in 1..FAR {
        let page = client.get(&path).await.is(200);
        path = format!("/api/instances?limit={LIST}&cursor={}", text(&page, "next_cursor"));
    }
    assert_eq!(client.get(&path).await.is(200)["data"].as_array().map(Vec::len), Some(LIST));
    path
}

#[derive(Default)]
struct Rounds {
    one: [Vec<f64>; 2],
    list: [Vec<f64>; 2],
    pages: [Vec<f64>; 2],
    reads: [Vec<f64>; 2],
    logins: Vec<f64>,
}

pub async fn run(rounds: usize) -> Vec<Row> {
    let controller = Controller::start().await;
    let client = controller.bootstrap().await;
    let began = Instant::now();
    populate(&controller.database_url()).await;
    println!("{INSTANCES} instances in {:.1} s", began.elapsed().as_secs_f64());
    let far = page_far(&client).await;
    let bare_process = Bare::start(&controller.database_url()).await;
    let ours = Target { port: client.port, token: client.token.clone() };
    let bare = Target { port: BARE_PORT, token: None };
    let mut measured = Rounds::default();
    let any = || rand::rng().random_range(0..INSTANCES);
    for round in 0..=rounds {
        let one = saturate(&ours, WINDOW, move |_| format!("/api/instances/{}", instance_id(any()))).await;
        let bare_one = saturate(&bare, WINDOW, move |_| format!("/instances/{}", instance_id(any()))).await;
        let first = format!("/api/instances?limit={LIST}");
        let list = saturate(&ours, WINDOW, move |_| first.clone()).await;
        let bare_list = saturate(&bare, WINDOW, |_| format!("/instances?limit={LIST}")).await;
        let last = far.clone();
        let last = saturate(&ours, WINDOW, move |_| last.clone()).await;
        if round == 0 {
            continue;
        }
        println!(
            "round {round}: one {one:.0} (bare {bare_one:.0}), list {list:.0} (bare {bare_list:.0}), page {FAR} {last:.0} a second"
        );
        measured.one[0].push(one);
        measured.one[1].push(bare_one);
        measured.list[0].push(list);
        measured.list[1].push(bare_list);
        measured.pages[0].push(1000.0 / last);
        measured.pages[1].push(1000.0 / list);
    }
    drop(bare_process);
    for round in 1..=rounds {
        logins(&ours, round, &mut measured).await;
    }
    rows(&measured)
}

/// Reads at a steady pace, first alone, then beside many who sign in at once.
async fn logins(ours: &Target, round: usize, measured: &mut Rounds) {
    let path = format!("/api/instances/{}", instance_id(7));
    let stop = Arc::new(AtomicBool::new(false));
    let reads = async |stop: Arc<AtomicBool>| pace(ours, &path, READS, stop).await;
    let alone = async {
        tokio::time::sleep(WINDOW).await;
        stop.store(true, Ordering::Relaxed);
    };
    let (alone, ()) = futures::future::join(reads(stop.clone()), alone).await;
    let stop = Arc::new(AtomicBool::new(false));
    let signing_in = async {
        let began = Instant::now();
        let client = Client { port: ours.port, token: None };
        let calls = (1..=LOGINS).map(|n| {
            let (client, body) =
                (client.clone(), json!({"email": format!("person{n}@example.com"), "password": PASSWORD}));
            async move { client.post("/api/auth/login", body).await.is(200) }
        });
        futures::future::join_all(calls).await;
        stop.store(true, Ordering::Relaxed);
        LOGINS as f64 / began.elapsed().as_secs_f64()
    };
    let (beside, rate) = futures::future::join(reads(stop.clone()), signing_in).await;
    let (alone, beside) = (percentile(&alone, 0.99), percentile(&beside, 0.99));
    println!("round {round}: read p99 {alone:.2} ms, {beside:.2} ms beside {LOGINS} logins ({rate:.0} a second)");
    measured.reads[0].push(beside);
    measured.reads[1].push(alone);
    measured.logins.push(rate);
}

fn rows(measured: &Rounds) -> Vec<Row> {
    let peer = "axum + PostgreSQL alone, the same table";
    let of = |what: &str, [ours, bare]: &[Vec<f64>; 2]| Row::of("P5", what, "/s", ours).against(peer, bare);
    vec![
        of("GET one of 100,000 instances, with session, permissions and tenant", &measured.one),
        of("list of 50 of them", &measured.list),
        Row::of("P5", format!("a page of the list, page {FAR}"), "ms", &measured.pages[0])
            .against("page 1", &measured.pages[1]),
        Row::of("A1", format!("read beside {LOGINS} logins at once, p99"), "ms", &measured.reads[0])
            .against("the same alone", &measured.reads[1]),
        Row::of("A1", "logins, all at once", "/s", &measured.logins),
    ]
}
