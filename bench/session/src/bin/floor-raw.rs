//! The floor below: a blocking socket, ready bytes, the least reading that finds a body's end.

use std::io::{Read, Write};
use std::net::TcpStream;

use session_bench::{Args, HEADERS, args, cookie_line, drive_blocking, report};

fn main() {
    let mut args = args();
    args.name_or("floor-raw");
    let mut echo = connect(&args.url);
    let verify = request(&args, &args.verify);
    let echo = String::from_utf8_lossy(&fetch(&mut echo, &verify, &mut Vec::new())).into_owned();
    let bytes = request(&args, &args.url);
    let (spent, times) = drive_blocking(&args, || {
        let (mut stream, mut buffer, bytes) = (connect(&args.url), Vec::new(), bytes.clone());
        move || {
            fetch(&mut stream, &bytes, &mut buffer);
        }
    });
    report(&args, spent, times, &echo);
}

fn parts(url: &str) -> (&str, &str) {
    url.strip_prefix("http://")
        .unwrap()
        .split_once('/')
        .unwrap()
}

fn connect(url: &str) -> TcpStream {
    let stream = TcpStream::connect(parts(url).0).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

fn request(args: &Args, url: &str) -> Vec<u8> {
    let (host, path) = parts(url);
    let mut text = format!("GET /{path} HTTP/1.1\r\nhost: {host}\r\n");
    for (name, value) in HEADERS {
        text += &format!("{name}: {value}\r\n");
    }
    text += &format!("cookie: {}\r\n\r\n", cookie_line(args));
    text.into_bytes()
}

fn fetch(stream: &mut TcpStream, request: &[u8], buffer: &mut Vec<u8>) -> Vec<u8> {
    stream.write_all(request).unwrap();
    buffer.resize(8192, 0);
    let mut have = 0;
    loop {
        let read = stream.read(&mut buffer[have..]).unwrap();
        assert!(read > 0, "the server closed");
        have += read;
        let Some(head) = find(&buffer[..have], b"\r\n\r\n") else {
            continue;
        };
        assert_eq!(&buffer[9..12], b"200");
        let at = find(&buffer[..head], b"ontent-Length: ").expect("a length") + 15;
        let digits = buffer[at..head]
            .iter()
            .take_while(|byte| byte.is_ascii_digit());
        let length = digits.fold(0, |length, digit| length * 10 + usize::from(digit - b'0'));
        let end = head + 4 + length;
        while have < end {
            have += stream.read(&mut buffer[have..]).unwrap();
        }
        return buffer[head + 4..end].to_vec();
    }
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes
        .windows(wanted.len())
        .position(|window| window == wanted)
}
