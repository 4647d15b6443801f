package scenario

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
)

// String describes the promise: "at-least-once, in order by key, within 5s".
func (c Contract) String() string {
	parts := []string{c.Delivery}
	if c.Delivery == "" {
		parts[0] = "no delivery promise"
	}
	if c.Order != "" {
		parts = append(parts, "in order by "+c.Order)
	}
	if c.MaxDelay > 0 {
		parts = append(parts, "within "+criteria.FormatSeconds(time.Duration(c.MaxDelay).Seconds()))
	}
	if len(c.Allow) > 0 {
		parts = append(parts, "allowing what is "+strings.ReplaceAll(strings.Join(c.Allow, ", "), "_", " "))
	}
	if len(c.Forgive) > 0 {
		parts = append(parts, "forgiving what is "+strings.Join(c.Forgive, ", "))
	}
	return strings.Join(parts, ", ")
}

// ReadContract reads a contract that stands alone, in the words of a scenario's contract block and as strictly. arg is one of:
//
//	at-least-once,order=key,max-delay=2s             words: the delivery promise, then key=value
//	{ delivery: at-least-once, order: key }          YAML in a line
//	contract.yaml                                    a YAML file (*.yaml, *.yml, or a path with a slash): the block, alone or
//	                                                 under contract:, or a whole scenario
//
// A contract without a delivery promise is at-least-once. name says in errors whose value arg is: "--contract". What is wrong
// with the words is an error of type [Errors].
func ReadContract(name, arg string) (Contract, error) {
	arg = strings.TrimSpace(arg)
	switch {
	case len(arg) > maxContract:
		return Contract{}, Errors{{File: name, Msg: fmt.Sprintf("longer than %d bytes: put it into a file", maxContract)}}
	case strings.HasPrefix(arg, "{"):
		return parseContract(name, []byte(arg), true)
	case strings.ContainsAny(arg, `/\`) || strings.HasSuffix(arg, ".yaml") || strings.HasSuffix(arg, ".yml"):
		source, err := readSource(arg)
		if err != nil {
			return Contract{}, fmt.Errorf("%s: %w", name, err)
		}
		return parseContract(arg, source, false)
	default:
		r := &reader{timing: "quick"}
		return r.contract(r.words(name, arg))
	}
}

// maxContract bounds a contract on the command line.
const maxContract = 4096

func readSource(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", path)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // it was only read
	return io.ReadAll(io.LimitReader(f, maxSource+1))
}

// parseContract reads a contract in YAML. inline says that it has no lines to name in errors.
func parseContract(file string, source []byte, inline bool) (Contract, error) {
	if wrong := unreadable(source); wrong != "" {
		return Contract{}, Errors{{File: file, Msg: wrong}}
	}
	r := &reader{timing: "quick"}
	root := r.tree(file, source, inline)
	if root.get("scenario") != nil {
		s, err := Parse(file, source, Options{})
		if err != nil {
			return Contract{}, err
		}
		return s.Contract.delivered(), nil
	}
	if block := root.get("contract"); block != nil && len(root.entries) == 1 {
		root = block
	}
	return r.contract(root)
}

// contract reads the block that n is; nil if what is wrong with it was told already.
func (r *reader) contract(n *node) (c Contract, err error) {
	if n != nil {
		r.value(n, reflect.ValueOf(&c).Elem(), "contract")
		if len(r.timings) > 0 {
			r.failAt(r.timings[0].at, "%s: a contract that stands alone has no timings: write one duration", r.timings[0].path)
		}
	}
	if len(r.errs) > 0 {
		return Contract{}, r.errs
	}
	return c.delivered(), nil
}

// delivered is the contract with its delivery promise written out.
func (c Contract) delivered() Contract {
	if c.Delivery == "" {
		c.Delivery = "at-least-once"
	}
	return c
}

// words makes a block of "at-least-once,order=key": the first promise may stand without its key.
func (r *reader) words(name, arg string) *node {
	at := place{source: name + " " + beginningOf(arg)}
	block := &node{kind: mapping, at: at, loose: true, inside: -1}
	for _, part := range strings.Split(arg, ",") {
		key, value, pair := strings.Cut(strings.TrimSpace(part), "=")
		if !pair {
			key, value = "delivery", key
		}
		leaf := &node{kind: text, text: value, at: at, loose: true, inside: -1}
		field, known := fieldOf(reflect.TypeFor[Contract](), key)
		there := slices.IndexFunc(block.entries, func(e entry) bool { return e.key == key })
		switch list := known && field.Type.Kind() == reflect.Slice; {
		case value == "":
			r.failAt(at, "%q promises nothing: write for example at-least-once,order=key,max-delay=2s", part)
		case there >= 0 && list:
			items := &block.entries[there].value.items
			*items = append(*items, leaf)
		case there >= 0:
			r.failAt(at, "%s is there twice (%s, %s): remove one", key, block.entries[there].value.text, value)
		case list:
			block.entries = append(block.entries, entry{key, at, &node{kind: sequence, at: at, items: []*node{leaf}, loose: true}})
		default:
			block.entries = append(block.entries, entry{key, at, leaf})
		}
	}
	return block
}

// beginningOf keeps what is quoted in an error short.
func beginningOf(text string) string {
	if len(text) > 80 {
		return strings.ToValidUTF8(text[:80], "") + "…"
	}
	return text
}
