package history_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/internal/bubble"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
	"github.com/havoqlab/havoq/queue/memory"
)

// shade is a queue under a Shadow.
type shade struct {
	queue.Queue
	*history.Shadow
	memory *history.Memory
}

func newShadow(tb testing.TB, c history.ShadowConfig, q queue.Queue, inner ...queue.Hooks) shade {
	tb.Helper()
	m := &history.Memory{Start: time.Now()}
	c.Recorder, c.Start, c.Run = m, m.Start, 7
	if c.Mode == history.ByID && c.Expression.String() == "" {
		c.Expression = expression(tb, "header.id")
	}
	s, err := history.NewShadow(c)
	if err != nil {
		tb.Fatal(err)
	}
	return shade{queue.Wrap(q, append([]queue.Hooks{s.Hooks()}, inner...)...), s, m}
}

// judge ends the history and judges it.
func (s shade) judge(c oracle.Contract, groups ...string) oracle.Result {
	for _, g := range groups {
		s.memory.Record(history.Event{Kind: history.Drain, Group: g, Outcome: queue.OK})
	}
	s.memory.Record(history.Event{Kind: history.End})
	return oracle.JudgeAll(c, s.memory.Events)
}

// found are the anomalies that were found, but for redeliveries.
func found(r oracle.Result) map[string]int64 {
	all := map[string]int64{}
	for name, n := range r.Anomalies {
		if n.Total > 0 && name != oracle.Redelivered {
			all[name] = n.Total
		}
	}
	return all
}

// numbered is a message whose ID, key and content are made of its number.
func numbered(i int) queue.Message {
	return queue.Message{Key: "k", Headers: []queue.Header{{Key: "id", Value: fmt.Sprint(i)}}, Body: fmt.Appendf(nil, "message %d", i)}
}

func number(m *queue.Message) string {
	id, _ := m.Header("id")
	return id
}

// orders sends ten messages, each when the one before has its result, and works on what comes until nothing comes any more.
func orders(t *testing.T, s shade, message func(int) queue.Message) {
	t.Helper()
	p, err := s.Producer(t.Context(), "orders")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Consumer(t.Context(), "orders", "billing")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 10 {
		queue.Send(t.Context(), p, message(i))
	}
	for {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		ds, err := c.Receive(ctx, 4)
		cancel()
		if err != nil {
			break
		}
		for i := range ds {
			if err := s.Processed(&ds[i], "consumer-1"); err != nil {
				t.Error(err)
			}
		}
		c.Settle(t.Context(), queue.Ack(), ds)
	}
	if err := s.Close(t.Context()); err != nil {
		t.Error(err)
	}
}

// received makes a fault of what it does to the deliveries of each Receive, which may leave none.
func received(change func([]queue.Delivery) []queue.Delivery) queue.Hooks {
	return queue.Hooks{Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
		for {
			ds, err := next(ctx, most)
			if ds = change(ds); len(ds) > 0 || err != nil {
				return ds, err
			}
		}
	}, Settle: func(ctx context.Context, _ *queue.Session, how queue.Settlement, ds []queue.Delivery, next queue.SettleFunc) []error {
		ds = slices.DeleteFunc(slices.Clone(ds), func(d queue.Delivery) bool { return d.Receipt == "ghost" })
		if len(ds) == 0 {
			return nil
		}
		return next(ctx, how, ds)
	}}
}

// sent makes a fault of what is done with the third message; all others are sent.
func sent(third func(ctx context.Context, m queue.Message, done func(queue.Result), next queue.ProduceFunc)) queue.Hooks {
	return queue.Hooks{Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
		if number(&batch[0]) == "3" {
			third(ctx, batch[0], func(r queue.Result) { done(0, r) }, next)
			return
		}
		next(ctx, batch, done)
	}}
}

func ignore(int, queue.Result) {}

// faults are what a queue does wrong to the message with the number 3, and how each mode sees it.
func faults() map[string]struct {
	hooks func() queue.Hooks
	want  map[history.ShadowMode]map[string]int64
} {
	type want = map[history.ShadowMode]map[string]int64
	all := func(name string) want {
		return want{history.ByPosition: {name: 1}, history.ByID: {name: 1}, history.ByContent: {name: 1}}
	}
	none := map[string]int64{}
	return map[string]struct {
		hooks func() queue.Hooks
		want  map[history.ShadowMode]map[string]int64
	}{
		"none": {func() queue.Hooks { return queue.Hooks{} }, want{history.ByPosition: none, history.ByID: none, history.ByContent: none}},
		"lost": {func() queue.Hooks {
			return received(func(ds []queue.Delivery) []queue.Delivery {
				return slices.DeleteFunc(ds, func(d queue.Delivery) bool { return number(&d.Message) == "3" })
			})
		}, all(oracle.Lost)},
		"delivered again after its ack": {func() queue.Hooks {
			var kept []queue.Delivery
			return received(func(ds []queue.Delivery) []queue.Delivery {
				for _, d := range ds {
					if number(&d.Message) == "3" {
						d.Receipt = "ghost"
						kept = append(kept, d)
					}
				}
				if len(ds) > 0 && number(&ds[0].Message) == "8" {
					ds = append(ds, kept...)
				}
				return ds
			})
		}, all(oracle.Duplicated)},
		"stored twice": {func() queue.Hooks {
			return sent(func(ctx context.Context, m queue.Message, done func(queue.Result), next queue.ProduceFunc) {
				next(ctx, []queue.Message{m}, func(_ int, r queue.Result) { done(r) })
				next(ctx, []queue.Message{m}, ignore)
			})
		}, want{history.ByPosition: none, history.ByID: {oracle.Duplicated: 1}, history.ByContent: {oracle.Duplicated: 1}}},
		"changed": {func() queue.Hooks {
			return received(func(ds []queue.Delivery) []queue.Delivery {
				for i := range ds {
					if number(&ds[i].Message) == "3" {
						ds[i].Body = []byte("changed")
					}
				}
				return ds
			})
		}, want{history.ByPosition: {oracle.Corrupted: 1}, history.ByID: {oracle.Corrupted: 1}, history.ByContent: {oracle.Lost: 1, oracle.Unexpected: 1}}},
		"overtaken": {func() queue.Hooks {
			return received(func(ds []queue.Delivery) []queue.Delivery {
				slices.SortFunc(ds, func(a, b queue.Delivery) int { // 4 5 6 7: 5 first
					return strings.Compare(strings.Replace(number(&a.Message), "5", "0", 1), strings.Replace(number(&b.Message), "5", "0", 1))
				})
				return ds
			})
		}, want{history.ByPosition: {oracle.Reordered: 1}, history.ByID: {oracle.Reordered: 1}, history.ByContent: none}},
		"a phantom": {func() queue.Hooks {
			return sent(func(ctx context.Context, m queue.Message, done func(queue.Result), next queue.ProduceFunc) {
				next(ctx, []queue.Message{m}, func(_ int, r queue.Result) { done(r) })
				next(ctx, []queue.Message{numbered(33)}, ignore)
			})
		}, want{history.ByPosition: none, history.ByID: {oracle.Unexpected: 1}, history.ByContent: {oracle.Unexpected: 1}}},
		"refused and stored": {func() queue.Hooks {
			return sent(func(ctx context.Context, m queue.Message, done func(queue.Result), next queue.ProduceFunc) {
				next(ctx, []queue.Message{m}, func(int, queue.Result) { done(queue.Result{Offset: -1, Err: queue.ErrRefused}) })
			})
		}, want{history.ByPosition: none, history.ByID: {oracle.FailedButDelivered: 1}, history.ByContent: {oracle.FailedButDelivered: 1}}},
		"late": {func() queue.Hooks {
			return received(func(ds []queue.Delivery) []queue.Delivery {
				if len(ds) == 2 { // the last two
					bubble.Sleep(500 * time.Millisecond)
				}
				return ds
			})
		}, want{history.ByPosition: {oracle.Late: 2}, history.ByID: {oracle.Late: 2}, history.ByContent: {oracle.Late: 2}}},
		"in doubt and stored": {func() queue.Hooks {
			return sent(func(ctx context.Context, m queue.Message, done func(queue.Result), next queue.ProduceFunc) {
				next(ctx, []queue.Message{m}, func(int, queue.Result) { done(queue.Result{Offset: -1, Err: queue.ErrUnconfirmed}) })
			})
		}, want{history.ByPosition: none, history.ByID: none, history.ByContent: none}},
		"in doubt and not stored": {func() queue.Hooks {
			return sent(func(_ context.Context, _ queue.Message, done func(queue.Result), _ queue.ProduceFunc) {
				done(queue.Result{Offset: -1, Err: queue.ErrUnconfirmed})
			})
		}, want{history.ByPosition: none, history.ByID: none, history.ByContent: none}},
	}
}

// Each mode finds what it says it sees, and claims nothing of what it does not.
func TestShadowFindsFaults(t *testing.T) {
	blind := map[history.ShadowMode][]string{
		history.ByPosition: {oracle.Duplicated, oracle.Corrupted, oracle.Unexpected, oracle.FailedButDelivered},
		history.ByContent:  {oracle.Reordered, oracle.Corrupted},
	}
	contract := oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey, MaxDelay: 100 * time.Millisecond}
	for name, fault := range faults() {
		for mode, want := range fault.want {
			t.Run(fmt.Sprint(name, " by ", mode), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{AckTimeout: time.Second}), fault.hooks())
					orders(t, s, numbered)
					r := s.judge(contract, "billing")
					if diff := cmp.Diff(want, found(r)); diff != "" {
						t.Errorf("%s\n%s", diff, strings.Join(r.Reasons, "\n"))
					}
					for _, c := range r.Checks {
						anomaly, _, _ := strings.Cut(c.Expr, " ")
						verdict := oracle.Pass
						switch {
						case want[anomaly] > 0:
							verdict = oracle.Fail
						case slices.Contains(blind[mode], anomaly):
							verdict = oracle.Unknown
						}
						if c.Verdict != verdict && !strings.Contains(name, "overtaken") {
							t.Errorf("%s is %s, want %s (%s)", c.Expr, c.Verdict, verdict, c.Reason)
						}
					}
					if r.Counts.Offered != 10 || r.Counts.Offered != r.Counts.Acked+r.Counts.Failed+r.Counts.InDoubt {
						t.Errorf("the account: %+v", r.Counts)
					}
					if strings.HasPrefix(name, "in doubt") && r.Counts.InDoubt != 1 || name == "in doubt and stored" && r.Counts.DoubtProcessed != 1 {
						t.Errorf("in doubt: %+v", r.Counts)
					}
				})
			})
		}
	}
}

// A promise that the mode can judge passes for a queue that keeps it.
func TestShadowPasses(t *testing.T) {
	for mode, contract := range map[history.ShadowMode]oracle.Contract{
		history.ByPosition: {Delivery: oracle.AtLeastOnce, Order: oracle.OrderKey},
		history.ByID:       {Delivery: oracle.ExactlyOnce, Order: oracle.OrderProducer},
		history.ByContent:  {Delivery: oracle.ExactlyOnce},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{}))
			orders(t, s, numbered)
			r := s.judge(contract, "billing")
			if r.Verdict != oracle.Pass || r.Counts.Processed != 10 {
				t.Errorf("by %v: %s %q %+v", mode, r.Verdict, r.Reasons, r.Counts)
			}
			if len(r.Sources) != 1 || r.Sources[0].Name != mode.String() {
				t.Errorf("by %v: sources %+v", mode, r.Sources)
			}
			if c := s.Counts(); c != (history.ShadowCounts{Sent: 10}) {
				t.Errorf("by %v: %+v", mode, c)
			}
		})
	}
}

func TestShadowChangesNothing(t *testing.T) {
	for _, mode := range []history.ShadowMode{history.ByPosition, history.ByID, history.ByContent} {
		synctest.Test(t, func(t *testing.T) {
			var beneath, above []string
			s := newShadow(t, history.ShadowConfig{Mode: mode}, memory.New(memory.Config{}), queue.Hooks{
				Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
					beneath = append(beneath, fmt.Sprintf("%+v", batch))
					next(ctx, batch, done)
				},
			})
			orders(t, s, func(i int) queue.Message {
				m := numbered(i)
				above = append(above, fmt.Sprintf("%+v", []queue.Message{m}))
				return m
			})
			if diff := cmp.Diff(above, beneath); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// IDs that are not unique are named, and nobody is accused for them.
func TestShadowOfIDsThatAreNotUnique(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newShadow(t, history.ShadowConfig{Mode: history.ByID}, memory.New(memory.Config{}))
		orders(t, s, func(i int) queue.Message {
			m := numbered(i)
			if i == 7 {
				m.Headers[0].Value = "5"
			}
			return m
		})
		r := s.judge(oracle.Contract{Delivery: oracle.ExactlyOnce, Order: oracle.OrderKey}, "billing")
		if diff := cmp.Diff(map[string]int64{}, found(r)); diff != "" || r.Counts.Processed != 10 {
			t.Errorf("%s %+v", diff, r.Counts)
		}
		notes := 0
		for e := range s.memory.Events() {
			if e.Kind == history.Note {
				notes++
				if !strings.Contains(e.Detail, `topic "orders": the IDs that "header.id" gives`) || !strings.Contains(e.Detail, `"5"`) {
					t.Error(e.Detail)
				}
			}
		}
		if c := s.Counts(); notes != 1 || c.Repeated != 1 || c.Sent != 10 {
			t.Errorf("%d notes, %+v", notes, c)
		}
	})
}

// What cannot be told apart is not in the account, and the verdict is unknown.
func TestShadowOfWhatCannotBeToldApart(t *testing.T) {
	noPositions := queue.Hooks{
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) { r.Offset = -1; done(i, r) })
		},
		Receive: func(ctx context.Context, _ *queue.Session, most int, next queue.ReceiveFunc) ([]queue.Delivery, error) {
			ds, err := next(ctx, most)
			for i := range ds {
				ds[i].Offset = -1
			}
			return ds, err
		},
	}
	zeroPositions := queue.Hooks{
		Produce: func(ctx context.Context, _ *queue.Session, batch []queue.Message, done func(int, queue.Result), next queue.ProduceFunc) {
			next(ctx, batch, func(i int, r queue.Result) { r.Offset = 0; done(i, r) })
		},
	}
	for name, c := range map[string]struct {
		config  history.ShadowConfig
		hooks   queue.Hooks
		without int // messages without an ID
		untold  int64
		why     string
	}{
		"no ID":        {history.ShadowConfig{Mode: history.ByID}, queue.Hooks{}, 2, 4, "header.id is not there"},
		"no position":  {history.ShadowConfig{Mode: history.ByPosition}, noPositions, 0, 20, "tells no position"},
		"one position": {history.ShadowConfig{Mode: history.ByPosition}, zeroPositions, 0, 9, "one position for two messages"},
		"too many":     {history.ShadowConfig{Mode: history.ByContent, Limit: 7}, queue.Hooks{}, 0, 6, "ShadowConfig.Limit"},
	} {
		synctest.Test(t, func(t *testing.T) {
			s := newShadow(t, c.config, memory.New(memory.Config{AckTimeout: time.Second}), c.hooks)
			orders(t, s, func(i int) queue.Message {
				m := numbered(i)
				if i < c.without {
					m.Headers = nil
				}
				return m
			})
			r := s.judge(oracle.Contract{}, "billing")
			if diff := cmp.Diff(map[string]int64{}, found(r)); diff != "" || r.Verdict != oracle.Unknown {
				t.Errorf("%s: %s %s %v", name, r.Verdict, diff, r.Reasons)
			}
			var gap string
			for e := range s.memory.Events() {
				if e.Kind == history.Gap && gap == "" {
					gap = e.Name + ": " + e.Detail
				}
			}
			if got := s.Counts(); got.Unidentified != c.untold || !strings.HasPrefix(gap, history.GapIdentities) || !strings.Contains(gap, c.why) {
				t.Errorf("%s: %+v, %s", name, got, gap)
			}
		})
	}
}

// What every group has acked is forgotten when there is no room, and then what is not known may have been sent.
func TestShadowForgets(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := memory.New(memory.Config{})
		s := newShadow(t, history.ShadowConfig{Mode: history.ByContent, Limit: 10}, q)
		p, _ := s.Producer(t.Context(), "orders")
		c, _ := s.Consumer(t.Context(), "orders", "billing")
		for i := range 100 {
			if i == 90 { // somebody else's
				foreign, _ := q.Producer(t.Context(), "orders")
				queue.Send(t.Context(), foreign, numbered(1))
				receive(t, c, 1)
			}
			queue.Send(t.Context(), p, numbered(i))
			ds := receive(t, c, 1)
			s.Processed(&ds[0], "consumer-1")
			c.Settle(t.Context(), queue.Ack(), ds)
		}
		s.Close(t.Context())
		r := s.judge(oracle.Contract{}, "billing")
		if got := s.Counts(); got.Forgotten != 90 || got.Sent != 100 || got.Unidentified != 1 || len(found(r)) != 0 || r.Counts.Processed != 100 {
			t.Errorf("%+v, %+v, %v", got, r.Counts, found(r))
		}
	})
}

func TestShadowDeadLetter(t *testing.T) {
	s := newShadow(t, history.ShadowConfig{Mode: history.ByPosition}, memory.New(memory.Config{}))
	p, _ := s.Producer(t.Context(), "orders")
	c, _ := s.Consumer(t.Context(), "orders", "billing")
	queue.Send(t.Context(), p, numbered(1))
	ds := receive(t, c, 1)
	if err := s.DeadLettered(&ds[0], "consumer-1"); err != nil {
		t.Error(err)
	}
	c.Settle(t.Context(), queue.Ack(), ds)
	s.Close(t.Context())
	if r := s.judge(oracle.Contract{}, "billing"); r.Counts.DeadLettered != 1 || r.Counts.Lost != 0 {
		t.Errorf("%+v", r.Counts)
	}
	other := newShadow(t, history.ShadowConfig{Mode: history.ByContent}, memory.New(memory.Config{}))
	for _, d := range []queue.Delivery{ds[0], {}} {
		if err := other.Processed(&d, "consumer-1"); !errors.Is(err, history.ErrNotShadowed) {
			t.Errorf("a delivery of another Shadow: %v", err)
		}
	}
}

func TestShadowConfigErrors(t *testing.T) {
	good := history.ShadowConfig{Mode: history.ByContent, Recorder: &history.Memory{}, Run: 1, Start: time.Now()}
	for want, change := range map[string]func(*history.ShadowConfig){
		"Mode must be":         func(c *history.ShadowConfig) { c.Mode = 0 },
		"not 4":                func(c *history.ShadowConfig) { c.Mode = 4 },
		"needed for ByID":      func(c *history.ShadowConfig) { c.Mode = history.ByID },
		"only there":           func(c *history.ShadowConfig) { c.Expression = expression(t, "id") },
		"Recorder, Start":      func(c *history.ShadowConfig) { c.Recorder = nil },
		"Start and Run":        func(c *history.ShadowConfig) { c.Start = time.Time{} },
		"and Run must be":      func(c *history.ShadowConfig) { c.Run = 0 },
		"must not be negative": func(c *history.ShadowConfig) { c.Limit = -1 },
	} {
		c := good
		change(&c)
		if _, err := history.NewShadow(c); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("want %q: %v", want, err)
		}
	}
	same := newShadow(t, history.ShadowConfig{Mode: history.ByContent, Stream: func(string) uint16 { return 3 }}, memory.New(memory.Config{}))
	if _, err := same.Producer(t.Context(), "orders"); err != nil {
		t.Error(err)
	}
	if _, err := same.Consumer(t.Context(), "invoices", "g"); !errors.Is(err, queue.ErrRefused) || !strings.Contains(err.Error(), "ShadowConfig.Stream") {
		t.Error(err)
	}
	for i := range 65 {
		if _, err := same.Consumer(t.Context(), "orders", fmt.Sprint("group ", i)); (err != nil) != (i == 64) {
			t.Error(i, err)
		}
	}
}
