//! The attack list of RFC 8725, RFC 7515 and the last years' advisories at every door that takes a JWT. Each token is signed by the
//! right key where a wrong signature would hide the point, and a good one goes through beside it.

mod assertions;
mod ours;
mod people;

use std::net::TcpListener;

/// An address that nothing may call.
struct Trap(TcpListener);

impl Trap {
    fn set() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        Self(listener)
    }

    fn url(&self) -> String {
        format!("http://{}", self.0.local_addr().unwrap())
    }

    #[track_caller]
    fn assert_untouched(&self) {
        assert!(
            self.0.accept().is_err(),
            "somebody fetched a key that a token named"
        );
    }
}
