package scenario_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

func TestExternalIsRead(t *testing.T) {
	s, err := scenario.ParseFile("testdata/external.yaml", scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	want := scenario.Workload{External: []scenario.App{
		{
			Name: "billing", Command: []string{"go", "run", "./service"}, Dir: "services",
			Env:   scenario.Env{"NATS_URL": "${servers}", "COLLECT": "${collect}/v1", "PLAIN": "a $b"},
			Ready: &scenario.Ready{HTTP: "http://127.0.0.1:8080/healthz", Within: scenario.Duration(2 * time.Minute)},
		},
		{Name: "shop", Command: []string{"./shop", "--rate", "5"}, Dir: "."},
	}}
	if diff := cmp.Diff(want, s.Workload); diff != "" {
		t.Error(diff)
	}
	observe := &scenario.Observe{
		ID:      "header.order-id",
		Input:   &scenario.Input{Topic: "orders", ID: "header.order-id"},
		Output:  &scenario.Output{Topic: "invoices", ID: "body.order_id", Relation: scenario.OneToMany, Own: "body.invoice_no"},
		Effect:  &scenario.Effect{SQL: "sqlite:./orders.db", Query: "select order_id from orders", Every: seconds(1), Timeout: seconds(10)},
		Collect: &scenario.Collect{Listen: "127.0.0.1:0"},
		Group:   "billing", Grace: seconds(3),
	}
	if diff := cmp.Diff(observe, s.Observe); diff != "" {
		t.Error(diff)
	}
	if got := s.Workload.String(); got != "your own application (billing, shop)" {
		t.Errorf("the load is %q", got)
	}
}

func seconds(n int) scenario.Duration { return scenario.Duration(time.Duration(n) * time.Second) }

func TestExternalAlone(t *testing.T) {
	s, err := scenario.ParseFile("testdata/external-alone.yaml", scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !s.Workload.IsExternal() || len(s.Workload.External) != 0 || s.Workload.Rate != 0 || s.Observe.Grace != seconds(10) {
		t.Errorf("read as %+v, %+v", s.Workload, s.Observe)
	}
	if got := s.Workload.String(); got != "your own application, which runs by itself" {
		t.Errorf("the load is %q", got)
	}
	if got := s.Observe.Effect.Group(); got != "list 127.0.0.1:8080/orders" {
		t.Errorf("the listing is %q", got)
	}
}

func TestShortTopics(t *testing.T) {
	source := "scenario: short\ntarget: { url: \"nats://h:1\" }\nworkload: external\n" +
		"observe: { id: body.id, input: orders, output: invoices }\nphases: [ { baseline: 5s } ]\n"
	s, err := scenario.Parse("short.yaml", []byte(source), scenario.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(scenario.Output{Topic: "invoices", ID: "body.id", Relation: scenario.OneToOne}, *s.Observe.Output); diff != "" {
		t.Error(diff)
	}
	if s.Observe.Input.ID != "body.id" || s.Observe.Output.Group() != "topic invoices" {
		t.Errorf("read as %+v", s.Observe.Input)
	}
}

func TestEffectGroups(t *testing.T) {
	for want, e := range map[string]scenario.Effect{
		"table orders":        {SQL: "sqlite:a.db", Query: "SELECT id\nFROM orders WHERE x = 1"},
		"table shop.orders":   {SQL: "sqlite:a.db", Query: `select "from" from shop.orders`},
		"table":               {SQL: "sqlite:a.db", Query: "values (1)"},
		"list h/ids":          {HTTP: "https://user:secret@h/ids?token=x"},
		"program my-list":     {Command: []string{"/opt/my-list", "--all"}},
		"list 127.0.0.1:80/x": {HTTP: "http://127.0.0.1:80/x"},
	} {
		if got := e.Group(); got != want {
			t.Errorf("%+v is %q, want %q", e, got, want)
		}
	}
}

func TestExpand(t *testing.T) {
	values := map[string]string{"servers": "nats://a,b", "collect": "http://c"}
	for in, want := range map[string]string{
		"${servers}": "nats://a,b", "x=${collect}/v1;${servers}": "x=http://c/v1;nats://a,b", "$servers ${other}": "$servers ${other}", "": "",
	} {
		if got := scenario.Expand(in, values); got != want {
			t.Errorf("%q became %q, want %q", in, got, want)
		}
	}
}

// What is wrong with an address is said without the password in it.
func TestMessagesHaveNoPasswords(t *testing.T) {
	for _, effect := range []string{
		`{ sql: "host=db password=hunter2", query: "select 1" }`,
		`{ sql: "postgres://ann:hunter2@db", query: "select 1" }`,
		`{ sql: "postgres://ann:hunt er2@db/shop", query: "select 1" }`,
		`{ sql: "postgres://db/shop?password=hunter2", query: "select 1" }`,
		`{ sql: "postgres://ann:hunter2'@db/shop", query: "select 1" }`,
		`{ sql: "mysql://ann:hunter2@db/shop", query: "select 1" }`,
		`{ http: "ftp://ann:hunter2@db/shop", ids: id }`,
		`{ http: "http://ann:hunt er2@db/shop", ids: id }`,
	} {
		source := "scenario: s\ntarget: { url: \"nats://h:1\" }\nworkload: external\n" +
			"observe: { id: body.id, input: orders, effect: " + effect + " }\nphases: [ { baseline: 5s } ]\n"
		_, err := scenario.Parse("s.yaml", []byte(source), scenario.Options{})
		if err == nil {
			t.Errorf("%s: accepted", effect)
			continue
		}
		if strings.Contains(err.Error(), "hunt") {
			t.Errorf("the message has the password: %v", err)
		}
	}
}
