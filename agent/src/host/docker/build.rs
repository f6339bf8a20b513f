//! Images that are made here.

use super::{DockerHost, failed, words};
use crate::engine::OpError;
use bollard::query_parameters::{BuildImageOptionsBuilder, ListImagesOptionsBuilder, RemoveImageOptionsBuilder};
use futures::StreamExt;
use std::collections::HashMap;

/// What an image is made of: files of its context by name, a `Dockerfile` among them.
pub struct Build<'a> {
    /// Name with a tag.
    pub name: &'a str,
    pub files: &'a [(String, String)],
    pub labels: HashMap<String, String>,
}

impl DockerHost {
    /// Build an image; what the engine says of it goes to `told`, line by line. A failure's message is the end of that.
    pub async fn image_build(&self, build: Build<'_>, mut told: impl FnMut(&str)) -> Result<(), OpError> {
        let context = archive(build.files)
            .map_err(|e| OpError::new("internal", format!("The build's files cannot be packed: {e}.")))?;
        let arguments: HashMap<String, String> = ["http_proxy", "https_proxy", "no_proxy"]
            .into_iter()
            .filter_map(|name| Some((name.to_owned(), std::env::var(name).ok()?)))
            .collect();
        let options = BuildImageOptionsBuilder::default()
            .t(build.name)
            .rm(true)
            .forcerm(true)
            .labels(&build.labels)
            .buildargs(&arguments)
            .build();
        let docker = self.client().await?;
        let mut stream = std::pin::pin!(docker.build_image(options, None, Some(bollard::body_full(context.into()))));
        let mut last = Vec::new();
        while let Some(item) = stream.next().await {
            let item = item.map_err(|e| match words(&e) {
                text if text.contains("No such image") => failed("build an image", e),
                text => build_failed(&last, &text),
            })?;
            if let Some(error) = item.error_detail.and_then(|e| e.message) {
                return Err(build_failed(&last, &error));
            }
            for line in item.stream.unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
                told(line);
                last.push(line.to_owned());
                if last.len() > 5 {
                    last.remove(0);
                }
            }
        }
        Ok(())
    }

    /// Forget the images that were built with these labels (`key=value`).
    pub async fn built_forget(&self, labels: &[String]) -> Result<(), OpError> {
        let filters = HashMap::from([("label", labels.iter().map(String::as_str).collect::<Vec<_>>())]);
        let options = ListImagesOptionsBuilder::default().filters(&filters).build();
        let images = self.client().await?.list_images(Some(options)).await;
        for name in images.map_err(|e| failed("list the images", e))?.into_iter().flat_map(|image| image.repo_tags) {
            self.image_forget(&name).await?;
        }
        Ok(())
    }

    /// Forget an image's name, and the image if nothing else needs it. Well when it is gone or in use.
    pub async fn image_forget(&self, name: &str) -> Result<(), OpError> {
        let options = RemoveImageOptionsBuilder::default().force(false).noprune(false).build();
        match self.client().await?.remove_image(name, Some(options), None).await {
            Err(e) if matches!(super::status_of(&e), Some(404 | 409)) => Ok(()),
            other => other.map(drop).map_err(|e| failed("remove an image", e)),
        }
    }
}

fn build_failed(last: &[String], error: &str) -> OpError {
    let reason = last.iter().rev().find(|line| line.to_lowercase().contains("error")).map_or(error, String::as_str);
    let reason: String = reason.trim().trim_end_matches('.').chars().take(400).collect();
    OpError::new("build_failed", format!("The image could not be built: {reason}. The job's log has the rest."))
}

fn archive(files: &[(String, String)]) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for (name, text) in files {
        let mut header = tar::Header::new_gnu();
        header.set_size(text.len() as u64);
        header.set_mode(0o644);
        archive.append_data(&mut header, name, text.as_bytes())?;
    }
    archive.into_inner()
}
