package oracle_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// tale is a history in a few readable lines, with the judgement that is expected of it; see testdata/README.
type tale struct {
	name     string
	contract oracle.Contract
	verdict  oracle.Verdict
	expect   map[string]float64
	checks   map[string]oracle.Verdict
	depends  []string // checks without which the verdict would be another
	reasons  []string // parts of the reasons
	events   []history.Event

	now  int64
	step int64
}

func readTale(t *testing.T, file string) *tale {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return parseTale(t, file, string(text))
}

func parseTale(t *testing.T, name, text string) *tale {
	t.Helper()
	s := &tale{name: name, step: int64(time.Millisecond), expect: map[string]float64{},
		checks: map[string]oracle.Verdict{}}
	for i, line := range strings.Split(text, "\n") {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) > 0 {
			if err := s.line(words); err != nil {
				t.Fatalf("%s:%d: %v", name, i+1, err)
			}
		}
	}
	return s
}

// line reads one line.
func (s *tale) line(words []string) (err error) {
	if at, ok := strings.CutPrefix(words[0], "@"); ok {
		d, err := time.ParseDuration(at)
		if err != nil {
			return err
		}
		s.now = int64(d) - s.step
		words = words[1:]
	}
	if words[0] == "reason" {
		s.reasons = append(s.reasons, strings.Join(words[1:], " "))
		return nil
	}
	var args []string
	options := map[string]string{}
	for _, w := range words[1:] {
		if k, v, ok := strings.Cut(w, "="); ok {
			options[k] = v
		} else {
			args = append(args, w)
		}
	}
	switch words[0] {
	case "contract":
		return s.promise(args, options)
	case "expect":
		s.verdict = oracle.Verdict(args[0])
		for k, v := range options {
			if s.expect[k], err = strconv.ParseFloat(v, 64); err != nil {
				return err
			}
		}
		return nil
	case "check":
		s.checks[args[0]+" == 0"] = oracle.Verdict(args[1])
		return nil
	case "depends":
		s.depends = args
		return nil
	case "step":
		d, err := time.ParseDuration(args[0])
		s.step = int64(d)
		return err
	}
	return s.event(words[0], args, options)
}

func (s *tale) promise(args []string, options map[string]string) error {
	s.contract.Delivery = oracle.Delivery(args[0])
	s.contract.Order = oracle.Order(options["order"])
	if f := options["forgive"]; f != "" {
		s.contract.Forgive = []string{f}
	}
	if a := options["allow"]; a != "" {
		s.contract.Allow = strings.Split(a, ",")
	}
	if d := options["max-delay"]; d != "" {
		delay, err := time.ParseDuration(d)
		s.contract.MaxDelay = delay
		return err
	}
	return nil
}

var producing = map[string][]history.Kind{
	"invoke": {history.Invoke}, "ok": {history.Outcome}, "failed": {history.Outcome}, "unknown": {history.Outcome},
	"send": {history.Invoke, history.Outcome},
}

var consuming = map[string][]history.Kind{
	"deliver": {history.Deliver}, "process": {history.Processed}, "ack": {history.Settle}, "nack": {history.Settle},
	"dead": {history.DeadLetter}, "done": {history.Deliver, history.Processed, history.Settle},
}

var telling = map[string][]history.Kind{
	"begin": {history.FaultBegin}, "seen": {history.FaultSeen}, "healing": {history.HealBegin}, "gone": {history.HealSeen},
	"fault": {history.FaultBegin, history.FaultSeen}, "healed": {history.HealBegin, history.HealSeen}, "phase": {history.Phase},
	"abort": {history.Abort}, "end": {history.End}, "node": {history.Node},
}

func (s *tale) event(verb string, args []string, options map[string]string) error {
	switch {
	case verb == "life":
		return s.messages(args[1], args[2], func(id queue.Identity) error {
			if err := s.produce("send", id, options); err != nil {
				return err
			}
			return s.consume("done", args[0], id, options)
		})
	case producing[verb] != nil:
		return s.messages(args[0], args[1], func(id queue.Identity) error { return s.produce(verb, id, options) })
	case consuming[verb] != nil:
		return s.messages(args[1], args[2], func(id queue.Identity) error { return s.consume(verb, args[0], id, options) })
	case telling[verb] != nil:
		return s.tell(verb, args, options)
	}
	e := history.Event{Outcome: outcome(options, queue.OK)}
	switch verb {
	case "hit":
		return s.messages(args[1], args[2], func(id queue.Identity) error {
			s.add(history.Event{Kind: history.Hit, Name: args[0], Identity: id, Group: options["group"], Detail: options["verb"]})
			return nil
		})
	case "drain":
		e.Kind, e.Group = history.Drain, args[0]
		return s.value(e, options["left"])
	case "lag":
		e.Kind, e.Name, e.Group = history.Sample, "lag", args[0]
		return s.value(e, args[1])
	case "notsent":
		e.Kind = history.NotSent
		return s.value(e, args[0])
	case "source":
		if e.Kind, e.Name, e.Detail = history.Source, args[1], strings.ReplaceAll(options["blind"], ",", history.Blind); args[0] != "-" {
			e.Group = args[0]
		}
		e.Outcome = queue.Unknown
		s.add(e)
		return nil
	case "strange":
		s.add(history.Event{Kind: history.Kind(number(map[string]string{"kind": args[0]}, "kind"))})
		return nil
	case "gap":
		e.Kind, e.Name = history.Gap, args[0]
		return s.value(e, args[1])
	case "reserve":
		e.Kind = history.Reserve
		return s.messages(args[0], args[1], func(id queue.Identity) error {
			if e.Identity = id; options["run"] != "" {
				e.Identity.Run = uint32(number(options, "run"))
			}
			return s.value(e, args[2])
		})
	}
	return fmt.Errorf("unknown word %q", verb)
}

func (s *tale) add(e history.Event) {
	s.now += s.step
	e.At = s.now
	s.events = append(s.events, e)
}

func (s *tale) value(e history.Event, text string) (err error) {
	if text != "" {
		e.Value, err = strconv.ParseFloat(text, 64)
	}
	s.add(e)
	return err
}

// messages calls do for each message: of a producer "p1", "p1.2" (epoch 2) or "p1.2.3" (stream 3), numbers "0", "0..9", "2,0,1".
func (s *tale) messages(producer, numbers string, do func(queue.Identity) error) error {
	id := queue.Identity{Run: 7}
	parts := strings.Split(strings.TrimPrefix(producer, "p"), ".")
	for i, part := range parts {
		n, err := strconv.Atoi(part)
		if err != nil {
			return err
		}
		switch i {
		case 0:
			id.Producer = uint32(n)
		case 1:
			id.Epoch = uint16(n)
		case 2:
			id.Stream = uint16(n)
		}
	}
	for _, span := range strings.Split(numbers, ",") {
		from, to, ok := strings.Cut(span, "..")
		if !ok {
			to = from
		}
		first, err := strconv.ParseUint(from, 10, 64)
		if err != nil {
			return err
		}
		last, err := strconv.ParseUint(to, 10, 64)
		if err != nil {
			return err
		}
		for id.Seq = first; id.Seq <= last; id.Seq++ {
			if err := do(id); err != nil {
				return err
			}
		}
	}
	return nil
}

func number(options map[string]string, key string) int64 {
	n, _ := strconv.ParseInt(options[key], 10, 64)
	return n
}

func outcome(options map[string]string, otherwise queue.Outcome) queue.Outcome {
	switch options["outcome"] {
	case "unknown":
		return queue.Unknown
	case "failed":
		return queue.Failed
	default:
		return otherwise
	}
}

func (s *tale) produce(verb string, id queue.Identity, options map[string]string) error {
	for _, kind := range producing[verb] {
		e := history.Event{Kind: kind, Identity: id, Client: "producer", Attempt: int32(max(1, number(options, "attempt"))),
			Name: options["name"]}
		if options["run"] != "" {
			e.Identity.Run = uint32(number(options, "run"))
		}
		if kind == history.Invoke {
			e.Back, e.Intended = uint32(number(options, "back")), s.now+s.step
			if id.Seq < uint64(e.Back) {
				e.Back = 0
			}
		} else {
			e.Outcome = map[string]queue.Outcome{"failed": queue.Failed, "unknown": queue.Unknown}[verb]
			if verb == "ok" || verb == "send" {
				e.Outcome = queue.OK
			}
		}
		s.add(e)
	}
	return nil
}

func (s *tale) consume(verb, group string, id queue.Identity, options map[string]string) error {
	for _, kind := range consuming[verb] {
		e := history.Event{Kind: kind, Identity: id, Group: group, Client: "consumer", Claim: number(options, "claim"),
			Name: options["name"]}
		if options["run"] != "" {
			e.Identity.Run = uint32(number(options, "run"))
		}
		e.Damage = map[string]history.Damage{"payload": history.CorruptPayload, "envelope": history.CorruptEnvelope,
			"foreign": history.Foreign}[options["damage"]]
		if e.Damage > history.CorruptPayload {
			e.Identity = queue.Identity{}
		}
		if kind == history.Settle {
			e.Ack, e.Outcome = verb != "nack", outcome(options, queue.OK)
		}
		s.add(e)
	}
	return nil
}

func (s *tale) tell(verb string, args []string, options map[string]string) error {
	for _, kind := range telling[verb] {
		e := history.Event{Kind: kind, Node: options["node"]}
		if len(args) > 0 {
			e.Name = args[0]
			e.Detail = strings.Join(args[1:], " ")
		}
		if kind == history.FaultSeen {
			e.Value = 1
			if options["hits"] != "" {
				e.Value = float64(number(options, "hits"))
			}
		}
		s.add(e)
	}
	return nil
}

func (s *tale) judge(j *oracle.Judge) oracle.Result {
	for i := range s.events {
		j.Observe(&s.events[i])
	}
	return j.Result()
}

// figures is everything that a tale may expect, by name.
func figures(r oracle.Result) map[string]float64 {
	c := r.Counts
	m := map[string]float64{
		"offered": float64(c.Offered), "acked": float64(c.Acked), "failed": float64(c.Failed), "in_doubt": float64(c.InDoubt),
		"not_sent": float64(c.NotSent), "delivered": float64(c.Delivered), "processed": float64(c.Processed),
		"dead_lettered": float64(c.DeadLettered), "queued": float64(c.Queued), "in_doubt_processed": float64(c.DoubtProcessed),
		"unaccounted": float64(c.Unaccounted), "processed_twice": float64(c.ProcessedTwice), "attempts": float64(c.Attempts),
		"prefix": float64(c.LostPrefix), "middle": float64(c.LostMiddle), "tail": float64(c.LostTail),
		"pairs": float64(c.OrderedPairs), "deliveries": float64(c.Deliveries),
	}
	for name, a := range r.Anomalies {
		m[name] = float64(a.Total)
		m[name+".caused"], m[name+".during"], m[name+".unexplained"] = float64(a.Caused), float64(a.During), float64(a.Unexplained)
	}
	for _, o := range r.Outages {
		m[o.Side+".outages"]++
		m[o.Side+".seconds"] += o.Seconds()
	}
	if len(r.Faults) > 0 {
		f := r.Faults[0]
		m["begin"], m["seen"], m["heal"], m["gone"] = seconds(f.Begin), seconds(f.Seen), seconds(f.Heal), seconds(f.Gone)
		m["hits"] = float64(f.Hits)
	}
	for i, rec := range r.Recovery {
		suffix := ""
		if i > 0 {
			suffix = fmt.Sprint(".", i)
		}
		m["failover"+suffix], m["consume"+suffix], m["lag"+suffix] = rec.Failover, rec.Consume, rec.Lag
	}
	return m
}

func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }
