//! Addresses as the manual writes them: `tcp://*:5555`, `ipc:///tmp/piw-import` (manual 2.2).

use std::fmt;
use std::net::{IpAddr, SocketAddr, ToSocketAddrs};
use std::path::PathBuf;
use std::str::FromStr;

/// Where a channel is served, or looked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Address {
    /// `tcp://*:PORT`: every address of this machine, IPv4 and IPv6.
    Any(u16),
    /// `tcp://HOST:PORT`.
    Host(String, u16),
    /// `ipc://PATH`: a Unix socket.
    Path(PathBuf),
}

impl FromStr for Address {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(path) = text.strip_prefix("ipc://") {
            if !path.starts_with('/') {
                return Err(format!("{text}: a path after ipc:// begins with '/'"));
            }
            return Ok(Self::Path(path.into()));
        }
        let Some(rest) = text.strip_prefix("tcp://") else {
            return Err(format!(
                "{text} is not an address (tcp://*:5555, tcp://127.0.0.1:5555, ipc:///run/socket)"
            ));
        };
        let (host, port) = rest.rsplit_once(':').ok_or_else(|| format!("{text} names no port"))?;
        let port = port.parse().map_err(|_| format!("{text}: {port:?} is not a port"))?;
        let host = host.trim_start_matches('[').trim_end_matches(']');
        match host {
            "" => Err(format!("{text} names no host; * is every address of this machine")),
            "*" => Ok(Self::Any(port)),
            host => Ok(Self::Host(host.to_owned(), port)),
        }
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Any(port) => write!(f, "tcp://*:{port}"),
            Self::Host(host, port) if host.contains(':') => write!(f, "tcp://[{host}]:{port}"),
            Self::Host(host, port) => write!(f, "tcp://{host}:{port}"),
            Self::Path(path) => write!(f, "ipc://{}", path.display()),
        }
    }
}

/// `inproc://NAME`: an address inside this program, which nobody can connect to (manual 2.2, `--db-queue` and others).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Internal(String);

impl FromStr for Internal {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        match text.strip_prefix("inproc://") {
            None => Err(format!(
                "{text:?} must be inproc:// and a name: this queue is inside piw-master, and nothing connects to it"
            )),
            Some(name) if name.is_empty() || name.contains(|c: char| c.is_whitespace() || c.is_control()) => {
                Err(format!("{text:?}: behind inproc:// comes a name without blanks, such as inproc://db"))
            }
            Some(name) => Ok(Self(name.to_owned())),
        }
    }
}

impl fmt::Display for Internal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "inproc://{}", self.0)
    }
}

/// The socket addresses a TCP address stands for, and whether any of them is reachable from other machines.
pub fn resolve(host: &str, port: u16) -> Result<(Vec<SocketAddr>, bool), String> {
    let found: Vec<_> = (host, port).to_socket_addrs().map_err(|e| format!("{host}: {e}"))?.collect();
    let outside = found.iter().any(|address| !is_loopback(address.ip()));
    Ok((found, outside))
}

/// Whether only this machine can reach an address; else why not, for people.
pub fn check_local(address: &Address) -> Result<(), String> {
    let outside = match address {
        Address::Path(_) => false,
        Address::Any(_) => true,
        Address::Host(host, port) => resolve(host, *port)?.1,
    };
    if !outside {
        return Ok(());
    }
    Err(format!(
        "{address}: other machines can reach it, and whoever connects is answered without a password: must be a loopback \
         address (tcp://127.0.0.1:PORT) or a Unix socket (ipc:///PATH); put ssh, WireGuard or a web server with a password \
         before it"
    ))
}

fn is_loopback(ip: IpAddr) -> bool {
    ip.to_canonical().is_loopback()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_other_machines_reach_is_not_local() {
        let local = |text: &str| check_local(&text.parse().unwrap()).is_ok();
        for text in [
            "ipc:///run/x",
            "tcp://127.0.0.1:1",
            "tcp://127.9.9.9:1",
            "tcp://[::1]:1",
            "tcp://[::ffff:127.0.0.1]:1",
        ] {
            assert!(local(text), "{text}");
        }
        for text in
            ["tcp://*:1", "tcp://0.0.0.0:1", "tcp://[::]:1", "tcp://192.0.2.1:1", "tcp://[2001:db8::1]:1"]
        {
            assert!(!local(text), "{text}");
        }
    }

    #[test]
    fn an_internal_address_is_a_name_and_nothing_else() {
        assert_eq!("inproc://db".parse(), Ok(Internal("db".to_owned())));
        for bad in ["", "db", "inproc://", "inproc://a b", "tcp://*:1", "ipc:///tmp/db", "INPROC://db"] {
            assert!(bad.parse::<Internal>().unwrap_err().contains("inproc://"), "{bad}");
        }
    }

    #[test]
    fn the_manuals_addresses_are_read() {
        assert_eq!("tcp://*:5555".parse(), Ok(Address::Any(5555)));
        assert_eq!("tcp://10.0.0.1:1".parse(), Ok(Address::Host("10.0.0.1".to_owned(), 1)));
        assert_eq!("tcp://[::1]:1".parse(), Ok(Address::Host("::1".to_owned(), 1)));
        assert_eq!("ipc:///tmp/piw-import".parse(), Ok(Address::Path("/tmp/piw-import".into())));
        for bad in [
            "",
            "5555",
            "tcp://",
            "tcp://x",
            "tcp://:1",
            "tcp://x:port",
            "tcp://x:70000",
            "ipc://x",
            "inproc://x",
        ] {
            assert!(bad.parse::<Address>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_address_is_read_as_it_is_shown(text in "\\PC{0,30}|(tcp|ipc)://[a-z*/.:\\[\\]]{0,12}(:[0-9]{1,5})?") {
            if let Ok(address) = text.parse::<Address>() {
                prop_assert_eq!(address.to_string().parse(), Ok(address));
            }
        }
    }
}
