package scenario

import (
	"net"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/havoqlab/havoq/history"
)

// Observe says how havoq sees what the user's own application was given (Input) and what it did: at least one of Output, Effect
// and Collect.
type Observe struct {
	ID      string   `yaml:"id" doc:"Where the ID of a message is, for topics that do not say it themselves." example:"header.order-id"`
	Input   *Input   `yaml:"input" doc:"The topic that your application consumes; each message in it has to be processed." required:"input: { topic: orders, id: \"header.order-id\" }"`
	Output  *Output  `yaml:"output" doc:"The topic that your application sends to when it has processed a message."`
	Effect  *Effect  `yaml:"effect" doc:"A listing of the IDs that your application has processed: one SQL query, a web address, or a program."`
	Collect *Collect `yaml:"collect" doc:"Where your application itself posts what it has processed."`
	Group   string   `yaml:"group" doc:"Your application's consumer of the input, as the broker knows it: when it has nothing left, the queue is drained. Missing: when nothing new was seen for the grace." example:"billing"`
	Grace   Duration `yaml:"grace" doc:"How long nothing new must be seen at the end." default:"10s" min:"100ms" max:"1h"`
}

// Input is the topic that the application consumes.
type Input struct {
	Topic string `yaml:"topic" doc:"The topic." required:"topic: orders" example:"orders"`
	ID    string `yaml:"id" doc:"Where a message's ID is." example:"header.order-id"`
}

// Output is a topic that the application sends to.
type Output struct {
	Topic    string `yaml:"topic" doc:"The topic." required:"topic: invoices" example:"invoices"`
	ID       string `yaml:"id" doc:"Where the ID of the input message is that it belongs to." example:"body.order_id"`
	Relation string `yaml:"relation" doc:"How many outputs an input has: exactly one; one or more; none or one." enum:"1:1,1:N,filtered" default:"1:1"`
	Own      string `yaml:"own" doc:"Of 1:N: where the output's own ID is, which must not repeat. Missing: repetitions are not seen." example:"body.invoice_no"`
}

// The relations of an output to its input.
const (
	OneToOne  = "1:1"
	OneToMany = "1:N"
	Filtered  = "filtered"
)

// Effect is a listing of the IDs of what was processed: exactly one of SQL, HTTP and Command is set.
type Effect struct {
	SQL     string   `yaml:"sql" doc:"A database, opened for reading only: sqlite:PATH (seen from the scenario file), or postgres://user@host/database." example:"sqlite:./orders.db"`
	Query   string   `yaml:"query" doc:"Of sql: one query; its first column is the IDs." example:"select order_id from orders"`
	HTTP    string   `yaml:"http" doc:"A web address that answers with JSON." example:"http://127.0.0.1:8080/orders"`
	IDs     string   `yaml:"ids" doc:"Of http: where in the JSON the IDs are; lists on the way are gone through." example:"orders.id"`
	Command []string `yaml:"command" doc:"A program that prints one ID a line. No shell: write [sh, -c, '…'] where you need one."`
	Every   Duration `yaml:"every" doc:"How often to look." default:"1s" min:"100ms" max:"1h"`
	Timeout Duration `yaml:"timeout" doc:"No listing for so long is a failure." default:"10s" min:"10ms" max:"10m"`
}

// Collect is a listener to which the application posts what it has processed.
type Collect struct {
	Listen string `yaml:"listen" doc:"A loopback address; port 0: a free one." default:"127.0.0.1:0"`
}

func (in *Input) word(_ *reader, n *node, _ string) { in.Topic = n.text }

func (out *Output) word(_ *reader, n *node, _ string) { out.Topic, out.Relation = n.text, OneToOne }

func (o *Observe) check(r *reader, n *node, path string) {
	if n.get("output") == nil && n.get("effect") == nil && n.get("collect") == nil {
		r.fail(n, path, "nothing shows what your application has processed: add output: { topic: invoices }, effect: { sql: … } or collect: {}")
	}
	if o.Input != nil {
		r.checkTopic(n.get("input"), joined(path, "input"), o.Input.Topic)
		o.Input.ID = r.checkID(n, "input", path, o.Input.ID, o.ID)
	}
	if o.Output != nil {
		r.checkTopic(n.get("output"), joined(path, "output"), o.Output.Topic)
		o.Output.ID = r.checkID(n, "output", path, o.Output.ID, o.ID)
		if o.Input != nil && o.Input.Topic == o.Output.Topic && o.Input.Topic != "" {
			r.fail(n.get("output"), joined(path, "output"), "the same topic as the input: name the one that your application sends to")
		}
	}
	if id := n.get("id"); id != nil && id.kind == text {
		r.checkExpression(id, joined(path, "id"), o.ID)
	}
	r.later(func(s *Scenario) {
		if !s.Workload.IsExternal() {
			r.fail(n, path, "is for your own application, and this load is havoq's, which it knows by itself: write workload: external, or remove observe")
		}
	})
}

// checkID reads where the ID of a topic's messages is: its own, or that of all.
func (r *reader) checkID(n *node, key, path, own, all string) string {
	at := n.get(key)
	if at == nil {
		return own
	}
	path = joined(path, key)
	switch given := at.get("id"); {
	case own != "":
		r.checkExpression(given, joined(path, "id"), own)
		return own
	case given != nil:
		r.fail(given, joined(path, "id"), `empty: say where the ID is, "header.order-id" or "body.order_id"`)
	case n.get("id") == nil:
		r.fail(at, path, `no id: say where the ID of its messages is, id: "header.order-id" or "body.order_id"`)
	}
	return all
}

func (r *reader) checkExpression(n *node, path, text string) {
	if _, err := history.ParseExpression(text); err != nil {
		r.fail(n, path, "%v", err)
	}
}

func (r *reader) checkTopic(n *node, path, topic string) {
	if at := n.get("topic"); at != nil {
		n, path = at, joined(path, "topic")
	}
	switch {
	case n.kind != text:
	case topic == "":
		r.fail(n, path, "has no name")
	case strings.ContainsAny(topic, "*> \t\n"):
		r.fail(n, path, "%q: one topic, without wildcards and spaces", topic)
	}
}

func (out *Output) check(r *reader, n *node, path string) {
	own := n.get("own")
	switch {
	case own == nil:
	case out.Relation != OneToMany:
		r.fail(own, joined(path, "own"), "is of relation 1:N: remove it")
	case own.kind == text:
		r.checkExpression(own, joined(path, "own"), out.Own)
	}
}

func (e *Effect) check(r *reader, n *node, path string) {
	kinds := 0
	for _, key := range []string{"sql", "http", "command"} {
		if n.get(key) != nil {
			kinds++
		}
	}
	if kinds != 1 {
		r.fail(n, path, "write one of sql: sqlite:./orders.db, http: http://127.0.0.1:8080/orders and command: [my-list]")
		return
	}
	r.pair(n, path, "sql", "query", `query: "select order_id from orders"`)
	r.pair(n, path, "http", "ids", `ids: "orders.id"`)
	if at := n.get("sql"); at != nil && at.kind == text {
		r.checkDatabase(at, joined(path, "sql"), e.SQL)
	}
	if at := n.get("query"); at != nil && at.kind == text {
		r.checkQuery(at, joined(path, "query"), e.Query)
	}
	if at := n.get("http"); at != nil && at.kind == text {
		r.checkWebAddress(at, joined(path, "http"), e.HTTP)
	}
	if at := n.get("ids"); at != nil && at.kind == text && slices.Contains(strings.Split(e.IDs, "."), "") {
		r.fail(at, joined(path, "ids"), `%q is no path: names with dots between them, "orders.id"`, e.IDs)
	}
	if at := n.get("command"); at != nil {
		r.checkSecretArgs(at, joined(path, "command"), e.Command)
	}
	if at := n.get("command"); at != nil && at.kind == sequence && (len(e.Command) == 0 || e.Command[0] == "") {
		r.fail(at, joined(path, "command"), "an empty command: name a program, as in [my-list, --ids]")
	}
}

// pair sees that two keys are there together.
func (r *reader) pair(n *node, path, first, second, example string) {
	switch a, b := n.get(first), n.get(second); {
	case a != nil && b == nil:
		r.fail(a, joined(path, first), "needs %s", example)
	case a == nil && b != nil:
		r.fail(b, joined(path, second), "is of %s: remove it", first)
	}
}

func (r *reader) checkDatabase(n *node, at, sql string) {
	scheme, rest, _ := strings.Cut(sql, ":")
	switch {
	case scheme == "sqlite" && strings.Contains(rest, "?"):
		r.fail(n, at, "options (?…) are havoq's own: it opens the database for reading only; write sqlite:./orders.db")
	case scheme == "sqlite" && rest == "":
		r.fail(n, at, "names no file: write sqlite:./orders.db")
	case scheme == "sqlite":
	case scheme == "postgres" || scheme == "postgresql":
		r.checkPostgres(n, at, sql)
	default: // what it is may contain a password
		r.fail(n, at, "no database of this kind: write sqlite:./orders.db or postgres://user@host/database")
	}
}

// checkPostgres refuses every place for a password that is not taken out of what havoq keeps of a scenario.
func (r *reader) checkPostgres(n *node, at, sql string) {
	u, err := url.Parse(sql)
	switch {
	case err != nil || u.Host == "" || len(u.Path) < 2:
		r.fail(n, at, "not a URL of a database: write postgres://user@host/database, a password percent-encoded or in PGPASSWORD")
	case u.Query().Has("password") || u.Query().Has("sslpassword"):
		r.fail(n, at, "a password as an option: write postgres://user:password@host/database, or give it to havoq in PGPASSWORD")
	case strings.ContainsAny(u.User.String(), `'"`) || strings.Contains(sql, "'"):
		r.fail(n, at, "a quote in the URL: write %%27 for it")
	}
}

func (r *reader) checkQuery(n *node, at, query string) {
	query = strings.ToLower(strings.TrimSpace(query))
	first, _, _ := strings.Cut(strings.ReplaceAll(query, "\n", " "), " ")
	switch {
	case !slices.Contains([]string{"select", "with", "values", "table"}, first):
		r.fail(n, at, "must be a query: it begins with select")
	case strings.Contains(strings.TrimSuffix(query, ";"), ";"):
		r.fail(n, at, "more than one statement: write one query, without ;")
	}
}

// checkWebAddress says what is wrong with an address without its password.
func (r *reader) checkWebAddress(n *node, at, address string) {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		r.fail(n, at, "not a web address: write http://host:port/path")
	}
	r.checkSecretQuery(n, at, address)
}

func (c *Collect) check(r *reader, n *node, path string) {
	at := n.get("listen")
	if at == nil || at.kind != text {
		return
	}
	host, _, err := net.SplitHostPort(c.Listen)
	ip := net.ParseIP(host)
	switch {
	case err != nil:
		r.fail(at, joined(path, "listen"), "%q is not host:port: write 127.0.0.1:0", c.Listen)
	case host != "localhost" && (ip == nil || !ip.IsLoopback()):
		r.fail(at, joined(path, "listen"), "%q is not on loopback: everybody could post there; write 127.0.0.1:0", c.Listen)
	}
}

// Group is the name under which the history tells what was found in the topic: "topic invoices".
func (out Output) Group() string { return "topic " + out.Topic }

// Group is the name under which the history tells what was found in the listing: "table orders", "list 127.0.0.1:8080/orders",
// "program my-list".
func (e Effect) Group() string {
	switch {
	case e.HTTP != "":
		u, err := url.Parse(e.HTTP)
		if err != nil {
			return "list"
		}
		return "list " + u.Host + u.Path
	case len(e.Command) > 0:
		return "program " + path.Base(e.Command[0])
	}
	if table := fromTable().FindStringSubmatch(e.Query); table != nil {
		return "table " + table[1]
	}
	return "table"
}

// checkExternal judges what goes over several places: the application, what shows it, and what is asked of it.
func (r *reader) checkExternal(s *Scenario, n *node) {
	if !s.Workload.IsExternal() {
		return
	}
	at := n.get("workload")
	if s.Observe == nil && n.get("observe") == nil {
		r.fail(at, "workload", "havoq must see what your application was given and what it did: add observe: "+
			"{ input: { topic: orders, id: \"header.order-id\" }, output: { topic: invoices, id: \"body.order_id\" } }")
	}
	if c := s.Target.Cluster; c != nil && c.Port == 0 && len(s.Workload.External) == 0 {
		r.fail(at, "workload", "your application cannot know where the cluster is: write target: { cluster: { port: 14222 } }, or list "+
			"its programs as workload: { external: [ … ] }")
	}
	if order := n.get("contract").get("order"); order != nil {
		r.fail(order, "contract.order", "impossible to see: what your application left in a topic or a table does not tell in which order it "+
			"was given its messages; leave order out")
	}
	if delay := n.get("contract").get("max-delay"); delay != nil {
		r.fail(delay, "contract.max-delay", "impossible to see: what your application left in a topic or a table is seen when havoq looks, and "+
			"not when a message came; leave max-delay out")
	}
	for i, p := range s.Phases {
		if p.Load != nil {
			r.fail(n.get("phases").items[i], indexed("phases", i), "load: the rate is your application's, and havoq cannot change it: remove the step")
		}
	}
}

// fromTable finds the table of a query.
func fromTable() *regexp.Regexp {
	return regexp.MustCompile(`(?is)\bfrom\s+["'\x60]?([a-z_][a-z0-9_.]*)`)
}

// lines says in words by what the application is seen.
func (o *Observe) lines() []string {
	if o == nil {
		return nil
	}
	var out []string
	if o.Input != nil {
		out = append(out, "topic "+o.Input.Topic+": what it was given, by "+o.Input.ID)
	}
	if o.Output != nil {
		out = append(out, o.Output.Group()+": what it has processed, by "+o.Output.ID+", "+o.Output.Relation)
	}
	if o.Effect != nil {
		out = append(out, o.Effect.Group()+": what it has processed")
	}
	if o.Collect != nil {
		out = append(out, "what it posts itself")
	}
	return out
}
