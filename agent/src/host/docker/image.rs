//! Images: what a name stands for, fetching it with progress in bytes, and who its user is.

use super::{DockerHost, absent_is_none, failed, labels, status_of, words};
use crate::engine::OpError;
use bollard::auth::DockerCredentials;
use bollard::errors::Error;
use bollard::models::{ContainerCreateBody, ImageInspect};
use bollard::query_parameters::{
    CreateContainerOptionsBuilder, CreateImageOptionsBuilder, DownloadFromContainerOptionsBuilder,
    TagImageOptionsBuilder,
};
use futures::StreamExt;
use ocore_shared::protocol::registries::{canonical, registry_of};
use ocore_shared::secret::Secret;
use std::collections::HashMap;
use std::io::Read;
use std::time::Duration;

/// How long the registry may take to say what a tag stands for, when an image of that name is here already.
const REGISTRY_PATIENCE: Duration = Duration::from_secs(10);

/// An image that is on this server.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Image {
    pub reference: String,
    /// `sha256:…` in its registry, or of its configuration when it came from no registry.
    pub digest: String,
    /// Whether nothing had to be fetched.
    pub was_present: bool,
}

/// A registry, and who one is there.
#[derive(Clone)]
pub struct Login {
    pub address: String,
    pub user: Option<(String, Secret)>,
    pub mirror_of: Option<String>,
}

/// Where an image may come from.
struct Source<'a> {
    reference: String,
    login: Option<&'a Login>,
}

impl Source<'_> {
    fn credentials(&self) -> Option<DockerCredentials> {
        let login = self.login?;
        let (username, password) = login.user.as_ref()?;
        Some(DockerCredentials {
            username: Some(username.clone()),
            password: Some(password.expose().to_owned()),
            serveraddress: Some(login.address.clone()),
            ..Default::default()
        })
    }
}

/// The mirrors of the image's registry, then the registry itself.
fn sources<'a>(reference: &str, logins: &'a [Login]) -> Vec<Source<'a>> {
    let (registry, path) = registry_of(reference);
    let mirrors = logins.iter().filter(|l| l.mirror_of.as_deref().map(canonical) == Some(registry.as_str()));
    let mirrors = mirrors.map(|login| Source { reference: format!("{}/{path}", login.address), login: Some(login) });
    let own = logins.iter().find(|l| l.mirror_of.is_none() && canonical(&l.address) == registry);
    let own = Source { reference: reference.into(), login: own };
    // What is named by its digest cannot be named anew: another registry's is not found again under that name.
    mirrors.filter(|_| !reference.contains('@')).chain([own]).collect()
}

impl DockerHost {
    /// Have the image that `reference` stands for now, from a mirror of its registry where there is one. `progress` is
    /// told bytes done and, once known, of how many.
    pub async fn image_ensure(
        &self, reference: &str, logins: &[Login], mut progress: impl FnMut(u64, Option<u64>),
    ) -> Result<Image, OpError> {
        let reference = with_tag(reference);
        let sources = sources(&reference, logins);
        let local = self.image(&reference).await?;
        let image = |found: &ImageInspect, was_present| Image {
            digest: digest(found, &reference),
            reference: reference.clone(),
            was_present,
        };
        if let Some(found) = &local
            && self.is_current(&sources, found).await
        {
            return Ok(image(found, true));
        }
        self.fetch(&reference, &sources, &mut progress).await?;
        match self.image(&reference).await? {
            Some(found) => Ok(image(&found, false)),
            None => Err(OpError::retryable(
                "image_vanished",
                format!("The image {reference} was removed while it was fetched."),
            )),
        }
    }

    pub async fn image(&self, reference: &str) -> Result<Option<ImageInspect>, OpError> {
        let docker = self.client().await?;
        absent_is_none(docker.inspect_image(reference).await).map_err(|e| failed("look at an image", e))
    }

    /// From the first of the sources that gives it. What its own registry says is what went wrong.
    async fn fetch(
        &self, reference: &str, sources: &[Source<'_>], progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<(), OpError> {
        let mut failure = None;
        for source in sources {
            match self.pull(source, progress).await {
                Ok(()) if source.reference == reference => return Ok(()),
                Ok(()) => return self.tag(&source.reference, reference).await,
                Err(error) => failure = Some(pull_failed(&source.reference, source.login.is_some(), &error)),
            }
        }
        Err(failure.unwrap_or_else(|| OpError::new("image_not_found", format!("No registry has {reference}."))))
    }

    async fn tag(&self, from: &str, to: &str) -> Result<(), OpError> {
        let (repository, tag) = to.rsplit_once(':').unwrap_or((to, "latest"));
        let options = TagImageOptionsBuilder::default().repo(repository).tag(tag).build();
        self.client().await?.tag_image(from, Some(options)).await.map_err(|e| failed("name an image", e))
    }

    /// Tags move, so a registry is asked. When none can answer, that does not stop anybody from using what is here.
    async fn is_current(&self, sources: &[Source<'_>], local: &ImageInspect) -> bool {
        let Ok(docker) = self.client().await else { return true };
        for source in sources {
            if source.reference.contains('@') {
                return true;
            }
            let asked = docker.inspect_registry_image(&source.reference, source.credentials());
            if let Ok(Ok(remote)) = tokio::time::timeout(REGISTRY_PATIENCE, asked).await {
                let Some(remote) = remote.descriptor.digest else { return true };
                return local.repo_digests.iter().flatten().any(|d| d.ends_with(&remote));
            }
        }
        true
    }

    async fn pull(&self, source: &Source<'_>, progress: &mut impl FnMut(u64, Option<u64>)) -> Result<(), Error> {
        let docker = self.client().await.map_err(super::unavailable)?;
        let options = CreateImageOptionsBuilder::default().from_image(&source.reference).build();
        let mut stream = std::pin::pin!(docker.create_image(Some(options), None, source.credentials()));
        let mut layers = Layers::default();
        while let Some(item) = stream.next().await {
            let item = item?;
            let detail = item.progress_detail.as_ref();
            let (current, total) = (detail.and_then(|d| d.current), detail.and_then(|d| d.total));
            if let (Some(id), Some(status)) = (item.id, item.status) {
                layers.update(id, &status, current, total);
                let (done, total) = layers.sum();
                progress(done, total);
            }
        }
        Ok(())
    }

    /// uid and gid of `user` (a name, a number, or `uid:gid`; None: the image's own) in an image. Read from the image's
    /// `/etc/passwd` through a container that is never started, and that is found again after a kill by its name.
    pub async fn image_user(
        &self, reference: &str, user: Option<&str>, labels: HashMap<String, String>,
    ) -> Result<(u32, u32), OpError> {
        let own = self.image(reference).await?.and_then(|i| i.config?.user).filter(|u| !u.is_empty());
        let user = user.map(str::to_owned).or(own).unwrap_or_else(|| "0".into());
        if let Some((uid, gid)) = user.split_once(':')
            && let (Ok(uid), Ok(gid)) = (uid.parse(), gid.parse())
        {
            return Ok((uid, gid));
        }
        let part = |label: &str| labels.get(label).map_or("", String::as_str);
        let name = format!("ocore-probe-{}-{}", part(labels::INSTANCE), part(labels::STEP));
        self.remove(&name).await?;
        let docker = self.client().await?;
        let body = ContainerCreateBody {
            image: Some(reference.into()),
            entrypoint: Some(vec!["/never-started".into()]),
            labels: Some(labels),
            ..Default::default()
        };
        let options = CreateContainerOptionsBuilder::default().name(&name).build();
        let made = docker.create_container(Some(options), body).await.map_err(|e| failed("look into an image", e))?;
        let passwd = read_file(&docker, &made.id, "/etc/passwd").await;
        self.remove(&made.id).await?;
        let passwd = passwd.map_err(|e| failed("read /etc/passwd of an image", e))?;
        find_user(&passwd, user.split(':').next().unwrap_or_default()).ok_or_else(|| {
            OpError::new(
                "image_unsuitable",
                format!(
                    "The image {reference} has no user `{user}`. Use an image that follows the official one's contract."
                ),
            )
        })
    }
}

async fn read_file(docker: &bollard::Docker, container: &str, path: &str) -> Result<String, Error> {
    let options = DownloadFromContainerOptionsBuilder::default().path(path).build();
    let mut stream = std::pin::pin!(docker.download_from_container(container, Some(options)));
    let mut archive = Vec::new();
    while let Some(part) = stream.next().await {
        archive.extend_from_slice(&part?);
    }
    let mut text = String::new();
    if let Some(entry) = tar::Archive::new(archive.as_slice()).entries()?.next() {
        entry?.take(1024 * 1024).read_to_string(&mut text)?;
    }
    Ok(text)
}

/// uid and gid of a user, by name or number.
pub fn find_user(passwd: &str, user: &str) -> Option<(u32, u32)> {
    passwd.lines().find_map(|line| {
        let fields: Vec<&str> = line.split(':').collect();
        let [name, _, uid, gid, ..] = fields[..] else { return None };
        if name != user && uid != user {
            return None;
        }
        Some((uid.parse().ok()?, gid.parse().ok()?))
    })
}

/// A name without tag would fetch every tag that there is.
pub fn with_tag(reference: &str) -> String {
    let last = reference.rsplit('/').next().unwrap_or(reference);
    if last.contains([':', '@']) { reference.into() } else { format!("{reference}:latest") }
}

fn digest(image: &ImageInspect, reference: &str) -> String {
    let repository = reference.split('@').next().unwrap_or(reference);
    let repository = match repository.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => name,
        _ => repository,
    };
    let digests = || image.repo_digests.iter().flatten().filter_map(|d| d.split_once('@'));
    let same = digests().find(|(name, _)| repository.ends_with(name) || name.ends_with(repository));
    let found = same.or_else(|| digests().next()).map(|(_, digest)| digest.to_owned());
    found.or_else(|| image.id.clone()).unwrap_or_default()
}

fn pull_failed(reference: &str, signed_in: bool, error: &Error) -> OpError {
    let text = words(error);
    let low = text.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|p| low.contains(p));
    if says(&["unauthorized", "authentication required", "no basic auth credentials", "incorrect username"]) {
        let (registry, _) = registry_of(reference);
        let message = match signed_in {
            true => format!(
                "The registry {registry} refuses the credentials that oCore has for it, or does not let them read {reference}. Correct them under Registries."
            ),
            false => {
                format!("The registry {registry} asks for credentials. Add them under Registries, then try again.")
            }
        };
        return OpError::new("registry_unauthorized", message);
    }
    if says(&["no space left"]) {
        return OpError::retryable(
            "disk_full",
            format!("The disk is full: the image {reference} does not fit. Free some space and try again."),
        );
    }
    if says(&["toomanyrequests", "rate limit"]) {
        return OpError::retryable(
            "registry_rate_limited",
            format!("The registry refuses more downloads for now ({text}). Try again later or sign in to it."),
        );
    }
    if says(&["no such host", "connection refused", "timeout", "deadline", "i/o", "tls", "x509", "unreachable", "eof"])
    {
        return OpError::retryable(
            "registry_unreachable",
            format!("The registry of {reference} cannot be reached from this server: {text}."),
        );
    }
    if status_of(error) == Some(404)
        || says(&[
            "not found",
            "manifest unknown",
            "does not exist",
            "access denied",
            "name unknown",
            "invalid reference",
        ])
    {
        return OpError::new(
            "image_not_found",
            format!(
                "The image {reference} does not exist, or its registry does not let this server read it. Check its name and tag."
            ),
        );
    }
    OpError::retryable("image_pull_failed", format!("The image {reference} could not be fetched: {text}."))
}

/// Bytes of every layer that is being fetched.
#[derive(Default)]
struct Layers(HashMap<String, (u64, Option<u64>)>);

impl Layers {
    fn update(&mut self, layer: String, status: &str, current: Option<i64>, total: Option<i64>) {
        let bytes = |n: Option<i64>| n.and_then(|n| u64::try_from(n).ok());
        match status {
            "Pulling fs layer" | "Waiting" => {
                self.0.entry(layer).or_default();
            }
            "Downloading" => {
                self.0.insert(layer, (bytes(current).unwrap_or(0), bytes(total).filter(|t| *t > 0)));
            }
            "Verifying Checksum" | "Download complete" | "Extracting" | "Pull complete" => {
                let entry = self.0.entry(layer).or_default();
                let whole = entry.1.unwrap_or(entry.0);
                *entry = (whole, Some(whole));
            }
            _ => {}
        }
    }

    /// The whole is unknown until every layer has said its size.
    fn sum(&self) -> (u64, Option<u64>) {
        (self.0.values().map(|l| l.0).sum(), self.0.values().map(|l| l.1).sum())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn layers_are_summed_and_the_whole_is_unknown_at_first() {
        let mut layers = Layers::default();
        layers.update("a".into(), "Pulling fs layer", None, None);
        layers.update("b".into(), "Downloading", Some(10), Some(100));
        assert_eq!(layers.sum(), (10, None));
        layers.update("a".into(), "Downloading", Some(5), Some(50));
        assert_eq!(layers.sum(), (15, Some(150)));
        layers.update("b".into(), "Pull complete", None, None);
        assert_eq!(layers.sum(), (105, Some(150)));
        layers.update("14.0".into(), "Pulling from odoo", None, None);
        assert_eq!(layers.sum(), (105, Some(150)));
    }

    #[test]
    fn names_get_a_tag_and_keep_theirs() {
        assert_eq!(with_tag("odoo"), "odoo:latest");
        assert_eq!(with_tag("localhost:5000/odoo"), "localhost:5000/odoo:latest");
        assert_eq!(with_tag("localhost:5000/odoo:14.0"), "localhost:5000/odoo:14.0");
        assert_eq!(with_tag("odoo@sha256:ab"), "odoo@sha256:ab");
    }

    #[test]
    fn mirrors_are_asked_before_the_registry_itself() {
        let login = |address: &str, mirror_of: Option<&str>| Login {
            address: address.into(),
            user: Some(("u".into(), Secret::new("p"))),
            mirror_of: mirror_of.map(str::to_owned),
        };
        let logins = [login("m.example.com", Some("index.docker.io")), login("docker.io", None), login("r.io", None)];
        let of = |reference: &str| {
            let found = sources(reference, &logins).into_iter();
            found.map(|s| format!("{} {}", s.reference, s.login.map_or("-", |l| &l.address))).collect::<Vec<_>>()
        };
        assert_eq!(of("odoo:17.0"), ["m.example.com/library/odoo:17.0 m.example.com", "odoo:17.0 docker.io"]);
        assert_eq!(of("odoo@sha256:ab"), ["odoo@sha256:ab docker.io"]);
        assert_eq!(of("r.io/x:1"), ["r.io/x:1 r.io"]);
        assert_eq!(of("q.io/x:1"), ["q.io/x:1 -"]);
    }

    #[test]
    fn the_digest_is_that_of_the_repository() {
        let image = ImageInspect {
            id: Some("sha256:config".into()),
            repo_digests: Some(vec!["mirror/odoo@sha256:1".into(), "localhost:5000/odoo@sha256:2".into()]),
            ..Default::default()
        };
        assert_eq!(digest(&image, "localhost:5000/odoo:14.0"), "sha256:2");
        assert_eq!(digest(&ImageInspect { repo_digests: None, ..image }, "x:1"), "sha256:config");
    }

    #[test]
    fn users_are_found_by_name_and_number() {
        let passwd = "root:x:0:0:root:/root:/bin/bash\nodoo:x:101:102::/var/lib/odoo:/usr/sbin/nologin\n";
        assert_eq!(find_user(passwd, "odoo"), Some((101, 102)));
        assert_eq!(find_user(passwd, "101"), Some((101, 102)));
        assert_eq!(find_user(passwd, "nobody"), None);
    }

    #[test]
    fn refusals_of_a_registry_get_a_name() {
        let code = |text: &str| pull_failed("x:1", false, &Error::DockerStreamError { error: text.into() }).code;
        assert_eq!(code("manifest for x:1 not found: manifest unknown"), "image_not_found");
        assert_eq!(code("Get https://r/v2/: dial tcp: lookup r: no such host"), "registry_unreachable");
        assert_eq!(code("Head \"https://r/v2/x/manifests/1\": no basic auth credentials"), "registry_unauthorized");
        assert_eq!(code("toomanyrequests: You have reached your pull rate limit"), "registry_rate_limited");
        assert_eq!(code("write /var/lib/docker/x: no space left on device"), "disk_full");
    }
}
