//! A bad link in this process, for kernels without `tc netem`: every connection to it goes on to the master, late, no faster
//! than it may be, with pauses as lost packets bring them, and not at all while it is cut.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::channel;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

/// What the link is like, in each direction.
#[derive(Clone, Copy)]
pub(crate) struct Quality {
    /// From one end to the other.
    pub(crate) delay: Duration,
    /// Bytes a second.
    pub(crate) rate: u64,
    /// Of a thousand packets of 1,448 bytes, so many are lost: what follows waits for it to be sent again.
    pub(crate) lost_per_mille: u32,
}

/// What a lost packet costs beyond the delay there and back: TCP's least wait for an acknowledgement.
const RETRANSMISSION: Duration = Duration::from_millis(200);

/// The link; its threads end with the connections.
pub(crate) struct Proxy {
    pub(crate) slave_port: u16,
    pub(crate) file_port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    quality: Quality,
    cut: AtomicBool,
    to_master: AtomicU64,
    streams: Mutex<Vec<TcpStream>>,
}

impl Proxy {
    /// Between slaves and the master at these ports of this machine.
    pub(crate) fn start(slave_port: u16, file_port: u16, quality: Quality) -> Self {
        let shared = Arc::new(Shared {
            quality,
            cut: AtomicBool::new(false),
            to_master: AtomicU64::new(0),
            streams: Mutex::default(),
        });
        let [slave_port, file_port] = [slave_port, file_port].map(|port| listen(port, &shared));
        Self { slave_port, file_port, shared }
    }

    /// Nothing goes through from now on, and nobody is told; connections that stand will break when it is whole again.
    pub(crate) fn cut(&self) {
        self.shared.cut.store(true, Ordering::Relaxed);
    }

    /// It is whole again, for new connections.
    pub(crate) fn mend(&self) {
        self.shared.streams.lock().unwrap().drain(..).for_each(|stream| {
            let _ = stream.shutdown(std::net::Shutdown::Both);
        });
        self.shared.cut.store(false, Ordering::Relaxed);
    }

    /// Bytes that went to the master.
    pub(crate) fn sent(&self) -> u64 {
        self.shared.to_master.load(Ordering::Relaxed)
    }
}

fn listen(to: u16, shared: &Arc<Shared>) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let shared = shared.clone();
    std::thread::spawn(move || {
        for near in listener.incoming().flatten() {
            if shared.cut.load(Ordering::Relaxed) {
                continue;
            }
            let Ok(far) = TcpStream::connect(("127.0.0.1", to)) else { continue };
            for stream in [&near, &far] {
                stream.set_nodelay(true).unwrap();
                shared.streams.lock().unwrap().push(stream.try_clone().unwrap());
            }
            let (near_too, far_too) = (near.try_clone().unwrap(), far.try_clone().unwrap());
            carry(near, far, true, shared.clone());
            carry(far_too, near_too, false, shared.clone());
        }
    });
    port
}

/// One direction: a thread that reads and stamps, one that writes when it is time.
fn carry(mut from: TcpStream, mut to: TcpStream, to_master: bool, shared: Arc<Shared>) {
    let (send, pieces) = channel::<(Instant, Vec<u8>)>();
    let reader = shared.clone();
    std::thread::spawn(move || {
        let quality = reader.quality;
        let (mut free, mut lot) = (Instant::now(), 1u32);
        let mut piece = vec![0; 1448];
        while let Ok(read @ 1..) = from.read(&mut piece) {
            free =
                free.max(Instant::now()) + Duration::from_nanos(read as u64 * 1_000_000_000 / quality.rate);
            // the same packets are lost in every run
            lot = lot.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            if lot % 1000 < quality.lost_per_mille {
                free += RETRANSMISSION + 2 * quality.delay;
            }
            if send.send((free + quality.delay, piece[..read].to_vec())).is_err() {
                return;
            }
            // no more under way than a socket's buffer would take
            let ahead = free.saturating_duration_since(Instant::now());
            std::thread::sleep(ahead.saturating_sub(Duration::from_millis(50)));
        }
    });
    std::thread::spawn(move || {
        for (due, piece) in pieces {
            std::thread::sleep(due.saturating_duration_since(Instant::now()));
            while shared.cut.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(10));
            }
            if to.write_all(&piece).is_err() {
                return;
            }
            if to_master {
                shared.to_master.fetch_add(piece.len() as u64, Ordering::Relaxed);
            }
        }
        let _ = to.shutdown(std::net::Shutdown::Write);
    });
}
