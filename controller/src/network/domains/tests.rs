//! From a name to an instance that is reached by it, with an agent that says what it is told to and a name server that
//! knows a few names.

mod proxies;

use super::watch::{domains_reconcile, names_look};
use crate::apps::instances::tests::Shop;
use crate::identity::authentication::tests::{Answer, Visitor, run};
use crate::network::proxies::store::console_set;
use crate::testing::agent;
use axum::extract::Query;
use axum::http::{Method, StatusCode};
use axum::routing::get;
use axum::{Json, Router};
use chrono::TimeDelta;
use ocore_shared::ids::JobId;
use ocore_shared::protocol::events::AgentEvent;
use ocore_shared::protocol::inventory::Facts;
use ocore_shared::protocol::jobs::{JobFailure, JobSnapshot, JobStatus, StepStatus};
use ocore_shared::protocol::proxy::{CertificateInfo, ConsoleSite, NameCheck, NameQuery, ProxyState};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::UdpSocket;

const SERVER: Ipv4Addr = Ipv4Addr::new(198, 51, 100, 7);
const ELSEWHERE: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 9);

/// A name server: what begins with `good` or `shop` leads to the server, `alias` there by another name, `mixed` there and
/// elsewhere. There are no other names.
pub async fn name_server() -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    tokio::spawn(async move {
        let mut packet = [0; 1500];
        while let Ok((length, from)) = socket.recv_from(&mut packet).await {
            socket.send_to(&answer(&packet[..length]), from).await.unwrap();
        }
    });
    address
}

fn answer(query: &[u8]) -> Vec<u8> {
    let end = 12 + query[12..].iter().position(|byte| *byte == 0).unwrap() + 1;
    let (first, is_a) = (&query[13..13 + usize::from(query[12])], query[end..end + 2] == [0, 1]);
    let first = String::from_utf8_lossy(first).to_lowercase();
    let addresses: &[Ipv4Addr] = match first.as_str() {
        name if name.starts_with("good") || name.starts_with("shop") || name == "alias" => &[SERVER],
        "mixed" => &[SERVER, ELSEWHERE],
        _ => &[],
    };
    let mut records: Vec<Vec<u8>> = Vec::new();
    // The question's name again, or the one that the alias leads to: `good` below the same parent.
    let (mut owner, parent) = (vec![0xc0, 12], 12 + 1 + query[12]);
    if first == "alias" {
        let target = [&[4][..], b"good", &[0xc0, parent]].concat();
        records.push([&owner[..], &[0, 5, 0, 1, 0, 0, 0, 60, 0, target.len() as u8], &target].concat());
        owner = target;
    }
    if is_a {
        let record = |ip: &Ipv4Addr| [&owner[..], &[0, 1, 0, 1, 0, 0, 0, 60, 0, 4], &ip.octets()].concat();
        records.extend(addresses.iter().map(record));
    }
    let code = if addresses.is_empty() { 3 } else { 0 };
    let head = [query[0], query[1], 0x81, 0x80 | code, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
    [&head[..], &query[12..end + 4], &records.concat()].concat()
}

/// A shop whose server has an address.
async fn shop() -> Shop {
    let server = name_server().await;
    let shop = Shop::running_with(move |config| config.dns_server = Some(server)).await;
    let facts = json!(Facts { addresses: vec![SERVER.to_string()], ..Facts::default() });
    run(&shop.test.app, &format!("update servers set facts = '{facts}'")).await;
    shop
}

async fn managed() -> Shop {
    let shop = shop().await;
    let asked = shop.proxy(json!({"mode": "managed", "acme_email": "ada@example.com"})).await.is(StatusCode::ACCEPTED);
    shop.done(asked.text("job_id").parse().unwrap(), Value::Null).await;
    shop
}

impl Shop {
    async fn proxy(&self, body: Value) -> Answer {
        self.ada.send(Method::PUT, &format!("/api/servers/{}/proxy", self.server), Some(body)).await
    }

    async fn add(&self, host: &str) -> Answer {
        self.ada.post(&format!("/api/instances/{}/domains", self.id), json!({ "host": host })).await
    }

    /// The path of a domain that was added.
    async fn added(&self, host: &str) -> String {
        let id = self.add(host).await.is(StatusCode::CREATED).text("id");
        format!("/api/instances/{}/domains/{id}", self.id)
    }

    async fn domain(&self, path: &str) -> Value {
        self.ada.get(path).await.is(StatusCode::OK).body
    }

    async fn put_to(&self, path: &str, body: Value) -> Answer {
        self.ada.send(Method::PUT, path, Some(body)).await
    }

    /// Jobs of a kind that are open, the newest last: id, what it is told, whether it waits.
    async fn open(&self, kind: &str) -> Vec<(JobId, Value, bool)> {
        let jobs = "select id, input || jsonb_build_object('secrets', secret_ids), waiting from jobs
            where kind = $1 and status in ('queued', 'dispatched', 'running') order by id";
        let rows: Vec<(uuid::Uuid, Value, bool)> =
            sqlx::query_as(jobs).bind(kind).fetch_all(self.test.app.db.system()).await.unwrap();
        rows.into_iter().map(|(id, input, waiting)| (JobId(id), input, waiting)).collect()
    }

    /// The one that is open.
    async fn only(&self, kind: &str) -> (JobId, Value) {
        let mut open = self.open(kind).await;
        assert_eq!(open.len(), 1, "{kind}: {open:?}");
        let (job, input, _) = open.remove(0);
        (job, input)
    }

    async fn done(&self, job: JobId, result: Value) {
        let result = Some(result).filter(|result| !result.is_null());
        self.says([AgentEvent::Job(JobSnapshot { result, ..self.snapshot(job, JobStatus::Succeeded) })]).await;
    }

    fn certificate(&self, host: &str, days: i64, serial: &str) -> CertificateInfo {
        let now = self.test.app.clock.now();
        CertificateInfo {
            host: host.into(),
            not_before: now - TimeDelta::days(1),
            not_after: now + TimeDelta::days(days),
            issuer: "Pebble".into(),
            serial: serial.into(),
        }
    }

    /// Verified, served, certified, and Odoo made for it.
    async fn reached(&self, host: &str) -> String {
        let path = self.added(host).await;
        let asked = self.ada.post(&format!("{path}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
        self.done(asked.text("job_id").parse().unwrap(), Value::Null).await;
        let (job, _) = self.only("certificate_issue").await;
        self.done(job, json!(self.certificate(host, 90, "01"))).await;
        for (job, ..) in self.open("instance_update").await {
            self.says([self.succeeded(job, StepStatus::Succeeded)]).await;
        }
        assert_eq!(self.domain(&path).await["state"], "active");
        path
    }

    async fn spec(&self) -> Value {
        let spec = "select jsonb_build_array(spec -> 'has_proxy', spec -> 'public_host') from instances";
        sqlx::query_scalar(spec).fetch_one(self.test.app.db.system()).await.unwrap()
    }
}

#[tokio::test]
async fn a_name_is_checked_served_certified_and_then_odoos_own() {
    let shop = managed().await;
    let proxy = shop.ada.get(&format!("/api/servers/{}/proxy", shop.server)).await.is(StatusCode::OK).body;
    assert_eq!((&proxy["status"], &proxy["image"]), (&json!("active"), &json!("caddy:2")));
    let made = shop.add("Alias.Example.COM").await.is(StatusCode::CREATED);
    assert_eq!((&made.body["state"], &made.body["is_primary"]), (&json!("pending_dns"), &json!(true)));
    let records = json!([{"type": "A", "name": "alias.example.com", "value": SERVER}]);
    assert_eq!(made.body["dns"], json!({"records": records, "checked": null}));
    let path = format!("/api/instances/{}/domains/{}", shop.id, made.text("id"));
    let (first, told) = shop.only("proxy_apply").await;
    assert_eq!((&told["sites"][0]["certificate"]["type"], &told["enabled"]), (&json!("none"), &json!(true)));

    // What was not sent is told the newer wish.
    let asked = shop.ada.post(&format!("{path}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
    let (job, told) = shop.only("proxy_apply").await;
    assert_eq!((asked.text("job_id"), job), (job.to_string(), first));
    assert_eq!(
        told["sites"],
        json!([{"host": "alias.example.com", "instance_id": shop.id, "redirect_to": null, "noindex": false,
            "certificate": {"type": "acme"},
            "access": {"allow": [], "deny": [], "basic_auth": {}, "hsts_seconds": null}}])
    );
    assert_eq!(told["acme"]["email"], "ada@example.com");
    assert!(shop.open("certificate_issue").await.is_empty(), "not before it is served");
    shop.done(job, Value::Null).await;
    let (issue, told) = shop.only("certificate_issue").await;
    assert_eq!(shop.domain(&path).await["active_job_id"], issue.to_string());
    assert_eq!((&told["host"], &told["renew"]), (&json!("alias.example.com"), &json!(false)));
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["dns"]["checked"]["aliases"]), (&json!("issuing"), &json!(["good.example.com"])));
    shop.done(issue, json!(shop.certificate("alias.example.com", 90, "a1"))).await;
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["certificate"]["issuer"]), (&json!("active"), &json!("Pebble")));
    assert_eq!((shop.told("certificate.issued").await, shop.told("certificate.renewed").await), (1, 0));

    // Odoo is made for it.
    let (update, told) = shop.only("instance_update").await;
    assert_eq!(
        (&told["spec"]["has_proxy"], &told["spec"]["public_host"], &told["spec"]["generation"]),
        (&json!(true), &json!("alias.example.com"), &json!(2))
    );
    assert_eq!(shop.get().await["status"], "updating");
    shop.says([shop.succeeded(update, StepStatus::Succeeded)]).await;
    assert_eq!(shop.state().await.0, "running");
    assert_eq!(shop.get().await["url"], "https://alias.example.com");
    assert!(shop.open("instance_update").await.is_empty() && shop.open("proxy_apply").await.is_empty());

    // Renewed when it is asked for; the second name becomes the primary one.
    let asked = shop.ada.post(&format!("{path}/renew"), json!({})).await.is(StatusCode::ACCEPTED);
    shop.ada.post(&format!("{path}/renew"), json!({})).await.refused(StatusCode::CONFLICT, "operation_in_progress");
    let renewed = json!(shop.certificate("alias.example.com", 91, "a2"));
    shop.done(asked.text("job_id").parse().unwrap(), renewed).await;
    assert_eq!(shop.told("certificate.renewed").await, 1);
    let second = shop.reached("shop.example.com").await;
    assert!(!shop.domain(&second).await["is_primary"].as_bool().unwrap());
    shop.put_to(&format!("{second}/primary"), json!({})).await.is(StatusCode::OK);
    shop.put_to(&format!("{path}/access"), json!({"redirect_to_primary": true})).await.is(StatusCode::OK);
    let (_, told) = shop.only("proxy_apply").await;
    assert_eq!(told["sites"][0]["redirect_to"], "shop.example.com");
    let (update, told) = shop.only("instance_update").await;
    assert_eq!(told["spec"]["public_host"], "shop.example.com");
    shop.says([shop.succeeded(update, StepStatus::Succeeded)]).await;

    // And with the last one it is as it was.
    shop.proxy(json!({"mode": "none"})).await.refused(StatusCode::CONFLICT, "proxy_in_use");
    shop.ada.delete(&second).await.is(StatusCode::NO_CONTENT);
    let (update, told) = shop.only("instance_update").await;
    assert_eq!(told["spec"]["public_host"], "alias.example.com");
    // Under a job nothing is asked for; its end does.
    shop.ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    shop.says([shop.succeeded(update, StepStatus::Succeeded)]).await;
    let (_, told) = shop.only("instance_update").await;
    assert_eq!((&told["spec"]["has_proxy"], told["spec"].get("public_host")), (&json!(false), None));
    assert_eq!(shop.only("proxy_apply").await.1["sites"], json!([]));
    assert_eq!((shop.told("domain.added").await, shop.told("domain.removed").await), (2, 2));
}

#[tokio::test]
async fn names_that_lead_elsewhere_or_are_somebodys_are_refused() {
    let shop = shop().await;
    for wrong in ["*.example.com", "192.0.2.1", "shop", "https://a.example.com"] {
        let refused = shop.add(wrong).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], "host", "{wrong}");
    }
    let path = shop.added("mixed.example.com").await;
    let verify = format!("{path}/verify");
    shop.ada.post(&verify, json!({})).await.refused(StatusCode::CONFLICT, "proxy_missing");
    shop.proxy(json!({"mode": "managed"})).await.is(StatusCode::ACCEPTED);
    let refused = shop.ada.post(&verify, json!({})).await;
    assert_eq!((refused.status, refused.code()), (StatusCode::UNPROCESSABLE_ENTITY, "dns_not_ready"));
    assert!(refused.body.to_string().contains("203.0.113.9"), "{}", refused.body);
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["dns"]["checked"]["ok"]), (&json!("pending_dns"), &json!(false)));
    assert_eq!(shop.only("proxy_apply").await.1["sites"][0]["certificate"]["type"], "none");
    shop.ada.post(&format!("{verify}?force=true"), json!({})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.domain(&path).await["state"], "issuing");
    let nowhere = shop.added("nowhere.example.com").await;
    let refused = shop.ada.post(&format!("{nowhere}/verify"), json!({})).await;
    assert!(refused.body.to_string().contains("has no address in the DNS"), "{}", refused.body);

    // Another organization has it: that it is so is told, whose it is not.
    run(
        &shop.test.app,
        "with o as (insert into organizations (id, name, slug) values (gen_random_uuid(), 'Elsewhere', 'elsewhere') returning id)
         insert into domains (id, organization_id, instance_id, host)
         select gen_random_uuid(), o.id, i.id, 'good.example.com' from o, instances i",
    )
    .await;
    let taken = shop.add("good.example.com").await;
    assert!(!taken.body.to_string().to_lowercase().contains("elsewhere"), "{}", taken.body);
    taken.refused(StatusCode::CONFLICT, "domain_taken");
    shop.add("MIXED.example.com.").await.refused(StatusCode::CONFLICT, "domain_taken");
}

#[tokio::test]
async fn an_authority_that_refuses_is_not_asked_again_too_soon() {
    let shop = managed().await;
    let path = shop.added("good.example.com").await;
    let verify = format!("{path}/verify");
    let asked = shop.ada.post(&verify, json!({})).await.is(StatusCode::ACCEPTED);
    shop.done(asked.text("job_id").parse().unwrap(), Value::Null).await;
    let (job, _) = shop.only("certificate_issue").await;
    let message = "Too many certificates, retry after 2099-01-01 00:00:00 UTC.".to_owned();
    let failure = JobFailure { code: "acme_rate_limited".into(), message, retryable: true };
    let failed = JobSnapshot { failure: Some(failure), ..shop.snapshot(job, JobStatus::Failed) };
    shop.says([AgentEvent::Job(failed)]).await;
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["retry_at"]), (&json!("failed"), &json!("2099-01-01T00:00:00Z")));
    assert_eq!(shop.told("certificate.failed").await, 1);
    shop.ada.post(&verify, json!({})).await.refused(StatusCode::CONFLICT, "certificate_retry_later");
    assert_eq!(shop.spec().await, json!([false, null]));

    // One of our own needs no authority, but has to be right.
    let made = |host: &str| rcgen::generate_simple_self_signed([host.to_owned()]).unwrap();
    let (own, other) = (made("good.example.com"), made("other.example.com"));
    let upload = async |chain: String, key: String| {
        let body = json!({"certificate": chain, "private_key": key});
        shop.put_to(&format!("{path}/certificate"), body).await
    };
    let field = |answer: Answer| answer.is(StatusCode::BAD_REQUEST).body["error"]["details"]["field"].clone();
    assert_eq!(field(upload(other.cert.pem(), other.signing_key.serialize_pem()).await), "certificate");
    assert_eq!(field(upload(own.cert.pem(), other.signing_key.serialize_pem()).await), "private_key");
    let keys = "select count(*) from secrets where purpose = 'certificate_key'";
    let count = async || -> i64 { sqlx::query_scalar(keys).fetch_one(shop.test.app.db.system()).await.unwrap() };
    assert_eq!(count().await, 0);
    upload(own.cert.pem(), own.signing_key.serialize_pem()).await.is(StatusCode::ACCEPTED);
    // Again: the one before is not kept.
    upload(own.cert.pem(), own.signing_key.serialize_pem()).await.is(StatusCode::ACCEPTED);
    let (job, told) = shop.only("proxy_apply").await;
    assert_eq!(told["sites"][0]["certificate"]["type"], "given");
    assert!(told["secrets"]["certificate.good.example.com"].is_string() && !told.to_string().contains("PRIVATE"));
    assert_eq!(count().await, 1);
    shop.done(job, Value::Null).await;
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["certificate"]["source"]), (&json!("active"), &json!("uploaded")));
    assert_eq!(shop.spec().await, json!([true, "good.example.com"]));
    shop.ada.post(&format!("{path}/renew"), json!({})).await.refused(StatusCode::CONFLICT, "certificate_uploaded");

    // Taken out again, another one is fetched.
    let drop = format!("{path}/certificate");
    shop.ada.delete(&drop).await.is(StatusCode::ACCEPTED);
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["certificate"]["source"]), (&json!("issuing"), &json!("acme")));
    assert_eq!((&seen["certificate"]["not_after"], count().await), (&Value::Null, 0));
    shop.ada.delete(&drop).await.refused(StatusCode::CONFLICT, "certificate_not_uploaded");
    let (job, told) = shop.only("proxy_apply").await;
    assert_eq!(told["sites"][0]["certificate"]["type"], "acme");
    shop.done(job, Value::Null).await;
    shop.only("certificate_issue").await;

    // Who may come in: hashes go to the proxy, and are shown to nobody.
    let users = json!([{"username": "ada", "password": "a quiet door 1"}]);
    let access = format!("{path}/access");
    let body = json!({"allow": ["203.0.113.9/24"], "basic_auth": users, "hsts_seconds": 600});
    let shown = shop.put_to(&access, body).await.is(StatusCode::OK).body;
    assert_eq!(shown["access"]["basic_auth"], json!([{"username": "ada", "has_password": true}]));
    assert_eq!(shown["access"]["allow"], json!(["203.0.113.0/24"]));
    let hash = shop.only("proxy_apply").await.1["sites"][0]["access"]["basic_auth"]["ada"].clone();
    assert!(bcrypt::verify("a quiet door 1", hash.as_str().unwrap()).unwrap());
    let same = shop.put_to(&access, shown["access"].clone()).await.is(StatusCode::OK).body;
    assert_eq!(same["access"], shown["access"]);
    assert_eq!(field(shop.put_to(&access, json!({"allow": ["everybody"]})).await), "allow[0]");
    shop.ada.delete(&path).await.is(StatusCode::NO_CONTENT);
    assert_eq!(count().await, 0);
}

#[tokio::test]
async fn zones_give_names_and_proxies_renew_by_themselves() {
    let mut shop = managed().await;
    for (body, field) in [
        (json!({"zone": "example"}), "zone"),
        (json!({"https_port": 80}), "https_port"),
        (json!({"acme_directory": "http://acme.example.com"}), "acme_directory"),
        (json!({"acme_ca_certificate": "trust me"}), "acme_ca_certificate"),
    ] {
        let refused = shop.proxy(body).await.is(StatusCode::BAD_REQUEST);
        assert_eq!(refused.body["error"]["details"]["field"], field);
    }
    shop.proxy(json!({"zone": "apps.example.com"})).await.is(StatusCode::ACCEPTED);
    let list = shop.ada.get(&format!("/api/instances/{}/domains", shop.id)).await.is(StatusCode::OK).body;
    let domain = &list["data"][0];
    assert_eq!((&domain["host"], &domain["automatic"]), (&json!("shop.apps.example.com"), &json!(true)));
    let path = format!("/api/instances/{}/domains/{}", shop.id, domain["id"].as_str().unwrap());
    names_look(&shop.test.app).await.unwrap();
    assert_eq!(shop.domain(&path).await["state"], "issuing");
    let (job, _) = shop.only("proxy_apply").await;
    shop.done(job, Value::Null).await;

    // The proxy was faster than the job that asks for it.
    let host = "shop.apps.example.com";
    let shows = |certificate: CertificateInfo| {
        let state =
            ProxyState { enabled: true, running: true, certificates: vec![certificate], ..ProxyState::default() };
        Router::new().route("/proxy", get(|| async { Json(state) }))
    };
    agent(&shop.test.app, shop.organization, shop.server, 2, shows(shop.certificate(host, 10, "01"))).await;
    domains_reconcile(&shop.test.app).await.unwrap();
    assert_eq!((&shop.domain(&path).await["state"], shop.told("certificate.issued").await), (&json!("active"), 1));
    assert_eq!(shop.spec().await, json!([true, host]));
    domains_reconcile(&shop.test.app).await.unwrap();
    assert_eq!((shop.told("certificate.expiring").await, shop.told("certificate.issued").await), (1, 1));
    shop.test.clock.shift(TimeDelta::days(4));
    domains_reconcile(&shop.test.app).await.unwrap();
    domains_reconcile(&shop.test.app).await.unwrap();
    assert_eq!(shop.told("certificate.expiring").await, 2);
    agent(&shop.test.app, shop.organization, shop.server, 3, shows(shop.certificate(host, 90, "02"))).await;
    domains_reconcile(&shop.test.app).await.unwrap();
    assert_eq!((shop.told("certificate.renewed").await, shop.told("certificate.expiring").await), (1, 2));

    // Another proxy is told what to do. Her token ended with the days that passed.
    shop.ada = Visitor::new(&shop.test.app).signed_in("ada@example.com").await;
    shop.proxy(json!({"mode": "external", "zone": null})).await.is(StatusCode::ACCEPTED);
    let own = shop.added("good.example.com").await;
    let seen = shop.domain(&own).await;
    assert!(seen["snippets"]["nginx"].as_str().unwrap().contains("server 127.0.0.1:20000;"), "{seen}");
    assert_eq!(seen["certificate"]["source"], "external");
    let told = shop.open("proxy_apply").await.pop().unwrap().1;
    assert_eq!((&told["enabled"], &told["sites"]), (&json!(false), &json!([])));
}

#[tokio::test]
async fn a_name_that_nobody_reaches_yet_is_not_written_into_links() {
    let shop = managed().await;
    let first = shop.reached("shop.example.com").await;
    let second = shop.added("good.example.com").await;
    shop.put_to(&format!("{first}/access"), json!({"redirect_to_primary": true})).await.is(StatusCode::OK);
    shop.put_to(&format!("{second}/primary"), json!({})).await.is(StatusCode::OK);
    assert_eq!(shop.spec().await, json!([true, "shop.example.com"]));
    let sites = shop.only("proxy_apply").await.1["sites"].clone();
    assert!(sites.as_array().unwrap().iter().all(|site| site["redirect_to"].is_null()), "{sites}");
    domains_reconcile(&shop.test.app).await.unwrap();
    assert!(shop.open("instance_update").await.is_empty());

    let (job, _) = shop.only("proxy_apply").await;
    shop.done(job, Value::Null).await;
    shop.ada.post(&format!("{second}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
    let (job, _) = shop.only("proxy_apply").await;
    shop.done(job, Value::Null).await;
    let (job, _) = shop.only("certificate_issue").await;
    shop.done(job, json!(shop.certificate("good.example.com", 90, "02"))).await;
    assert_eq!(shop.spec().await, json!([true, "good.example.com"]));
    let (update, _) = shop.only("instance_update").await;
    shop.says([shop.succeeded(update, StepStatus::Succeeded)]).await;
    let sites = shop.only("proxy_apply").await.1["sites"].clone();
    assert_eq!(sites[1]["redirect_to"], "good.example.com", "{sites}");
}
