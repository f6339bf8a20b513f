//! An image with the Python packages that addons ask for, made of the instance's own.

use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::host::docker::build::Build;
use ocore_shared::protocol::odoo::InstanceSpec;
use sha2::{Digest, Sha256};

/// A list of packages: the source that it is of, its place there, its text.
pub type Requirements = (String, String, String);

/// Have the image, and say its name. None when nothing is asked for.
pub async fn image_with_packages(
    host: &Host, ctx: &JobContext, spec: &InstanceSpec, lists: &[Requirements],
) -> Result<Option<String>, OpError> {
    let lists: Vec<&Requirements> = lists.iter().filter(|(_, _, text)| asks(text)).collect();
    if lists.is_empty() {
        return Ok(None);
    }
    let base = host.docker.image(&spec.image).await?.ok_or_else(|| {
        OpError::retryable("image_vanished", format!("The image {} was removed from the server meanwhile.", spec.image))
    })?;
    let id = base.id.unwrap_or_default();
    let user = base.config.and_then(|c| c.user).filter(|user| !user.is_empty()).unwrap_or_else(|| "root".into());
    let name = format!("ocore-addons-{}:{}", spec.instance_id, recipe(&id, &lists));
    if host.docker.image(&name).await?.is_some() {
        ctx.message("The image with these packages is here already.");
        return Ok(Some(name));
    }
    let mut files = vec![("Dockerfile".to_owned(), dockerfile(&spec.image, &user, lists.len()))];
    for (number, (source, path, text)) in lists.iter().enumerate() {
        ctx.log(format!("Packages of {source}, {path}"));
        files.push((list_name(number), text.clone()));
    }
    let labels = super::containers::owner(spec, ctx.id()).labels("odoo", "build");
    host.docker.image_build(Build { name: &name, files: &files, labels }, |line| ctx.log(line)).await?;
    Ok(Some(name))
}

/// Whether a list has more in it than remarks.
fn asks(text: &str) -> bool {
    text.lines().map(str::trim).any(|line| !line.is_empty() && !line.starts_with('#'))
}

/// The same for what leads to the same image.
fn recipe(base: &str, lists: &[&Requirements]) -> String {
    let mut hash = Sha256::new();
    hash.update(base);
    for (_, _, text) in lists {
        hash.update([0]);
        hash.update(text);
    }
    hash.finalize()[..8].iter().map(|b| format!("{b:02x}")).collect()
}

fn list_name(number: usize) -> String {
    format!("requirements-{number}.txt")
}

/// Debian and Ubuntu guard their own Python against pip; in an image that is nobody else's there is nothing to guard.
fn dockerfile(image: &str, user: &str, lists: usize) -> String {
    let mut argv = ["python3", "-m", "pip", "install", "--no-cache-dir", "--disable-pip-version-check"]
        .map(str::to_owned)
        .to_vec();
    for number in 0..lists {
        argv.extend(["-r".into(), format!("/tmp/ocore/{}", list_name(number))]);
    }
    let argv = serde_json::to_string(&argv).unwrap_or_default();
    format!(
        "FROM {image}\nUSER root\nARG PIP_BREAK_SYSTEM_PACKAGES=1\nARG PIP_ROOT_USER_ACTION=ignore\n\
         COPY requirements-*.txt /tmp/ocore/\nRUN {argv}\nUSER {user}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remarks_ask_for_nothing() {
        assert!(!asks("# generated\n\n  # nothing\n"));
        assert!(asks("# generated\nphonenumbers\n"));
    }

    #[test]
    fn the_image_keeps_its_user_and_no_shell_is_asked() {
        let text = dockerfile("odoo:17.0", "odoo", 2);
        assert!(text.starts_with("FROM odoo:17.0\nUSER root\n") && text.ends_with("USER odoo\n"), "{text}");
        assert!(text.contains("RUN [\"python3\",\"-m\",\"pip\""), "{text}");
        assert!(text.contains("\"-r\",\"/tmp/ocore/requirements-1.txt\"]"), "{text}");
    }
}
