//! As much of JSON Schema as `wire-spec/project.schema.json` uses. An unknown word in a schema is an error: nothing is
//! passed over in silence.

use serde_json::Value;

/// The schema of the JSON API.
pub(super) fn project() -> Value {
    serde_json::from_str(include_str!("../../../../wire-spec/project.schema.json")).unwrap()
}

/// What is wrong with `value`; members that the schema does not name are wrong too, so that none is undocumented.
pub(super) fn problems(value: &Value, schema: &Value) -> Vec<String> {
    let mut found = Vec::new();
    look(value, schema, schema, "", &mut found);
    found
}

fn look(value: &Value, schema: &Value, root: &Value, at: &str, found: &mut Vec<String>) {
    if let Some(reference) = schema.get("$ref") {
        let place = reference.as_str().unwrap().strip_prefix('#').unwrap();
        return look(value, root.pointer(place).unwrap(), root, at, found);
    }
    let words = schema.as_object().unwrap();
    for (word, rule) in words {
        match word.as_str() {
            "type" => {
                let names: Vec<&Value> =
                    rule.as_array().map_or_else(|| vec![rule], |all| all.iter().collect());
                if !names.iter().any(|name| is(value, name.as_str().unwrap())) {
                    found.push(format!("{at} is no {rule}: {value}"));
                }
            }
            "enum" if !rule.as_array().unwrap().contains(value) => found.push(format!("{at} is {value}")),
            "required" => {
                let missing = rule
                    .as_array()
                    .unwrap()
                    .iter()
                    .filter(|name| value.get(name.as_str().unwrap()).is_none());
                found.extend(missing.map(|name| format!("{at} lacks {name}")));
            }
            "items" => {
                for (n, item) in value.as_array().into_iter().flatten().enumerate() {
                    look(item, rule, root, &format!("{at}/{n}"), found);
                }
            }
            "properties" | "additionalProperties" | "enum" => {}
            "$schema" | "$comment" | "$defs" | "title" | "description" => {}
            other => panic!("{other} of the schema is not known here"),
        }
    }
    for (name, member) in value.as_object().into_iter().flatten() {
        let rule =
            words.get("properties").and_then(|all| all.get(name)).or(words.get("additionalProperties"));
        match rule {
            Some(rule) => look(member, rule, root, &format!("{at}/{name}"), found),
            None => found.push(format!("{at}/{name} is not in the schema")),
        }
    }
}

fn is(value: &Value, name: &str) -> bool {
    match name {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "integer" => value.is_i64() || value.is_u64(),
        "null" => value.is_null(),
        other => panic!("no such type: {other}"),
    }
}

#[test]
fn what_breaks_the_schema_is_found() {
    let schema = serde_json::json!({
        "type": "object", "required": ["a"],
        "properties": {"a": {"enum": ["x"]}, "b": {"type": ["array", "null"], "items": {"$ref": "#/$defs/n"}}},
        "$defs": {"n": {"type": "integer"}}
    });
    for (value, count) in [
        (serde_json::json!({"a": "x"}), 0),
        (serde_json::json!({"a": "x", "b": [1, 2]}), 0),
        (serde_json::json!({"a": "x", "b": null}), 0),
        (serde_json::json!({"a": "y", "b": [1, "2"], "c": 1}), 3),
        (serde_json::json!({"b": 1}), 2),
        (serde_json::json!([]), 2),
    ] {
        assert_eq!(problems(&value, &schema).len(), count, "{value}: {:?}", problems(&value, &schema));
    }
}
