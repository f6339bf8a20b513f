//! Host ports: which are taken, and by whom, so that a refusal can name the other one.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, TcpListener};
use std::path::Path;

/// Odoo's ports are published here, unless someone wishes otherwise.
pub const RANGE: std::ops::RangeInclusive<u16> = 20000..=29999;

/// Listening TCP ports and the inode of their socket.
pub fn listening(proc: &Path) -> BTreeMap<u16, u64> {
    ["net/tcp", "net/tcp6"]
        .iter()
        .filter_map(|file| std::fs::read_to_string(proc.join(file)).ok())
        .flat_map(|text| text.lines().skip(1).filter_map(listener).collect::<Vec<_>>())
        .collect()
}

/// `sl local remote st … inode`; state 0A is LISTEN.
fn listener(line: &str) -> Option<(u16, u64)> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let (local, state, inode) = (fields.get(1)?, fields.get(3)?, fields.get(9)?);
    if *state != "0A" {
        return None;
    }
    Some((u16::from_str_radix(local.rsplit(':').next()?, 16).ok()?, inode.parse().ok()?))
}

/// `nginx (process 812)`: who has the socket of that inode open.
pub fn process_of(proc: &Path, inode: u64) -> Option<String> {
    let wanted = format!("socket:[{inode}]");
    for entry in std::fs::read_dir(proc).ok()?.flatten() {
        let Some(pid) = entry.file_name().to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        let Ok(open) = std::fs::read_dir(entry.path().join("fd")) else { continue };
        let holds =
            |fd: std::fs::DirEntry| std::fs::read_link(fd.path()).is_ok_and(|l| l.as_os_str() == wanted.as_str());
        if open.flatten().any(holds) {
            let name = std::fs::read_to_string(entry.path().join("comm")).unwrap_or_default();
            return Some(format!("{} (process {pid})", name.trim()));
        }
    }
    None
}

/// Whether the port can be listened on, tried for a moment.
pub fn is_free(address: &str, port: u16) -> bool {
    let address: IpAddr = address.parse().unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
    TcpListener::bind((address, port)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_own_listener_is_found_and_named() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let proc = Path::new("/proc");
        let inode = listening(proc)[&port];
        let holder = process_of(proc, inode).unwrap();
        assert!(holder.contains(&format!("(process {})", std::process::id())), "{holder}");
        assert!(!is_free("127.0.0.1", port));
        assert!(!is_free("0.0.0.0", port));
    }

    #[test]
    fn only_listeners_count() {
        let line = |state| {
            format!(
                "   0: 0100007F:4E20 00000000:0000 {state} 00000000:00000000 00:00000000 00000000     0        0 5678 1"
            )
        };
        assert_eq!(listener(&line("0A")), Some((20000, 5678)));
        assert_eq!(listener(&line("01")), None);
    }
}
