//! odoo.conf as the agent writes it. It is the only place, besides the database, that holds the instance's passwords.

use crate::engine::OpError;
use ocore_shared::protocol::odoo::InstanceSpec;
use ocore_shared::secret::Secret;
use zeroize::Zeroizing;

/// Keys that the agent sets or that would break what it relies on.
const OWNED: &[&str] = &[
    "addons_path",
    "admin_passwd",
    "config",
    "data_dir",
    "database",
    "db_host",
    "db_name",
    "db_password",
    "db_port",
    "db_sslmode",
    "db_template",
    "db_user",
    "dbfilter",
    "demo",
    "gevent_port",
    "http_enable",
    "http_interface",
    "http_port",
    "limit_memory_hard",
    "limit_memory_soft",
    "list_db",
    "logfile",
    "longpolling_port",
    "pidfile",
    "proxy_mode",
    "syslog",
    "with_demo",
    "without_demo",
    "workers",
    "xmlrpc",
    "xmlrpc_interface",
    "xmlrpc_port",
];

/// The passwords in it.
pub struct Passwords {
    pub database: Secret,
    pub master: Secret,
}

/// Major number of a series like `14.0`.
pub fn major(version: &str) -> Result<u32, OpError> {
    let major = version.trim_start_matches("saas-").trim_start_matches("saas~").split('.').next().unwrap_or_default();
    major
        .parse()
        .map_err(|_| OpError::new("invalid_input", format!("`{version}` is no Odoo version; write it like 17.0.")))
}

/// The whole file.
pub fn render(spec: &InstanceSpec, database_host: &str, passwords: &Passwords) -> Result<Zeroizing<String>, OpError> {
    let soft = u64::from(spec.limits.memory_mb).max(2048) * 1024 * 1024;
    let mut lines = vec![
        ("db_host", database_host.to_owned()),
        ("db_port", "5432".into()),
        ("db_user", spec.database_role.clone()),
        ("db_sslmode", "prefer".into()),
        ("db_name", spec.database_name.clone()),
        ("dbfilter", format!("^{}$", escape_regex(&spec.database_name))),
        ("list_db", "False".into()),
        ("data_dir", "/var/lib/odoo".into()),
        ("addons_path", "/mnt/extra-addons".into()),
        // Without a proxy in front nothing would reach the port that workers need for the live bus.
        ("workers", "0".into()),
        ("proxy_mode", "False".into()),
        ("max_cron_threads", "1".into()),
        // Of the address space, not of memory in use: that is what the container's own limit is for.
        ("limit_memory_soft", soft.to_string()),
        ("limit_memory_hard", (soft / 4 * 5).to_string()),
        ("limit_time_cpu", "600".into()),
        ("limit_time_real", "1200".into()),
    ];
    if major(&spec.odoo_version)? >= 19 {
        lines.push(("with_demo", if spec.demo_data { "True" } else { "False" }.into()));
    } else if !spec.demo_data {
        lines.push(("without_demo", "all".into()));
    }
    for (key, value) in &spec.extra_conf {
        check_extra(key, value)?;
        lines.retain(|(known, _)| known != key);
    }
    let mut text = Zeroizing::new(String::from(
        "; Written by the oCore agent. Changes here are lost; use the instance's settings.\n[options]\n",
    ));
    let mut put = |key: &str, value: &str| {
        check_value(key, value)?;
        text.push_str(key);
        text.push_str(" = ");
        text.push_str(value);
        text.push('\n');
        Ok::<(), OpError>(())
    };
    put("db_password", passwords.database.expose())?;
    put("admin_passwd", passwords.master.expose())?;
    for (key, value) in lines.iter().map(|(k, v)| (*k, v)).chain(spec.extra_conf.iter().map(|(k, v)| (k.as_str(), v))) {
        put(key, value)?;
    }
    Ok(text)
}

/// Refuse what the agent owns and what is no key.
fn check_extra(key: &str, value: &str) -> Result<(), OpError> {
    if OWNED.contains(&key) {
        return Err(OpError::new(
            "conf_key_owned",
            format!("odoo.conf's `{key}` is set by oCore and cannot be given."),
        ));
    }
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return Err(OpError::new("conf_key_invalid", format!("`{key}` is no key of odoo.conf.")));
    }
    check_value(key, value)
}

/// A value ends with its line; one that could start another is refused, as is one that the parser would trim.
fn check_value(key: &str, value: &str) -> Result<(), OpError> {
    if value.chars().any(char::is_control) || value.trim() != value {
        return Err(OpError::new(
            "conf_value_invalid",
            format!(
                "The value of `{key}` cannot stand in odoo.conf: it has a line break, a control character, or spaces at its ends."
            ),
        ));
    }
    Ok(())
}

/// The passwords of a file that [`render`] wrote, so that it can be written anew without asking for them.
pub fn read_passwords(text: &str) -> Result<Passwords, OpError> {
    let value = |key: &str| {
        let found = text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = "));
        found
            .map(Secret::new)
            .ok_or_else(|| OpError::new("conf_damaged", format!("odoo.conf on the server has lost its `{key}`.")))
    };
    Ok(Passwords { database: value("db_password")?, master: value("admin_passwd")? })
}

fn escape_regex(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_alphanumeric() || c == '_' { vec![c] } else { vec!['\\', c] }).collect()
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::spec;
    use super::*;

    fn passwords() -> Passwords {
        Passwords { database: Secret::new("db%pw"), master: Secret::new("master = pw") }
    }

    #[test]
    fn the_file_has_what_odoo_needs_and_gives_the_passwords_back() {
        let mut spec = spec();
        spec.extra_conf.insert("limit_time_real".into(), "60".into());
        let text = render(&spec, "ocore-shop-postgres", &passwords()).unwrap();
        for line in [
            "db_host = ocore-shop-postgres",
            "db_name = shop",
            "dbfilter = ^shop$",
            "list_db = False",
            "workers = 0",
            "proxy_mode = False",
            "without_demo = all",
            "limit_time_real = 60",
            "data_dir = /var/lib/odoo",
        ] {
            assert_eq!(text.lines().filter(|l| *l == line).count(), 1, "{line}\n{}", *text);
        }
        assert!(!text.contains("limit_time_real = 1200"));
        let read = read_passwords(&text).unwrap();
        assert_eq!((read.database.expose(), read.master.expose()), ("db%pw", "master = pw"));
    }

    #[test]
    fn demo_data_is_asked_for_as_the_series_wants_it() {
        let file = |version: &str, demo| {
            let spec = InstanceSpec { odoo_version: version.into(), demo_data: demo, ..spec() };
            render(&spec, "h", &passwords()).unwrap().to_string()
        };
        assert!(file("18.0", false).contains("without_demo = all\n"));
        assert!(!file("18.0", true).contains("demo"));
        assert!(file("19.0", true).contains("with_demo = True\n"));
        assert!(file("19.0", false).contains("with_demo = False\n"));
    }

    #[test]
    fn owned_keys_and_second_lines_are_refused() {
        for (key, value, code) in [
            ("db_password", "x", "conf_key_owned"),
            ("admin_passwd", "x", "conf_key_owned"),
            ("Log Level", "x", "conf_key_invalid"),
            ("log_level", "debug\nadmin_passwd = x", "conf_value_invalid"),
        ] {
            let mut spec = spec();
            spec.extra_conf.insert(key.into(), value.into());
            assert_eq!(render(&spec, "h", &passwords()).unwrap_err().code, code);
        }
        let bad = Passwords { database: Secret::new("a\nb"), master: Secret::new("x") };
        assert_eq!(render(&spec(), "h", &bad).unwrap_err().code, "conf_value_invalid");
    }

    #[test]
    fn versions_have_a_major() {
        assert_eq!(major("14.0").unwrap(), 14);
        assert_eq!(major("saas-17.2").unwrap(), 17);
        assert_eq!(major("latest").unwrap_err().code, "invalid_input");
    }
}
