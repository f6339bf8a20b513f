//! Somebody with every right on the database lies about the past: verification names the first bad entry each time.

use super::chain::store::chain_oldest;
use super::chain::{Entry, Hash};
use super::sealer::seal_once;
use super::tests::{by, seal, superuser};
use crate::identity::authentication::tests::Visitor;
use crate::testing::{TestApp, until};
use axum::http::StatusCode;
use serde_json::{Value, json};
use sqlx::PgConnection;
use std::path::PathBuf;
use uuid::Uuid;

/// A sealed log of twelve entries with kept heads at 4, 8 and 12, that can be put back as it was.
struct Log {
    test: TestApp,
    ada: Visitor,
    organization: Uuid,
    root: PgConnection,
    heads: PathBuf,
    kept: Vec<u8>,
}

impl Log {
    async fn new() -> Self {
        let test = TestApp::start().await;
        let (ada, answer) = Visitor::new(&test.app).bootstrap().await;
        let organization: Uuid = answer.organization().parse().unwrap();
        let mut root = superuser(&test).await;
        by(&mut root, "truncate audit_log, audit_chains").await;
        for n in 0..12 {
            let body = json!({ "name": format!("role {n}"), "permissions": ["view:servers"] });
            ada.post("/api/roles", body).await.is(StatusCode::CREATED);
            if n % 4 == 3 {
                seal(&test.app).await;
                by(&mut root, &format!("create table chains_{} as select * from audit_chains", n + 1)).await;
            }
        }
        by(&mut root, "create table entries as select * from audit_log").await;
        let heads = test.app.config.data_dir.join("audit/heads.jsonl");
        let kept = std::fs::read(&heads).unwrap();
        Self { test, ada, organization, root, heads, kept }
    }

    async fn tamper(&mut self, sql: &str) {
        by(&mut self.root, sql).await;
    }

    async fn verify(&self) -> Value {
        self.ada.get("/api/audit-logs/verify").await.is(StatusCode::OK).body
    }

    /// What is found now, as (kind, number); then all is as it was.
    async fn found(&mut self) -> (String, i64) {
        let found = self.verify().await;
        assert_eq!(found["valid"], false, "{found}");
        let problem = &found["problem"];
        let found = (problem["kind"].as_str().unwrap().to_owned(), problem["seq"].as_i64().unwrap());
        self.restore().await;
        found
    }

    async fn restore(&mut self) {
        let sql = "truncate audit_log, audit_chains; insert into audit_log select * from entries;
                   insert into audit_chains select * from chains_12";
        self.tamper(sql).await;
        std::fs::write(&self.heads, &self.kept).unwrap();
        assert_eq!(self.verify().await["problem"], Value::Null);
    }

    /// Compute all hashes from there on anew, as who knows how can do.
    async fn rehash(&mut self, from: i64) {
        let entries: Vec<Entry> = chain_oldest(&mut self.root, self.organization, 100).await.unwrap();
        let mut previous = Hash::NONE;
        for entry in entries {
            let seq = entry.seq.unwrap();
            let hash = entry.hash_at(seq, &previous, &mut Vec::new());
            if seq >= from {
                sqlx::query("update audit_log set hash = $2 where id = $1")
                    .bind(entry.id)
                    .bind(hash.0.as_slice())
                    .execute(&mut self.root)
                    .await
                    .unwrap();
            }
            previous = hash;
        }
        sqlx::query("update audit_chains set hash = $1")
            .bind(previous.0.as_slice())
            .execute(&mut self.root)
            .await
            .unwrap();
    }
}

fn at(kind: &str, seq: i64) -> (String, i64) {
    (kind.to_owned(), seq)
}

#[tokio::test]
async fn each_flipped_column_is_found() {
    let mut log = Log::new().await;
    let columns: Vec<(String, String)> = sqlx::query_as(
        "select column_name::text, udt_name::text from information_schema.columns where table_name = 'audit_log'",
    )
    .fetch_all(&mut log.root)
    .await
    .unwrap();
    assert!(columns.len() >= 14);
    for (column, kind) in columns {
        let to = match kind.as_str() {
            "uuid" => "gen_random_uuid()".to_owned(),
            "text" => format!("coalesce({column}, '') || 'x'"),
            "jsonb" => format!("coalesce({column}, '{{}}') || '{{\"forged\": true}}'"),
            "inet" => "'203.0.113.9'".to_owned(),
            "timestamptz" => format!("{column} + interval '1 microsecond'"),
            "xid8" => "'1'".to_owned(),
            "int8" => "100".to_owned(),
            "bytea" => "'\\x00'".to_owned(),
            other => panic!("how is a column of type {other} flipped?"),
        };
        log.tamper(&format!("update audit_log set {column} = {to} where seq = 6")).await;
        let expected = match column.as_str() {
            // It is in another organization's log now.
            "organization_id" => at("missing", 6),
            "seq" => at("reordered", 6),
            _ => at("changed", 6),
        };
        assert_eq!(log.found().await, expected, "{column}");
    }
    // What was there is taken away.
    for column in ["after", "address", "request_id"] {
        log.tamper(&format!("update audit_log set {column} = null where seq = 6")).await;
        assert_eq!(log.found().await, at("changed", 6), "{column}");
    }
}

#[tokio::test]
async fn what_is_gone_or_moved_is_found() {
    let mut log = Log::new().await;
    for seq in [1, 7, 11] {
        log.tamper(&format!("delete from audit_log where seq = {seq}")).await;
        assert_eq!(log.found().await, at("missing", seq));
    }
    let swap = "update audit_log set seq = case seq when 3 then -3 else -9 end where seq in (3, 9);
                update audit_log set seq = case seq when -3 then 9 else 3 end where seq < 0";
    log.tamper(swap).await;
    let found = log.verify().await;
    assert!(found["problem"]["message"].as_str().unwrap().ends_with("stands at place 9."), "{found}");
    assert_eq!(log.found().await, at("reordered", 3));
    // Taken out of the chain, and into it again at its end as if it were new.
    log.tamper("update audit_log set seq = null, hash = null where seq = 5").await;
    seal(&log.test.app).await;
    assert_eq!(log.found().await, at("missing", 5));
    log.tamper("update audit_log set seq = 0 where seq = 2").await;
    assert_eq!(log.found().await, at("reordered", 0));
    // An entry that never was.
    let made_up = "insert into audit_log (id, organization_id, action, actor, subject, seq, hash)
                   select gen_random_uuid(), organization_id, action, actor, subject, 13, hash from audit_log where seq = 12";
    log.tamper(made_up).await;
    assert_eq!(log.found().await, at("changed", 13));
}

#[tokio::test]
async fn a_cut_end_is_found_also_with_an_older_head() {
    let mut log = Log::new().await;
    log.tamper("delete from audit_log where seq > 8").await;
    assert_eq!(log.found().await, at("cut_off", 9));

    // With the head of then, which we have signed, only the file knows better.
    let back =
        "delete from audit_log where seq > 8; truncate audit_chains; insert into audit_chains select * from chains_8";
    log.tamper(back).await;
    assert_eq!(log.found().await, at("cut_off", 9));
    log.tamper(back).await;
    std::fs::remove_file(&log.heads).unwrap();
    assert_eq!(log.verify().await["valid"], true, "that is why the file is kept elsewhere too");
    log.restore().await;

    // Life goes on, and the numbers are given a second time.
    log.tamper(back).await;
    for n in 20..26 {
        let body = json!({ "name": format!("role {n}"), "permissions": ["view:servers"] });
        log.ada.post("/api/roles", body).await.is(StatusCode::CREATED);
    }
    seal(&log.test.app).await;
    assert_eq!(log.found().await, at("rewritten", 9));

    log.tamper("truncate audit_log, audit_chains").await;
    assert_eq!(log.found().await, at("cut_off", 1));
    log.tamper("truncate audit_log").await;
    assert_eq!(log.found().await, at("cut_off", 1));
}

#[tokio::test]
async fn a_forged_head_is_found_and_never_extended() {
    let mut log = Log::new().await;
    let forgeries = [
        ("hash = sha256('x')", 12),
        ("signature = sha256('x') || sha256('y')", 12),
        ("sealed_at = sealed_at + interval '1 second'", 12),
        ("seq = 13", 12),
        ("organization_id = gen_random_uuid()", 12),
    ];
    for (change, seq) in forgeries {
        log.tamper(&format!("update audit_chains set {change}")).await;
        let round = seal_once(&log.test.app).await.unwrap();
        assert_eq!(round.sealed, 0);
        assert_eq!(log.found().await, at("head_forged", seq), "{change}");
    }
    // A head that we have signed, of earlier: there is more than it says.
    log.tamper("truncate audit_chains; insert into audit_chains select * from chains_8").await;
    std::fs::remove_file(&log.heads).unwrap();
    assert_eq!(log.found().await, at("head_forged", 9));

    log.tamper("update audit_chains set signature = sha256('x')").await;
    let body = json!({ "name": "later", "permissions": ["view:servers"] });
    log.ada.post("/api/roles", body).await.is(StatusCode::CREATED);
    until("the block", async || {
        let round = seal_once(&log.test.app).await.unwrap();
        assert_eq!(round.sealed, 0, "a forgery is not made ours");
        round.blocked.contains(&log.organization)
    })
    .await;
    assert_eq!(log.verify().await["unsealed"], 1);
    // Other chains go on.
    by(
        &mut log.root,
        "insert into audit_log (id, action, actor, subject) values (gen_random_uuid(), 'thing.made', '{}', '{}')",
    )
    .await;
    until("the other chain", async || seal_once(&log.test.app).await.unwrap().sealed == 1).await;

    log.restore().await;
    let cut = "update audit_chains set first_seq = 5, first_hash = (select hash from audit_log where seq = 4);
               delete from audit_log where seq < 5";
    log.tamper(cut).await;
    assert_eq!(log.found().await, at("start_forged", 5));
}

#[tokio::test]
async fn entries_written_anew_with_their_hashes_are_found() {
    let mut log = Log::new().await;
    log.tamper("update audit_log set action = 'nothing.happened' where seq = 6").await;
    log.rehash(6).await;
    // Between the last head that is right and the first that is not.
    assert_eq!(log.found().await, at("rewritten", 5));

    // The same with the signed head left as it is, and no file to ask.
    log.tamper("update audit_log set action = 'nothing.happened' where seq = 12").await;
    log.rehash(12).await;
    log.tamper("truncate audit_chains; insert into audit_chains select * from chains_12").await;
    std::fs::remove_file(&log.heads).unwrap();
    assert_eq!(log.found().await, at("rewritten", 1));

    let lie = String::from_utf8(log.kept.clone()).unwrap().replace("\"seq\":8", "\"seq\":7");
    std::fs::write(&log.heads, lie).unwrap();
    assert_eq!(log.found().await, at("kept_head_forged", 7));
}
