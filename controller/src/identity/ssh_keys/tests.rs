//! Strong keys, each once, with one default.

use super::model::key_read;
use crate::error::Error;
use crate::identity::authentication::tests::{Visitor, sign_in, stranger};
use crate::testing::TestApp;
use axum::http::{Method, StatusCode};
use futures::future::join_all;
use serde_json::json;

const ED25519: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPL+jxnGbUPBYAHnBUvFaL6hu7J92ma6D1h69EPZzsj5 ada@laptop";
const ECDSA: &str = "ecdsa-sha2-nistp384 AAAAE2VjZHNhLXNoYTItbmlzdHAzODQAAAAIbmlzdHAzODQAAABhBP/VYH9Fkkjd2NYwpfVbpVkEDtOQZDs3bHYgF/gqTdoPlZ2fdVx/Nmy8qWaIJ0DYAeiTqnnVsWvrUvnppa1P0UzycujCPZFZP1CxZ9n6cPCO/2/yMHm6cwjacu4kDY1wlQ== ec";
const RSA_2048: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQCQN8KlGsE+zjTWFCxTEsdEkaxipQSE+nwzFXi2ylDYaHEuSC4HPIMXEnw4luuURHqTJrH3kr5WgiLgVWU8RPkPSXJXzNCgA3K1PqaBhohTmL8FMRkTcvJaJ/MqwH8WpP9xsJFKW6n4BEqlq4lkA7FOFAvlxsLjGZKejyfLdtiQd1yDgPRsNqo85J96kSiNDpQNVhDXMzdB6QZhSSfW1kjxK2POyyxhJY9J/5NtqlC2G6KwR5LLKZL7UvVOTGwlpZYL99ZpPLMUavXqRlRSmih9JcYR2BeCuMrMLdG0e21TGx/H7BvfXBYlOmtyOFsdGwtr/8QDMh5/toJjtJcwgWvR weak";
const RSA_3072: &str = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABgQDJSCtgikGQ8RvwLkJ6OerqL/rpwgnsYFi0YoaRswoybdKTeAVG9Ibvg8emIggUG+s32GqsJLq0WVqiJyPjTNkMRRUngsUEuG5Uy8OdDtMrJXHIH9LoIrbAuN6f5yAN2Tv6Hw9w53hPn2acHlQhFHSieTNEbwjgN0RbO+mk2aEKMWkQ9ppzSBJ9RNEiAE0EEO9SlWRn5C2pOORC1o50RD4VKg5sbV9M8/AFZQX5XLB8x0KvSp7HNgU09I+Af8Fnmad7yNjS7Fnpk1DfG/Di0eQ+vgu2O5gPUIbzYGB5HMrGrFg6H1qohH3xaE/CO8Qo74cDlzC9m/o2u7pold7/ySFEc2Ei6Ae8REkhZOXT5f8WJyuIm04/xKc3esH13z/xGdvMRATPdmCnKhEyADwImmCaHn5aFPJm0O51DS9U9DBO1QufHlI4Ufz38reJVEfffIw2YBD3YtvAna1K3VKpjQe9g/yt/GYXp323seH4J/HFCwbaIQDDNmIkrvliJj5vg40= big rsa";

#[test]
fn only_strong_public_keys_are_read() {
    let read = key_read(&format!("  {ED25519}\n")).unwrap();
    assert_eq!(read.fingerprint, "SHA256:eWwUjmZeFSG9vAijXJpRKSKPICC/Vv7rpGgAnrmx2Rc");
    assert_eq!((read.key_type.as_str(), read.comment.as_str()), ("ssh-ed25519", "ada@laptop"));
    assert_eq!(read.line, ED25519.trim_end_matches(" ada@laptop"));
    assert_eq!(key_read(ECDSA).unwrap().key_type, "ecdsa-sha2-nistp384");
    assert_eq!(key_read(RSA_3072).unwrap().comment, "big rsa");
    let constraint = |text: &str| match key_read(text) {
        Err(Error::Invalid(problems)) => problems[0].constraint.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(constraint(RSA_2048), "strength");
    assert_eq!(constraint("-----BEGIN OPENSSH PRIVATE KEY-----\nabc\n-----END OPENSSH PRIVATE KEY-----"), "public");
    assert_eq!(constraint(&format!("{ED25519}\n{ECDSA}")), "format");
    assert_eq!(constraint(&format!("command=\"rm -rf /\" {ED25519}")), "format");
    for nonsense in
        ["", "x", "ssh-ed25519", "ssh-ed25519 AAAA", "ssh-ed25519 !!!! x", &ED25519[..60], "ssh-dss AAAAB3Nz x"]
    {
        assert_eq!(constraint(nonsense), "format", "{nonsense}");
    }
    let certificate = ED25519.replace("ssh-ed25519", "ssh-ed25519-cert-v01@openssh.com");
    assert!(key_read(&certificate).is_err());
}

#[tokio::test]
async fn keys_are_added_once_named_and_one_of_them_is_the_default() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let path = "/api/user/ssh-keys";
    let first = ada.post(path, json!({ "public_key": ED25519 })).await.is(StatusCode::CREATED);
    assert_eq!((first.text("name"), &first.body["is_default"]), ("ada@laptop".into(), &json!(true)));
    assert!(!first.text("public_key").contains("laptop"));
    let again = json!({ "name": "other", "public_key": ED25519.replace("ada@laptop", "else") });
    ada.post(path, again).await.refused(StatusCode::CONFLICT, "key_known");
    let taken = json!({ "name": "ada@laptop", "public_key": ECDSA });
    ada.post(path, taken).await.refused(StatusCode::CONFLICT, "name_taken");
    let second = json!({ "name": "work", "public_key": ECDSA, "is_default": true });
    let second = ada.post(path, second).await.is(StatusCode::CREATED);
    let defaults = async || {
        let list = ada.get(path).await.is(StatusCode::OK).body["data"].as_array().unwrap().clone();
        list.iter()
            .filter(|k| k["is_default"] == true)
            .map(|k| k["name"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(defaults().await, ["work"]);
    let first = format!("{path}/{}", first.text("id"));
    let patch = |body| ada.send(Method::PATCH, &first, Some(body));
    patch(json!({ "is_default": true, "name": "home" })).await.is(StatusCode::OK);
    assert_eq!(defaults().await, ["home"]);
    patch(json!({ "is_default": false })).await.is(StatusCode::BAD_REQUEST);
    patch(json!({ "fingerprint": "x" })).await.is(StatusCode::BAD_REQUEST);
    patch(json!({ "name": "work" })).await.refused(StatusCode::CONFLICT, "name_taken");
    let stale = ada.with("if-match", "\"1\"").send(Method::PATCH, &first, Some(json!({ "name": "x" }))).await;
    stale.is(StatusCode::PRECONDITION_FAILED);

    stranger(&test.app, "eve@example.com").await;
    let eve = sign_in(&test.app, "eve@example.com").await;
    eve.delete(&first).await.is(StatusCode::NOT_FOUND);
    eve.send(Method::PATCH, &first, Some(json!({ "name": "mine" }))).await.is(StatusCode::NOT_FOUND);
    eve.post(path, json!({ "public_key": ED25519 })).await.is(StatusCode::CREATED);
    let robot = Visitor::new(&test.app).bearer(&ada.key("robot", &["view:org"]).await);
    robot.post(path, json!({ "public_key": RSA_3072 })).await.refused(StatusCode::FORBIDDEN, "person_required");

    ada.delete(&first).await.is(StatusCode::NO_CONTENT);
    assert_eq!(defaults().await, ["work"]);
    ada.delete(&format!("{path}/{}", second.text("id"))).await.is(StatusCode::NO_CONTENT);
    let noted: i64 = sqlx::query_scalar("select count(*) from audit_log where action like 'ssh_key.%'")
        .fetch_one(test.app.db.system())
        .await
        .unwrap();
    assert_eq!(noted, 6);
}

#[tokio::test]
async fn of_fifty_times_the_same_key_one_is_kept() {
    let test = TestApp::start().await;
    let (ada, _) = Visitor::new(&test.app).bootstrap().await;
    let answers = join_all((0..50).map(|i| {
        let body = json!({ "name": format!("key {i}"), "public_key": ED25519, "is_default": true });
        let ada = ada.clone();
        async move { ada.post("/api/user/ssh-keys", body).await }
    }))
    .await;
    assert_eq!(answers.iter().filter(|a| a.status == StatusCode::CREATED).count(), 1);
    assert!(answers.iter().all(|a| a.status == StatusCode::CREATED || a.code() == "key_known"), "{answers:?}");
}
