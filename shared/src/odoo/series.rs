//! How the series of Odoo differ, as far as running them is concerned. Sources: the official images' Dockerfiles, Odoo's
//! own `tools/config.py` and release notes of each series.

/// A series such as 17.0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Series {
    pub major: u32,
    /// The live bus, served on its own port once there are workers: `/longpolling/…` or `/websocket`.
    pub realtime: Realtime,
    /// `GET /web/health` exists; before, a JSON-RPC call has to do.
    pub has_health: bool,
    /// `/web/health?db_server_status=1` asks PostgreSQL too, in builds since late 2024.
    pub has_database_health: bool,
    /// `odoo neutralize` exists.
    pub has_neutralize: bool,
    /// How demo data is asked for.
    pub demo: Demo,
    /// `from_filter` and `smtp_ssl_certificate_filename` are known.
    pub has_from_filter: bool,
    /// `db_maxconn_gevent` is known.
    pub has_gevent_connections: bool,
    /// `limit_memory_soft_gevent` and `limit_memory_hard_gevent` are known.
    pub has_gevent_memory: bool,
}

/// How browsers are told of what happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Realtime {
    LongPolling,
    Websocket,
}

impl Realtime {
    /// What a proxy sends to the real-time port.
    pub fn path(self) -> &'static str {
        match self {
            Self::LongPolling => "/longpolling/*",
            Self::Websocket => "/websocket",
        }
    }

    /// The key of that port in odoo.conf.
    pub fn port_key(self) -> &'static str {
        match self {
            Self::LongPolling => "longpolling_port",
            Self::Websocket => "gevent_port",
        }
    }
}

/// What decides on demo data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Demo {
    /// It is there unless `without_demo` says otherwise.
    OptOut,
    /// It is not there unless `with_demo` says so.
    OptIn,
}

/// Oldest and newest that are supported.
pub const MAJORS: std::ops::RangeInclusive<u32> = 14..=19;

impl Series {
    /// The table. A number beyond it is taken as the nearest.
    pub fn of_major(major: u32) -> Self {
        Self {
            major,
            realtime: if major >= 16 { Realtime::Websocket } else { Realtime::LongPolling },
            has_health: major >= 15,
            has_database_health: major >= 17,
            has_neutralize: major >= 16,
            demo: if major >= 19 { Demo::OptIn } else { Demo::OptOut },
            has_from_filter: major >= 15,
            has_gevent_connections: major >= 17,
            has_gevent_memory: major >= 18,
        }
    }

    /// `17.0`, `saas-17.2`; none for what is no version.
    pub fn of(version: &str) -> Option<Self> {
        let number = version.trim_start_matches("saas-").trim_start_matches("saas~").split('.').next()?;
        number.parse().ok().map(Self::of_major)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_series_has_its_ways() {
        let row = |major| {
            let s = Series::of_major(major);
            (s.realtime.path(), s.realtime.port_key(), s.has_health, s.has_neutralize, s.demo == Demo::OptIn)
        };
        assert_eq!(row(14), ("/longpolling/*", "longpolling_port", false, false, false));
        assert_eq!(row(15), ("/longpolling/*", "longpolling_port", true, false, false));
        assert_eq!(row(16), ("/websocket", "gevent_port", true, true, false));
        assert_eq!(row(17), row(16));
        assert_eq!(row(18), row(16));
        assert_eq!(row(19), ("/websocket", "gevent_port", true, true, true));
        assert!(Series::of_major(17).has_gevent_connections && !Series::of_major(16).has_gevent_connections);
        assert!(Series::of_major(18).has_gevent_memory && !Series::of_major(17).has_gevent_memory);
    }

    #[test]
    fn versions_have_a_series() {
        assert_eq!(Series::of("14.0").unwrap().major, 14);
        assert_eq!(Series::of("saas-17.2").unwrap().major, 17);
        assert_eq!(Series::of("saas~18.1").unwrap().major, 18);
        assert_eq!(Series::of("latest"), None);
    }
}
