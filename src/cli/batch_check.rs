//! Whether a batch is whole: its checksum, and that its records can be read.

use kfetch::record::codec::size_hint;
use kfetch::record::{
    BatchCursor, BatchHeader, Codec, DecodeLimits, Descriptor, HEADER_LEN, Inflater, verify_crc,
};

/// The default of `kfetch.batch.inflated.max.bytes`.
const INFLATED_MAX_BYTES: usize = 100 << 20;

/// Where the first try to inflate begins when the batch does not say how large it becomes.
const INFLATED_FIRST_BYTES: usize = 64 << 10;

/// Checks batches, with memory that is used again.
#[derive(Debug, Default)]
pub(crate) struct BatchCheck {
    inflater: Inflater,
    inflated: Vec<u8>,
    descriptors: Vec<Descriptor>,
}

impl BatchCheck {
    /// Checks a batch, and returns how many records it has.
    ///
    /// # Errors
    ///
    /// What is wrong, and the first offset that cannot be read.
    pub(crate) fn check(
        &mut self,
        header: &BatchHeader,
        bytes: &[u8],
    ) -> Result<usize, (i64, String)> {
        let at_base = |text: String| (header.base_offset, text);
        if !verify_crc(bytes) {
            return Err(at_base("the batch's checksum differs from its content".to_owned()));
        }
        let codec = header.codec().map_err(|error| at_base(error.to_string()))?;
        let records = match codec {
            Codec::None => bytes.get(HEADER_LEN..).unwrap_or_default(),
            codec => {
                let len = self
                    .inflate(codec, bytes.get(HEADER_LEN..).unwrap_or_default())
                    .map_err(at_base)?;
                self.inflated.get(..len).unwrap_or_default()
            }
        };
        self.descriptors.clear();
        let decoded = BatchCursor::new(header, 0..records.len()).and_then(|mut cursor| {
            cursor.decode(records, 0, &DecodeLimits::ALL, &mut self.descriptors)
        });
        match decoded {
            Ok(decoded) => Ok(decoded.records),
            Err(error) => Err((error.offset, error.to_string())),
        }
    }

    fn inflate(&mut self, codec: Codec, compressed: &[u8]) -> Result<usize, String> {
        let first = size_hint(codec, compressed).unwrap_or(INFLATED_FIRST_BYTES);
        let memory = std::mem::take(&mut self.inflated);
        let mut memory = Some(memory);
        let inflated =
            self.inflater.inflate_capped(codec, compressed, first, INFLATED_MAX_BYTES, |size| {
                let mut memory = memory.take().unwrap_or_default();
                if memory.len() < size {
                    memory = vec![0; size];
                }
                Some(memory)
            });
        let (memory, len) = inflated.map_err(|error| error.to_string())?;
        self.inflated = memory;
        Ok(len)
    }
}
