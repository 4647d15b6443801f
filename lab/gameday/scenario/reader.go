package scenario

import (
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/suggest"
)

// reader fills the types of this package from nodes, strictly, and collects what is wrong instead of stopping at it.
type reader struct {
	timing  string // the chosen timing
	timings []timed
	needed  []timed           // a timing that is named elsewhere
	checks  []func(*Scenario) // what can be judged only when all is read
	errs    Errors
}

// timed is a place where a duration is given by timings.
type timed struct {
	at    place
	path  string
	names []string
}

// custom is a type with a notation of its own.
type custom interface {
	read(r *reader, n *node, path string)
}

// short is a struct that can be written as one word, too.
type short interface {
	word(r *reader, n *node, path string)
}

// checked is a type with rules beyond its fields. check runs after its fields are read.
type checked interface {
	check(r *reader, n *node, path string)
}

func (r *reader) failAt(at place, format string, args ...any) {
	r.errs = append(r.errs, &Error{at.source, at.line, at.col, fmt.Sprintf(format, args...)})
}

// fail reports what is wrong with the value at path.
func (r *reader) fail(n *node, path, format string, args ...any) {
	r.failAt(n.at, "%s: %s", path, fmt.Sprintf(format, args...))
}

// later has a rule judged when the whole scenario is read.
func (r *reader) later(check func(*Scenario)) { r.checks = append(r.checks, check) }

// value reads n into v.
func (r *reader) value(n *node, v reflect.Value, path string) {
	if n.refused {
		return
	}
	if n.kind == null {
		r.fail(n, orRoot(path), "has no value: give it one, or remove the key")
		return
	}
	if own, ok := v.Addr().Interface().(custom); ok {
		own.read(r, n, path)
		return
	}
	switch v.Kind() {
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		r.value(n, v.Elem(), path)
	case reflect.Struct:
		if form, ok := v.Addr().Interface().(short); ok && n.kind == text {
			form.word(r, n, path)
			return
		}
		r.object(n, v, path)
		if rules, ok := v.Addr().Interface().(checked); ok && n.kind == mapping {
			rules.check(r, n, path)
		}
	case reflect.Map:
		r.table(n, v, path)
	case reflect.Slice:
		r.list(n, v, path)
	default:
		r.plain(n, v, path)
	}
}

// object reads a mapping into a struct.
func (r *reader) object(n *node, v reflect.Value, path string) {
	if n.kind != mapping {
		r.fail(n, orRoot(path), "expected keys and values (%s), found %s", strings.Join(keysOf(v.Type()), ", "), n.kind)
		return
	}
	for _, e := range n.entries {
		if _, ok := fieldOf(v.Type(), e.key); !ok {
			r.unknownKey(e, path, v.Type())
		}
	}
	for i := range v.NumField() {
		field := v.Type().Field(i)
		if key := field.Tag.Get("yaml"); key != "-" {
			r.field(n, field, v.Field(i), joined(path, key))
		}
	}
}

// field reads one key of a struct, or what its tags say about its absence.
func (r *reader) field(n *node, field reflect.StructField, v reflect.Value, path string) {
	key, tag := field.Tag.Get("yaml"), field.Tag
	in := n.get(key)
	switch {
	case in != nil:
		before := len(r.errs)
		r.value(in, v, path)
		if len(r.errs) == before {
			r.bounds(in, v, tag, path)
		}
	case tag.Get("required") != "":
		r.fail(n, path, "missing: write for example %s", tag.Get("required"))
	case tag.Get("default") != "":
		r.value(&node{kind: text, text: tag.Get("default"), loose: true, inside: -1}, v, path)
	case field.Type.Kind() == reflect.Struct && !v.Addr().Type().Implements(reflect.TypeFor[custom]()):
		r.value(&node{kind: mapping, at: n.at}, v, path) // for the defaults inside
	}
}

// bounds checks a value against the min, max and enum of its tags.
func (r *reader) bounds(n *node, v reflect.Value, tag reflect.StructTag, path string) {
	if words := tag.Get("enum"); words != "" {
		r.enum(n, v, strings.Split(words, ","), path)
	}
	if d, ok := v.Interface().(Duration); ok {
		r.durationBounds(n, time.Duration(d), tag, path)
		return
	}
	if !v.CanInt() {
		return
	}
	low, hasLow := intTag(tag, "min")
	high, hasHigh := intTag(tag, "max")
	switch {
	case hasLow && v.Int() < low:
		r.fail(n, path, "%s is too small: at least %d", n.text, low)
	case hasHigh && v.Int() > high:
		r.fail(n, path, "%s is too large: at most %d", n.text, high)
	}
}

func (r *reader) durationBounds(n *node, d time.Duration, tag reflect.StructTag, path string) {
	if low := tag.Get("min"); low != "" && d < duration(low) {
		r.fail(n, path, "%s is too short: at least %s", d, low)
	}
	if high := tag.Get("max"); high != "" && d > duration(high) {
		r.fail(n, path, "%s is too long: at most %s", d, high)
	}
}

func (r *reader) enum(n *node, v reflect.Value, words []string, path string) {
	if v.Kind() == reflect.Slice {
		for i := range v.Len() {
			r.enum(n.items[i], v.Index(i), words, indexed(path, i))
		}
		return
	}
	if !slices.Contains(words, v.String()) {
		r.fail(n, path, "unknown word %q%s", v.String(), remedy(v.String(), words))
	}
}

// table reads a mapping with free keys.
func (r *reader) table(n *node, v reflect.Value, path string) {
	if n.kind != mapping {
		r.fail(n, path, "expected names and values, found %s", n.kind)
		return
	}
	v.Set(reflect.MakeMap(v.Type()))
	for _, e := range n.entries {
		if !isName(e.key) {
			r.failAt(e.at, "%s: %q is not a name: small letters, digits and dashes", path, e.key)
			continue
		}
		item := reflect.New(v.Type().Elem()).Elem()
		r.value(e.value, item, joined(path, e.key))
		v.SetMapIndex(reflect.ValueOf(e.key), item)
	}
}

// list reads a sequence.
func (r *reader) list(n *node, v reflect.Value, path string) {
	if n.kind != sequence {
		r.fail(n, path, "expected a list, found %s: write [ … ], or one entry a line with a dash", n.kind)
		return
	}
	v.Set(reflect.MakeSlice(v.Type(), len(n.items), len(n.items)))
	for i, item := range n.items {
		r.value(item, v.Index(i), indexed(path, i))
	}
}

// plain reads a text, a whole number or a boolean.
func (r *reader) plain(n *node, v reflect.Value, path string) {
	if n.kind == mapping || n.kind == sequence {
		r.fail(n, path, "expected a single value, found %s", n.kind)
		return
	}
	digits := strings.ReplaceAll(n.text, "_", "")
	switch v.Kind() {
	case reflect.String:
		if n.kind != text && !n.loose {
			r.fail(n, path, "%s is a number or boolean: quote it, %q", n.text, n.text)
		}
		v.SetString(n.text)
	case reflect.Int, reflect.Int64:
		i, err := strconv.ParseInt(digits, 10, 64)
		if err != nil || n.kind == text && !n.loose {
			r.fail(n, path, "%q is not a whole number", n.text)
		}
		v.SetInt(i)
	case reflect.Uint64:
		u, err := strconv.ParseUint(digits, 0, 64)
		if err != nil || n.kind == text && !n.loose {
			r.fail(n, path, "%q is not a whole number from 0", n.text)
		}
		v.SetUint(u)
	case reflect.Bool:
		if n.kind != other && !n.loose || n.text != "true" && n.text != "false" {
			r.fail(n, path, "%q is neither true nor false", n.text)
		}
		v.SetBool(n.text == "true")
	default:
		r.fail(n, path, "cannot be read into %s", v.Type()) // a type of this package without a rule here: a test finds it
	}
}

// unknownKey reports a key that its struct does not have.
func (r *reader) unknownKey(e entry, path string, t reflect.Type) {
	keys := keysOf(t)
	switch {
	case t == reflect.TypeFor[Act]():
		r.failAt(e.at, "%s: %s", path, unknownVerb(e.key))
	case t == reflect.TypeFor[Phase]():
		r.failAt(e.at, "%s: unknown step %q%s", path, e.key, remedy(e.key, keys))
	case t == reflect.TypeFor[Fault]() && (e.key == "where" || e.key == "when"):
		r.failAt(e.at, "%s: %q is of the message-level verbs, which are not available yet in this version", path, e.key)
	default:
		r.failAt(e.at, "%sunknown key %q%s", prefix(path), e.key, remedy(e.key, keys))
	}
}

// remedy suggests the nearest word, or lists all.
func remedy(word string, words []string) string {
	if near := suggest.DidYouMean(word, words); near != "" {
		return near
	}
	if len(words) == 1 {
		return "; there is only " + words[0]
	}
	return "; there are " + strings.Join(words, ", ")
}

// keysOf lists the keys of a struct, in its order.
func keysOf(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		if key := t.Field(i).Tag.Get("yaml"); key != "-" {
			keys = append(keys, key)
		}
	}
	return keys
}

func fieldOf(t reflect.Type, key string) (reflect.StructField, bool) {
	for i := range t.NumField() {
		if tag := t.Field(i).Tag.Get("yaml"); tag == key && key != "-" {
			return t.Field(i), true
		}
	}
	return reflect.StructField{}, false
}

func intTag(tag reflect.StructTag, key string) (int64, bool) {
	i, err := strconv.ParseInt(tag.Get(key), 10, 64)
	return i, err == nil
}

// duration reads the duration of a tag; a test checks that they all can be read.
func duration(tag string) time.Duration {
	d, _ := time.ParseDuration(tag)
	return d
}

// isName reports whether a word can name a scenario, a role, a fault or a probe.
func isName(word string) bool {
	if word == "" || len(word) > 64 || word[0] == '-' {
		return false
	}
	return strings.Trim(word, "abcdefghijklmnopqrstuvwxyz0123456789-") == ""
}

func prefix(path string) string {
	if path == "" {
		return ""
	}
	return path + ": "
}

func orRoot(path string) string {
	if path == "" {
		return "the scenario"
	}
	return path
}
