use super::*;
use bollard::models::ContainerCreateBody;
use bollard::query_parameters::CreateContainerOptionsBuilder;

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_module_is_named_and_nothing_is_left() {
    let mut lab = Lab::new().await;
    lab.spec.modules = vec!["no_such_module".into()];
    let message = failed_with(&lab.provision().await, "unknown_module");
    assert!(message.contains("no_such_module"));
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_exist_is_named_and_nothing_is_left() {
    let mut lab = Lab::new().await;
    lab.spec.image = "localhost:5000/odoo:no-such-tag".into();
    let message = failed_with(&lab.provision().await, "image_not_found");
    assert!(message.contains("no-such-tag"));
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_refused_with_its_holder() {
    let mut lab = Lab::new().await;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    lab.spec.http_port = Some(listener.local_addr().unwrap().port());
    let message = failed_with(&lab.provision().await, "port_taken");
    assert!(message.contains(&format!("(process {})", std::process::id())), "{message}");
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_provision_leaves_nothing() {
    let lab = Lab::new().await;
    let id = lab.begin("instance_provision", &lab.spec).await;
    until("the database is being set up", async || {
        let job = lab.agent.engine.job(id).unwrap().unwrap();
        assert!(!job.status.is_terminal(), "{:?}", job.failure);
        let step = job.steps.iter().find(|s| s.name == "initialise")?;
        (step.status == StepStatus::Running && step.progress.is_some()).then_some(())
    })
    .await;
    lab.agent.engine.cancel(id).await.unwrap();
    let job = lab.end(id).await;
    assert_eq!(job.status, JobStatus::Cancelled);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_probe_that_a_kill_left_behind_is_used_up_by_the_next() {
    let lab = Lab::new().await;
    let labels = HashMap::from([
        (labels::MANAGED.to_owned(), "true".to_owned()),
        (labels::INSTANCE.to_owned(), lab.spec.instance_id.to_string()),
        (labels::STEP.to_owned(), "postgres".to_owned()),
    ]);
    let docker = lab.agent.host.docker.client().await.unwrap();
    let name = format!("ocore-probe-{}-postgres", lab.spec.instance_id);
    let options = CreateContainerOptionsBuilder::default().name(&name).build();
    let image = Some(POSTGRES.to_owned());
    let body = ContainerCreateBody { image, labels: Some(labels.clone()), ..Default::default() };
    docker.create_container(Some(options), body).await.unwrap();
    assert_eq!(lab.leftovers().await, [format!("/{name}")]);
    let user = lab.agent.host.docker.image_user(POSTGRES, Some("postgres"), labels).await.unwrap();
    assert_ne!(user.0, 0);
    assert_eq!(lab.leftovers().await, Vec::<String>::new());
    lab.finish().await;
}
