//! The agent that servers download is one static binary: it must see its server on every distribution. Needs the
//! lab's base systems.

use ocore_tests::needed;
use serde_json::Value;
use std::process::Command;

/// Everything that an agent tells of a server, asked for inside a distribution's own root.
fn inspect(suite: &str) -> Value {
    let binary = needed("OCORE_STATIC_AGENT");
    let output = Command::new("docker")
        .args(["run", "--rm", "--hostname", "somewhere", "-v", &format!("{binary}:/ocore-agent:ro")])
        .args(["-v", "/var/run/docker.sock:/var/run/docker.sock", &format!("ocore-lab/base:{suite}")])
        .args(["/ocore-agent", "inspect", "localhost", "nobody.invalid"])
        .output()
        .expect("docker runs");
    // A static binary that reaches for the system's name services dies here by SIGSEGV.
    assert!(output.status.success(), "{suite}: {}: {}", output.status, String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

#[test]
fn it_runs_and_sees_everything_on_three_distributions() {
    for (suite, version) in [("bullseye", "11"), ("bookworm", "12"), ("trixie", "13")] {
        let seen = inspect(suite);
        let (facts, metrics) = (&seen["facts"], &seen["metrics"]);
        assert_eq!(facts["os_version"], version, "{seen:#}");
        assert_eq!(facts["hostname"], "somewhere");
        for field in ["cpu_cores", "memory_total_bytes", "disk_total_bytes"] {
            assert!(facts[field].as_u64() > Some(0), "{suite}: {field}: {facts:#}");
        }
        assert_eq!(facts["addresses"].as_array().map(Vec::len), Some(1), "{facts:#}");
        assert_eq!(facts["docker"]["available"], true, "{facts:#}");
        assert!(metrics["memory_used_bytes"].as_i64() > Some(0) && metrics["processes"].as_i64() > Some(0));
        let containers = seen["containers"].as_array().expect("containers");
        assert!(containers.iter().any(|c| c["image"] == format!("ocore-lab/base:{suite}")), "{containers:#?}");
        let local = seen["names"]["localhost"]["Ok"].as_array().is_some_and(|a| a.contains(&"127.0.0.1".into()));
        assert!(local, "{seen:#}");
        assert!(seen["names"]["nobody.invalid"]["Err"].is_string(), "{seen:#}");
    }
}
