//! The first user, the company's country and the address of the instance, set in the database: at once, and without
//! starting Odoo.

use super::passwords;
use crate::engine::{JobContext, OpError};
use crate::host::Host;
use crate::ops::postgres;
use crate::ops::sql::literal;
use ocore_shared::protocol::odoo::{AdminPassword, InstanceSpec, secret_names};
use ocore_shared::secret::Secret;
use serde_json::Value;
use std::net::{IpAddr, SocketAddr, UdpSocket};

pub async fn set_up(
    host: &Host, container: &str, spec: &InstanceSpec, password: &Secret, url: &str,
) -> Result<(), OpError> {
    let script = script(spec, &passwords::hash(password, rand::random()), url)?;
    let answer = postgres::sql(&host.docker, container, &spec.database_name, &script).await?;
    if answer.lines().any(|l| l.trim() == "admin-set") {
        return Ok(());
    }
    Err(OpError::new(
        "admin_missing",
        "The new database has no user `base.user_admin`. This image of Odoo is not like the official one.",
    ))
}

fn script(spec: &InstanceSpec, hash: &str, url: &str) -> Result<String, OpError> {
    let (login, hash, language) = (literal(&spec.admin_login)?, literal(hash)?, literal(&spec.language)?);
    let timezone = match &spec.settings.timezone {
        Some(timezone) => format!(", tz = {}", literal(timezone)?),
        None => String::new(),
    };
    let email = if spec.admin_login.contains('@') { format!(", email = {login}") } else { String::new() };
    let mut script = format!(
        "BEGIN;\n\
         UPDATE res_users SET login = {login}, password = {hash} WHERE id = {USER} RETURNING 'admin-set';\n\
         UPDATE res_partner SET lang = {language}{email}{timezone} WHERE id = (SELECT partner_id FROM res_users WHERE id = {USER});\n\
         UPDATE res_partner SET lang = {language} WHERE id = (SELECT partner_id FROM res_company WHERE id = {COMPANY});\n\
         {}",
        base_url(url)?
    );
    if let Some(country) = &spec.country {
        let country = literal(&country.to_uppercase())?;
        // The company's currency follows, as when one creates a database in Odoo itself.
        script.push_str(&format!(
            "UPDATE res_partner SET country_id = c.id FROM res_country c WHERE c.code = {country} \
               AND res_partner.id = (SELECT partner_id FROM res_company WHERE id = {COMPANY});\n\
             UPDATE res_currency SET active = true WHERE id = (SELECT currency_id FROM res_country WHERE code = {country});\n\
             UPDATE res_company SET currency_id = c.currency_id FROM res_country c \
               WHERE c.code = {country} AND c.currency_id IS NOT NULL AND res_company.id = {COMPANY};\n"
        ));
    }
    script.push_str("COMMIT;\n");
    Ok(script)
}

const USER: &str =
    "(SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'user_admin' AND model = 'res.users')";
const COMPANY: &str =
    "(SELECT res_id FROM ir_model_data WHERE module = 'base' AND name = 'main_company' AND model = 'res.company')";

fn base_url(url: &str) -> Result<String, OpError> {
    Ok(format!(
        "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) \
         VALUES ('web.base.url', {}, 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') \
         ON CONFLICT (key) DO UPDATE SET value = excluded.value, write_date = excluded.write_date;\n",
        literal(url)?
    ))
}

/// The address moved, for instance to another port.
pub async fn set_base_url(host: &Host, container: &str, spec: &InstanceSpec, url: &str) -> Result<(), OpError> {
    postgres::sql(&host.docker, container, &spec.database_name, &base_url(url)?).await.map(drop)
}

/// The container was published elsewhere: follow, unless someone has set an address of their own.
pub async fn move_base_url(host: &Host, container: &str, spec: &InstanceSpec, url: &str) -> Result<(), OpError> {
    let script = format!(
        "UPDATE ir_config_parameter SET value = {} WHERE key = 'web.base.url' AND value ~ '^http://[0-9.:\\[\\]a-f]+:[0-9]+$' \
         AND NOT EXISTS (SELECT FROM ir_config_parameter WHERE key = 'web.base.url.freeze');\n",
        literal(url)?
    );
    postgres::sql(&host.docker, container, &spec.database_name, &script).await.map(drop)
}

/// The name by which people reach it has changed, or the port.
pub async fn follow_base_url(
    host: &Host, container: &str, from: &InstanceSpec, to: &InstanceSpec, url: &str,
) -> Result<(), OpError> {
    let script = match (&to.public_host, &from.public_host) {
        (Some(name), _) => frozen_base_url(name)?,
        // Nobody is sent to a name that leads nowhere any more.
        (None, Some(_)) => format!(
            "{}DELETE FROM ir_config_parameter WHERE key IN ('web.base.url.freeze', 'report.url');\n",
            base_url(url)?
        ),
        (None, None) => return move_base_url(host, container, to, url).await,
    };
    postgres::sql(&host.docker, container, &to.database_name, &script).await.map(drop)
}

/// Odoo would write down whatever name an administrator signs in by; PDF reports fetch their styles from Odoo itself.
fn frozen_base_url(name: &str) -> Result<String, OpError> {
    let mut script = base_url(&format!("https://{name}"))?;
    for (key, value) in [("web.base.url.freeze", "True"), ("report.url", "http://127.0.0.1:8069")] {
        script.push_str(&format!(
            "INSERT INTO ir_config_parameter (key, value, create_uid, write_uid, create_date, write_date) \
             VALUES ('{key}', '{value}', 1, 1, now() AT TIME ZONE 'UTC', now() AT TIME ZONE 'UTC') \
             ON CONFLICT (key) DO UPDATE SET value = excluded.value, write_date = excluded.write_date;\n"
        ));
    }
    Ok(script)
}

/// `instance_admin_password`: set a user's password without starting Odoo. Whoever is signed in as that user has to sign
/// in anew.
pub async fn password_set(host: Host, ctx: JobContext) -> Result<Value, OpError> {
    let input: AdminPassword = ctx.input()?;
    let record = host.records.get(input.instance_id)?;
    ctx.plan(&[("password", "Set the password")]).await?;
    ctx.step("password", async {
        let password = ctx.secret(secret_names::ADMIN_PASSWORD)?;
        let hash = literal(&passwords::hash(&password, rand::random()))?;
        let who = match &input.login {
            Some(login) => format!("login = {}", literal(login)?),
            None => format!("id = {USER}"),
        };
        let script = format!("UPDATE res_users SET password = {hash} WHERE {who} RETURNING 'password-set';\n");
        let container = record.postgres_container();
        let answer = postgres::sql(&host.docker, &container, &record.spec.database_name, &script).await?;
        if answer.lines().any(|line| line.trim() == "password-set") {
            return Ok(());
        }
        let who = input.login.as_deref().unwrap_or("the administrator that Odoo was set up with");
        Err(OpError::new("user_missing", format!("The database has no user {who}.")))
    })
    .await?;
    Ok(Value::Null)
}

/// The administrator's time zone; people whom they add start with it.
pub async fn set_timezone(
    host: &Host, container: &str, spec: &InstanceSpec, timezone: Option<&str>,
) -> Result<(), OpError> {
    let timezone = timezone.map_or(Ok("NULL".into()), literal)?;
    let script = format!(
        "UPDATE res_partner SET tz = {timezone} WHERE id = (SELECT partner_id FROM res_users WHERE id = {USER});\n"
    );
    postgres::sql(&host.docker, container, &spec.database_name, &script).await.map(drop)
}

/// Where people reach the instance: the address it is published on, or the server's own.
pub fn url(bind_address: &str, port: u16) -> String {
    let address = match bind_address.parse::<IpAddr>() {
        Ok(address) if !address.is_unspecified() => address,
        _ => own_address().unwrap_or(IpAddr::from([127, 0, 0, 1])),
    };
    format!("http://{}", SocketAddr::new(address, port))
}

/// The source address of the way out. Nothing is sent: connecting a datagram socket only looks up the route.
fn own_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind(("0.0.0.0", 0)).ok()?;
    socket.connect(("192.0.2.1", 9)).ok()?;
    Some(socket.local_addr().ok()?.ip()).filter(|ip| !ip.is_unspecified())
}

#[cfg(test)]
mod tests {
    use super::super::record::tests::spec;
    use super::*;

    #[test]
    fn values_are_quoted() {
        let spec = InstanceSpec { admin_login: "o'neil@example.com".into(), country: Some("fr".into()), ..spec() };
        let script = script(&spec, "$pbkdf2-sha512$25000$a$b", "http://127.0.0.1:20000").unwrap();
        assert!(script.contains("login = 'o''neil@example.com', password = '$pbkdf2-sha512$25000$a$b'"));
        assert!(script.contains("email = 'o''neil@example.com'"));
        assert!(script.contains("c.code = 'FR'"));
    }

    #[test]
    fn an_address_for_people() {
        assert_eq!(url("127.0.0.1", 20000), "http://127.0.0.1:20000");
        assert_eq!(url("::1", 20000), "http://[::1]:20000");
        assert!(!url("0.0.0.0", 20000).contains("0.0.0.0"));
    }
}
