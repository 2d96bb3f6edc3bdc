//! An index that does what a test says: one answer per request, whole, cut, slow or silent, over real HTTP on loopback.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use flate2::Compression;
use flate2::write::GzEncoder;

/// What a client asked.
#[derive(Clone, Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) body: String,
    headers: Vec<(String, String)>,
    /// Which connection it came on, from 0.
    pub(crate) connection: usize,
}

impl Request {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(known, _)| known.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.as_str())
    }
}

/// What it is answered.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    status: u16,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
    chunked: bool,
    manner: Manner,
}

/// How the body is sent.
#[derive(Clone, Copy, Debug)]
enum Manner {
    Whole,
    /// So many bytes of it, then the connection is closed.
    Cut(usize),
    /// So many bytes of it, then nothing until the client closes the connection.
    Stall(usize),
    /// A byte at a time.
    Drip(Duration),
    /// Not even a head: the connection is closed.
    HangUp,
}

impl Answer {
    pub(crate) fn status(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: Vec::new(), chunked: false, manner: Manner::Whole }
    }

    /// A page or list of PEP 691.
    pub(crate) fn json(body: impl Into<Vec<u8>>) -> Self {
        let answer = Self::status(200).with("Content-Type", "application/vnd.pypi.simple.v1+json");
        Self { body: body.into(), ..answer }
    }

    pub(crate) fn xml(body: impl Into<Vec<u8>>) -> Self {
        Self { body: body.into(), ..Self::status(200).with("Content-Type", "text/xml; charset=utf-8") }
    }

    /// A file.
    pub(crate) fn octets(body: impl Into<Vec<u8>>) -> Self {
        let answer = Self::status(200).with("Content-Type", "application/octet-stream");
        Self { body: body.into(), ..answer }
    }

    pub(crate) fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(crate) fn gzipped(self) -> Self {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(&self.body).unwrap();
        Self { body: encoder.finish().unwrap(), ..self }.with("Content-Encoding", "gzip")
    }

    pub(crate) fn chunked(self) -> Self {
        Self { chunked: true, ..self }
    }

    pub(crate) fn cut_at(self, bytes: usize) -> Self {
        Self { manner: Manner::Cut(bytes), ..self }
    }

    pub(crate) fn stalled_at(self, bytes: usize) -> Self {
        Self { manner: Manner::Stall(bytes), ..self }
    }

    pub(crate) fn dripping(self) -> Self {
        Self { manner: Manner::Drip(Duration::from_millis(5)), ..self }
    }

    pub(crate) fn hang_up() -> Self {
        Self { manner: Manner::HangUp, ..Self::status(200) }
    }

    /// Sends it; false when the connection is of no more use.
    fn send(&self, stream: &mut TcpStream) -> std::io::Result<bool> {
        let mut head = format!("HTTP/1.1 {} Said\r\n", self.status);
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let framing = match (self.chunked, self.status) {
            (true, _) => "Transfer-Encoding: chunked\r\n".to_owned(),
            (false, 304) => String::new(),
            (false, _) => format!("Content-Length: {}\r\n", self.body.len()),
        };
        head.push_str(&format!("{framing}\r\n"));
        match self.manner {
            Manner::HangUp => Ok(false),
            Manner::Whole => {
                stream.write_all(head.as_bytes())?;
                self.send_body(stream, &self.body)?;
                if self.chunked {
                    stream.write_all(b"0\r\n\r\n")?;
                }
                Ok(true)
            }
            Manner::Cut(bytes) => {
                stream.write_all(head.as_bytes())?;
                self.send_body(stream, &self.body[..bytes])?;
                Ok(false)
            }
            Manner::Stall(bytes) => {
                stream.write_all(head.as_bytes())?;
                self.send_body(stream, &self.body[..bytes])?;
                // ends when the client closes its end
                let _ = stream.read(&mut [0]);
                Ok(false)
            }
            Manner::Drip(pause) => {
                for byte in head.as_bytes().iter().chain(&self.body) {
                    stream.write_all(&[*byte])?;
                    std::thread::sleep(pause);
                }
                Ok(true)
            }
        }
    }

    fn send_body(&self, stream: &mut TcpStream, body: &[u8]) -> std::io::Result<()> {
        if !self.chunked {
            return stream.write_all(body);
        }
        for chunk in body.chunks(10_000) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        Ok(())
    }
}

#[derive(Default)]
struct Seen {
    requests: Vec<Request>,
    connections: usize,
    closed: usize,
}

/// The index; it serves until the test process ends.
pub(crate) struct Server {
    /// Its root, without a path.
    pub(crate) root: String,
    seen: Arc<Mutex<Seen>>,
}

impl Server {
    pub(crate) fn start(answer: impl Fn(&Request) -> Answer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let root = format!("http://{}", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Seen>>::default();
        let (shared, answer) = (seen.clone(), Arc::new(answer));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (shared, answer) = (shared.clone(), answer.clone());
                std::thread::spawn(move || {
                    let connection = shared.lock().unwrap().connections;
                    shared.lock().unwrap().connections += 1;
                    serve(stream, connection, &shared, &*answer);
                    shared.lock().unwrap().closed += 1;
                });
            }
        });
        Self { root, seen }
    }

    /// The same answer to everything.
    pub(crate) fn always(answer: Answer) -> Self {
        Self::start(move |_| answer.clone())
    }

    /// One answer after the other; the last one again and again.
    pub(crate) fn in_turn(answers: Vec<Answer>) -> Self {
        let turn = Mutex::new(0);
        Self::start(move |_| {
            let mut turn = turn.lock().unwrap();
            *turn += 1;
            answers[(*turn - 1).min(answers.len() - 1)].clone()
        })
    }

    /// Where its pages are.
    pub(crate) fn simple(&self) -> String {
        format!("{}/simple", self.root)
    }

    /// What was asked so far.
    pub(crate) fn requests(&self) -> Vec<Request> {
        self.seen.lock().unwrap().requests.clone()
    }

    /// How many connections have come to their end.
    pub(crate) fn closed(&self) -> usize {
        self.seen.lock().unwrap().closed
    }
}

fn serve(mut stream: TcpStream, connection: usize, seen: &Mutex<Seen>, answer: &dyn Fn(&Request) -> Answer) {
    let mut input = BufReader::new(stream.try_clone().unwrap());
    while let Some(request) = read_request(&mut input, connection) {
        seen.lock().unwrap().requests.push(request.clone());
        if !answer(&request).send(&mut stream).unwrap_or(false) {
            break;
        }
    }
}

fn read_request(input: &mut impl BufRead, connection: usize) -> Option<Request> {
    let mut line = String::new();
    if input.read_line(&mut line).ok()? == 0 {
        return None;
    }
    let mut words = line.split(' ').map(str::to_owned);
    let (method, path) = (words.next()?, words.next()?);
    let mut headers = Vec::new();
    loop {
        let mut header = String::new();
        input.read_line(&mut header).ok()?;
        match header.trim().split_once(": ") {
            Some((name, value)) => headers.push((name.to_owned(), value.to_owned())),
            None => break,
        }
    }
    let mut request = Request { method, path, body: String::new(), headers, connection };
    let length = request.header("content-length").map_or(0, |length| length.parse().unwrap());
    input.take(length).read_to_string(&mut request.body).ok()?;
    Some(request)
}
