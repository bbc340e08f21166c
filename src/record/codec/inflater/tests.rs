use super::*;
use crate::record::Deflater;

fn deflate(codec: Codec, input: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    Deflater::new().deflate(codec, None, input, &mut out).unwrap();
    out
}

#[test]
fn memory_doubles_up_to_exactly_the_cap_and_is_dropped_before_it_does() {
    struct Piece(Vec<u8>, std::rc::Rc<std::cell::Cell<usize>>);
    impl AsMut<[u8]> for Piece {
        fn as_mut(&mut self) -> &mut [u8] {
            &mut self.0
        }
    }
    impl Drop for Piece {
        fn drop(&mut self) {
            self.1.set(self.1.get() - 1);
        }
    }
    let plain = vec![b'x'; 1000];
    for codec in Codec::ALL {
        let input = deflate(codec, &plain);
        let (alive, mut sizes) = (std::rc::Rc::default(), Vec::new());
        let mut grow = |size: usize| {
            sizes.push(size);
            let piece = Piece(vec![0xee; size], std::rc::Rc::clone(&alive));
            assert_eq!(alive.replace(1), 0, "one piece at a time");
            Some(piece)
        };
        let mut inflater = Inflater::new();
        let (piece, len) = inflater.inflate_capped(codec, &input, 300, 1000, &mut grow).unwrap();
        assert_eq!((&piece.0[..len], &sizes[..]), (&plain[..], &[300, 600, 1000][..]), "{codec}");
        drop(piece);
        sizes.clear();
        let mut grow = |size: usize| {
            sizes.push(size);
            Some(vec![0xee; size])
        };
        let error = inflater.inflate_capped(codec, &input, 300, 999, &mut grow).unwrap_err();
        assert_eq!(
            (error, &sizes[..]),
            (InflateError::TooLarge { cap: 999 }, &[300, 600, 999][..])
        );
    }
}

#[test]
fn growing_ends_whatever_the_caller_gives() {
    let input = deflate(Codec::Zstd, &[0; 1000]);
    let mut inflater = Inflater::new();
    let mut capped = |first, cap, len: Option<usize>| {
        let grow = |_| len.map(|len| vec![0; len]);
        inflater.inflate_capped(Codec::Zstd, &input, first, cap, grow).map(|(_, len)| len)
    };
    assert_eq!(capped(0, 5000, None), Err(InflateError::NoMemory));
    assert_eq!(capped(0, 5000, Some(0)), Err(InflateError::TooLarge { cap: 5000 }));
    assert_eq!(capped(0, 0, Some(5000)), Err(InflateError::TooLarge { cap: 0 }));
    assert_eq!(capped(9000, 5000, Some(9000)), Ok(1000));
    assert_eq!(capped(usize::MAX, usize::MAX, Some(1000)), Ok(1000));
}

#[test]
fn a_zstd_context_keeps_no_window() {
    let mut inflater = Inflater::new();
    let input = deflate(Codec::Zstd, &vec![7; 8 << 20]);
    let mut out = vec![0; 8 << 20];
    assert_eq!(inflater.inflate(Codec::Zstd, &input, &mut out), Ok(8 << 20));
    let context = inflater.zstd.as_ref().unwrap().sizeof();
    assert!(context < 256 << 10, "{context} bytes");
}

#[test]
fn hints_of_honest_streams_are_right_or_absent() {
    let plain = b"0123456789".repeat(20_000);
    for codec in Codec::ALL {
        let hint = size_hint(codec, &deflate(codec, &plain));
        let exact = !matches!(codec, Codec::Lz4);
        assert_eq!(hint == Some(plain.len()), exact, "{codec}: {hint:?}");
        for len in 0..4 {
            let _ = size_hint(codec, &vec![0xff; len]);
        }
    }
}
