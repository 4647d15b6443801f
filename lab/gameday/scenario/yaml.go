package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// The parser recurses, and is quadratic in places: what it gets is bounded first.
const (
	maxSource  = 1 << 20
	maxTokens  = 20_000
	maxPerLine = 16 // "- - - -" and "? ? ?" nest without indentation
)

// tree parses a source into nodes. nil: it could not be read, and the error was reported.
func (r *reader) tree(source string, in []byte, loose bool) (root *node) {
	c := &converter{source: source, loose: loose, fail: r.failAt}
	defer func() { // a parser's bug must not take the run down
		if p := recover(); p != nil {
			r.failAt(place{source: source}, "cannot be read as YAML: the parser gave up (%v)", p)
			root = nil
		}
	}()
	tokens := lexer.Tokenize(string(in))
	if at, msg := tooMuch(tokens); msg != "" {
		r.failAt(c.place(at), "%s", msg)
		return nil
	}
	file, err := parser.Parse(tokens, 0, parser.AllowDuplicateMapKey())
	if err != nil {
		r.syntax(c, err)
		return nil
	}
	docs := slices.DeleteFunc(file.Docs, func(d *ast.DocumentNode) bool { return d.Body == nil })
	switch {
	case len(docs) == 0:
		return &node{at: c.place(nil)}
	case len(docs) > 1:
		r.failAt(c.place(docs[1].Body.GetToken()), "a second document: one file is one scenario, split it at ---")
	}
	return c.node(docs[0].Body, 0)
}

func (r *reader) syntax(c *converter, err error) {
	var syntax *yaml.SyntaxError
	if errors.As(err, &syntax) {
		r.failAt(c.place(syntax.Token), "not YAML: %s", syntax.Message)
		return
	}
	first, _, _ := strings.Cut(err.Error(), "\n")
	r.failAt(place{source: c.source}, "not YAML: %s", first)
}

// tooMuch finds what would make the parser recurse or work too long.
func tooMuch(tokens token.Tokens) (at *token.Token, msg string) {
	if len(tokens) > maxTokens {
		return tokens[maxTokens], fmt.Sprintf("more than %d words and signs: this is not a scenario", maxTokens)
	}
	depth, line, onLine := 0, 0, 0
	for _, tk := range tokens {
		switch tk.Type {
		case token.MappingStartType, token.SequenceStartType:
			depth++
		case token.MappingEndType, token.SequenceEndType:
			depth--
		case token.SequenceEntryType, token.MappingKeyType, token.TagType, token.AnchorType:
			if tk.Position.Line != line {
				line, onLine = tk.Position.Line, 0
			}
			onLine++
		}
		if depth > maxDepth || onLine > maxPerLine {
			return tk, fmt.Sprintf("nested deeper than %d levels", maxDepth)
		}
	}
	return nil, ""
}

// set applies --set key=value: it puts the value into the tree, so that it is read as strictly as the file.
func (r *reader) set(root *node, key, value string) {
	source := "--set " + key + "=" + value
	if len(source) > 4096 {
		source = source[:64] + "…"
		r.failAt(place{source: source}, "longer than 4096 bytes: put it into the file")
		return
	}
	leaf := r.leaf(source, value)
	if leaf == nil {
		return
	}
	parts := strings.Split(key, ".")
	at := root
	for i, part := range parts {
		last := i == len(parts)-1
		next, err := at.child(part, source, last, leaf)
		if err != nil {
			r.failAt(place{source: source}, "%s: %v", strings.Join(parts[:i+1], "."), err)
			return
		}
		at = next
	}
}

// leaf reads the value of a --set: as YAML where it is a list, a mapping or quoted, else as it stands ("> 0" is a comparison
// there, and no folded text).
func (r *reader) leaf(source, value string) *node {
	if value != "" && strings.IndexByte(`[{"'`, value[0]) >= 0 {
		return r.tree(source, []byte(value), true)
	}
	return &node{kind: text, text: value, at: place{source: source}, loose: true, inside: -1}
}

// child goes one step down the path of a --set, and puts leaf there at its end. A missing key is made: the reader then knows
// whether there is such a key.
func (n *node) child(part, source string, last bool, leaf *node) (*node, error) {
	if part == "" {
		return nil, errors.New("an empty name in the path: write it like workload.rate=1000/s")
	}
	fresh := leaf
	if !last {
		fresh = &node{kind: mapping, at: place{source: source}, loose: true, inside: -1}
	}
	switch n.kind {
	case sequence:
		i, err := strconv.Atoi(part)
		if err != nil || i < 0 || i >= len(n.items) {
			return nil, fmt.Errorf("a list of %d: its entries are named 0 to %d", len(n.items), len(n.items)-1)
		}
		if last || n.items[i].kind != mapping && n.items[i].kind != sequence {
			n.items[i] = fresh
		}
		return n.items[i], nil
	case null:
		n.kind = mapping
	case text, other:
		return nil, fmt.Errorf("%q stands here: it has nothing inside", n.text)
	}
	for i, e := range n.entries {
		if e.key == part {
			if last || e.value.kind == null {
				n.entries[i].value = fresh
			}
			return n.entries[i].value, nil
		}
	}
	n.entries = append(n.entries, entry{part, place{source: source}, fresh})
	return fresh, nil
}
