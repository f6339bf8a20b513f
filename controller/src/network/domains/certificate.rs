//! Whether an uploaded certificate serves: it is for the name, is in force, and the key is its own.

use crate::error::Problem;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

/// What is read from a certificate that serves.
#[derive(Debug)]
pub struct Readable {
    /// PEM of the whole chain and of nothing else, whatever was sent along.
    pub chain: String,
    pub not_before: DateTime<Utc>,
    pub not_after: DateTime<Utc>,
    /// Common name of who signed it.
    pub issuer: String,
    /// Hexadecimal.
    pub serial: String,
}

fn problem(field: &str, constraint: &str, message: impl Into<String>) -> Problem {
    Problem { field: field.into(), constraint: constraint.into(), message: message.into() }
}

/// Read a chain and hold it against the name, the time and the key.
pub fn certificate_check(host: &str, chain: &str, key: &str, now: DateTime<Utc>) -> Result<Readable, Problem> {
    let field = "certificate";
    let unreadable =
        || problem(field, "pem", "This is no certificate in PEM; it begins with -----BEGIN CERTIFICATE-----.");
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(|_| unreadable())?;
    for der in &chain {
        x509_parser::parse_x509_certificate(der).map_err(|_| unreadable())?;
    }
    let first = chain.first().ok_or_else(unreadable)?;
    let (_, leaf) = x509_parser::parse_x509_certificate(first).map_err(|_| unreadable())?;
    let names = names_of(&leaf);
    if !names.iter().any(|name| covers(name, host)) {
        let of = if names.is_empty() { "no name at all".into() } else { names.join(", ") };
        let message = format!("The first certificate is for {of}, not for {host}. The domain's own stands first.");
        return Err(problem(field, "host", message));
    }
    let time = |seconds| DateTime::from_timestamp(seconds, 0).ok_or_else(unreadable);
    let (not_before, not_after) =
        (time(leaf.validity().not_before.timestamp())?, time(leaf.validity().not_after.timestamp())?);
    if not_after <= now {
        let message = format!("The certificate has ended on {}; upload a newer one.", not_after.format("%Y-%m-%d"));
        return Err(problem(field, "expired", message));
    }
    if not_before > now {
        let message = format!("The certificate begins on {} only.", not_before.format("%Y-%m-%d %H:%M UTC"));
        return Err(problem(field, "not_yet_valid", message));
    }
    let read = Readable {
        chain: chain.iter().map(|der| pem_of(der)).collect(),
        not_before,
        not_after,
        issuer: issuer_of(&leaf),
        serial: leaf.raw_serial().iter().map(|byte| format!("{byte:02x}")).collect(),
    };
    key_check(chain, key)?;
    Ok(read)
}

fn key_check(chain: Vec<CertificateDer<'static>>, key: &str) -> Result<(), Problem> {
    let field = "private_key";
    if key.contains("ENCRYPTED") {
        let message = "The key is protected by a passphrase, which nobody is there to type; give it without one.";
        return Err(problem(field, "passphrase", message));
    }
    let unreadable = || {
        let message =
            "This is no private key in PEM; it begins with -----BEGIN PRIVATE KEY-----, or with RSA or EC in it.";
        problem(field, "pem", message)
    };
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).map_err(|_| unreadable())?;
    match CertifiedKey::from_der(chain, key, &default_provider()) {
        Ok(_) => Ok(()),
        Err(rustls::Error::InconsistentKeys(_)) => {
            Err(problem(field, "fits_certificate", "The key belongs to another certificate than this one."))
        }
        Err(_) => Err(unreadable()),
    }
}

fn names_of(leaf: &X509Certificate<'_>) -> Vec<String> {
    let Ok(Some(names)) = leaf.subject_alternative_name() else { return Vec::new() };
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some(name.to_lowercase()),
        _ => None,
    };
    names.value.general_names.iter().filter_map(name).collect()
}

/// A star stands for one whole part, the first.
fn covers(name: &str, host: &str) -> bool {
    match name.strip_prefix("*.") {
        Some(parent) => host.split_once('.').is_some_and(|(_, rest)| rest == parent),
        None => name == host,
    }
}

fn issuer_of(leaf: &X509Certificate<'_>) -> String {
    let issuer = leaf.issuer();
    let text = |mut values: Box<dyn Iterator<Item = String> + '_>| values.next();
    let names = issuer.iter_common_name().chain(issuer.iter_organization());
    let found = text(Box::new(names.filter_map(|value| value.as_str().ok().map(str::to_owned))));
    found.unwrap_or_else(|| issuer.to_string())
}

fn pem_of(der: &CertificateDer<'_>) -> String {
    let text = STANDARD.encode(der.as_ref());
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    let mut rest = text.as_str();
    while !rest.is_empty() {
        let (line, more) = rest.split_at(rest.len().min(64));
        pem.push_str(line);
        pem.push('\n');
        rest = more;
    }
    pem + "-----END CERTIFICATE-----\n"
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::TimeDelta;
    use rcgen::{CertificateParams, KeyPair};

    fn moment() -> DateTime<Utc> {
        DateTime::from_timestamp(1_900_000_000, 0).unwrap()
    }

    fn made(names: &[&str], days: i64) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let mut params = CertificateParams::new(names).unwrap();
        let now = time::OffsetDateTime::UNIX_EPOCH + time::Duration::seconds(moment().timestamp());
        params.not_before = now - time::Duration::days(30);
        params.not_after = now + time::Duration::days(days);
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_certificate_that_serves_is_read() {
        let now = moment();
        let (chain, key) = made(&["*.example.com", "example.com"], 60);
        let both = format!("{key}{chain}");
        let read = certificate_check("shop.example.com", &both, &key, now).unwrap();
        assert!(!read.chain.contains("PRIVATE") && read.chain.contains("-----BEGIN CERTIFICATE-----\n"));
        assert!((read.not_after - now - TimeDelta::days(60)).abs() < TimeDelta::minutes(1));
        let again = certificate_check("example.com", &read.chain, &key, now).unwrap();
        assert_eq!((again.chain, again.serial), (read.chain, read.serial));
    }

    #[test]
    fn one_that_does_not_is_refused_by_field() {
        let now = moment();
        let (chain, key) = made(&["*.example.com"], 60);
        let (other, other_key) = made(&["shop.example.com"], 60);
        let (ended, ended_key) = made(&["shop.example.com"], -1);
        let why = |host: &str, chain: &str, key: &str| {
            let problem = certificate_check(host, chain, key, now).unwrap_err();
            (problem.field, problem.constraint)
        };
        let is = |field: &str, constraint: &str| (field.to_owned(), constraint.to_owned());
        assert_eq!(why("example.com", &chain, &key), is("certificate", "host"));
        assert_eq!(why("a.shop.example.com", &chain, &key), is("certificate", "host"));
        assert_eq!(why("shop.example.com", &ended, &ended_key), is("certificate", "expired"));
        assert_eq!(why("shop.example.com", "trust me", &key), is("certificate", "pem"));
        assert_eq!(why("shop.example.com", &other, &key), is("private_key", "fits_certificate"));
        assert_eq!(why("shop.example.com", &other, "trust me"), is("private_key", "pem"));
        assert!(certificate_check("shop.example.com", &other, &other_key, now).is_ok());
    }
}
