//! The proxy does to connections what it says.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use crate::fault_proxy::{End, FaultProxy, FrameCut, Mode, Side};
use crate::support::deadline::now;
use crate::support::port::free_port;
use crate::watch::{MS, let_pass};

/// A proxy before a server that sends back what it gets.
fn echo() -> (FaultProxy, impl Fn() -> TcpStream) {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (port, target) = (free_port(), listener.local_addr().unwrap().port());
    let serve = |mut stream: TcpStream| {
        let mut buffer = [0; 1024];
        while let Ok(count @ 1..) = stream.read(&mut buffer) {
            if stream.write_all(&buffer[..count]).is_err() {
                return;
            }
        }
    };
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            std::thread::spawn(move || serve(stream.unwrap()));
        }
    });
    let connect = move || {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(300))).unwrap();
        stream
    };
    (FaultProxy::tcp(port, target), connect)
}

/// A frame of an API, with as many bytes behind its length.
fn frame(api_key: i16, length: u8) -> Vec<u8> {
    let mut frame = vec![0, 0, 0, length];
    frame.extend(api_key.to_be_bytes());
    frame.resize(usize::from(length) + 4, 7);
    frame
}

/// Returns what comes until nothing does, and how it ends.
fn read_all(stream: &mut TcpStream) -> (Vec<u8>, Option<ErrorKind>) {
    let mut bytes = Vec::new();
    let end = stream.read_to_end(&mut bytes).err().map(|error| error.kind());
    (bytes, end)
}

fn took(call: impl FnOnce()) -> Duration {
    let started: Instant = now();
    call();
    started.elapsed()
}

#[test]
fn bytes_pass_late_and_slowly_but_all() {
    let (proxy, connect) = echo();
    let mut stream = connect();
    stream.set_read_timeout(None).unwrap();
    let mut buffer = [0; 100];
    let mut turn = |bytes: &[u8]| {
        took(|| {
            stream.write_all(bytes).unwrap();
            stream.read_exact(&mut buffer[..bytes.len()]).unwrap();
            assert_eq!(&buffer[..bytes.len()], bytes);
        })
    };
    let sent: Vec<u8> = (0..100).collect();
    assert!(turn(&sent) < 100 * MS);
    proxy.set(Mode::Delay(80 * MS));
    assert!((160 * MS..400 * MS).contains(&turn(&sent)));
    proxy.set(Mode::Trickle(1, MS));
    assert!((100 * MS..2_000 * MS).contains(&turn(&sent)));
    proxy.set(Mode::Pass);
    assert!(turn(&sent) < 100 * MS);
    assert_eq!((proxy.accepted(), proxy.ended()), (1, 0));
}

#[test]
fn connections_end_where_they_are_told_to() {
    let (proxy, connect) = echo();
    let mut stream = connect();
    stream.write_all(&[1; 50]).unwrap();
    stream.read_exact(&mut [0; 50]).unwrap();
    for (end, error) in [(End::Fin, None), (End::Reset, Some(ErrorKind::ConnectionReset))] {
        proxy.set(Mode::Cut(30, end));
        // The old one counts from now on, a new one from its begin.
        for mut stream in [std::mem::replace(&mut stream, connect()), connect()] {
            stream.write_all(&[2; 50]).unwrap();
            assert_eq!(read_all(&mut stream), (vec![2; 30], error));
        }
    }
    proxy.set(Mode::Refuse);
    assert_eq!(read_all(&mut stream).0, []);
    assert_eq!(read_all(&mut connect()).0, []);
    assert!(proxy.ended() >= 5);
}

#[test]
fn frames_are_cut_by_their_api_on_either_side() {
    let (proxy, connect) = echo();
    let three = [frame(1, 20), frame(8, 30), frame(1, 20)].concat();
    for after in [0, 1, 4, 10, 33] {
        let cut = FrameCut { side: Side::Answers, api_key: 8, after, times: 1 };
        proxy.set(Mode::CutFrame(cut, End::Fin));
        let mut stream = connect();
        stream.write_all(&three).unwrap();
        assert_eq!(read_all(&mut stream), (three[..24 + after].to_vec(), None), "{after}");
        // Once is enough.
        let mut stream = connect();
        stream.write_all(&three).unwrap();
        let passed = (three.clone(), Some(ErrorKind::WouldBlock));
        assert_eq!(read_all(&mut stream), passed);
    }
    for after in [6, 10, 33] {
        let cut = FrameCut { side: Side::Requests, api_key: 8, after, times: 1 };
        proxy.set(Mode::CutFrame(cut, End::Fin));
        let mut stream = connect();
        stream.write_all(&three).unwrap();
        // What the server had sent back by then may have come, and no more.
        let (bytes, end) = read_all(&mut stream);
        assert!(bytes.len() <= 24 + after && three.starts_with(&bytes) && end.is_none());
    }
}

#[test]
fn nothing_passes_a_black_hole_and_all_does_after_it() {
    let (proxy, connect) = echo();
    let mut open = connect();
    open.write_all(&[1]).unwrap();
    open.read_exact(&mut [0]).unwrap();
    for mode in [Mode::BlackHole, Mode::Mute] {
        proxy.set(mode);
        let_pass(20 * MS);
        let mut new = connect();
        for stream in [&mut open, &mut new] {
            stream.write_all(&[3; 3]).unwrap();
            assert_eq!(read_all(stream), (vec![], Some(ErrorKind::WouldBlock)));
        }
        proxy.set(Mode::Pass);
        for stream in [&mut open, &mut new] {
            stream.read_exact(&mut [0; 3]).unwrap();
        }
    }
    assert_eq!(proxy.ended(), 0);
}
