//! ApiVersions: which APIs a broker speaks, in which versions (KIP-35, KIP-511).

#![forbid(unsafe_code)]
#![deny(clippy::arithmetic_side_effects, clippy::indexing_slicing)]

use super::{ApiKey, ErrorCode, VersionRange};
use crate::wire::{EncodeError, Reader, WireError, Writer};

/// Asks a broker for the versions it speaks.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionsRequest<'a> {
    /// v3+ (KIP-511): the client library's name; ignorable. A broker refuses with INVALID_REQUEST
    /// what is not letters and digits, with dots and hyphens inside.
    pub client_software_name: &'a str,
    /// v3+ (KIP-511): the client library's version, of the same letters; ignorable.
    pub client_software_version: &'a str,
}

impl<'a> ApiVersionsRequest<'a> {
    /// Appends the request's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ApiVersions.writer(out, version)?;
        if version >= 3 {
            w.string(self.client_software_name)?;
            w.string(self.client_software_version)?;
        }
        w.empty_tagged_fields();
        Ok(())
    }

    /// Reads the request's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::ApiVersions.reader(body, version)?;
        let mut request = Self::default();
        if version >= 3 {
            request.client_software_name = r.string()?;
            request.client_software_version = r.string()?;
        }
        r.skip_tagged_fields()?;
        r.end()?;
        Ok(request)
    }
}

/// The versions that a broker speaks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiVersionsResponse<'a> {
    /// UNSUPPORTED_VERSION if the broker lacks the version of the request.
    pub error_code: ErrorCode,
    /// The APIs; with UNSUPPORTED_VERSION, brokers since 2.4 put at least ApiVersions here.
    pub api_keys: Vec<ApiVersion>,
    /// v1+: how long the client is throttled, in ms; ignorable.
    pub throttle_time_ms: i32,
    /// v3+, tag 0 (KIP-584): features that the broker supports; ignorable.
    pub supported_features: Vec<SupportedFeatureKey<'a>>,
    /// v3+, tag 1 (KIP-584): the epoch of the finalized features, −1 for unknown; ignorable.
    pub finalized_features_epoch: i64,
    /// v3+, tag 2 (KIP-584): features finalized for the cluster; ignorable.
    pub finalized_features: Vec<FinalizedFeatureKey<'a>>,
    /// v3+, tag 3 (KIP-866): whether a controller is ready to migrate from ZooKeeper; ignorable.
    pub zk_migration_ready: bool,
}

impl Default for ApiVersionsResponse<'_> {
    fn default() -> Self {
        Self {
            error_code: ErrorCode::NONE,
            api_keys: Vec::new(),
            throttle_time_ms: 0,
            supported_features: Vec::new(),
            finalized_features_epoch: -1,
            finalized_features: Vec::new(),
            zk_migration_ready: false,
        }
    }
}

impl<'a> ApiVersionsResponse<'a> {
    /// Appends the response's body of `version` to `out`.
    ///
    /// # Errors
    /// Any [`EncodeError`].
    pub fn encode(&self, version: i16, out: &mut Vec<u8>) -> Result<(), EncodeError> {
        let mut w = ApiKey::ApiVersions.writer(out, version)?;
        w.int16(self.error_code.0);
        w.array(&self.api_keys, |w, api_key| api_key.encode(w))?;
        if version >= 1 {
            w.int32(self.throttle_time_ms);
        }
        let mut tags = w.tagged_fields();
        if !self.supported_features.is_empty() {
            tags.field(0, |w| w.array(&self.supported_features, |w, key| key.encode(w)))?;
        }
        if self.finalized_features_epoch != -1 {
            tags.field(1, |w| {
                w.int64(self.finalized_features_epoch);
                Ok(())
            })?;
        }
        if !self.finalized_features.is_empty() {
            tags.field(2, |w| w.array(&self.finalized_features, |w, key| key.encode(w)))?;
        }
        if self.zk_migration_ready {
            tags.field(3, |w| {
                w.boolean(true);
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Reads the answer to a request of `version`.
    ///
    /// A broker that lacks the version answers UNSUPPORTED_VERSION with a body of version 0
    /// (KIP-511), which this notices by the error code, in front in every version.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode_answer(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let error_code = ErrorCode(Reader::new(body).int16()?);
        Self::decode(body, if error_code == ErrorCode::UNSUPPORTED_VERSION { 0 } else { version })
    }

    /// Reads the response's body of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn decode(body: &'a [u8], version: i16) -> Result<Self, WireError> {
        let mut r = ApiKey::ApiVersions.reader(body, version)?;
        let mut response = Self {
            error_code: ErrorCode(r.int16()?),
            api_keys: r.array(ApiVersion::MIN_BYTES, ApiVersion::decode)?,
            ..Self::default()
        };
        if version >= 1 {
            response.throttle_time_ms = r.int32()?;
        }
        r.tagged_fields(|tag, r| response.decode_tag(tag, r))?;
        r.end()?;
        Ok(response)
    }

    fn decode_tag(&mut self, tag: u32, r: &mut Reader<'a>) -> Result<bool, WireError> {
        match tag {
            0 => {
                let keys = r.array(SupportedFeatureKey::MIN_BYTES, SupportedFeatureKey::decode)?;
                self.supported_features = keys;
            }
            1 => self.finalized_features_epoch = r.int64()?,
            2 => {
                let keys = r.array(FinalizedFeatureKey::MIN_BYTES, FinalizedFeatureKey::decode)?;
                self.finalized_features = keys;
            }
            3 => self.zk_migration_ready = r.boolean()?,
            _ => return Ok(false),
        }
        Ok(true)
    }
}

/// The versions of one API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiVersion {
    /// The API's number, which [`ApiKey`] may lack.
    pub api_key: i16,
    /// The lowest version.
    pub min_version: i16,
    /// The highest version.
    pub max_version: i16,
}

impl ApiVersion {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.int16(self.api_key);
        w.int16(self.min_version);
        w.int16(self.max_version);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'_>) -> Result<Self, WireError> {
        let version =
            Self { api_key: r.int16()?, min_version: r.int16()?, max_version: r.int16()? };
        r.skip_tagged_fields()?;
        Ok(version)
    }
}

/// A feature that the broker supports (v3+).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SupportedFeatureKey<'a> {
    /// The feature's name.
    pub name: &'a str,
    /// The lowest version; 0 occurs from v4 on (KAFKA-17011).
    pub min_version: i16,
    /// The highest version.
    pub max_version: i16,
}

impl<'a> SupportedFeatureKey<'a> {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.int16(self.min_version);
        w.int16(self.max_version);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let key = Self { name: r.string()?, min_version: r.int16()?, max_version: r.int16()? };
        r.skip_tagged_fields()?;
        Ok(key)
    }
}

/// A feature that is finalized for the cluster (v3+).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FinalizedFeatureKey<'a> {
    /// The feature's name.
    pub name: &'a str,
    /// The highest level.
    pub max_version_level: i16,
    /// The lowest level.
    pub min_version_level: i16,
}

impl<'a> FinalizedFeatureKey<'a> {
    const MIN_BYTES: usize = 6;

    fn encode(&self, w: &mut Writer<'_>) -> Result<(), EncodeError> {
        w.string(self.name)?;
        w.int16(self.max_version_level);
        w.int16(self.min_version_level);
        w.empty_tagged_fields();
        Ok(())
    }

    fn decode(r: &mut Reader<'a>) -> Result<Self, WireError> {
        let key = Self {
            name: r.string()?,
            max_version_level: r.int16()?,
            min_version_level: r.int16()?,
        };
        r.skip_tagged_fields()?;
        Ok(key)
    }
}

/// What a broker speaks of what kfetch speaks: a few words for each connection.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ApiVersionTable {
    /// The common versions of each API, in the order of [`ApiKey::ALL`].
    common: [Option<VersionRange>; ApiKey::ALL.len()],
}

impl ApiVersionTable {
    /// Makes the table from a broker's answer; APIs that kfetch does not speak are left out, and of
    /// an API listed twice the last row counts.
    pub fn new(api_keys: &[ApiVersion]) -> Self {
        let mut table = Self::default();
        for version in api_keys {
            let brokers = VersionRange { min: version.min_version, max: version.max_version };
            for (api_key, common) in ApiKey::ALL.into_iter().zip(&mut table.common) {
                if api_key.code() == version.api_key {
                    *common = api_key.versions().common(brokers);
                }
            }
        }
        table
    }

    /// Bounds the versions of an API from above.
    #[must_use]
    pub fn with_max(mut self, api_key: ApiKey, max_version: i16) -> Self {
        let bound = VersionRange { min: i16::MIN, max: max_version };
        for (other, common) in ApiKey::ALL.into_iter().zip(&mut self.common) {
            if other == api_key {
                *common = common.and_then(|common| common.common(bound));
            }
        }
        self
    }

    /// Returns the highest version of the API that both sides speak.
    pub fn pick(&self, api_key: ApiKey) -> Option<i16> {
        let index = ApiKey::ALL.iter().position(|other| *other == api_key)?;
        self.common.get(index)?.map(|common| common.max)
    }
}

/// What comes of asking a broker for its versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Negotiation {
    /// When the broker has told them.
    Agreed(ApiVersionTable),
    /// When the broker lacks the version of the question.
    AskAgain {
        /// The version to ask in now, lower than the one before, so that this comes to an end.
        version: i16,
    },
    /// When the broker will not tell.
    Refused(ErrorCode),
}

impl Negotiation {
    /// Reads the answer to a question of `version`.
    ///
    /// # Errors
    /// Any [`WireError`] but `Incomplete`.
    pub fn from_response(body: &[u8], version: i16) -> Result<Self, WireError> {
        let response = ApiVersionsResponse::decode_answer(body, version)?;
        let table = ApiVersionTable::new(&response.api_keys);
        Ok(match response.error_code {
            ErrorCode::NONE => Self::Agreed(table),
            ErrorCode::UNSUPPORTED_VERSION => {
                // Brokers before 2.4 list nothing here, and all know version 0.
                let lower = table.pick(ApiKey::ApiVersions).unwrap_or(0);
                if lower < version {
                    Self::AskAgain { version: lower }
                } else {
                    Self::Refused(response.error_code)
                }
            }
            other => Self::Refused(other),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn version(api_key: i16, min_version: i16, max_version: i16) -> ApiVersion {
        ApiVersion { api_key, min_version, max_version }
    }

    #[test]
    fn table_picks_the_highest_common_version() {
        let table = ApiVersionTable::new(&[
            version(0, 0, 9),
            version(1, 0, 10),
            version(3, 5, 99),
            version(18, 3, 1),
            version(9999, 0, 1),
        ]);
        assert_eq!(table.pick(ApiKey::Fetch), Some(10));
        assert_eq!(table.with_max(ApiKey::Fetch, 12).pick(ApiKey::Fetch), Some(10));
        assert_eq!(table.with_max(ApiKey::Fetch, 9).pick(ApiKey::Fetch), Some(9));
        assert_eq!(table.with_max(ApiKey::Fetch, 3).pick(ApiKey::Fetch), None);
        assert_eq!(table.with_max(ApiKey::Fetch, 3).pick(ApiKey::Metadata), Some(13));
        assert_eq!(table.with_max(ApiKey::Metadata, 4).pick(ApiKey::Metadata), None);
        assert_eq!(table.pick(ApiKey::ListOffsets), None);
        assert_eq!(table.pick(ApiKey::ApiVersions), None);
    }

    fn answer(error_code: ErrorCode, api_keys: Vec<ApiVersion>, version: i16) -> Vec<u8> {
        let response = ApiVersionsResponse { error_code, api_keys, ..Default::default() };
        let mut body = Vec::new();
        response.encode(version, &mut body).unwrap();
        body
    }

    #[test]
    fn unsupported_version_comes_in_version_0_and_asks_for_a_lower_one() {
        let unsupported = ErrorCode::UNSUPPORTED_VERSION;
        for (listed, asked, again) in [
            (vec![version(18, 0, 2)], 4, Some(2)),
            (vec![version(18, 0, 3)], 3, None),
            (vec![], 4, Some(0)),
            (vec![], 0, None),
            (vec![version(18, 7, 9)], 4, Some(0)),
        ] {
            let body = answer(unsupported, listed, 0);
            let expected = again.map_or(Negotiation::Refused(unsupported), |version| {
                Negotiation::AskAgain { version }
            });
            assert_eq!(Negotiation::from_response(&body, asked), Ok(expected));
        }
    }

    #[test]
    fn an_answer_is_the_table_or_a_refusal() {
        let listed = vec![version(1, 4, 12)];
        let body = answer(ErrorCode::NONE, listed.clone(), 4);
        let agreed = Negotiation::Agreed(ApiVersionTable::new(&listed));
        assert_eq!(Negotiation::from_response(&body, 4), Ok(agreed));
        let body = answer(ErrorCode::INVALID_REQUEST, vec![], 4);
        let refused = Negotiation::Refused(ErrorCode::INVALID_REQUEST);
        assert_eq!(Negotiation::from_response(&body, 4), Ok(refused));
    }

    #[test]
    fn a_version_outside_of_the_range_is_refused() {
        let unsupported = Err(WireError::UnsupportedVersion { version: 5 });
        assert_eq!(ApiVersionsResponse::decode(&[0; 20], 5), unsupported);
        let refused = ApiVersionsRequest::default().encode(-1, &mut Vec::new());
        assert_eq!(refused, Err(EncodeError::UnsupportedVersion { version: -1 }));
    }
}
