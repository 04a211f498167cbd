//! How long it takes from a revocation until a service refuses that verifies offline.

use std::time::{Duration, Instant};

use super::{Client, Example, PAY};
use crate::cli::{Home, PAYMENT};

#[test]
#[ignore = "waits some seconds for a service that reads the list every five"]
#[expect(clippy::disallowed_methods, reason = "measures how long it takes")]
fn a_service_that_verifies_offline_refuses_some_seconds_after_a_revocation() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let payments = Example::payments(&server);
    let cart = Client::make(&home, "cart", &[PAY]);
    let mut longest = Duration::ZERO;
    for _ in 0..3 {
        let token = cart.granted(&server, PAYMENT);
        assert_eq!(payments.pay(&token).0, 201);
        cart.revoke(&server, &token);
        let revoked = Instant::now();
        // It lacks the scope for this until it is no token any more; without a body, so that nothing but the refusal is waited for.
        while payments.ask("GET /payments", &token, "").0 == 403 {
            assert!(
                revoked.elapsed() < Duration::from_secs(20),
                "it is never refused"
            );
            std::thread::sleep(Duration::from_millis(20));
        }
        longest = longest.max(revoked.elapsed());
        assert_eq!(payments.pay(&token).0, 401);
    }
    println!(
        "from the revocation to the refusal: {} ms at most",
        longest.as_millis()
    );
    assert!(longest < Duration::from_secs(6), "{longest:?}");
}
