//! Which machine this is, so that a controller and an agent find out that they share one.

use sha2::{Digest, Sha256};

/// Where the machine's identity is.
pub const MACHINE_ID: &str = "/etc/machine-id";

/// A key of the machine whose identity file has this text: by a way that does not lead back, as systemd asks for. None
/// where it has no identity.
pub fn machine_key(id: &str) -> Option<String> {
    let id = id.trim();
    let is_identity = id.len() == 32 && id.bytes().all(|b| b.is_ascii_hexdigit());
    let digest = || Sha256::digest(format!("ocore machine {id}"));
    is_identity.then(|| digest()[..16].iter().map(|b| format!("{b:02x}")).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_the_same_for_the_same_machine_and_not_its_identity() {
        let id = "0123456789abcdef0123456789abcdef";
        let key = machine_key(&format!("{id}\n")).unwrap();
        assert_eq!(Some(&key), machine_key(id).as_ref());
        assert!(key.len() == 32 && key != id && Some(key) != machine_key("1123456789abcdef0123456789abcdef"));
        assert_eq!([machine_key(""), machine_key("uninitialized\n")], [None, None]);
    }
}
