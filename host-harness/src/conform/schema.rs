//! Whether a text is a JSON Schema (2020-12) of an object.
//!
//! The standard's meta-schema says of each keyword what kind of value it has, and no more; that is the table below. A
//! validator from elsewhere would bring twenty to forty packages into the program that owners run, to say the same.

use std::collections::HashSet;

use serde_json::{Map, Value};

/// The dialect, if a schema names one.
const DIALECT: &str = "https://json-schema.org/draft/2020-12/schema";

/// The values of `type`.
const TYPES: [&str; 7] = ["array", "boolean", "integer", "null", "number", "object", "string"];

/// What kind of value a keyword has.
#[derive(Debug, Clone, Copy)]
enum Kind {
    Text,
    Truth,
    Number,
    /// A number above zero.
    Positive,
    /// A whole number from zero.
    Count,
    List,
    /// Strings, each once.
    Texts,
    Schema,
    /// One schema or more.
    Schemas,
    /// Schemas by name.
    Named,
    /// Lists of strings by name.
    NamedTexts,
    /// Truths by name.
    NamedTruths,
    /// One of [`TYPES`] or several.
    Types,
    Anything,
}

/// The kind of a keyword's value. Of words that are none a schema may have any.
fn kind(keyword: &str) -> Kind {
    match keyword {
        "$anchor" | "$comment" | "$dynamicAnchor" | "$dynamicRef" | "$id" | "$ref" | "$schema" | "contentEncoding"
        | "contentMediaType" | "description" | "format" | "pattern" | "title" => Kind::Text,
        "deprecated" | "readOnly" | "uniqueItems" | "writeOnly" => Kind::Truth,
        "exclusiveMaximum" | "exclusiveMinimum" | "maximum" | "minimum" => Kind::Number,
        "multipleOf" => Kind::Positive,
        "maxContains" | "maxItems" | "maxLength" | "maxProperties" | "minContains" | "minItems" | "minLength"
        | "minProperties" => Kind::Count,
        "enum" | "examples" => Kind::List,
        "required" => Kind::Texts,
        "additionalProperties"
        | "contains"
        | "contentSchema"
        | "else"
        | "if"
        | "items"
        | "not"
        | "propertyNames"
        | "then"
        | "unevaluatedItems"
        | "unevaluatedProperties" => Kind::Schema,
        "allOf" | "anyOf" | "oneOf" | "prefixItems" => Kind::Schemas,
        "$defs" | "dependentSchemas" | "patternProperties" | "properties" => Kind::Named,
        "dependentRequired" => Kind::NamedTexts,
        "$vocabulary" => Kind::NamedTruths,
        "type" => Kind::Types,
        _ => Kind::Anything,
    }
}

/// Demands that a text is a schema of an object.
///
/// # Errors
/// What is wrong, as a clause that names the place.
pub(super) fn check(text: &str) -> Result<(), String> {
    let root: Value = serde_json::from_str(text).map_err(|error| format!("the text is no JSON: {error}"))?;
    let Some(schema) = root.as_object() else {
        return Err("the schema is no object".to_owned());
    };
    if schema.get("type").and_then(Value::as_str) != Some("object") {
        return Err("`type` is not \"object\"".to_owned());
    }
    if let Some(dialect) = schema.get("$schema").filter(|dialect| *dialect != DIALECT) {
        return Err(format!("`$schema` is {dialect}"));
    }
    Place { root: &root, path: "" }.schema(&root)
}

/// Where in a schema one looks.
struct Place<'a> {
    root: &'a Value,
    /// A JSON pointer.
    path: &'a str,
}

impl Place<'_> {
    fn below<T>(&self, name: &str, look: impl FnOnce(Place<'_>) -> T) -> T {
        let path = format!("{}/{name}", self.path);
        look(Place {
            root: self.root,
            path: &path,
        })
    }

    fn demand(&self, fits: bool, what: &str) -> Result<(), String> {
        match fits {
            true => Ok(()),
            false => Err(format!("`{}` is not {what}", self.path.trim_start_matches('/'))),
        }
    }

    fn schema(&self, value: &Value) -> Result<(), String> {
        match value {
            Value::Bool(_) => Ok(()),
            Value::Object(keywords) => keywords
                .iter()
                .try_for_each(|(keyword, value)| self.below(keyword, |place| place.keyword(keyword, value))),
            _ => self.demand(false, "a schema"),
        }
    }

    fn keyword(&self, keyword: &str, value: &Value) -> Result<(), String> {
        match kind(keyword) {
            Kind::Text => {
                self.demand(value.is_string(), "a string")?;
                let pointer = value.as_str().and_then(|text| text.strip_prefix('#'));
                let is_reference = keyword == "$ref" && pointer.is_some_and(|pointer| pointer.starts_with('/'));
                let leads = !is_reference || pointer.is_some_and(|pointer| self.root.pointer(pointer).is_some());
                self.demand(leads, "a reference to something that there is")
            }
            Kind::Truth => self.demand(value.is_boolean(), "true or false"),
            Kind::Number => self.demand(value.is_number(), "a number"),
            Kind::Positive => self.demand(value.as_f64().is_some_and(|number| number > 0.0), "a number above zero"),
            Kind::Count => {
                let is_whole = value
                    .as_f64()
                    .is_some_and(|number| number >= 0.0 && number.fract() == 0.0);
                self.demand(is_whole, "a whole number from zero")
            }
            Kind::List => self.demand(value.is_array(), "an array"),
            Kind::Texts => self.demand(are_texts(value), "an array of different strings"),
            Kind::Schema => self.schema(value),
            Kind::Schemas => {
                let schemas = value.as_array().filter(|schemas| !schemas.is_empty());
                self.demand(schemas.is_some(), "an array of schemas")?;
                let mut numbered = schemas.into_iter().flatten().enumerate();
                numbered.try_for_each(|(index, schema)| self.below(&index.to_string(), |place| place.schema(schema)))
            }
            Kind::Named => self.named(value, |place, schema| place.schema(schema)),
            Kind::NamedTexts => self.named(value, |place, texts| {
                place.demand(are_texts(texts), "an array of different strings")
            }),
            Kind::NamedTruths => self.named(value, |place, truth| place.demand(truth.is_boolean(), "true or false")),
            Kind::Types => {
                let is_type = |value: &Value| value.as_str().is_some_and(|name| TYPES.contains(&name));
                let are_types = are_texts(value)
                    && value
                        .as_array()
                        .is_some_and(|types| !types.is_empty() && types.iter().all(is_type));
                self.demand(is_type(value) || are_types, "a type of JSON or several")
            }
            Kind::Anything => Ok(()),
        }
    }

    fn named(&self, value: &Value, look: impl Fn(&Place<'_>, &Value) -> Result<(), String>) -> Result<(), String> {
        self.demand(value.is_object(), "an object")?;
        let mut named = value.as_object().into_iter().flat_map(Map::iter);
        named.try_for_each(|(name, value)| self.below(name, |place| look(&place, value)))
    }
}

fn are_texts(value: &Value) -> bool {
    let mut seen = HashSet::new();
    value.as_array().is_some_and(|texts| {
        texts
            .iter()
            .all(|text| text.as_str().is_some_and(|text| seen.insert(text)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_of_an_object_are_taken() {
        for schema in [
            r#"{"type":"object"}"#,
            r#"{"$schema":"https://json-schema.org/draft/2020-12/schema","type":"object","properties":{}}"#,
            r##"{"type":"object","$defs":{"a":true},"properties":{"a":{"$ref":"#/$defs/a"},"type":{"type":["string","null"]}}}"##,
            r#"{"type":"object","properties":{"n":{"anyOf":[{"minLength":1.0},{"multipleOf":0.5}],"enum":[1,"a"]}},"x-own":1}"#,
            r#"{"type":"object","required":["a"],"dependentRequired":{"a":["b"]},"additionalProperties":false}"#,
        ] {
            assert_eq!(check(schema), Ok(()), "{schema}");
        }
    }

    #[test]
    fn what_is_none_is_named_with_its_place() {
        for (schema, why) in [
            ("", "the text is no JSON"),
            ("true", "the schema is no object"),
            (r#"{"properties":{}}"#, "`type` is not \"object\""),
            (r#"{"type":["object"]}"#, "`type` is not \"object\""),
            (
                r#"{"type":"object","$schema":"http://json-schema.org/draft-07/schema#"}"#,
                "`$schema` is",
            ),
            (
                r#"{"type":"object","properties":{"a":{"type":"text"}}}"#,
                "`properties/a/type` is not a type of JSON",
            ),
            (r#"{"type":"object","properties":[]}"#, "`properties` is not an object"),
            (
                r#"{"type":"object","properties":{"a":1}}"#,
                "`properties/a` is not a schema",
            ),
            (
                r#"{"type":"object","required":["a","a"]}"#,
                "`required` is not an array",
            ),
            (r#"{"type":"object","required":true}"#, "`required` is not an array"),
            (
                r#"{"type":"object","minProperties":-1}"#,
                "`minProperties` is not a whole",
            ),
            (r#"{"type":"object","anyOf":[]}"#, "`anyOf` is not an array of schemas"),
            (
                r#"{"type":"object","anyOf":[true,{"not":1}]}"#,
                "`anyOf/1/not` is not a schema",
            ),
            (
                r##"{"type":"object","not":{"$ref":"#/$defs/a"}}"##,
                "`not/$ref` is not a reference",
            ),
        ] {
            let wrong = check(schema).err().unwrap_or_default();
            assert!(wrong.starts_with(why), "{schema}: {wrong}");
        }
    }
}
