package scenario

import (
	"fmt"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/token"
)

// kind is the shape of a node.
type kind uint8

const (
	null  kind = iota
	text       // a string
	other      // a number or a boolean
	mapping
	sequence
)

func (k kind) String() string {
	switch k {
	case text:
		return "a text"
	case other:
		return "a number or boolean"
	case mapping:
		return "a mapping"
	case sequence:
		return "a list"
	default:
		return "nothing"
	}
}

// place is where something is written.
type place struct {
	source    string // the file, or "--set key=value"
	line, col int
}

// node is a YAML value with its place.
type node struct {
	kind    kind
	at      place
	text    string // scalars: the value as written, unquoted
	inside  int    // scalars: columns from at to the text's first letter, or -1 if its letters are not where they are written
	loose   bool   // came from --set, where a text needs no quotes
	refused bool   // reported already: what is missing here is not missing
	entries []entry
	items   []*node
}

type entry struct {
	key   string
	at    place
	value *node
}

// get returns the value of a key, or nil.
func (n *node) get(key string) *node {
	if n == nil {
		return nil
	}
	for _, e := range n.entries {
		if e.key == key {
			return e.value
		}
	}
	return nil
}

// letter is the place of the i-th character (from 0) of a scalar's text.
func (n *node) letter(i int) place {
	at := n.at
	if n.inside >= 0 && at.line > 0 {
		at.col += n.inside + i
	}
	return at
}

// maxDepth bounds how deep values may nest; a scenario needs seven.
const maxDepth = 32

// converter makes nodes of the parser's tree. Shapes that a scenario has no use for are refused, so that nothing in a file
// means something else than what is written there.
type converter struct {
	source string
	loose  bool
	fail   func(at place, format string, args ...any)
}

func (c *converter) place(tk *token.Token) place {
	if tk == nil || tk.Position == nil {
		return place{source: c.source}
	}
	if c.loose {
		return place{source: c.source}
	}
	return place{c.source, tk.Position.Line, tk.Position.Column}
}

func (c *converter) node(in ast.Node, depth int) *node {
	if in == nil {
		return &node{at: place{source: c.source}}
	}
	n := &node{at: c.place(in.GetToken()), loose: c.loose, inside: -1}
	if depth > maxDepth {
		n.refused = true
		c.fail(n.at, "nested deeper than %d levels", maxDepth)
		return n
	}
	switch v := in.(type) {
	case *ast.NullNode:
	case *ast.StringNode:
		n.scalar(text, v.Value, v.GetToken())
	case *ast.LiteralNode:
		n.scalar(text, strings.TrimSpace(v.Value.Value), nil)
	case *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.InfinityNode, *ast.NanNode:
		n.scalar(other, in.GetToken().Value, in.GetToken())
	case *ast.MappingNode:
		c.mapping(n, v.Values, depth)
	case *ast.MappingValueNode:
		c.mapping(n, []*ast.MappingValueNode{v}, depth)
	case *ast.SequenceNode:
		n.kind = sequence
		for _, item := range v.Values {
			n.items = append(n.items, c.node(item, depth+1))
		}
	case *ast.AnchorNode, *ast.AliasNode:
		n.refused = true
		c.fail(n.at, "anchors (&) and aliases (*) are not used in scenarios: write the value out")
	case *ast.TagNode:
		n.refused = true
		c.fail(n.at, "tag %s: tags are not used in scenarios, remove it", v.GetToken().Value)
	default:
		n.refused = true
		c.fail(n.at, "%s is not used in scenarios: write plain keys, texts, numbers and lists", in.Type())
	}
	return n
}

func (n *node) scalar(k kind, value string, tk *token.Token) {
	n.kind, n.text = k, value
	if tk == nil || strings.ContainsRune(value, '\n') || !strings.Contains(tk.Origin, value) {
		return // folded or escaped: its letters are not where they are written
	}
	n.inside = 0
	if tk.Type == token.SingleQuoteType || tk.Type == token.DoubleQuoteType {
		n.inside = 1
	}
}

func (c *converter) mapping(n *node, values []*ast.MappingValueNode, depth int) {
	n.kind = mapping
	for i, pair := range values {
		at := c.place(pair.Key.GetToken())
		if i == 0 {
			n.at = at // the parser's own place of a mapping is its first colon
		}
		switch pair.Key.(type) {
		case *ast.StringNode, *ast.IntegerNode, *ast.FloatNode, *ast.BoolNode, *ast.NullNode:
		case *ast.MergeKeyNode:
			n.refused = true
			c.fail(at, "merge keys (<<) are not used in scenarios: write the keys out")
			continue
		default:
			n.refused = true
			c.fail(at, `%s as a key is not used in scenarios: write "key: value"`, pair.Key.Type())
			continue
		}
		key := pair.Key.GetToken().Value
		if n.get(key) != nil {
			c.fail(at, "key %q is there twice: remove one", key)
			continue
		}
		n.entries = append(n.entries, entry{key, at, c.node(pair.Value, depth+1)})
	}
}

// indexed writes a path: "phases[2].inject".
func indexed(path string, i int) string { return fmt.Sprintf("%s[%d]", path, i) }

func joined(path, key string) string {
	if path == "" {
		return key
	}
	return path + "." + key
}
