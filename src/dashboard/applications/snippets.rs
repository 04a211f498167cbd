//! Lines to be pasted by which an application gets a token (RFC 6749 §4.4). They read its secret from a file or a variable, as those for
//! keys do (`dashboard/snippets.rs`). A test runs each of them.

use crate::dashboard::language::Words;
use crate::dashboard::view::{Lines, Snippet};

/// Lines for curl, Node and Python by which an application gets a token; `in_body`: its secret is taken in the body alone.
pub(super) fn client_credentials(
    words: Words,
    base: &str,
    (client, in_body): (&str, bool),
    resource: Option<&str>,
) -> Lines {
    let snippet = |name: &str, text: String| Snippet {
        name: name.to_owned(),
        text,
    };
    Lines {
        group: "lines",
        snippets: vec![
            snippet("curl", curl(base, (client, in_body), resource)),
            snippet("Node", node(base, (client, in_body), resource)),
            snippet("Python", python(base, (client, in_body), resource)),
        ],
        copy: words.t("copy"),
    }
}

fn curl(base: &str, (client, in_body): (&str, bool), resource: Option<&str>) -> String {
    let asked = resource.map_or_else(String::new, |resource| {
        format!(" \\\n  --data-urlencode 'resource={resource}'")
    });
    // No letter of either needs to be encoded.
    let told = if in_body {
        format!("data = \"client_id={client}\"\\ndata = \"client_secret=%s\"\\n")
    } else {
        format!("user = \"{client}:%s\"\\n")
    };
    format!(
        "TOKEN=$(printf '{told}' \"${{KAGIYA_CLIENT_SECRET:-$(cat kagiya.secret)}}\" |\n  \
         curl -sS -f -K - -d grant_type=client_credentials {base}/oauth/token{asked} |\n  \
         sed -n 's/.*\"access_token\":\"\\([^\"]*\\)\".*/\\1/p')"
    )
}

fn node(base: &str, (client, in_body): (&str, bool), resource: Option<&str>) -> String {
    let mut form = vec!["grant_type: \"client_credentials\"".to_owned()];
    if let Some(resource) = resource {
        form.push(format!("resource: \"{resource}\""));
    }
    let headers = if in_body {
        form.push(format!("client_id: \"{client}\", client_secret: secret"));
        String::new()
    } else {
        format!("  headers: {{ Authorization: `Basic ${{btoa(`{client}:${{secret}}`)}}` }},\n")
    };
    let form = form.join(", ");
    format!(
        "import {{ readFileSync }} from \"node:fs\";\n\n\
         const secret = process.env.KAGIYA_CLIENT_SECRET ?? readFileSync(\"kagiya.secret\", \"utf8\").trim();\n\
         const answer = await fetch(\"{base}/oauth/token\", {{\n  method: \"POST\",\n{headers}  \
         body: new URLSearchParams({{ {form} }}),\n}});\n\
         if (!answer.ok) throw new Error(await answer.text());\n\
         const {{ access_token }} = await answer.json();\n"
    )
}

fn python(base: &str, (client, in_body): (&str, bool), resource: Option<&str>) -> String {
    let mut form = vec!["\"grant_type\": \"client_credentials\"".to_owned()];
    if let Some(resource) = resource {
        form.push(format!("\"resource\": \"{resource}\""));
    }
    let headers = if in_body {
        form.push(format!(
            "\"client_id\": \"{client}\", \"client_secret\": secret"
        ));
        String::new()
    } else {
        format!(
            "basic = base64.b64encode(f\"{client}:{{secret}}\".encode()).decode()\n\
             request.add_header(\"Authorization\", f\"Basic {{basic}}\")\n"
        )
    };
    let form = form.join(", ");
    format!(
        "import base64, json, os, pathlib, urllib.parse, urllib.request\n\n\
         secret = os.environ.get(\"KAGIYA_CLIENT_SECRET\") or pathlib.Path(\"kagiya.secret\").read_text().strip()\n\
         data = urllib.parse.urlencode({{{form}}}).encode()\n\
         request = urllib.request.Request(\"{base}/oauth/token\", data=data)\n\
         {headers}\
         with urllib.request.urlopen(request) as answer:\n    access_token = json.load(answer)[\"access_token\"]\n"
    )
}
