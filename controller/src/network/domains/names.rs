//! Which names can lead to an instance.

use std::net::IpAddr;

/// A host as the proxy and the DNS know it: lower case, ASCII, without a dot at its end. The error is a sentence.
pub fn host_of(text: &str) -> Result<String, &'static str> {
    let text = text.trim();
    let text = text.strip_suffix('.').unwrap_or(text);
    if text.contains('*') {
        return Err("A domain with * takes a certificate that oCore cannot fetch; add each name by itself.");
    }
    if text.contains("://") || text.contains(['/', ':', '@', '?', '#']) {
        return Err("Give the name alone, like shop.example.com: without https://, port or path.");
    }
    let host = idna::domain_to_ascii(text)
        .map_err(|_| "This is no name that the DNS can have; write it like shop.example.com.")?
        .to_lowercase();
    if host.parse::<IpAddr>().is_ok() {
        return Err("An address is no domain, and gets no certificate; give a name like shop.example.com.");
    }
    let labels: Vec<&str> = host.split('.').collect();
    let fits = |label: &&str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
            && !label.starts_with('-')
            && !label.ends_with('-')
    };
    if host.len() > 253 || !labels.iter().all(fits) {
        return Err("A name has parts of 1 to 63 letters, digits and hyphens with dots between, 253 in all.");
    }
    if labels.len() < 2 {
        return Err("A single word is known in one network only; give the whole name, like shop.example.com.");
    }
    if labels.last().is_some_and(|top| top.bytes().all(|b| b.is_ascii_digit())) {
        return Err("No name ends in a number; write it like shop.example.com.");
    }
    Ok(host)
}

/// The name as people write it.
pub fn readable(host: &str) -> String {
    idna::domain_to_unicode(host).0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_brought_to_one_form() {
        assert_eq!(host_of("Shop.Example.COM."), Ok("shop.example.com".into()));
        assert_eq!(host_of("bücher.example"), Ok("xn--bcher-kva.example".into()));
        assert_eq!(readable("xn--bcher-kva.example"), "bücher.example");
        assert_eq!(host_of("example.com"), Ok("example.com".into()), "apex domains too");
    }

    #[test]
    fn what_is_no_name_is_refused() {
        for wrong in [
            "",
            "shop",
            "*.example.com",
            "https://shop.example.com",
            "shop.example.com:8069",
            "shop.example.com/web",
            "192.0.2.1",
            "::1",
            "[::1]",
            "1.2.3",
            "-a.example.com",
            "a-.example.com",
            "a..example.com",
            ".example.com",
            "a_b.example.com",
            "a b.example.com",
            "shop.example.c\u{0}m",
            "\u{202e}.example.com",
        ] {
            assert!(host_of(wrong).is_err(), "{wrong:?}: {:?}", host_of(wrong));
        }
        assert!(host_of(&format!("{}.example.com", "a".repeat(64))).is_err());
        assert!(host_of(&format!("{}com", "a.".repeat(130))).is_err());
    }
}
