//! Ids as arguments. What is refused is not repeated: somebody may have pasted a key where its id belongs.

use std::ffi::OsStr;
use std::marker::PhantomData;
use std::str::FromStr;

use clap::builder::TypedValueParser;
use clap::error::ErrorKind;
use clap::{Arg, Command, Error};

/// Parses an id of the kind `T`.
pub(super) fn id<T>() -> IdParser<T> {
    IdParser(PhantomData)
}

/// The parser that [`id`] makes.
pub(super) struct IdParser<T>(PhantomData<fn() -> T>);

impl<T> Clone for IdParser<T> {
    fn clone(&self) -> Self {
        id()
    }
}

impl<T> TypedValueParser for IdParser<T>
where
    T: FromStr<Err: std::fmt::Display> + Clone + Send + Sync + 'static,
{
    type Value = T;

    fn parse_ref(
        &self,
        command: &Command,
        argument: Option<&Arg>,
        value: &OsStr,
    ) -> Result<T, Error> {
        let name = argument.map(ToString::to_string).unwrap_or_default();
        let refused = |reason: &dyn std::fmt::Display| {
            let message = format!("{name} {reason}\n");
            Error::raw(ErrorKind::ValueValidation, message).with_cmd(command)
        };
        let text = value.to_str().ok_or_else(|| refused(&"is not text"))?;
        text.parse().map_err(|error: T::Err| refused(&error))
    }
}
