//! Lines to be pasted that trade a key for a token. They read the key from a file or a variable: on a command line it would stay in
//! the history and in the list of processes. A test runs each of them.

use super::language::Words;
use super::view::{Lines, Snippet};

/// Lines for curl, Node and Python, for this server and this resource.
pub fn trade(words: Words, base: &str, resource: Option<&str>) -> Lines {
    let snippet = |name: &str, text: String| Snippet {
        name: name.to_owned(),
        text,
    };
    Lines {
        group: "lines",
        snippets: vec![
            snippet("curl", curl(base, resource)),
            snippet("Node", node(base, resource)),
            snippet("Python", python(base, resource)),
        ],
        copy: words.t("copy"),
    }
}

/// For a shell.
pub fn curl(base: &str, resource: Option<&str>) -> String {
    let asked = resource.map_or_else(String::new, |resource| {
        format!(" \\\n  --data-urlencode 'resource={resource}'")
    });
    format!(
        "TOKEN=$(printf 'X-API-Key: %s\\n' \"${{KAGIYA_KEY:-$(cat kagiya.key)}}\" |\n  \
         curl -sS -f -H @- -H 'Accept: application/jwt' -X POST {base}/v1/token{asked})"
    )
}

/// For Node.
pub fn node(base: &str, resource: Option<&str>) -> String {
    let body = resource.map_or_else(String::new, |resource| {
        format!("  body: new URLSearchParams({{ resource: \"{resource}\" }}),\n")
    });
    format!(
        "import {{ readFileSync }} from \"node:fs\";\n\n\
         const key = process.env.KAGIYA_KEY ?? readFileSync(\"kagiya.key\", \"utf8\").trim();\n\
         const answer = await fetch(\"{base}/v1/token\", {{\n  method: \"POST\",\n  headers: {{ \"X-API-Key\": key }},\n{body}}});\n\
         if (!answer.ok) throw new Error(await answer.text());\n\
         const {{ access_token }} = await answer.json();\n"
    )
}

/// For Python.
pub fn python(base: &str, resource: Option<&str>) -> String {
    let data = resource.map_or_else(
        || "data = b\"\"\n".to_owned(),
        |resource| {
            format!("data = urllib.parse.urlencode({{\"resource\": \"{resource}\"}}).encode()\n")
        },
    );
    format!(
        "import json, os, pathlib, urllib.parse, urllib.request\n\n\
         key = os.environ.get(\"KAGIYA_KEY\") or pathlib.Path(\"kagiya.key\").read_text().strip()\n\
         {data}\
         request = urllib.request.Request(\"{base}/v1/token\", data=data, headers={{\"X-API-Key\": key}})\n\
         with urllib.request.urlopen(request) as answer:\n    access_token = json.load(answer)[\"access_token\"]\n"
    )
}
