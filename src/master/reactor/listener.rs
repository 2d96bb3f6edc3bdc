//! Listening sockets: TCP for slaves and files, a Unix socket for the administrator's tools, either for metrics.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};

use mio::event::Source;
use mio::net::{TcpListener, UnixListener};
use mio::{Interest, Registry, Token};
use nix::sys::socket::{getsockopt, sockopt};
use nix::sys::stat::{Mode, umask};

use super::address::{Address, resolve};
use super::connection::Stream;
use crate::wire::Channel;

enum Socket {
    Tcp(TcpListener),
    Unix(UnixListener, PathBuf),
    Closed,
}

/// What connections of a listener are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Service {
    /// The farm.
    Channel(Channel),
    /// Those who scrape metrics.
    Metrics,
}

impl From<Channel> for Service {
    fn from(channel: Channel) -> Self {
        Self::Channel(channel)
    }
}

impl fmt::Display for Service {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Channel(channel) => write!(f, "{channel:?}"),
            Self::Metrics => f.write_str("metrics"),
        }
    }
}

/// One listening socket.
pub struct Listener {
    socket: Socket,
    /// What its connections are for.
    pub service: Service,
}

impl Listener {
    /// Listens for `service` on an address; more than one socket where the address stands for more. Addresses that
    /// other machines can reach need `open`: slaves have keys, or the network is trusted. The error is for people.
    pub fn bind(address: &Address, service: Service, open: bool) -> Result<Vec<Self>, String> {
        let sockets: Vec<SocketAddr> = match address {
            Address::Path(path) => return Self::bind_path(path, service).map(|listener| vec![listener]),
            Address::Any(port) if open => return Self::bind_any(*port, service),
            Address::Any(port) => {
                log::warn!(
                    "{address}: only this machine's own programs can connect; 'piw-master --add-slave NAME' makes a key for \
                     a slave of another machine, and once there is one this opens to all"
                );
                vec![(Ipv4Addr::LOCALHOST, *port).into(), (Ipv6Addr::LOCALHOST, *port).into()]
            }
            Address::Host(host, port) => {
                let (sockets, outside) = resolve(host, *port)?;
                if outside && !open {
                    return Err(format!(
                        "{address} can be reached from other machines, and no slave has a key: make one with \
                         --add-slave NAME, use a loopback address (with ssh or WireGuard before it), or --insecure \
                         on a network you trust"
                    ));
                }
                sockets
            }
        };
        let mut listeners: Vec<Self> = Vec::new();
        let mut failed = None;
        for mut socket in sockets {
            // a port the system chose is the same for IPv4 and IPv6
            if let (0, Some(first)) = (socket.port(), listeners.first()) {
                socket.set_port(first.port());
            }
            match TcpListener::bind(socket) {
                Ok(bound) => listeners.push(Self::tcp(bound, service)),
                // a machine without IPv6 has no ::1
                Err(error) if socket.is_ipv6() && error.kind() == io::ErrorKind::AddrNotAvailable => {}
                Err(error) => failed = Some(format!("cannot listen on {socket}: {error}")),
            }
        }
        match failed {
            Some(reason) => Err(reason),
            None if listeners.is_empty() => Err(format!("cannot listen on {address}: no such address here")),
            None => Ok(listeners),
        }
    }

    fn bind_any(port: u16, service: Service) -> Result<Vec<Self>, String> {
        // one IPv6 socket serves IPv4 too, unless the system says otherwise
        let six = TcpListener::bind((Ipv6Addr::UNSPECIFIED, port).into());
        let port = six.as_ref().ok().and_then(|s| s.local_addr().ok()).map_or(port, |a| a.port());
        let four = TcpListener::bind((Ipv4Addr::UNSPECIFIED, port).into());
        let bound: Vec<_> = match (six, four) {
            (Err(error), Err(_)) => return Err(format!("cannot listen on port {port}: {error}")),
            (six, four) => {
                [six, four].into_iter().flatten().map(|socket| Self::tcp(socket, service)).collect()
            }
        };
        Ok(bound)
    }

    fn tcp(socket: TcpListener, service: Service) -> Self {
        if let Ok(address) = socket.local_addr() {
            log::info!("listening for {service} connections on tcp://{address}");
        }
        Self { socket: Socket::Tcp(socket), service }
    }

    fn bind_path(path: &Path, service: Service) -> Result<Self, String> {
        let at = path.display();
        if let Ok(found) = path.symlink_metadata() {
            use std::os::unix::fs::FileTypeExt;
            if !found.file_type().is_socket() {
                return Err(format!("{at} is there and is no socket; remove it or name another address"));
            }
            remove_stale(path)?;
        }
        // born with mode 0600: there is no moment at which others could connect
        let before = umask(Mode::from_bits_truncate(0o177));
        let bound = UnixListener::bind(path);
        umask(before);
        let socket = bound.map_err(|e| format!("cannot listen on ipc://{at}: {e}"))?;
        log::info!("listening for {service} connections on ipc://{at}");
        Ok(Self { socket: Socket::Unix(socket, path.to_owned()), service })
    }

    fn port(&self) -> u16 {
        match &self.socket {
            Socket::Tcp(socket) => socket.local_addr().map_or(0, |a| a.port()),
            _ => 0,
        }
    }

    /// The next connection, if one waits, and where it comes from: for people, and as an address.
    pub(super) fn accept(&self) -> io::Result<Option<(Stream, String, Option<IpAddr>)>> {
        match &self.socket {
            Socket::Tcp(socket) => Ok(waiting(socket.accept())?.map(|(stream, address)| {
                // answers are small and wanted at once
                let _ = stream.set_nodelay(true);
                // without it a peer that lost its power is only noticed by its silence
                let _ = crate::tcp::watch(&stream);
                let peer = SocketAddr::new(address.ip().to_canonical(), address.port());
                (Stream::Tcp(stream), peer.to_string(), Some(peer.ip()))
            })),
            Socket::Unix(socket, _) => {
                let Some((stream, _)) = waiting(socket.accept())? else { return Ok(None) };
                let credentials = getsockopt(&stream, sockopt::PeerCredentials)?;
                let peer = format!("process {} of user {}", credentials.pid(), credentials.uid());
                if credentials.uid() != 0 && credentials.uid() != nix::unistd::geteuid().as_raw() {
                    return Err(io::Error::other(format!("{peer} may not use this socket")));
                }
                Ok(Some((Stream::Unix(stream), peer, None)))
            }
            Socket::Closed => Ok(None),
        }
    }

    fn source(&mut self) -> Option<&mut dyn Source> {
        match &mut self.socket {
            Socket::Tcp(socket) => Some(socket),
            Socket::Unix(socket, _) => Some(socket),
            Socket::Closed => None,
        }
    }

    /// Listens no more.
    pub(super) fn close(&mut self, registry: &Registry) {
        let _ = registry.deregister(self);
        if let Socket::Unix(_, path) = &self.socket {
            let _ = std::fs::remove_file(path);
        }
        self.socket = Socket::Closed;
    }
}

/// Removes a socket that nobody listens on. What cannot be told is left as it is.
fn remove_stale(path: &Path) -> Result<(), String> {
    let at = path.display();
    // it does not wait: a program that listens and takes nobody in would hold this one up
    let connected = mio::net::UnixStream::connect(path).map_err(|e| (e.kind(), e));
    match connected {
        Ok(_) | Err((io::ErrorKind::WouldBlock, _)) => {
            Err(format!("another program listens on {at}: is a piw-master running already?"))
        }
        Err((io::ErrorKind::ConnectionRefused, _)) => {
            std::fs::remove_file(path).map_err(|e| format!("{at} is left over and cannot be removed: {e}"))
        }
        // gone in the meantime
        Err((io::ErrorKind::NotFound, _)) => Ok(()),
        Err((_, error)) => Err(format!(
            "{at} is there, and whether a program listens on it cannot be told ({error}); remove it if none does, or \
             name another address"
        )),
    }
}

fn waiting<T>(accepted: io::Result<T>) -> io::Result<Option<T>> {
    match accepted {
        Ok(accepted) => Ok(Some(accepted)),
        Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {
            Ok(None)
        }
        Err(error) => Err(error),
    }
}

impl Source for Listener {
    fn register(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.source().map_or(Ok(()), |source| source.register(registry, token, interest))
    }

    fn reregister(&mut self, registry: &Registry, token: Token, interest: Interest) -> io::Result<()> {
        self.source().map_or(Ok(()), |source| source.reregister(registry, token, interest))
    }

    fn deregister(&mut self, registry: &Registry) -> io::Result<()> {
        self.source().map_or(Ok(()), |source| source.deregister(registry))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_socket_that_nobody_listens_on_is_replaced() {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        drop(std::os::unix::net::UnixListener::bind(at("stale")).unwrap());
        Listener::bind_path(&at("stale"), Channel::Import.into()).unwrap();

        let _heard = std::os::unix::net::UnixListener::bind(at("heard")).unwrap();
        let refused = Listener::bind_path(&at("heard"), Channel::Import.into()).err().unwrap();
        assert!(refused.contains("running already"), "{refused}");

        // a socket of another kind, which a stream cannot connect to: another program's
        let _other = std::os::unix::net::UnixDatagram::bind(at("other")).unwrap();
        let refused = Listener::bind_path(&at("other"), Channel::Import.into()).err().unwrap();
        assert!(refused.contains("cannot be told"), "{refused}");
        for name in ["heard", "other"] {
            assert!(at(name).exists(), "{name}");
        }
    }
}
