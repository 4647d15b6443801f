package nats_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/havoqlab/havoq/lab/drivers/nats"
	"pgregory.net/rapid"
)

func TestParseURL(t *testing.T) {
	got, err := nats.ParseURL("nats://ann:s3c%40ret@127.0.0.1:4222,h2:4223/?replicas=3&storage=memory&max-msgs=10&ack-timeout=5s" +
		"&send-timeout=1s&settle-timeout=7s&dedup-window=1m&window=64")
	want := nats.Config{
		Servers:  []string{"nats://ann:s3c%40ret@127.0.0.1:4222", "nats://ann:s3c%40ret@h2:4223"},
		Replicas: 3, Storage: "memory", MaxMsgs: 10, AckTimeout: 5 * time.Second, SendTimeout: time.Second,
		SettleTimeout: 7 * time.Second, DedupWindow: time.Minute, Window: 64,
	}
	if diff := cmp.Diff(want, got); diff != "" || err != nil {
		t.Errorf("%v (-want +got):\n%s", err, diff)
	}
}

func TestBadURLs(t *testing.T) {
	for raw, want := range map[string]string{
		"":                                "does not begin with nats://",
		"kafka://h:1":                     "does not begin with nats://",
		"nats://":                         "not a host:port",
		"nats://ann:s3cret@":              "not a host:port",
		"nats://ann:s3cret@h:1,":          "not a host:port",
		"nats://ann:s3cret@h:port":        "not a host:port",
		"nats://ann:%s3cret@h:1":          "percent-encoded",
		"nats://ann:s3cret@h:1/orders":    "a path",
		"nats://ann:s3cret@h:1?x=1#f":     "a fragment",
		"nats://ann:s3cret@h:1?replica=3": `"replica" is unknown`,
		"nats://ann:s3cret@h:1?replicas=3&REPLICAS=3": `"REPLICAS" is unknown`,
		"nats://ann:s3cret@h:1?replicas=1&replicas=3": `"replicas" is given twice`,
		"nats://ann:s3cret@h:1?replicas=0":            "want a whole number above 0",
		"nats://ann:s3cret@h:1?window=x":              "want a whole number above 0",
		"nats://ann:s3cret@h:1?ack-timeout=5":         "want a duration above 0",
		"nats://ann:s3cret@h:1?send-timeout=-5s":      "want a duration above 0",
		"nats://ann:s3cret@h:1?storage=":              "want file or memory",
		"nats://ann:s3cret@h:1?storage=disk":          "want file or memory",
		"nats://ann:s3cret@h:1?replicas=9":            "1 to 5",
		"nats://ann:s3cret@h:1?retention=":            "want limits or workqueue",
		"nats://ann:s3cret@h:1?retention=for-ever":    "want limits or workqueue",
		"nats://ann:s3cret@h:1?window=99999999":       "at most",
		"nats://ann:s3cret@h:1?dedup-window=1ms":      "100ms or more",
		"nats://ann:s3cret@h:1?%zz":                   "parameters cannot be read",
	} {
		_, err := nats.OpenURL(t.Context(), raw)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", raw, err, want)
		}
		if err != nil && strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error tells the secret: %v", raw, err)
		}
	}
	for want, cfg := range map[string]nats.Config{
		"no servers":              {},
		"Window both in URL and":  {URL: "nats://h:1?window=5", Window: 6},
		"Servers both in URL and": {URL: "nats://h:1", Servers: []string{"h:2"}},
		"connect to 127.0.0.1:1":  {URL: "nats://ann:s3cret@127.0.0.1:1"},
		"MaxMsgs is -1":           {Servers: []string{"h:1"}, MaxMsgs: -1},
		"a time-out is negative":  {Servers: []string{"h:1"}, SendTimeout: -1},
	} {
		_, err := nats.Open(t.Context(), cfg)
		if err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%+v: %v; want %q", cfg, err, want)
		}
	}
}

func FuzzParseURL(f *testing.F) {
	f.Add("nats://ann:s3cret@h:1,h2:2?replicas=3")
	f.Add("tls://h?window=1&storage=file")
	f.Fuzz(func(t *testing.T, raw string) {
		cfg, err := nats.ParseURL(raw)
		if err == nil && len(cfg.Servers) == 0 {
			t.Errorf("%q: no servers and no error", raw)
		}
	})
}

func TestNames(t *testing.T) {
	for _, c := range []struct{ topic, stream, subject string }{
		{"orders", "orders", "orders"},
		{"eu.orders", "eu=2Eorders", "eu.orders"},
		{"eu..orders", "eu=2E=2Eorders", "eu=2E=2Eorders"},
		{".x", "=2Ex", "=2Ex"},
		{"$SYS.x", "=24SYS=2Ex", "=24SYS.x"},
		{"_INBOX.x", "_INBOX=2Ex", "=5FINBOX.x"},
		{"a b*>=/ü", "a=20b=2A=3E=3D=2F=C3=BC", "a=20b=2A=3E=3D=2F=C3=BC"},
	} {
		if s, j := nats.StreamName(c.topic), nats.SubjectName(c.topic); s != c.stream || j != c.subject {
			t.Errorf("%q: stream %q and subject %q, want %q and %q", c.topic, s, j, c.stream, c.subject)
		}
	}
}

func TestNamesAreValidAndDistinct(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		topic := rapid.StringMatching(`[a-c.$_= *>]{1,6}`)
		a, b := topic.Draw(t, "a"), topic.Draw(t, "b")
		if a != b && (nats.StreamName(a) == nats.StreamName(b) || nats.SubjectName(a) == nats.SubjectName(b)) {
			t.Errorf("%q and %q share a name", a, b)
		}
		if strings.ContainsAny(nats.StreamName(a), ".*>/ $") || strings.ContainsAny(nats.SubjectName(a), "*> $") ||
			strings.Contains(".."+nats.SubjectName(a), "...") || strings.Contains(nats.SubjectName(a), "..") ||
			strings.HasSuffix(nats.SubjectName(a), ".") || strings.HasPrefix(nats.SubjectName(a), "_") {
			t.Errorf("%q: %q, %q", a, nats.StreamName(a), nats.SubjectName(a))
		}
	})
}
