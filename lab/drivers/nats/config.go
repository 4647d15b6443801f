package nats

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Config says where the servers are and what streams and consumers should be like. Zero values are the defaults given below.
// Replicas, MaxMsgs, Storage, Retention, AckTimeout and DedupWindow are demands where they are set: an existing stream or consumer that
// differs is an error. Where they are not set, an existing one is used as it is.
type Config struct {
	// URL gives servers and parameters as in the package comment. What is given by both URL and a field is an error.
	URL string
	// Servers are host:port or nats://user:password@host:port, any of one cluster.
	Servers []string
	// Replicas of each stream. Default 1.
	Replicas int
	// Storage is "file" (default) or "memory".
	Storage string
	// MaxMsgs is the most messages a stream holds; a full stream refuses. 0: no limit. With "limits" retention that is how many
	// were ever sent; with "workqueue" it bounds what waits.
	MaxMsgs int64
	// Retention is "limits" (default: every group gets all messages, and acked ones stay) or "workqueue" (an acked message is
	// removed; a topic has one group, and a second one is refused).
	Retention string
	// AckTimeout is when an unsettled delivery is redelivered. Default 30s.
	AckTimeout time.Duration
	// SendTimeout is when a send without an answer is unknown. Default 5s.
	SendTimeout time.Duration
	// SettleTimeout is how long an unanswered ack is repeated before it is reported as unconfirmed. Default 10s.
	SettleTimeout time.Duration
	// DedupWindow is how long a stream remembers message IDs. Default 2m.
	DedupWindow time.Duration
	// Window is the most unconfirmed messages a producer may have, and unconfirmed acks a consumer. Default 1024.
	Window int
	// Logger is told of lost and restored connections and recreated consumers. nil: nobody is.
	Logger *slog.Logger
}

// MaxWindow is the largest Config.Window.
const MaxWindow = 1 << 20

// ParseURL reads a URL as in the package comment. Its errors do not contain the URL's secrets.
func ParseURL(raw string) (Config, error) {
	var c Config
	scheme, rest, ok := strings.Cut(raw, "://")
	if !ok || scheme != "nats" && scheme != "tls" {
		return c, errors.New("nats: the URL does not begin with nats:// or tls://")
	}
	// net/url takes no host lists, so the authority is cut up here.
	rest, query, _ := strings.Cut(rest, "?")
	if strings.Contains(query, "#") || strings.Contains(rest, "#") {
		return c, errors.New("nats: the URL has a fragment (#…), which means nothing here")
	}
	authority, path, _ := strings.Cut(rest, "/")
	if path != "" {
		return c, errors.New("nats: the URL has a path, which means nothing here: topics are not part of the URL")
	}
	user, hosts := "", authority
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		user, hosts = authority[:at+1], authority[at+1:]
	}
	for host := range strings.SplitSeq(hosts, ",") {
		server := scheme + "://" + user + host
		u, err := url.Parse(server)
		if err != nil || u.Hostname() == "" { // err would show the secret
			return c, fmt.Errorf("nats: %q is not a host:port, or the user and password before it are not percent-encoded", host)
		}
		c.Servers = append(c.Servers, server)
	}
	return c, c.parameters(query)
}

func (c *Config) parameters(query string) error {
	values, err := url.ParseQuery(query)
	if err != nil {
		return errors.New("nats: the URL's parameters cannot be read: check the percent-encoding")
	}
	for _, name := range slices.Sorted(mapKeys(values)) {
		if len(values[name]) > 1 {
			return fmt.Errorf("nats: the URL's parameter %q is given twice", name)
		}
		known, err := c.parameter(name, values[name][0])
		if !known {
			return fmt.Errorf("nats: the URL's parameter %q is unknown: there are replicas, storage, max-msgs, retention, ack-timeout, "+
				"send-timeout, settle-timeout, dedup-window and window", name)
		}
		if err != nil {
			return fmt.Errorf("nats: the URL's parameter %s=%s: %w", name, values[name][0], err)
		}
	}
	return nil
}

func mapKeys(v url.Values) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range v {
			if !yield(k) {
				return
			}
		}
	}
}

func (c *Config) parameter(name, value string) (known bool, err error) {
	switch name {
	case "replicas":
		c.Replicas, err = positive(value)
	case "window":
		c.Window, err = positive(value)
	case "max-msgs":
		var n int
		n, err = positive(value)
		c.MaxMsgs = int64(n)
	case "storage":
		c.Storage = value
		if value == "" {
			err = errors.New("want file or memory")
		}
	case "retention":
		c.Retention = value
		if value == "" {
			err = errors.New("want limits or workqueue")
		}
	case "ack-timeout":
		c.AckTimeout, err = span(value)
	case "send-timeout":
		c.SendTimeout, err = span(value)
	case "settle-timeout":
		c.SettleTimeout, err = span(value)
	case "dedup-window":
		c.DedupWindow, err = span(value)
	default:
		return false, nil
	}
	return true, err
}

func positive(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil || n < 1 {
		return 0, errors.New("want a whole number above 0")
	}
	return n, nil
}

func span(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d <= 0 {
		return 0, errors.New(`want a duration above 0, as "30s"`)
	}
	return d, nil
}

// settings is a Config after its defaults; asked is the Config before them.
type settings struct {
	Config
	asked     Config
	storage   jetstream.StorageType
	retention jetstream.RetentionPolicy
}

// resolve merges URL and fields, checks the whole and fills in the defaults.
func (c Config) resolve() (settings, error) {
	if c.URL != "" {
		u, err := ParseURL(c.URL)
		if err != nil {
			return settings{}, err
		}
		if c, err = merge(c, u); err != nil {
			return settings{}, err
		}
	}
	if err := c.check(); err != nil {
		return settings{}, err
	}
	s := settings{Config: c, asked: c}
	if c.Storage == "memory" {
		s.storage = jetstream.MemoryStorage
	}
	if c.Retention == "workqueue" {
		s.retention = jetstream.WorkQueuePolicy
	}
	s.Replicas = orInt(c.Replicas, 1)
	s.Window = orInt(c.Window, 1024)
	s.AckTimeout = orSpan(c.AckTimeout, 30*time.Second)
	s.SendTimeout = orSpan(c.SendTimeout, 5*time.Second)
	s.SettleTimeout = orSpan(c.SettleTimeout, 10*time.Second)
	s.DedupWindow = orSpan(c.DedupWindow, 2*time.Minute)
	if s.Logger == nil {
		s.Logger = slog.New(slog.DiscardHandler)
	}
	return s, nil
}

// merge takes from u what c leaves open; what both give is an error.
func merge(c, u Config) (Config, error) {
	twice := ""
	pick := func(name string, inURL, inField bool) bool {
		if inURL && inField {
			twice = name
		}
		return inURL
	}
	if pick("Servers", len(u.Servers) > 0, len(c.Servers) > 0) {
		c.Servers = u.Servers
	}
	if pick("Replicas", u.Replicas != 0, c.Replicas != 0) {
		c.Replicas = u.Replicas
	}
	if pick("Storage", u.Storage != "", c.Storage != "") {
		c.Storage = u.Storage
	}
	if pick("Retention", u.Retention != "", c.Retention != "") {
		c.Retention = u.Retention
	}
	if pick("MaxMsgs", u.MaxMsgs != 0, c.MaxMsgs != 0) {
		c.MaxMsgs = u.MaxMsgs
	}
	if pick("AckTimeout", u.AckTimeout != 0, c.AckTimeout != 0) {
		c.AckTimeout = u.AckTimeout
	}
	if pick("SendTimeout", u.SendTimeout != 0, c.SendTimeout != 0) {
		c.SendTimeout = u.SendTimeout
	}
	if pick("SettleTimeout", u.SettleTimeout != 0, c.SettleTimeout != 0) {
		c.SettleTimeout = u.SettleTimeout
	}
	if pick("DedupWindow", u.DedupWindow != 0, c.DedupWindow != 0) {
		c.DedupWindow = u.DedupWindow
	}
	if pick("Window", u.Window != 0, c.Window != 0) {
		c.Window = u.Window
	}
	if twice != "" {
		return c, fmt.Errorf("nats: Config gives %s both in URL and as a field: leave one out", twice)
	}
	return c, nil
}

func (c Config) check() error {
	switch {
	case len(c.Servers) == 0:
		return errors.New("nats: no servers: give Config.URL or Config.Servers")
	case c.Replicas < 0 || c.Replicas > 5:
		return fmt.Errorf("nats: Replicas is %d: JetStream takes 1 to 5", c.Replicas)
	case c.Storage != "" && c.Storage != "file" && c.Storage != "memory":
		return fmt.Errorf("nats: Storage is %q: want file or memory", c.Storage)
	case c.Retention != "" && c.Retention != "limits" && c.Retention != "workqueue":
		return fmt.Errorf("nats: Retention is %q: want limits or workqueue", c.Retention)
	case c.MaxMsgs < 0:
		return fmt.Errorf("nats: MaxMsgs is %d: want 0 (no limit) or more", c.MaxMsgs)
	case c.Window < 0 || c.Window > MaxWindow:
		return fmt.Errorf("nats: Window is %d: want at most %d", c.Window, MaxWindow)
	case c.DedupWindow < 0 || c.DedupWindow > 0 && c.DedupWindow < 100*time.Millisecond:
		return fmt.Errorf("nats: DedupWindow is %s: JetStream takes 100ms or more", c.DedupWindow)
	case c.AckTimeout < 0 || c.SendTimeout < 0 || c.SettleTimeout < 0:
		return errors.New("nats: a time-out is negative")
	}
	return nil
}

func orInt(v, otherwise int) int {
	if v == 0 {
		return otherwise
	}
	return v
}

func orSpan(v, otherwise time.Duration) time.Duration {
	if v == 0 {
		return otherwise
	}
	return v
}
