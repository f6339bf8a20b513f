//! git's command line: what is asked, and what its answers mean.

use super::access::Access;
use crate::config::create_private_dir;
use crate::engine::{JobContext, OpError};
use crate::ops::odoo::record::disk;
use ocore_shared::protocol::addons::AddonSource;
use std::path::Path;
use std::process::{Output, Stdio};
use tokio::process::Command;

/// git reads its user's settings from there only.
const NOWHERE: &str = "/dev/null";
/// A constant: the path of the file is in a variable, so nothing that anybody gave is read by a shell.
const SSH: &str = "ssh -F \"$OCORE_SSH_CONFIG\"";

/// git, in one repository, with one source's access.
pub struct Git<'a> {
    pub ctx: &'a JobContext,
    pub source: &'a AddonSource,
    pub repository: &'a Path,
    pub access: &'a Access,
}

impl Git<'_> {
    /// Have a repository without files of its own.
    pub async fn init(&self) -> Result<(), OpError> {
        create_private_dir(self.repository).map_err(|e| disk(self.repository, &e))?;
        self.run(&["init", "--quiet", "--bare", "."]).await.map(drop)
    }

    /// The commit that the reference stands for now.
    pub async fn resolve(&self) -> Result<String, OpError> {
        let Some(reference) = &self.source.reference else {
            return self.remote(&["HEAD"]).await?.remove("HEAD").ok_or_else(|| self.unknown("HEAD"));
        };
        if is_commit(reference) {
            return Ok(reference.to_ascii_lowercase());
        }
        let (branch, tag) = (format!("refs/heads/{reference}"), format!("refs/tags/{reference}"));
        // What an annotated tag points to.
        let peeled = format!("{tag}^{{}}");
        let mut found = self.remote(&[&branch, &tag, &peeled]).await?;
        let commit = found.remove(&branch).or_else(|| found.remove(&peeled)).or_else(|| found.remove(&tag));
        commit.ok_or_else(|| self.unknown(reference))
    }

    async fn remote(&self, references: &[&str]) -> Result<std::collections::BTreeMap<String, String>, OpError> {
        let mut args = vec!["ls-remote", "--quiet", "--", self.source.url.as_str()];
        args.extend(references);
        let text = self.run(&args).await?;
        let pairs = text.lines().filter_map(|line| line.split_once('\t'));
        Ok(pairs.map(|(commit, name)| (name.to_owned(), commit.to_owned())).collect())
    }

    fn unknown(&self, reference: &str) -> OpError {
        OpError::new(
            "git_ref_not_found",
            format!(
                "The source {} has no branch, tag or commit `{reference}` at {}. Check its reference.",
                self.source.name, self.source.url
            ),
        )
    }

    /// Have a commit's files in the repository: just that commit, or what the server gives instead.
    pub async fn have(&self, commit: &str) -> Result<(), OpError> {
        let wanted = format!("{commit}^{{commit}}");
        let is_here =
            async || -> Result<bool, OpError> { Ok(self.output(&["cat-file", "-e", &wanted]).await?.status.success()) };
        if is_here().await? {
            return Ok(());
        }
        self.ctx.message(format!("Fetching {} from {}.", self.source.name, self.source.url));
        let url = self.source.url.as_str();
        // Some give a commit only by a name that leads to it, and some, plain files behind a web server, only everything.
        let mut ways: Vec<Vec<&str>> = vec![vec!["--depth=1", "--", url, commit]];
        let named = self.source.reference.as_deref().filter(|reference| !is_commit(reference));
        ways.extend(named.map(|reference| vec!["--depth=1", "--", url, reference]));
        ways.push(vec!["--", url, "+refs/heads/*:refs/remotes/origin/*", "+refs/tags/*:refs/tags/*"]);
        let mut failure = None;
        for way in ways {
            let output = self.output(&[&["fetch", "--quiet", "--no-tags"], way.as_slice()].concat()).await?;
            if !output.status.success() {
                let error = self.failed(&output);
                if error.code != "git_failed" && error.code != "git_ref_not_found" {
                    return Err(error);
                }
                failure = Some(error);
            } else if is_here().await? {
                return Ok(());
            }
        }
        Err(failure.unwrap_or_else(|| self.unknown(commit)))
    }

    /// Put a commit's files into a new directory, with those of its submodules.
    pub async fn work_tree(&self, path: &Path, commit: &str) -> Result<(), OpError> {
        let place = path.to_string_lossy().into_owned();
        self.run(&["worktree", "prune"]).await?;
        self.run(&["worktree", "add", "--quiet", "--force", "--detach", &place, commit]).await?;
        if path.join(".gitmodules").symlink_metadata().is_ok_and(|m| m.is_file()) {
            self.ctx.message(format!("Fetching the submodules of {}.", self.source.name));
            let args = ["-C", &place, "submodule", "update", "--quiet", "--init", "--recursive", "--depth=1"];
            self.run(&args).await?;
        }
        Ok(())
    }

    /// Names of all files at a commit; those of submodules are not among them.
    pub async fn files(&self, commit: &str) -> Result<Vec<String>, OpError> {
        let text = self.run(&["ls-tree", "-r", "-z", "--name-only", commit]).await?;
        Ok(text.split('\0').filter(|name| !name.is_empty()).map(str::to_owned).collect())
    }

    /// A file's text at a commit. Links are not followed.
    pub async fn show(&self, commit: &str, path: &str) -> Result<String, OpError> {
        self.run(&["cat-file", "blob", &format!("{commit}:{path}")]).await
    }

    async fn run(&self, args: &[&str]) -> Result<String, OpError> {
        let output = self.output(args).await?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
        }
        Err(self.failed(&output))
    }

    async fn output(&self, args: &[&str]) -> Result<Output, OpError> {
        let mut command = Command::new("git");
        command
            .args(args)
            .current_dir(self.repository)
            .env_clear()
            .env("PATH", std::env::var_os("PATH").unwrap_or_default())
            .env("HOME", &self.access.home)
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("GIT_ATTR_NOSYSTEM", "1")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env("GIT_ASKPASS", NOWHERE)
            .env("GIT_LFS_SKIP_SMUDGE", "1")
            .env("GIT_SSH_COMMAND", SSH)
            .env("GIT_SSH_VARIANT", "ssh")
            .env("OCORE_SSH_CONFIG", self.access.home.join("ssh_config"))
            .env("LC_ALL", "C")
            .stdin(Stdio::null())
            .kill_on_drop(true);
        for name in ["http_proxy", "https_proxy", "HTTPS_PROXY", "no_proxy", "NO_PROXY"] {
            if let Some(value) = std::env::var_os(name) {
                command.env(name, value);
            }
        }
        let output = command.output();
        let output = self.ctx.cancelled().run_until_cancelled(output).await.ok_or_else(|| self.ctx.interruption())?;
        output.map_err(|e| match e.kind() {
            std::io::ErrorKind::NotFound => OpError::new(
                "git_missing",
                "git is not installed on this server, and addons come with it. Install it (apt-get install git openssh-client), then try again.",
            ),
            _ => OpError::retryable("git_failed", format!("git could not be run: {e}.")),
        })
    }

    fn failed(&self, output: &Output) -> OpError {
        recognise(&self.source.name, &self.source.url, &String::from_utf8_lossy(&output.stderr))
    }
}

/// A whole commit id; anything shorter is a name.
fn is_commit(reference: &str) -> bool {
    matches!(reference.len(), 40 | 64) && reference.bytes().all(|b| b.is_ascii_hexdigit())
}

/// What went wrong, by what git or ssh say about it.
fn recognise(name: &str, url: &str, said: &str) -> OpError {
    let low = said.to_lowercase();
    let says = |parts: &[&str]| parts.iter().any(|part| low.contains(part));
    if says(&["host key verification failed", "host identification has changed"]) {
        return OpError::new(
            "git_host_key_refused",
            format!(
                "The server of {name} ({url}) shows another host key than it is known by. If that is right, give the new one as known_hosts."
            ),
        );
    }
    if says(&[
        "permission denied (",
        "authentication failed",
        "could not read username",
        "could not read password",
        "terminal prompts disabled",
        "http basic: access denied",
        "error: 401",
        "error: 403",
        "invalid format",
        "error in libcrypto",
    ]) {
        return OpError::new(
            "git_auth_failed",
            format!(
                "The server of {name} ({url}) refuses the credential. Check the key or token, and what it may read."
            ),
        );
    }
    if says(&["couldn't find remote ref", "not our ref", "no such ref"]) {
        return OpError::new(
            "git_ref_not_found",
            format!("The source {name} has no such reference at {url}: {}", last(said)),
        );
    }
    if says(&[
        "repository not found",
        "does not appear to be a git repository",
        "error: 404",
        "not found",
        "no such project",
    ]) {
        return OpError::new(
            "git_not_found",
            format!(
                "There is no repository at {url}, or it is not shown to who asks. Check the address and the credential of {name}."
            ),
        );
    }
    if says(&["certificate", "ssl", "tls"]) {
        return OpError::new(
            "git_tls_failed",
            format!("The certificate of {url} is not trusted: {}. Give its authority as ca_certificate.", last(said)),
        );
    }
    if says(&[
        "could not resolve",
        "failed to connect",
        "couldn't connect",
        "connection refused",
        "timed out",
        "unreachable",
        "connection reset",
        "network is down",
        "early eof",
        "too slow",
        "error: 50",
    ]) {
        return OpError::retryable(
            "git_unreachable",
            format!("The server of {name} ({url}) cannot be reached: {}.", last(said)),
        );
    }
    if says(&["no space left"]) {
        return OpError::retryable(
            "disk_full",
            format!("The disk is full: {name} does not fit. Free some space and try again."),
        );
    }
    if says(&["transport '"]) {
        return OpError::new(
            "git_url_refused",
            format!("{name} or one of its submodules uses a protocol that is not allowed: {}.", last(said)),
        );
    }
    OpError::new("git_failed", format!("git could not fetch {name} from {url}: {}.", last(said)))
}

/// The line that says most.
fn last(said: &str) -> String {
    let line = said.lines().map(str::trim).find(|line| line.starts_with("fatal:") || line.starts_with("ERROR:"));
    let line = line.or_else(|| said.lines().map(str::trim).rfind(|line| !line.is_empty())).unwrap_or("no reason given");
    line.trim_start_matches("fatal:").trim().trim_end_matches('.').chars().take(300).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_git_says_has_a_name() {
        let code = |said: &str| recognise("x", "https://h/x", said).code;
        assert_eq!(
            code("git@h: Permission denied (publickey).\nfatal: Could not read from remote repository."),
            "git_auth_failed"
        );
        assert_eq!(code("fatal: Authentication failed for 'https://h/x/'"), "git_auth_failed");
        assert_eq!(code("fatal: unable to access 'https://h/x/': Could not resolve host: h"), "git_unreachable");
        assert_eq!(code("fatal: couldn't find remote ref refs/heads/nope"), "git_ref_not_found");
        assert_eq!(code("remote: Repository not found.\nfatal: repository 'https://h/x/' not found"), "git_not_found");
        assert_eq!(
            code("Host key verification failed.\nfatal: Could not read from remote repository."),
            "git_host_key_refused"
        );
        assert_eq!(
            code("fatal: unable to access 'https://h/x/': server certificate verification failed. CAfile: none"),
            "git_tls_failed"
        );
        assert_eq!(code("fatal: transport 'file' not allowed"), "git_url_refused");
        assert_eq!(code("fatal: something new"), "git_failed");
        assert!(is_commit(&"a1".repeat(20)) && !is_commit("a1b2c3") && !is_commit("main"));
    }
}
