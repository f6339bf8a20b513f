//! odoo.conf, as the agent writes it and as the controller shows it. It is the only place, besides the database, that
//! holds the instance's passwords.

use super::series::{Demo, Series};
use super::settings::{OdooSettings, SmtpEncryption};
use super::sizing::{self, Sizing};
use crate::protocol::odoo::InstanceSpec;
use crate::secret::Secret;
use zeroize::Zeroizing;

/// Inside the container.
pub const HTTP_PORT: u16 = 8069;
/// Of the live bus, once there are workers.
pub const REALTIME_PORT: u16 = 8072;
/// What stands in a shown file for what is secret.
pub const MASK: &str = "********";

/// Keys that oCore sets or that would break what it relies on.
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
    "dev_mode",
    "gevent_port",
    "http_enable",
    "http_interface",
    "http_port",
    "init",
    "list_db",
    "logfile",
    "longpolling_port",
    "pidfile",
    "save",
    "stop_after_init",
    "syslog",
    "update",
    "with_demo",
    "without_demo",
    "xmlrpc",
    "xmlrpc_interface",
    "xmlrpc_port",
];

/// Keys that are settings of their own, by their names there.
const SETTINGS: &[(&str, &str)] = &[
    ("workers", "workers"),
    ("max_cron_threads", "max_cron_threads"),
    ("limit_memory_soft", "limit_memory_soft_mb"),
    ("limit_memory_hard", "limit_memory_hard_mb"),
    ("limit_time_cpu", "limit_time_cpu"),
    ("limit_time_real", "limit_time_real"),
    ("limit_time_real_cron", "limit_time_real_cron"),
    ("limit_request", "limit_request"),
    ("db_maxconn", "db_maxconn"),
    ("log_level", "log_level"),
    ("log_handler", "log_handler"),
    ("server_wide_modules", "server_wide_modules"),
    ("unaccent", "unaccent"),
    ("proxy_mode", "proxy_mode"),
    ("smtp_server", "smtp.host"),
    ("smtp_port", "smtp.port"),
    ("smtp_ssl", "smtp.encryption"),
    ("smtp_user", "smtp.user"),
    ("smtp_password", "smtp.password"),
    ("email_from", "smtp.from"),
    ("from_filter", "smtp.from_filter"),
];

/// The passwords in it.
pub struct Passwords {
    pub database: Secret,
    pub master: Secret,
    pub smtp: Option<Secret>,
}

impl Passwords {
    /// For a file that people read.
    pub fn masked(settings: &OdooSettings) -> Self {
        let has_smtp = settings.smtp.as_ref().is_some_and(|smtp| smtp.has_password);
        Self { database: Secret::new(MASK), master: Secret::new(MASK), smtp: has_smtp.then(|| Secret::new(MASK)) }
    }
}

/// Why a file cannot be written.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[error("{message}")]
pub struct ConfProblem {
    pub code: &'static str,
    /// The setting, such as `extra_conf.workers`.
    pub field: String,
    pub message: String,
}

/// How the instance is sized with its own settings and share of the machine.
pub fn sizing(spec: &InstanceSpec) -> Sizing {
    sizing::size(spec.limits.cpus, spec.limits.memory_mb, &spec.settings, spec.has_proxy)
}

/// The whole file.
pub fn render(
    spec: &InstanceSpec, database_host: &str, passwords: &Passwords,
) -> Result<Zeroizing<String>, ConfProblem> {
    let mut text = Zeroizing::new(String::from(
        "; Written by the oCore agent. Changes here are lost; use the instance's settings.\n[options]\n",
    ));
    for (key, value) in lines(spec, database_host, passwords)? {
        check_value(&key, &value)?;
        text.push_str(&key);
        text.push_str(" = ");
        text.push_str(&value);
        text.push('\n');
    }
    Ok(text)
}

/// Keys and values in the order of the file.
fn lines(
    spec: &InstanceSpec, database_host: &str, passwords: &Passwords,
) -> Result<Vec<(String, Zeroizing<String>)>, ConfProblem> {
    let series = Series::of(&spec.odoo_version).ok_or_else(|| ConfProblem {
        code: "invalid_input",
        field: "odoo_version".into(),
        message: format!("`{}` is no Odoo version; write it like 17.0.", spec.odoo_version),
    })?;
    let mut lines = Vec::with_capacity(40);
    let mut put = |key: &str, value: String| lines.push((key.to_owned(), Zeroizing::new(value)));
    put("db_password", passwords.database.expose().to_owned());
    put("admin_passwd", passwords.master.expose().to_owned());
    put("db_host", database_host.into());
    put("db_port", "5432".into());
    put("db_user", spec.database_role.clone());
    put("db_sslmode", "prefer".into());
    put("db_name", spec.database_name.clone());
    put("dbfilter", format!("^{}$", escape_regex(&spec.database_name)));
    put("list_db", "False".into());
    put("data_dir", "/var/lib/odoo".into());
    put("addons_path", spec.addons_path());
    // Said by name: Odoo 19 warns of a default that will change.
    put("http_interface", "0.0.0.0".into());
    put("http_port", HTTP_PORT.to_string());
    put(series.realtime.port_key(), REALTIME_PORT.to_string());
    match (series.demo, spec.demo_data) {
        (Demo::OptIn, wanted) => put("with_demo", boolean(wanted)),
        (Demo::OptOut, false) => put("without_demo", "all".into()),
        (Demo::OptOut, true) => {}
    }
    set(spec, series, passwords, &mut put);
    for (key, value) in &spec.settings.extra_conf {
        check_extra(key, value)?;
        put(key, value.clone());
    }
    Ok(lines)
}

fn set(spec: &InstanceSpec, series: Series, passwords: &Passwords, put: &mut impl FnMut(&str, String)) {
    let settings = &spec.settings;
    let sized = sizing(spec);
    put("workers", sized.workers.to_string());
    put("max_cron_threads", sized.max_cron_threads.to_string());
    let is_behind = spec.has_proxy || spec.public_host.is_some();
    put("proxy_mode", boolean(settings.proxy_mode.unwrap_or(is_behind)));
    let (soft, hard) = memory_limits(spec);
    let bytes = |mb: u32| (u64::from(mb) * 1024 * 1024).to_string();
    put("limit_memory_soft", bytes(soft));
    put("limit_memory_hard", bytes(hard));
    let (cpu, real) = time_limits(settings);
    put("limit_time_cpu", cpu.to_string());
    put("limit_time_real", real.to_string());
    let numbers = [
        ("limit_time_real_cron", settings.limit_time_real_cron),
        ("limit_request", settings.limit_request),
        ("db_maxconn", settings.db_maxconn.map(u32::from)),
    ];
    for (key, value) in numbers {
        if let Some(value) = value {
            put(key, value.to_string());
        }
    }
    put("log_level", settings.log_level.word().into());
    if !settings.log_handler.is_empty() {
        put("log_handler", settings.log_handler.join(","));
    }
    if !settings.server_wide_modules.is_empty() {
        let own = if series.major >= 19 { "base,rpc,web" } else { "base,web" };
        put("server_wide_modules", format!("{own},{}", settings.server_wide_modules.join(",")));
    }
    if settings.unaccent {
        put("unaccent", boolean(true));
    }
    let Some(smtp) = &settings.smtp else { return };
    put("smtp_server", smtp.host.clone());
    put("smtp_port", smtp.port.to_string());
    put("smtp_ssl", boolean(smtp.encryption == SmtpEncryption::Starttls));
    if let Some(user) = &smtp.user {
        put("smtp_user", user.clone());
    }
    if let Some(password) = &passwords.smtp {
        put("smtp_password", password.expose().to_owned());
    }
    if let Some(from) = &smtp.from {
        put("email_from", from.clone());
    }
    if let (Some(filter), true) = (&smtp.from_filter, series.has_from_filter) {
        put("from_filter", filter.clone());
    }
}

/// Soft and hard limit of a worker in MB, as they come to be. Of the address space, not of memory in use: that is what
/// the container's own limit is for. One that is left to oCore goes along with the one that is given.
fn memory_limits(spec: &InstanceSpec) -> (u32, u32) {
    let OdooSettings { limit_memory_soft_mb: soft, limit_memory_hard_mb: hard, .. } = spec.settings;
    let soft = soft.unwrap_or(spec.limits.memory_mb.max(2048).min(hard.unwrap_or(u32::MAX)));
    (soft, hard.unwrap_or(soft / 4 * 5))
}

/// Seconds of processor time and of time for one request, as they come to be; likewise.
pub fn time_limits(settings: &OdooSettings) -> (u32, u32) {
    let cpu = settings.limit_time_cpu.unwrap_or(600.min(settings.limit_time_real.unwrap_or(u32::MAX)));
    (cpu, settings.limit_time_real.unwrap_or(1200.max(cpu)))
}

fn boolean(value: bool) -> String {
    if value { "True" } else { "False" }.into()
}

/// Refuse what oCore sets and what is no key.
pub fn check_extra(key: &str, value: &str) -> Result<(), ConfProblem> {
    let problem = |code, message| Err(ConfProblem { code, field: format!("extra_conf.{key}"), message });
    if let Some((_, setting)) = SETTINGS.iter().find(|(known, _)| *known == key) {
        return problem("conf_key_owned", format!("odoo.conf's `{key}` has a setting of its own: use `{setting}`."));
    }
    if OWNED.contains(&key) {
        return problem("conf_key_owned", format!("odoo.conf's `{key}` is set by oCore and cannot be given."));
    }
    if key.is_empty() || !key.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_') {
        return problem("conf_key_invalid", format!("`{key}` is no key of odoo.conf."));
    }
    check_value(key, value).map_err(|e| ConfProblem { field: format!("extra_conf.{key}"), ..e })
}

/// A value ends with its line; one that could start another is refused, as is one that the parser would trim.
fn check_value(key: &str, value: &str) -> Result<(), ConfProblem> {
    if value.chars().any(char::is_control) || value.trim() != value {
        return Err(ConfProblem {
            code: "conf_value_invalid",
            field: key.into(),
            message: format!(
                "The value of `{key}` cannot stand in odoo.conf: it has a line break, a control character, or spaces at its ends."
            ),
        });
    }
    Ok(())
}

/// The passwords of a file that [`render`] wrote, so that it can be written anew without asking for them. None when
/// the file lacks one that it must have.
pub fn read_passwords(text: &str) -> Option<Passwords> {
    let value = |key: &str| text.lines().find_map(|l| l.strip_prefix(key)?.strip_prefix(" = ")).map(Secret::new);
    Some(Passwords { database: value("db_password")?, master: value("admin_passwd")?, smtp: value("smtp_password") })
}

/// A file as people may see it: without what is secret in it.
pub fn text_masked(text: &str) -> String {
    const SECRET: [&str; 3] = ["admin_passwd", "db_password", "smtp_password"];
    let masked = |line: &str| match line.split_once('=') {
        Some((key, _)) if SECRET.contains(&key.trim()) => format!("{} = {MASK}\n", key.trim()),
        _ => format!("{line}\n"),
    };
    text.lines().map(masked).collect()
}

fn escape_regex(name: &str) -> String {
    name.chars().flat_map(|c| if c.is_alphanumeric() || c == '_' { vec![c] } else { vec!['\\', c] }).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::super::settings::{LogLevel, Smtp};
    use super::*;
    use crate::ids::{EnvironmentId, InstanceId, OrganizationId};
    use crate::protocol::odoo::Limits;

    pub fn spec() -> InstanceSpec {
        InstanceSpec {
            instance_id: InstanceId::new(),
            organization_id: OrganizationId::new(),
            environment_id: EnvironmentId::new(),
            slug: "shop".into(),
            odoo_version: "14.0".into(),
            image: "odoo:14.0".into(),
            built_image: None,
            addons: vec![],
            postgres_image: "postgres:13".into(),
            database_name: "shop".into(),
            database_role: "shop".into(),
            admin_login: "admin".into(),
            language: "en_US".into(),
            country: None,
            demo_data: false,
            modules: vec![],
            limits: Limits { cpus: 2.0, memory_mb: 4096 },
            settings: OdooSettings::default(),
            database_settings: Default::default(),
            has_proxy: false,
            public_host: None,
            env: Default::default(),
            bind_address: "127.0.0.1".into(),
            http_port: None,
            generation: 1,
        }
    }

    fn passwords() -> Passwords {
        Passwords { database: Secret::new("db%pw"), master: Secret::new("master = pw"), smtp: None }
    }

    fn file(change: impl FnOnce(&mut InstanceSpec)) -> String {
        let mut spec = spec();
        change(&mut spec);
        render(&spec, "h", &passwords()).unwrap().to_string()
    }

    fn has(text: &str, line: &str) -> bool {
        text.lines().filter(|l| *l == line).count() == 1
    }

    #[test]
    fn a_limit_that_is_left_to_us_goes_along_with_the_one_that_is_given() {
        let text = file(|s| {
            s.settings.limit_time_real = Some(300);
            s.settings.limit_memory_hard_mb = Some(1024);
        });
        let mb = 1024 * 1024;
        for line in [
            "limit_time_cpu = 300".to_owned(),
            "limit_time_real = 300".to_owned(),
            format!("limit_memory_soft = {}", 1024 * mb),
            format!("limit_memory_hard = {}", 1024 * mb),
        ] {
            assert!(has(&text, &line), "{line}\n{text}");
        }
        let text = file(|s| s.settings.limit_time_cpu = Some(3000));
        assert!(has(&text, "limit_time_real = 3000"), "{text}");
    }

    #[test]
    fn the_file_has_what_odoo_needs_and_gives_the_passwords_back() {
        let text = file(|_| {});
        for line in [
            "db_host = h",
            "db_name = shop",
            "dbfilter = ^shop$",
            "list_db = False",
            "workers = 0",
            "max_cron_threads = 2",
            "proxy_mode = False",
            "without_demo = all",
            "limit_time_real = 1200",
            "limit_memory_soft = 4294967296",
            "longpolling_port = 8072",
            "data_dir = /var/lib/odoo",
            "http_interface = 0.0.0.0",
        ] {
            assert!(has(&text, line), "{line}\n{text}");
        }
        let read = read_passwords(&text).unwrap();
        assert_eq!((read.database.expose(), read.master.expose()), ("db%pw", "master = pw"));
        assert!(read.smtp.is_none());
        assert!(read_passwords("[options]\n").is_none());
    }

    #[test]
    fn each_series_is_asked_as_it_wants() {
        let of = |version: &str, demo| {
            file(|s| {
                (s.odoo_version, s.demo_data, s.settings.server_wide_modules) =
                    (version.into(), demo, vec!["queue_job".into()])
            })
        };
        assert!(has(&of("18.0", false), "without_demo = all"));
        assert!(!of("18.0", true).contains("demo"));
        assert!(has(&of("18.0", true), "gevent_port = 8072") && !of("18.0", true).contains("longpolling"));
        assert!(has(&of("18.0", true), "server_wide_modules = base,web,queue_job"));
        assert!(has(&of("19.0", true), "with_demo = True"));
        assert!(has(&of("19.0", false), "with_demo = False"));
        assert!(has(&of("19.0", false), "server_wide_modules = base,rpc,web,queue_job"));
    }

    #[test]
    fn behind_a_proxy_there_are_workers() {
        let text = file(|s| s.has_proxy = true);
        assert!(has(&text, "workers = 3") && has(&text, "proxy_mode = True"), "{text}");
        let text = file(|s| (s.has_proxy, s.settings.proxy_mode, s.settings.workers) = (true, Some(false), Some(0)));
        assert!(has(&text, "workers = 0") && has(&text, "proxy_mode = False"), "{text}");
        let text = file(|s| s.public_host = Some("shop.example.com".into()));
        assert!(has(&text, "workers = 0") && has(&text, "proxy_mode = True"), "a proxy of one's own: {text}");
    }

    #[test]
    fn what_is_set_is_in_the_file() {
        let smtp = Smtp {
            host: "mail.example.com".into(),
            port: 587,
            encryption: SmtpEncryption::Starttls,
            user: Some("shop".into()),
            has_password: true,
            from: Some("shop@example.com".into()),
            from_filter: Some("example.com".into()),
        };
        let settings = OdooSettings {
            limit_time_real: Some(60),
            limit_memory_soft_mb: Some(1024),
            limit_memory_hard_mb: Some(1280),
            log_level: LogLevel::DebugSql,
            log_handler: vec![":WARNING".into(), "odoo.addons.sale:DEBUG".into()],
            unaccent: true,
            smtp: Some(smtp),
            extra_conf: [("osv_memory_age_limit".to_owned(), "2.0".to_owned())].into(),
            ..OdooSettings::default()
        };
        let spec = InstanceSpec { settings, ..spec() };
        let all = Passwords { smtp: Some(Secret::new("mail pw")), ..passwords() };
        let text = render(&spec, "h", &all).unwrap();
        for line in [
            "limit_time_real = 60",
            "limit_memory_soft = 1073741824",
            "limit_memory_hard = 1342177280",
            "log_level = debug_sql",
            "log_handler = :WARNING,odoo.addons.sale:DEBUG",
            "unaccent = True",
            "smtp_server = mail.example.com",
            "smtp_ssl = True",
            "smtp_password = mail pw",
            "email_from = shop@example.com",
            "osv_memory_age_limit = 2.0",
        ] {
            assert!(has(&text, line), "{line}\n{}", *text);
        }
        assert!(!text.contains("from_filter"), "Odoo 14 does not know it");
        assert!(!text.contains("limit_time_real = 1200"));
        assert_eq!(read_passwords(&text).unwrap().smtp.unwrap().expose(), "mail pw");
        let shown = render(&spec, "h", &Passwords::masked(&spec.settings)).unwrap();
        assert_eq!(shown.lines().filter(|l| l.ends_with(MASK)).count(), 3);
    }

    #[test]
    fn owned_keys_and_second_lines_are_refused() {
        for (key, value, code) in [
            ("db_password", "x", "conf_key_owned"),
            ("admin_passwd", "x", "conf_key_owned"),
            ("workers", "3", "conf_key_owned"),
            ("Log Level", "x", "conf_key_invalid"),
            ("csv_internal_sep", "debug\nadmin_passwd = x", "conf_value_invalid"),
        ] {
            let mut spec = spec();
            spec.settings.extra_conf.insert(key.into(), value.into());
            let problem = render(&spec, "h", &passwords()).unwrap_err();
            assert_eq!((problem.code, problem.field), (code, format!("extra_conf.{key}")));
        }
        assert!(check_extra("limit_request", "1").unwrap_err().message.contains("`limit_request`"));
        let bad = Passwords { database: Secret::new("a\nb"), ..passwords() };
        assert_eq!(render(&spec(), "h", &bad).unwrap_err().code, "conf_value_invalid");
        let unknown = InstanceSpec { odoo_version: "latest".into(), ..spec() };
        assert_eq!(render(&unknown, "h", &passwords()).unwrap_err().field, "odoo_version");
    }
}
