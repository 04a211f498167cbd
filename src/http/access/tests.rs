//! A call that its client leaves alone.

use std::cell::Cell;
use std::rc::Rc;

use futures_util::FutureExt;
use tokio::task::LocalSet;

use super::*;

#[tokio::test]
async fn a_call_is_carried_to_its_end_when_its_client_goes_away() {
    let done = Rc::new(Cell::new(false));
    let tasks = LocalSet::new();
    tasks
        .run_until(async {
            let noted = Rc::clone(&done);
            let handler = async move {
                tokio::task::yield_now().await;
                noted.set(true);
                Ok::<(), actix_web::Error>(())
            };
            assert!(to_the_end(handler).now_or_never().is_none());
        })
        .await;
    assert!(!done.get());
    tasks.await;
    assert!(done.get());
}
