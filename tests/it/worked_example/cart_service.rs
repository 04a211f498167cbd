//! The cart service gets a token for the payment service, which lets it pay and not look.

use std::io::{Read, Write};
use std::net::TcpStream;

use super::{Client, Example, PAY, payment};
use crate::cli::{Home, PAYMENT, claims};

#[test]
fn the_cart_service_pays_and_may_not_look() {
    let home = Home::new();
    let server = home.serve();
    home.shop();
    let payments = Example::payments(&server);
    let cart = Client::make(&home, "cart", &[PAY]);
    let token = cart.granted(&server, PAYMENT);
    let said = claims(&token);
    assert_eq!(
        (&said["sub"], &said["client_id"]),
        (&cart.id.as_str().into(), &cart.id.as_str().into())
    );
    assert_eq!(
        (&said["aud"], &said["scope"]),
        (&PAYMENT.into(), &"write:payment".into())
    );
    assert_eq!(payments.pay(&token), (201, payment()));
    // What it lacks is told it as RFC 6750 §3 says.
    let mut connection = TcpStream::connect(payments.address).unwrap();
    let request = format!(
        "GET /payments HTTP/1.1\r\nHost: payments\r\nConnection: close\r\nAuthorization: Bearer {token}\r\n\r\n"
    );
    connection.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    connection.read_to_string(&mut answer).unwrap();
    let answer = answer.to_ascii_lowercase();
    assert!(answer.starts_with("http/1.1 403"), "{answer}");
    assert!(
        answer.contains(
            r#"www-authenticate: bearer error="insufficient_scope", scope="read:payment""#
        ),
        "{answer}"
    );
    // A token for something else is none here.
    home.kagiya(&[
        "resources",
        "create",
        "https://stock.example.com",
        "--permission",
        "write:payment",
    ])
    .done();
    let both = [PAY, ("https://stock.example.com", "write:payment")];
    let other = Client::make(&home, "other", &both).granted(&server, "https://stock.example.com");
    assert_eq!(payments.pay(&other).0, 401);
}
