//! What the log of `odoo --stop-after-init` says. Its exit code alone is not to be trusted: an unknown module or a
//! missing dependency ends with 0.

use crate::engine::OpError;

/// What Odoo is run for, for the sentences of its failure.
#[derive(Clone, Copy, Debug)]
pub struct Purpose {
    /// Code of a failure without a better one.
    pub code: &'static str,
    /// "set up its database".
    pub infinitive: &'static str,
    /// "set up its database", as in "was killed while it …".
    pub past: &'static str,
}

/// Filling a new database.
pub const INITIALISE: Purpose =
    Purpose { code: "init_failed", infinitive: "set up its database", past: "set up its database" };
/// Installing or updating modules.
pub const CHANGE_MODULES: Purpose =
    Purpose { code: "modules_failed", infinitive: "change its modules", past: "changed its modules" };
/// Removing modules.
pub const UNINSTALL_MODULES: Purpose =
    Purpose { code: "uninstall_failed", infinitive: "uninstall these modules", past: "uninstalled modules" };
/// Starting once with other settings.
pub const TRY_SETTINGS: Purpose =
    Purpose { code: "settings_refused", infinitive: "start with these settings", past: "started with these settings" };
/// Starting once with another image or other addons.
pub const TRY_UPGRADE: Purpose =
    Purpose { code: "upgrade_refused", infinitive: "start as wished", past: "was tried with what is wished" };

/// Reads the log as it comes.
#[derive(Default)]
pub struct InitLog {
    problem: Option<OpError>,
    /// The last line of the last traceback, and the last line of an error: what a person would look for.
    exception: Option<String>,
    /// The first exception of the chain that the last one ends.
    cause: Option<String>,
    in_chain: bool,
    error: Option<String>,
    in_traceback: bool,
    loaded: bool,
}

impl InitLog {
    pub fn line(&mut self, text: &str) {
        if let Some(problem) = recognise(text) {
            // The first is the cause, what follows are its effects.
            self.problem.get_or_insert(problem);
        }
        self.loaded |= text.contains("Modules loaded.");
        match level_and_message(text) {
            Some((level, message)) => {
                self.in_traceback = false;
                self.in_chain = false;
                if matches!(level, "ERROR" | "CRITICAL") {
                    self.error = Some(message.to_owned());
                }
            }
            None if text.starts_with("Traceback ") => self.in_traceback = true,
            // The exception's own line is the first that is not indented.
            None if self.in_traceback && !text.is_empty() && !text.starts_with(' ') => {
                self.in_traceback = false;
                let before = self.exception.replace(text.trim().to_owned());
                if !self.in_chain {
                    self.cause = None;
                } else if self.cause.is_none() {
                    self.cause = before;
                }
                self.in_chain = true;
            }
            None => {}
        }
    }

    /// What it came to.
    pub fn verdict(self, purpose: Purpose, exit_code: i64, out_of_memory: bool) -> Result<(), OpError> {
        if out_of_memory || exit_code == 137 {
            return Err(OpError::new(
                "out_of_memory",
                format!(
                    "Odoo was killed while it {}: the memory limit is too low. Give the instance more memory.",
                    purpose.past
                ),
            ));
        }
        if let Some(problem) = self.problem {
            return Err(problem);
        }
        if exit_code == 0 && self.loaded {
            return Ok(());
        }
        let exception = match (self.exception, self.cause) {
            (Some(exception), Some(cause)) => Some(format!("{exception} (after {cause})")),
            (exception, _) => exception,
        };
        let reason = exception.or(self.error).unwrap_or_else(|| "its log, in this job, has the details".into());
        let reason: String = reason.chars().take(500).collect();
        Err(OpError::new(
            purpose.code,
            format!("Odoo could not {} (exit code {exit_code}): {reason}", purpose.infinitive),
        ))
    }
}

/// `2026-11-22 01:06:19,123 7 WARNING db odoo.modules: message`.
fn level_and_message(text: &str) -> Option<(&str, &str)> {
    ocore_shared::logs::Head::parse(text).map(|head| (head.level, head.message))
}

fn recognise(text: &str) -> Option<OpError> {
    let after = |mark: &str| text.split_once(mark).map(|(_, rest)| rest.trim());
    if let Some(names) = after("invalid module names, ignored:") {
        return Some(OpError::new(
            "unknown_module",
            format!("This image of Odoo has no module {names}. Check the names, or use an image that contains them."),
        ));
    }
    // Which of the two it is depends on whether the files or their manifests are gone; both end well.
    let missing = after("some dependencies or manifest may be missing:");
    if let Some(names) = missing.or_else(|| after("inconsistent states, some dependencies may be missing:")) {
        return Some(OpError::new(
            "missing_dependency",
            format!("These modules, or something that they need, are not in this image of Odoo: {names}."),
        ));
    }
    if let Some(rest) = after("You try to install module") {
        return Some(OpError::new(
            "missing_dependency",
            format!("A module that was asked for needs another that is not in this image of Odoo: module {rest}."),
        ));
    }
    if let Some(rest) = after("Unmet dependencies:") {
        return Some(OpError::new(
            "missing_dependency",
            format!("A module needs others that are not in this image of Odoo: {rest}."),
        ));
    }
    if text.contains("permission denied to create database") {
        return Some(OpError::new(
            "database_missing",
            "The instance's database does not exist, and its role may not make one. Try again with a new job.",
        ));
    }
    if text.contains("Using the database user 'postgres' is a security risk") {
        return Some(OpError::new(
            "database_role_refused",
            "Odoo refuses to work as the database user `postgres`. Choose another role.",
        ));
    }
    if let Some(name) = after("Failed to load server-wide module `") {
        let name = name.trim_end_matches(['.', '`']);
        return Some(OpError::new(
            "unknown_module",
            format!("The server-wide module {name} cannot be loaded. Check its name, or add the source that it is in."),
        ));
    }
    if let Some(reason) = after("FATAL:") {
        return Some(OpError::retryable(
            "database_refused",
            format!("PostgreSQL refused Odoo's connection: {}.", reason.trim_end_matches('.')),
        ));
    }
    // libpq 14 says it in other words than those before.
    let failed = text.contains("connection to server at") && text.contains(" failed: ");
    if failed || text.contains("could not translate host name") || text.contains("could not connect to server") {
        return Some(OpError::retryable(
            "database_unreachable",
            "Odoo cannot reach its PostgreSQL container over the environment's network.",
        ));
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(log: &str, code: i64) -> Result<(), OpError> {
        let mut scan = InitLog::default();
        log.lines().for_each(|l| scan.line(l));
        scan.verdict(INITIALISE, code, false)
    }

    const LOADED: &str = "2026-11-22 01:06:19,123 7 INFO shop odoo.modules.loading: Modules loaded.";

    #[test]
    fn a_good_end_needs_the_code_and_the_line() {
        assert!(verdict(LOADED, 0).is_ok());
        assert_eq!(verdict("", 0).unwrap_err().code, "init_failed");
        assert_eq!(verdict(LOADED, 255).unwrap_err().code, "init_failed");
    }

    #[test]
    fn problems_that_end_with_zero_are_problems() {
        let unknown =
            "2026-11-22 01:06:19,123 7 WARNING shop odoo.modules.loading: invalid module names, ignored: nonsense";
        let error = verdict(&format!("{unknown}\n{LOADED}"), 0).unwrap_err();
        assert_eq!(error.code, "unknown_module");
        assert!(error.message.contains("nonsense"));
        let missing = "2026-11-22 01:06:19,1 7 ERROR shop odoo.modules.loading: Some modules are not loaded, some dependencies or manifest may be missing: ['x']";
        assert_eq!(verdict(&format!("{missing}\n{LOADED}"), 0).unwrap_err().code, "missing_dependency");
        let inconsistent = "2026-11-22 01:06:19,1 7 ERROR shop odoo.modules.loading: Some modules have inconsistent states, some dependencies may be missing: ['x']";
        let error = verdict(&format!("{inconsistent}\n{LOADED}"), 0).unwrap_err();
        assert_eq!(error.code, "missing_dependency");
        assert!(error.message.contains("['x']"), "{error}");
    }

    #[test]
    fn the_exception_is_what_a_person_reads() {
        let log = "2026-11-22 01:06:19,123 7 CRITICAL shop odoo.service.server: Failed to initialize database `shop`.\n\
                   Traceback (most recent call last):\n  File \"x.py\", line 1, in f\n    g()\n\
                   odoo.tools.convert.ParseError: while parsing /x/data.xml:3\nNone\n";
        let error = verdict(log, 255).unwrap_err();
        assert!(error.message.contains("ParseError: while parsing /x/data.xml:3"), "{error}");
    }

    #[test]
    fn what_began_a_chain_of_exceptions_is_told_too() {
        let log = "2026-11-22 01:06:19,123 7 WARNING shop odoo.x: earlier\nTraceback (most recent call last):\n  f()\n\
                   OSError: long ago\n\
                   2026-11-22 01:06:19,123 7 CRITICAL shop odoo.service.server: Failed to initialize database `shop`.\n\
                   Traceback (most recent call last):\n  File \"x.py\", line 1, in f\nKeyError: 'no.such'\n\n\
                   During handling of the above exception, another exception occurred:\n\n\
                   Traceback (most recent call last):\n  File \"y.py\", line 1, in g\n\
                   odoo.tools.convert.ParseError: while parsing /x/data.xml:1, near\n<record/>\n";
        let error = verdict(log, 255).unwrap_err();
        assert!(
            error.message.contains("ParseError: while parsing /x/data.xml:1, near (after KeyError: 'no.such')"),
            "{error}"
        );
        assert!(!error.message.contains("long ago"));
    }

    #[test]
    fn refused_connections_have_a_name() {
        let log = "psycopg2.OperationalError: FATAL:  password authentication failed for user \"shop\"";
        assert_eq!(verdict(log, 1).unwrap_err().code, "database_refused");
        let log = "psycopg2.OperationalError: connection to server at \"h\" (172.18.0.2), port 5432 failed: Connection refused";
        assert_eq!(verdict(log, 1).unwrap_err().code, "database_unreachable");
        let log =
            "connection to server at \"h\" (172.18.0.2), port 5432 failed: FATAL:  the database system is starting up";
        assert_eq!(verdict(log, 1).unwrap_err().code, "database_refused");
        assert_eq!(InitLog::default().verdict(INITIALISE, 137, false).unwrap_err().code, "out_of_memory");
    }
}
