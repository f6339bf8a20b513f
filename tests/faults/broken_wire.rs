//! A wire that is cut, or that carries only one way: no work is lost in it, and none is done twice.

use ocore_tests::client::text;
use ocore_tests::processes::Controller;
use ocore_tests::provisioning::{Provisioning, STEPS};
use ocore_tests::wire::Way;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wire_that_is_cut_loses_nothing() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (wire, _agent, server) = controller.add_server_by_wire(&ada, "first").await;
    let server = text(&server, "id");
    let steps: &[&str] = if cfg!(feature = "full") { &STEPS } else { &["initialise"] };
    for step in steps {
        let provisioning = Provisioning::begin(&ada, &server, &format!("cut at {step}")).await;
        provisioning.reaches(&ada, step).await;
        wire.cut();
        provisioning.proven(&ada).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_delivered_twice_is_done_once() {
    let controller = Controller::start().await;
    let ada = controller.bootstrap().await;
    let (wire, agent, server) = controller.add_server_by_wire(&ada, "first").await;
    let server = text(&server, "id");

    // The job arrives, its acceptance does not: the controller must offer it again.
    wire.hold(Way::ToController);
    let provisioning = Provisioning::begin(&ada, &server, "twice").await;
    agent.says("job accepted").await;
    ada.server_is(&server, "offline").await;
    wire.cut();
    wire.flow();
    provisioning.reaches(&ada, "initialise").await;

    // Reports arrive, their acknowledgement does not: the agent must offer them again.
    wire.hold(Way::ToAgent);
    ada.server_is(&server, "offline").await;
    wire.cut();
    wire.flow();
    provisioning.proven(&ada).await;
    let accepted = agent.log().lines().filter(|l| l.contains("job accepted")).count();
    assert_eq!(accepted, 2, "one provisioning and one removal");
}
