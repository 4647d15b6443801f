package scenario

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/invopop/jsonschema"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// SchemaID names the schema; editors that are pointed to a copy of it complete and check scenario files.
const SchemaID = "https://github.com/havoqlab/havoq/scenario.schema.json"

// Schema returns the JSON Schema (draft 2020-12) of scenario files, made of the types of this package. It is as strict as
// Parse about keys, words and notations; what goes over several places (a fault's name, a node of the cluster, a metric)
// only Parse knows.
func Schema() ([]byte, error) {
	r := jsonschema.Reflector{
		FieldNameTag: "yaml", RequiredFromJSONSchemaTags: true, ExpandedStruct: true, Anonymous: true,
		LookupComment: func(t reflect.Type, field string) string {
			if t.Kind() != reflect.Struct {
				return ""
			}
			f, _ := t.FieldByName(field)
			return f.Tag.Get("doc")
		},
	}
	s := r.Reflect(&Scenario{})
	s.ID = SchemaID
	s.Title = "havoq scenario"
	annotate(s, reflect.TypeFor[Scenario]())
	for _, t := range objects() {
		def := s.Definitions[t.Name()]
		if def == nil {
			return nil, fmt.Errorf("scenario: schema: type %s is not in it", t.Name())
		}
		annotate(def, t)
		if as := wordForm(t); as != nil {
			as.Description = def.Description
			s.Definitions[t.Name()] = &jsonschema.Schema{OneOf: []*jsonschema.Schema{as, def}}
		}
	}
	text, err := json.MarshalIndent(s, "", "  ")
	if err != nil {
		return nil, fmt.Errorf("scenario: schema: %w", err)
	}
	return append(text, '\n'), nil
}

// objects are the structs that the schema describes by their fields.
func objects() []reflect.Type {
	return []reflect.Type{
		reflect.TypeFor[Prerequisite](), reflect.TypeFor[Target](), reflect.TypeFor[Cluster](), reflect.TypeFor[Workload](),
		reflect.TypeFor[Contract](), reflect.TypeFor[Fault](), reflect.TypeFor[Act](), reflect.TypeFor[Probe](), reflect.TypeFor[Phase](),
		reflect.TypeFor[App](), reflect.TypeFor[Ready](), reflect.TypeFor[Observe](), reflect.TypeFor[Input](), reflect.TypeFor[Output](),
		reflect.TypeFor[Effect](), reflect.TypeFor[Collect](),
	}
}

// wordForm describes a struct that can be written as one word; nil: it cannot.
func wordForm(t reflect.Type) *jsonschema.Schema {
	switch t {
	case reflect.TypeFor[Workload]():
		return &jsonschema.Schema{Type: "string", Enum: []any{"external"}}
	case reflect.TypeFor[Input](), reflect.TypeFor[Output]():
		return word(`^[^*> \t\n]+$`, "The topic.", "orders")
	}
	return nil
}

// annotate adds to a struct's schema what its tags say.
func annotate(s *jsonschema.Schema, t reflect.Type) {
	s.Required = nil
	for i := range t.NumField() {
		field := t.Field(i)
		key := field.Tag.Get("yaml")
		if key == "-" {
			continue
		}
		if field.Tag.Get("required") != "" {
			s.Required = append(s.Required, key)
		}
		p, _ := s.Properties.Get(key)
		annotateField(p, field)
		s.Properties.Set(key, p)
	}
	switch t {
	case reflect.TypeFor[Phase](), reflect.TypeFor[Target]():
		s.MinProperties, s.MaxProperties = number(1), number(1)
	case reflect.TypeFor[Prerequisite]():
		s.OneOf = oneOf("check", "confirm")
	case reflect.TypeFor[Act]():
		s.OneOf = oneOf(Verbs()...)
	case reflect.TypeFor[Probe]():
		s.OneOf = oneOf("http", "command")
	case reflect.TypeFor[Effect]():
		s.OneOf = oneOf("sql", "http", "command")
		s.DependentRequired = map[string][]string{"sql": {"query"}, "query": {"sql"}, "http": {"ids"}, "ids": {"http"}}
	case reflect.TypeFor[Observe]():
		s.AnyOf = oneOf("output", "effect", "collect")
	}
}

func annotateField(p *jsonschema.Schema, field reflect.StructField) {
	tag := field.Tag
	if words := tag.Get("enum"); words != "" {
		of := p
		if p.Items != nil {
			of = p.Items
		}
		of.Enum = nil
		for _, w := range strings.Split(words, ",") {
			of.Enum = append(of.Enum, w)
		}
	}
	if example := tag.Get("example"); example != "" {
		if p.Items != nil {
			p = p.Items
		}
		p.Examples = []any{example}
	}
	isInt := field.Type.Kind() == reflect.Int || field.Type.Kind() == reflect.Int64 && p.Type == "integer"
	if isInt {
		p.Minimum, p.Maximum = json.Number(tag.Get("min")), json.Number(tag.Get("max"))
	}
	switch value := tag.Get("default"); {
	case value == "":
	case isInt:
		p.Default = json.Number(value)
	default:
		p.Default = value
	}
	if field.Name == "Phases" {
		p.MinItems = number(1)
	}
	if field.Name == "Name" {
		p.Pattern = namePattern
	}
}

const (
	namePattern = `^[a-z0-9][a-z0-9-]{0,63}$`
	spanPattern = `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)([0-9.]+(ns|us|µs|ms|s|m|h))*$`
	ratePattern = `^[0-9.]+/[sm]$`
	sizePattern = `^[0-9.]+(B|KB|MB|GB|KiB|MiB|GiB)$`
	loadPattern = `^[0-9.]+(x|/[sm])$`
	operators   = `^(<|<=|>|>=|==|!=) ?[0-9.]+$`
)

func oneOf(keys ...string) []*jsonschema.Schema {
	out := make([]*jsonschema.Schema, len(keys))
	for i, key := range keys {
		out[i] = &jsonschema.Schema{Required: []string{key}}
	}
	return out
}

func number(n uint64) *uint64 { return &n }

func word(pattern, doc string, examples ...any) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "string", Pattern: pattern, Description: doc, Examples: examples}
}

func object(required []string, pairs ...any) *jsonschema.Schema {
	s := &jsonschema.Schema{
		Type: "object", Required: required, AdditionalProperties: jsonschema.FalseSchema, Properties: jsonschema.NewProperties(),
	}
	for i := 0; i < len(pairs); i += 2 {
		s.Properties.Set(pairs[i].(string), pairs[i+1].(*jsonschema.Schema))
	}
	return s
}

func ref(name string) *jsonschema.Schema { return &jsonschema.Schema{Ref: "#/$defs/" + name} }

func list(of *jsonschema.Schema) *jsonschema.Schema {
	return &jsonschema.Schema{Type: "array", Items: of, MinItems: number(1)}
}

// JSONSchema describes a duration, or one for each timing.
func (Duration) JSONSchema() *jsonschema.Schema {
	span := word(spanPattern, "A time span.", "5s", "1m30s")
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{span, {
		Type: "object", MinProperties: number(1), AdditionalProperties: word(spanPattern, ""),
		PropertyNames: &jsonschema.Schema{Not: &jsonschema.Schema{Enum: []any{"until", "max"}}},
		Description:   "One time span for each timing; --set timing=NAME chooses.", Examples: []any{map[string]any{"quick": "5s", "full": "5m"}},
	}}}
}

// JSONSchema describes the variables of a program.
func (Env) JSONSchema() *jsonschema.Schema {
	return &jsonschema.Schema{
		Type: "object", PropertyNames: &jsonschema.Schema{Pattern: `^[A-Za-z_][A-Za-z0-9_]*$`},
		AdditionalProperties: &jsonschema.Schema{Type: "string"},
	}
}

// JSONSchema describes a rate.
func (Rate) JSONSchema() *jsonschema.Schema {
	return word(ratePattern, "Messages per second or minute.", "2000/s", "90/m")
}

// JSONSchema describes a size.
func (Size) JSONSchema() *jsonschema.Schema { return word(sizePattern, "Bytes.", "512B", "4KiB") }

// JSONSchema describes a duration, or a wait until something is decided.
func (Span) JSONSchema() *jsonschema.Schema {
	until := &jsonschema.Schema{Type: "string", Description: "Until the outcome of what was injected can be told."}
	for _, w := range words() {
		until.Enum = append(until.Enum, w)
	}
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{
		ref("Duration"), object([]string{"until", "max"}, "until", until, "max", ref("Duration")),
	}}
}

// JSONSchema describes an act, or the names of faults.
func (Inject) JSONSchema() *jsonschema.Schema {
	name := word(namePattern, "A fault's name.")
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{ref("Act"), name, list(name)}}
}

// JSONSchema describes "all", the names of faults, or a node to start.
func (Recover) JSONSchema() *jsonschema.Schema {
	name := word(namePattern, "all, or a fault's name.", "all")
	start := object([]string{"start"},
		"start", word(`^n[1-9][0-9]*$`, "A node.", "n1"),
		"wipe", &jsonschema.Schema{Type: "boolean", Description: "On an empty disk."})
	return &jsonschema.Schema{OneOf: []*jsonschema.Schema{name, list(name), start}}
}

// JSONSchema describes another rate for a time.
func (Load) JSONSchema() *jsonschema.Schema {
	return object([]string{"rate", "for"},
		"rate", word(loadPattern, "A multiple of the workload's rate, or a rate.", "10x", "5000/s"), "for", ref("Duration"))
}

// JSONSchema describes an expected outcome.
func (Expect) JSONSchema() *jsonschema.Schema {
	verdict := &jsonschema.Schema{Type: "string", Description: "What the run's verdict must be."}
	for _, w := range outcomes() {
		verdict.Enum = append(verdict.Enum, w)
	}
	s := object([]string{"verdict"}, "verdict", verdict)
	for _, m := range criteria.Counts() {
		s.Properties.Set(m.Name, word(operators, m.Help, "> 0"))
	}
	return s
}
