//! Registries that images are fetched from.

use serde::{Deserialize, Serialize};

/// Where no registry is named.
pub const DOCKER_HUB: &str = "docker.io";

/// A registry, and who one is there.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RegistryLogin {
    /// `registry.example.com`, `localhost:5000`, `docker.io`.
    pub address: String,
    /// None: anybody.
    #[serde(default)]
    pub username: Option<String>,
    /// Name of its password among the job's secrets, one that is kept in memory only.
    #[serde(default)]
    pub secret: Option<String>,
    /// It is asked before that registry, for the same images.
    #[serde(default)]
    pub mirror_of: Option<String>,
}

/// The registry of an image and the image's path there: `odoo:17` is `library/odoo:17` of `docker.io`.
pub fn registry_of(reference: &str) -> (String, String) {
    let named = reference.split_once('/').filter(|(host, _)| host.contains(['.', ':']) || *host == "localhost");
    match named {
        Some((host, path)) => (canonical(host).into(), path.into()),
        None if reference.contains('/') => (DOCKER_HUB.into(), reference.into()),
        None => (DOCKER_HUB.into(), format!("library/{reference}")),
    }
}

/// Docker Hub goes by several names.
pub fn canonical(address: &str) -> &str {
    match address {
        "index.docker.io" | "registry-1.docker.io" | "registry.hub.docker.com" | "hub.docker.com" => DOCKER_HUB,
        address => address,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_have_a_registry_and_a_path() {
        let of = |reference: &str| {
            let (registry, path) = registry_of(reference);
            format!("{registry} {path}")
        };
        assert_eq!(of("odoo:17.0"), "docker.io library/odoo:17.0");
        assert_eq!(of("acme/odoo@sha256:ab"), "docker.io acme/odoo@sha256:ab");
        assert_eq!(of("index.docker.io/acme/odoo"), "docker.io acme/odoo");
        assert_eq!(of("localhost:5000/odoo:14.0"), "localhost:5000 odoo:14.0");
        assert_eq!(of("localhost/odoo"), "localhost odoo");
        assert_eq!(of("registry.example.com/a/b/c:1"), "registry.example.com a/b/c:1");
    }
}
