//! One request at a time, and all that came back: nothing between the test and the server.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;

use flate2::read::GzDecoder;

use crate::kit::wait::PATIENCE;

/// An answer as it came.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    /// A header, with its lines joined as they may be (RFC 9110, 5.3); empty when there is none.
    pub(crate) fn header(&self, name: &str) -> String {
        let lines = self.headers.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
        let words: Vec<&str> =
            lines.flat_map(|(_, value)| value.split(',')).map(str::trim).filter(|v| !v.is_empty()).collect();
        words.join(", ")
    }

    /// What `Vary` names, in order, each once.
    pub(crate) fn vary(&self) -> Vec<String> {
        let mut names: Vec<String> =
            self.header("vary").split(", ").filter(|n| !n.is_empty()).map(str::to_lowercase).collect();
        names.sort();
        names.dedup();
        names
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The body, which must be packed with gzip, unpacked.
    pub(crate) fn unpacked(&self) -> Vec<u8> {
        let mut plain = Vec::new();
        GzDecoder::new(&*self.body).read_to_end(&mut plain).unwrap();
        plain
    }
}

/// Sends a request with these headers (`Name: value`) and reads the answer to its end.
pub(crate) fn ask(port: u16, method: &str, target: &str, headers: &[&str]) -> Answer {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request =
        format!("{method} {target} HTTP/1.1\r\nHost: wheels.example.org\r\nConnection: close\r\n");
    headers.iter().for_each(|line| request.push_str(&format!("{line}\r\n")));
    stream.write_all(format!("{request}\r\n").as_bytes()).unwrap();
    let mut input = BufReader::new(stream);
    let status = line(&mut input);
    let mut answer = Answer {
        status: status.split(' ').nth(1).and_then(|s| s.parse().ok()).unwrap_or_else(|| panic!("{status:?}")),
        headers: Vec::new(),
        body: Vec::new(),
    };
    loop {
        let header = line(&mut input);
        let Some((name, value)) = header.split_once(':') else { break };
        answer.headers.push((name.to_owned(), value.trim().to_owned()));
    }
    if answer.header("transfer-encoding") == "chunked" {
        loop {
            let size = usize::from_str_radix(&line(&mut input), 16).unwrap();
            let mut chunk = vec![0; size];
            input.read_exact(&mut chunk).unwrap();
            line(&mut input);
            if size == 0 {
                break;
            }
            answer.body.extend(chunk);
        }
    } else {
        input.read_to_end(&mut answer.body).unwrap();
    }
    answer
}

fn line(input: &mut impl BufRead) -> String {
    let mut line = String::new();
    input.read_line(&mut line).unwrap();
    line.trim_end().to_owned()
}
