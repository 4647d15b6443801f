package result

import _ "embed"

//go:embed result.schema.json
var schemaText []byte

// JSONSchema is the JSON Schema of result.json. It is made from the Go types by a test, which also checks that it is up to date.
func JSONSchema() []byte { return schemaText }
