//! Where the controller is reached: asked for at the first start, tried out, told to servers, and changed later.

use ocore_tests::client::{Client, text};
use ocore_tests::processes::{Controller, PASSWORD};
use ocore_tests::wait_for;
use serde_json::{Value, json};
use std::time::Duration;

fn first_admin(public_url: &str) -> Value {
    json!({"email": "ada@example.com", "password": PASSWORD, "name": "Ada", "organization_name": "Example",
        "public_urls": [public_url]})
}

/// The address that a new server is told.
async fn told(ada: &Client, name: &str) -> Value {
    ada.post("/api/servers", json!({"name": name})).await.is(201)["install"]["addresses"].clone()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_public_address_is_asked_for_tried_out_and_told() {
    let controller = Controller::start_unaddressed().await;
    let mut ada = Client { port: controller.port, token: None };
    for (wrong, constraint) in [("ocore.example.com", "url"), ("https://nobody.invalid:8080", "reachable")] {
        let refused = ada.post("/api/auth/bootstrap", first_admin(wrong)).await.refused(400, "validation_error");
        assert_eq!(refused["error"]["details"], json!({"field": "public_urls[0]", "constraint": constraint}));
    }
    assert_eq!(ada.get("/api/auth/bootstrap/status").await.is(200)["needed"], true, "nothing half made");
    let made = ada.post("/api/auth/bootstrap", first_admin(&format!("https://localhost:{}", controller.port))).await;
    ada.token = Some(text(&made.is(201), "access_token"));
    assert_eq!(told(&ada, "first").await, json!([format!("localhost:{}", controller.agents_port)]));

    let refused = controller.admin(&["public-url", "https://nobody.invalid"]).expect_err("it is tried out");
    assert!(refused.contains("cannot be reached"), "{refused}");
    let said = controller.admin(&["public-url", "--unchecked", "https://[2001:db8::1]"]).expect("it is taken");
    assert!(said.contains(&format!("[2001:db8::1]:{}", controller.agents_port)), "{said}");
    let wanted = json!([format!("[2001:db8::1]:{}", controller.agents_port)]);
    let mut number = 0;
    wait_for("the running controller's new address", Duration::from_secs(15), || {
        number += 1;
        let name = format!("later {number}");
        let (ada, wanted) = (&ada, &wanted);
        async move { (told(ada, &name).await == *wanted).then_some(()) }
    })
    .await;
}
