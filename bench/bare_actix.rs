//! The floor that `bench/exchange.sh` measures against: actix-web with one worker that answers five bytes.
//!
//! `bare_actix 127.0.0.1:8787`

use std::io;

use actix_web::{App, HttpServer, rt, web};

fn main() -> io::Result<()> {
    let address = std::env::args()
        .nth(1)
        .ok_or_else(|| io::Error::other("say where to listen: bare_actix 127.0.0.1:8787"))?;
    rt::System::new().block_on(async {
        HttpServer::new(|| App::new().route("/v1/token", web::post().to(|| async { "hello" })))
            .workers(1)
            .bind(address)?
            .run()
            .await
    })
}
