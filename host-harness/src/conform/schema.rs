//! Whether a text is a JSON Schema of 2020-12, as its own schema of schemas has it for the keywords of the core, of applying,
//! validation and describing. A validator would do more, and take a MiB of memory in every process that is never asked for this.

use serde_json::{Map, Value};

const TYPES: [&str; 7] = ["null", "boolean", "object", "array", "number", "integer", "string"];

/// What a schema must be; the error names the place and the rule.
pub(super) fn check(schema: &Value) -> Result<(), String> {
    at("", schema)
}

fn at(place: &str, schema: &Value) -> Result<(), String> {
    match schema {
        Value::Bool(_) => Ok(()),
        Value::Object(keywords) => keywords.iter().try_for_each(|(name, value)| {
            let place = format!("{place}/{name}");
            keyword(&place, name, value)
        }),
        _ => Err(format!("{place} is no schema, which is an object or a boolean")),
    }
}

fn keyword(place: &str, name: &str, value: &Value) -> Result<(), String> {
    let must = |fits: bool, what: &str| fits.then_some(()).ok_or_else(|| format!("{place} must be {what}"));
    match name {
        "type" => must(is_type(value), "a type, or several"),
        "properties" | "patternProperties" | "$defs" | "dependentSchemas" => {
            let named = value
                .as_object()
                .ok_or_else(|| format!("{place} must be an object of schemas"))?;
            all(place, named)
        }
        "items"
        | "contains"
        | "additionalProperties"
        | "propertyNames"
        | "unevaluatedItems"
        | "unevaluatedProperties"
        | "not"
        | "if"
        | "then"
        | "else" => at(place, value),
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => {
            let schemas = value.as_array().filter(|schemas| !schemas.is_empty());
            let schemas = schemas.ok_or_else(|| format!("{place} must be an array of schemas"))?;
            let mut numbered = schemas.iter().enumerate();
            numbered.try_for_each(|(index, schema)| at(&format!("{place}/{index}"), schema))
        }
        "required" => must(is_names(value), "an array of different names"),
        "dependentRequired" => {
            let fits = value.as_object().is_some_and(|names| names.values().all(is_names));
            must(fits, "an object of arrays of different names")
        }
        "enum" | "examples" => must(value.is_array(), "an array"),
        "multipleOf" => must(value.as_f64().is_some_and(|number| number > 0.0), "a number above 0"),
        "minimum" | "maximum" | "exclusiveMinimum" | "exclusiveMaximum" => must(value.is_number(), "a number"),
        "minLength" | "maxLength" | "minItems" | "maxItems" | "minProperties" | "maxProperties" | "minContains"
        | "maxContains" => must(is_count(value), "a number from 0"),
        "uniqueItems" | "deprecated" | "readOnly" | "writeOnly" => must(value.is_boolean(), "a boolean"),
        "$schema" | "$id" | "$ref" | "$dynamicRef" | "$anchor" | "$dynamicAnchor" | "$comment" | "title"
        | "description" | "pattern" | "format" | "contentEncoding" | "contentMediaType" => {
            must(value.is_string(), "a text")
        }
        // Others mean nothing, which is allowed.
        _ => Ok(()),
    }
}

fn all(place: &str, schemas: &Map<String, Value>) -> Result<(), String> {
    let mut schemas = schemas.iter();
    schemas.try_for_each(|(name, schema)| at(&format!("{place}/{name}"), schema))
}

fn is_type(value: &Value) -> bool {
    let is_one = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
    is_one(value)
        || value
            .as_array()
            .is_some_and(|types| !types.is_empty() && types.iter().all(is_one))
}

fn is_names(value: &Value) -> bool {
    value.as_array().is_some_and(|names| {
        let mut seen = std::collections::BTreeSet::new();
        names
            .iter()
            .all(|name| name.as_str().is_some_and(|name| seen.insert(name)))
    })
}

/// Numbers such as 3.0 are integers too.
fn is_count(value: &Value) -> bool {
    value
        .as_f64()
        .is_some_and(|number| number >= 0.0 && number.fract() == 0.0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn schemas_pass() {
        for schema in [
            json!(true),
            json!({}),
            json!({"type": ["string", "null"], "minLength": 1.0, "pattern": "^a", "x-own": 1}),
            json!({"properties": {"type": {"enum": []}}, "required": [], "additionalProperties": false}),
            json!({"anyOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"items": {"not": {}}}}}),
        ] {
            assert_eq!(check(&schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn others_are_named_by_their_place() {
        for (schema, place) in [
            (json!([]), " is no schema"),
            (json!({"type": "text"}), "/type must"),
            (json!({"properties": []}), "/properties must"),
            (
                json!({"properties": {"a": {"items": 7}}}),
                "/properties/a/items is no schema",
            ),
            (json!({"required": ["a", "a"]}), "/required must"),
            (json!({"required": true}), "/required must"),
            (json!({"allOf": []}), "/allOf must"),
            (json!({"oneOf": [{}, {"maxItems": -1}]}), "/oneOf/1/maxItems must"),
            (json!({"multipleOf": 0}), "/multipleOf must"),
        ] {
            let error = check(&schema).err().unwrap_or_default();
            assert!(error.starts_with(place), "{schema}: {error}");
        }
    }
}
