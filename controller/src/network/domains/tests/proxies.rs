//! Names and the proxies that serve them: oCore's, whose jobs follow one another, and somebody's own, which is looked
//! through.

use super::*;

#[tokio::test]
async fn of_jobs_on_a_proxy_one_works_and_one_waits() {
    let shop = managed().await;
    shop.added("good-1.example.com").await;
    let (first, _) = shop.only("proxy_apply").await;
    run(&shop.test.app, &format!("update jobs set status = 'running', attempts = 1 where id = '{first}'")).await;
    shop.added("good-2.example.com").await;
    shop.added("good-3.example.com").await;
    let open = shop.open("proxy_apply").await;
    let waits: Vec<bool> = open.iter().map(|(.., waiting)| *waiting).collect();
    assert_eq!((waits, open[1].1["sites"].as_array().unwrap().len()), (vec![false, true], 3));
    shop.says([shop.failed(first, "Port 80 is in use.")]).await;
    let open = shop.open("proxy_apply").await;
    assert!(open.len() == 1 && !open[0].2, "{open:?}");
    let proxy = async || shop.ada.get(&format!("/api/servers/{}/proxy", shop.server)).await.is(StatusCode::OK).body;
    assert_eq!(proxy().await["status"], "pending");
    shop.says([shop.failed(open[0].0, "Port 80 is in use.")]).await;
    let seen = proxy().await;
    assert_eq!((&seen["status"], &seen["status_message"]), (&json!("failed"), &json!("Port 80 is in use.")));
    // Not by itself again, but when it is asked for.
    domains_reconcile(&shop.test.app).await.unwrap();
    assert!(shop.open("proxy_apply").await.is_empty());
    shop.proxy(json!({})).await.is(StatusCode::ACCEPTED);
    shop.only("proxy_apply").await;
    // One that is gone is served no more.
    let removal = shop.ada.delete(&format!("/api/instances/{}", shop.id)).await.is(StatusCode::ACCEPTED);
    shop.done(removal.text("job_id").parse().unwrap(), Value::Null).await;
    assert_eq!(shop.only("proxy_apply").await.1["sites"], json!([]));
}

#[tokio::test]
async fn a_certificate_is_fetched_when_the_proxy_knows_the_name_and_not_before() {
    let shop = managed().await;
    let path = shop.added("good.example.com").await;
    let (first, _) = shop.only("proxy_apply").await;
    run(&shop.test.app, &format!("update jobs set status = 'running', attempts = 1 where id = '{first}'")).await;
    shop.ada.post(&format!("{path}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
    shop.done(first, Value::Null).await;
    let (second, _) = shop.only("proxy_apply").await;
    assert!(shop.open("certificate_issue").await.is_empty(), "it was told of the name without a certificate");
    shop.done(second, Value::Null).await;
    let (issue, _) = shop.only("certificate_issue").await;

    // A name that was just changed again is asked for again.
    shop.added("good-2.example.com").await;
    let (third, _) = shop.only("proxy_apply").await;
    let mut early = shop.failed(issue, "The proxy does not fetch a certificate for it.");
    if let AgentEvent::Job(JobSnapshot { failure: Some(failure), .. }) = &mut early {
        failure.code = "domain_not_served".into();
    }
    shop.says([early]).await;
    assert_eq!(shop.domain(&path).await["state"], "issuing");
    shop.done(third, Value::Null).await;
    shop.only("certificate_issue").await;
}

#[tokio::test]
async fn settings_that_could_not_be_applied_do_not_keep_a_name_from_its_odoo() {
    let shop = managed().await;
    let path = shop.added("good.example.com").await;
    shop.ada.post(&format!("{path}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
    let (job, _) = shop.only("proxy_apply").await;
    shop.done(job, Value::Null).await;
    let (issue, _) = shop.only("certificate_issue").await;

    let config = format!("/api/instances/{}/config", shop.id);
    let asked = shop.put_to(&config, json!({"limit_time_real": 500})).await.is(StatusCode::ACCEPTED);
    shop.says([shop.failed(asked.text("job_id").parse().unwrap(), "Odoo does not start with it.")]).await;
    assert_eq!(shop.domain(&config).await["limit_time_real"], 500, "wished, and said not to be there");

    shop.done(issue, json!(shop.certificate("good.example.com", 90, "a1"))).await;
    let (_, told) = shop.only("instance_update").await;
    let spec = &told["spec"];
    assert_eq!((&spec["has_proxy"], &spec["settings"]["limit_time_real"]), (&json!(true), &Value::Null));
    assert_eq!(shop.domain(&config).await["limit_time_real"], Value::Null);
    let newest = shop.domain(&format!("{config}/history?limit=1")).await["data"][0].clone();
    assert!(newest["note"].as_str().unwrap().starts_with("Back to revision 1"), "{newest}");
}

#[tokio::test]
async fn somebodys_own_proxy_is_looked_through() {
    let shop = shop().await;
    shop.proxy(json!({"mode": "external", "https_port": 8443})).await.is(StatusCode::OK);
    let path = shop.added("good.example.com").await;
    shop.put_to(&format!("{path}/access"), json!({"allow": ["203.0.113.0/24"]})).await.is(StatusCode::OK);
    let seen = shop.domain(&path).await;
    assert_eq!(seen["reach"], Value::Null);
    assert!(seen["snippets"]["nginx"].as_str().unwrap().contains("allow 203.0.113.0/24;"), "{seen}");

    let answer = Arc::new(Mutex::new(NameCheck { problem: Some("Nobody answers.".into()), certificate: None }));
    let answers = answer.clone();
    let asked = move |Query(query): Query<NameQuery>| async move {
        assert_eq!((query.host.as_str(), query.port), ("good.example.com", 8443));
        Json(answers.lock().unwrap().clone())
    };
    agent(&shop.test.app, shop.organization, shop.server, 2, Router::new().route("/proxy/name", get(asked))).await;
    shop.ada.post(&format!("{path}/verify"), json!({})).await.is(StatusCode::ACCEPTED);
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["reach"]["ok"]), (&json!("active"), &json!(false)), "it is the proxy's turn");
    assert_eq!(seen["reach"]["message"], "Nobody answers.");

    // Looked at again when there is time for it.
    let (update, _) = shop.only("instance_update").await;
    shop.says([shop.succeeded(update, StepStatus::Succeeded)]).await;
    let certificate = shop.certificate("good.example.com", 30, "0a");
    *answer.lock().unwrap() = NameCheck { problem: None, certificate: Some(certificate) };
    domains_reconcile(&shop.test.app).await.unwrap();
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["reach"]["ok"], &seen["certificate"]["serial"]), (&json!(true), &json!("0a")));
    assert_eq!(seen["certificate"]["source"], "external");
    shop.proxy(json!({"mode": "managed"})).await.is(StatusCode::ACCEPTED);
    let seen = shop.domain(&path).await;
    assert_eq!((&seen["state"], &seen["certificate"]["serial"]), (&json!("issuing"), &Value::Null));
}

#[tokio::test]
async fn the_controllers_own_name_goes_to_the_proxy_of_its_machine_alone() {
    let shop = shop().await;
    let system = shop.test.app.db.system();
    let console = ConsoleSite { host: "ocore.example.com".into(), directory: "/var/lib/ocore/console".into() };
    console_set(system, "another one", Some(&console)).await.unwrap();
    shop.proxy(json!({"mode": "managed"})).await.is(StatusCode::ACCEPTED);
    let (job, input) = shop.only("proxy_apply").await;
    assert_eq!(input["console"], Value::Null);
    shop.done(job, Value::Null).await;

    console_set(system, "another one", None).await.unwrap();
    console_set(system, "this one", Some(&console)).await.unwrap();
    let facts = json!(Facts { machine: Some("this one".into()), ..Facts::default() });
    run(&shop.test.app, &format!("update servers set facts = '{facts}'")).await;
    let proxy = format!("/api/servers/{}/proxy", shop.server);
    assert_eq!(shop.domain(&proxy).await["console_host"], "ocore.example.com");
    shop.proxy(json!({"acme_email": "ada@example.com"})).await.is(StatusCode::ACCEPTED);
    assert_eq!(shop.only("proxy_apply").await.1["console"], json!(console));
    shop.add("OCORE.example.com").await.refused(StatusCode::CONFLICT, "domain_taken");
}
