package result_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"testing"

	"github.com/havoqlab/havoq/lab/gameday/result"
	reflector "github.com/invopop/jsonschema"
	"github.com/santhosh-tekuri/jsonschema/v6"
)

var update = flag.Bool("update", false, "write the schema anew")

func TestSchemaIsUpToDate(t *testing.T) {
	r := &reflector.Reflector{Anonymous: true, ExpandedStruct: true, Mapper: func(t reflect.Type) *reflector.Schema {
		if t != reflect.TypeFor[[]*float64]() {
			return nil
		}
		return &reflector.Schema{Type: "array", Items: &reflector.Schema{OneOf: []*reflector.Schema{{Type: "number"}, {Type: "null"}}}}
	}}
	s := r.Reflect(&result.Result{})
	s.Title = "result.json of a havoq run, " + result.Schema
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	if err := enc.Encode(s); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("result.schema.json", b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !bytes.Equal(b.Bytes(), result.JSONSchema()) {
		t.Error("the types have changed: make result.schema.json anew with -update; a change that is not an addition needs a new result.Schema")
	}
}

func TestResultsFollowTheSchema(t *testing.T) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(result.JSONSchema()))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("result.schema.json", doc); err != nil {
		t.Fatal(err)
	}
	schema, err := c.Compile("result.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	for name, tp := range map[string]*tape{"kill": kill(), "empty": {}} {
		text, err := json.Marshal(judge(t, tp, parse(t, "", "")))
		if err != nil {
			t.Fatal(err)
		}
		value, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		if err := schema.Validate(value); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := schema.Validate(map[string]any{"verdict": 7}); err == nil {
		t.Error("the schema takes anything")
	}
}
