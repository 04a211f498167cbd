//! How often Keycloak is asked.

use serde_json::json;

use crate::support::corp::Corp;
use crate::support::database::execute;

const SIGN_INS: &str = r#"kagiya_identity_provider_calls_total{provider="corp",for="sign_in"}"#;

#[tokio::test]
#[ignore = "needs Java and Maven: run by the CI"]
async fn a_thousand_exchanges_of_a_cold_key_are_one_sign_in() {
    for settings in ["", "sign_in = 'password'", "answer = 'passthrough'"] {
        let corp = Corp::start(&format!("max_rights_age = 60\n{settings}")).await;
        let key = corp.key(json!({})).await;
        // What was said when it was made is too old, and nothing of it is in memory.
        let store = &corp.app().database().store;
        let cold = store.write(|tx| execute(tx, "UPDATE credentials SET provider_rights_at = 0"));
        cold.await.unwrap();
        let before = corp.app().metric(SIGN_INS).await;
        // In portions: the backlog of the test's one port is not what is tested.
        for _ in 0..10 {
            let trades = (0..100).map(|_| corp.app().trade(&key.key));
            for answer in futures_util::future::join_all(trades).await {
                answer.expect(200);
            }
        }
        let sign_ins = corp.app().metric(SIGN_INS).await - before;
        assert_eq!(sign_ins, 1, "{settings}");
        let _ = std::io::Write::write_fmt(
            &mut std::io::stderr(),
            format_args!("{settings:?}: {sign_ins} sign-in for 1000 exchanges of a cold key\n"),
        );
    }
}
