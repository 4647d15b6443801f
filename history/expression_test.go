package history_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

func expression(tb testing.TB, text string) history.Expression {
	tb.Helper()
	e, err := history.ParseExpression(text)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}

func order() queue.Message {
	return queue.Message{
		ID: "m-1", Key: "ann",
		Headers: []queue.Header{{Key: "Tenant", Value: "acme"}, {Key: "ce.id", Value: "c+1"}, {Key: "twice", Value: "a"}, {Key: "twice", Value: "a"}, {Key: "none", Value: ""}},
		Body: []byte(`{"order_id": 12345678901234567890, "price": 1.50, "name": "T\u00fcr", "deep": {"a": {"b": "c"}}, "ok": true, "nil": null,
			"items": [{"id": "i0"}, {"id": "i1"}, 7], "0": "zero", "empty": "", "bad": "\ud800", "dup": 1, "dup": 2, "in": {"x": 1, "x": 1}}`),
	}
}

func TestExpressionOf(t *testing.T) {
	for text, want := range map[string]string{
		"id": "m-1", "key": "ann", "header.Tenant": "acme", "header.ce.id": "c+1",
		"body.order_id": "12345678901234567890", "body.price": "1.50", "body.name": "Tür", "body.deep.a.b": "c",
		"body.items.1.id": "i1", "body.items.2": "7", "body.0": "zero",
		"header.Tenant+body.order_id":                           "acme+12345678901234567890",
		strings.Join([]string{" key ", "\theader.ce.id "}, "+"): `ann+c\+1`,
	} {
		m := order()
		if got, err := expression(t, text).Of(&m); err != nil || got != want {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
		if got := expression(t, text).String(); got != text {
			t.Errorf("%q is written as %q", text, got)
		}
	}
	m := queue.Message{Body: []byte("whole \xff")}
	if got, err := expression(t, "body").Of(&m); err != nil || got != "whole \xff" {
		t.Errorf("the body gives %q, %v", got, err)
	}
}

func TestExpressionOfWhatIsNotThere(t *testing.T) {
	for text, want := range map[string]string{
		"header.tenant":       "header.tenant is not there, but a header that differs",
		"header.no":           "header.no is not there",
		"header.twice":        "header.twice is there more than once",
		"header.none":         "header.none is empty",
		"body.no":             "body.no is not there",
		"body.order_id.no":    "is not there",
		"body.deep.a":         "is not a string or a number",
		"body.items":          "is not a string or a number",
		"body.ok":             "is not a string or a number",
		"body.nil":            "is not a string or a number",
		"body.items.3":        "is not there",
		"body.items.-1":       "is not there",
		"body.items.id":       "is not there",
		"body.empty":          "is empty",
		"body.bad":            "not valid Unicode",
		"body.dup":            "more than once",
		"body.in.x":           "more than once",
		"key+header.no":       `expression "key+header.no": header.no is not there`,
		"body":                "an ID at most 512",
		"key+header.none+key": "header.none is empty",
	} {
		m := order()
		m.Body = append(m.Body, strings.Repeat(" ", 400)...)
		got, err := expression(t, text).Of(&m)
		if got != "" || !errors.Is(err, history.ErrNoID) || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), text) {
			t.Errorf("%q gives %q, %v; want %q", text, got, err, want)
		}
	}
	var zero history.Expression
	if _, err := zero.Of(&queue.Message{ID: "1"}); !errors.Is(err, history.ErrNoID) {
		t.Error("the zero expression:", err)
	}
	for _, text := range []string{"id", "key"} {
		if _, err := expression(t, text).Of(&queue.Message{}); !errors.Is(err, history.ErrNoID) {
			t.Errorf("%s of an empty message: %v", text, err)
		}
	}
}

func TestExpressionLimits(t *testing.T) {
	long := strings.Repeat("x", history.MaxID)
	for _, c := range []struct {
		text string
		m    queue.Message
		ok   bool
	}{
		{"id", queue.Message{ID: long}, true},
		{"id", queue.Message{ID: long + "x"}, false},
		{"body", queue.Message{Body: []byte(long)}, true},
		{"id+key", queue.Message{ID: long, Key: "x"}, false},
		{"id+key", queue.Message{ID: long[2:], Key: "x"}, true},
		{"body.a", queue.Message{Body: []byte(`{"a":1` + strings.Repeat(" ", history.MaxIDBody-7) + "}")}, true},
		{"body.a", queue.Message{Body: []byte(`{"a":1` + strings.Repeat(" ", history.MaxIDBody-6) + "}")}, false},
		{"body.a", queue.Message{Body: []byte(`{"b":` + strings.Repeat("[", 20_000) + strings.Repeat("]", 20_000) + `,"a":1}`)}, false},
	} {
		if _, err := expression(t, c.text).Of(&c.m); (err == nil) != c.ok {
			t.Errorf("%s of a key of %d, an ID of %d, a body of %d bytes: %v", c.text, len(c.m.Key), len(c.m.ID), len(c.m.Body), err)
		}
	}
}

// A body that is cut or broken has no ID, also where the field came before the damage; and the error quotes nothing of it.
func TestExpressionOfBrokenJSON(t *testing.T) {
	for _, body := range []string{
		``, `secret`, `{"id":"secret"`, `{"id":"secret",}`, `{"id":"secret"}secret`, `{"id":"secret"} {}`, `{"id":"secret}`, `{"id" "secret"}`,
		`{"id":"\x"}`, `{"secret":1`, `["secret"]x`, "{\"id\":\"secret\xff\"}", `{secret:1}`, "\xef\xbb\xbf{}", `{"a":secret,"id":1}`,
	} {
		m := queue.Message{Body: []byte(body)}
		got, err := expression(t, "body.id").Of(&m)
		if got != "" || !errors.Is(err, history.ErrNoID) || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q gives %q, %v", body, got, err)
		}
	}
}

// Two messages have the same ID only if all parts are the same.
func TestExpressionJoinsUnambiguously(t *testing.T) {
	e := expression(t, "id+key")
	text := rapid.StringMatching(`[a+\\]{1,4}`)
	rapid.Check(t, func(t *rapid.T) {
		a := queue.Message{ID: text.Draw(t, "id"), Key: text.Draw(t, "key")}
		b := queue.Message{ID: text.Draw(t, "other id"), Key: text.Draw(t, "other key")}
		x, errX := e.Of(&a)
		y, errY := e.Of(&b)
		if errX != nil || errY != nil || (x == y) != (a.ID == b.ID && a.Key == b.Key) {
			t.Fatalf("%+v gives %q, %v; %+v gives %q, %v", a, x, errX, b, y, errY)
		}
	})
}

func TestParseExpressionErrors(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "a part is missing",
		"id+":                             "a part is missing",
		"+id":                             "a part is missing",
		"header":                          "as in header.order-id",
		"header.":                         "as in header.order-id",
		"headers.x-id":                    `did you mean "header.x-id"?`,
		"Header.x":                        `did you mean "header.x"?`,
		"headers":                         `did you mean "header.NAME"?`,
		"payload.order.id":                `did you mean "body.order.id"?`,
		"$.order.id":                      `did you mean "body.order.id"?`,
		"value":                           `did you mean "body"?`,
		"message_id":                      `did you mean "id"?`,
		"KEY":                             `did you mean "key"?`,
		"order_id":                        "write id, key, header.NAME, body or body.FIELD",
		"id.x":                            "body.x",
		"body.":                           "the name of a field is missing",
		"body.a..b":                       "the name of a field is missing",
		"header.a b":                      "no spaces",
		"header.\x00":                     "printable",
		"header.\xff":                     "printable",
		strings.Repeat("i", 257):          "at most 256",
		strings.Repeat("id+", 8):          "at most 8",
		"body" + strings.Repeat(".a", 17): "at most 16",
	} {
		e, err := history.ParseExpression(text)
		if err == nil || !strings.Contains(err.Error(), want) || e.String() != "" {
			t.Errorf("%q is read as %q, %v; want %q", text, e, err, want)
		}
	}
}

// FuzzExpression: what is accepted is read the same again, an ID is within its bounds, and what an error says is not from the message.
func FuzzExpression(f *testing.F) {
	for _, text := range []string{"id", "header.a+body.b.0", "body", "header.tenant+body.order_id", "payload.x"} {
		f.Add(text, "id", "key", "a", `{"b":["1",2]}`)
	}
	f.Add("body.b", "", "", "", `{"b":"\u00e4","c":[{},1e5]}`)
	f.Fuzz(func(t *testing.T, text, id, key, header, body string) {
		e, err := history.ParseExpression(text)
		if err != nil {
			return
		}
		again, err := history.ParseExpression(e.String())
		if err != nil {
			t.Fatal(err)
		}
		m := queue.Message{ID: id, Key: key, Headers: []queue.Header{{Key: "a", Value: header}}, Body: []byte(body)}
		got, err := e.Of(&m)
		if err != nil {
			if got != "" || !errors.Is(err, history.ErrNoID) {
				t.Fatalf("%q, %v", got, err)
			}
			return
		}
		if same, err := again.Of(&m); err != nil || same != got || got == "" || len(got) > history.MaxID {
			t.Fatalf("%q, then %q, %v", got, same, err)
		}
		if strings.Contains(text, "body.") && !json.Valid(m.Body) {
			t.Fatalf("%q of a body that is no JSON: %q", got, body)
		}
	})
}

func ExampleExpression() {
	e, err := history.ParseExpression("header.tenant+body.order_id")
	if err != nil {
		fmt.Println(err)
		return
	}
	m := queue.Message{Headers: []queue.Header{{Key: "tenant", Value: "acme"}}, Body: []byte(`{"order_id": 42, "total": 7}`)}
	fmt.Println(e.Of(&m))
	// Output: acme+42 <nil>
}
