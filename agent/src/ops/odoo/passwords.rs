//! Password hashes as Odoo's passlib writes them, so that a password is set without starting Odoo.

use ocore_shared::secret::Secret;
use sha2::Sha512;

/// As older series write them; newer ones hash again, with more rounds, at the first sign-in.
const ROUNDS: u32 = 25_000;

/// `$pbkdf2-sha512$ROUNDS$SALT$HASH`.
pub fn hash(password: &Secret, salt: [u8; 16]) -> String {
    let mut hash = [0u8; 64];
    pbkdf2::pbkdf2_hmac::<Sha512>(password.expose().as_bytes(), &salt, ROUNDS, &mut hash);
    format!("$pbkdf2-sha512${ROUNDS}${}${}", ab64(&salt), ab64(&hash))
}

/// passlib's base64: no padding, `.` instead of `+`.
fn ab64(bytes: &[u8]) -> String {
    use base64::Engine;
    base64::engine::general_purpose::STANDARD_NO_PAD.encode(bytes).replace('+', ".")
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Made with passlib: `pbkdf2_sha512.using(salt=bytes(range(16)), rounds=25000).hash("admin żółw")`.
    #[test]
    fn the_same_as_passlib() {
        let salt = std::array::from_fn(|i| i as u8);
        let expected = "$pbkdf2-sha512$25000$AAECAwQFBgcICQoLDA0ODw$R7eYFjs7s.uRjGafVdAxgc2RwNHeyBvtIH3Ik9PiP/PBswI0AcOnxOWC3YQK.xrimW0rNl.eh6ZKvA6Yf59S1A";
        assert_eq!(hash(&Secret::new("admin żółw"), salt), expected);
    }
}
