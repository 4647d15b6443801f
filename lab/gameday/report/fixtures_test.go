package report_test

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/havoqlab/havoq/lab/gameday/result"
	"github.com/havoqlab/havoq/oracle"
	"github.com/havoqlab/havoq/queue"
)

// The fixtures are results as runs give them, made from a little model of a cluster whose leader dies. They depend on nothing
// but this file, so that a picture changes only when the drawing does.

func sec(s float64) int64 { return int64(s * 1e9) }

func ptr[T any](v T) *T { return &v }

// killRun is a leader killed under load, and everything as it should be.
func killRun() *result.Result {
	r := base()
	r.Verdict, r.Drained, r.Complete = oracle.Pass, true, true
	r.Phases = phasesOf(r, 0, "baseline", 5, "inject", 5.1, "observe", 22.4, "recover", 24.9, "observe", 29.9, "drain", 30.6)
	simulate(r, model{rate: 2000, end: 30.6, stop: 29.9, down: 5.02, up: 10.31, nodes: true})
	c := &r.Counts
	c.Offered, c.Acked, c.Failed, c.InDoubt, c.DoubtProcessed = 59_800, 59_788, 0, 12, 9
	c.Processed, c.Delivered, c.Attempts, c.Deliveries = 59_788, 59_797, 60_412, 59_871
	r.Faults = []result.Fault{{Layer: "cluster", FaultWindow: oracle.FaultWindow{
		Name: "kill leader", What: "kill n2", Node: "n2", Begin: sec(5.02), Seen: sec(5.061), Heal: sec(22.41), Gone: sec(24.83), Hits: 1}}}
	r.Outages = []oracle.Outage{
		{Side: "produce", Window: oracle.Window{From: sec(5.03), To: sec(10.31)}},
		{Side: "consume", Group: "workers", Window: oracle.Window{From: sec(5.04), To: sec(10.42)}},
	}
	r.Downtime = result.Downtime{Produce: 5.28, Consume: 5.38}
	r.Recovery = []oracle.Recovery{{Fault: "kill leader", Failover: 5.29, Consume: 5.40, Lag: 7.12}}
	r.Anomalies[oracle.Redelivered] = oracle.Anomaly{Total: 74, During: 74}
	r.Exposed = 36_112
	r.Criteria = []oracle.Check{
		{Expr: "lost == 0", Verdict: oracle.Pass, Value: "0"},
		{Expr: "corrupted == 0", Verdict: oracle.Pass, Value: "0"},
		{Expr: "unexpected == 0", Verdict: oracle.Pass, Value: "0"},
		{Expr: "reordered == 0", Verdict: oracle.Pass, Value: "0"},
		{Expr: "failover < 12s", Verdict: oracle.Pass, Value: "5.29s"},
		{Expr: "lag.recovered < 30s", Verdict: oracle.Pass, Value: "7.12s"},
		{Expr: "p99(latency.e2e, baseline) < 200ms", Verdict: oracle.Pass, Value: "18.4ms"},
	}
	r.Guards = []oracle.Check{{Expr: "error_rate < 90% for 20s", Verdict: oracle.Pass, Value: "held"}}
	r.Safety = result.Judgement{Verdict: oracle.Pass, RestsOn: []string{"lost == 0", "corrupted == 0", "unexpected == 0", "reordered == 0"}}
	r.Liveness = result.Judgement{Verdict: oracle.Pass, RestsOn: []string{"drained", "failover < 12s", "lag.recovered < 30s",
		"p99(latency.e2e, baseline) < 200ms", "error_rate < 90% for 20s"}}
	r.ExposedAcked = 24_316
	r.Claims = []oracle.Claim{
		oracle.NewClaim(oracle.Lost, "kill", 0, 1), oracle.NewClaim(oracle.Lost, oracle.PerMessage, 0, 24_316),
		oracle.NewClaim(oracle.Corrupted, "kill", 0, 1), oracle.NewClaim(oracle.Corrupted, oracle.PerMessage, 0, 24_316),
		oracle.NewClaim(oracle.Unexpected, "kill", 0, 1),
		oracle.NewClaim(oracle.Reordered, "kill", 0, 1), oracle.NewClaim(oracle.Reordered, oracle.PerMessage, 0, 24_316),
	}
	r.Latency = map[string]result.Latency{
		"ack":          {Count: 59788, Min: 0.0011, Mean: 0.41, P50: 0.0042, P90: 2.1, P95: 3.6, P99: 5.02, P999: 5.27, Max: 5.29},
		"e2e":          {Count: 59797, Min: 0.0014, Mean: 0.43, P50: 0.0061, P90: 2.2, P95: 3.7, P99: 5.11, P999: 5.38, Max: 5.4},
		"e2e@baseline": {Count: 9988, Min: 0.0014, Mean: 0.0063, P50: 0.0058, P90: 0.0091, P95: 0.012, P99: 0.0184, P999: 0.024, Max: 0.031},
	}
	r.Drains = []result.Drain{{Group: "workers", Proven: true, Took: 0.62, Detail: "0 ready, 0 in flight, 59,797 seen"}}
	r.Probes = map[string]result.Probe{"checkout": {OK: 25, Failed: 5, LatencyMax: 0.041}}
	r.Witnesses = []oracle.Witness{life(oracle.Redelivered, "during", "kill leader", 10231), life(oracle.Redelivered, "during", "kill leader", 10232)}
	r.Log = killLog()
	r.Unproven = []string{
		"Whether the broker ever had the 3 messages that got no answer and were not seen again: they count as in doubt, not as lost. An application that does not send such a message again has lost it.",
		"That it goes as well the next time: 0 of 1 kills lost anything: < 97.5 % of kills at 97.5 % (35 more clean ones for < 10 %, 367 for < 1 %).",
		"A power cut: even kill -9 leaves what a node had written in the page cache of a machine that lives on. Only losing the machine shows whether acknowledged messages were on the disk.",
		"All 3 nodes ran on one machine, over loopback: slow, lossy or split networks, clocks that disagree, and the loss of a whole site were not tried.",
		"Timeliness of each message: the contract has no max-delay, so a late message is not a fault of it.",
		"Your applications: the producers and consumers were havoq's own, which send again with the same ID and ack only after the work. Bugs in your clients, their settings and their retries were not tried.",
	}
	return r
}

// lossRun is a stream with one copy whose node loses its disk: messages are lost, and the scenario expects it.
func lossRun() *result.Result {
	r := killRun()
	r.Scenario, r.Title, r.Run = "unreplicated", "One copy, and its disk is lost", "unreplicated-20261121-181502"
	r.Hypothesis = "A stream with a single replica survives the loss of its node's disk."
	r.Verdict, r.Expected, r.Expect = oracle.Fail, ptr(true), "verdict fail, lost > 0"
	c := &r.Counts
	c.Acked, c.InDoubt, c.DoubtProcessed, c.Failed = 57_911, 1_204, 871, 685
	c.Lost, c.Processed = 8_214, 57_911-8_214
	r.Anomalies[oracle.Lost] = oracle.Anomaly{Total: 8_214, During: 8_201, Unexplained: 13}
	r.Anomalies[oracle.Duplicated] = oracle.Anomaly{Total: 2, Unexplained: 2}
	r.Criteria[0] = oracle.Check{Expr: "lost == 0", Verdict: oracle.Fail, Value: "8,214 (13 unexplained)", Reason: "8,214 acked messages are nowhere, the first is message 9,803 of producer 2"}
	r.Criteria[5] = oracle.Check{Expr: "lag.recovered < 30s", Verdict: oracle.Unknown, Value: "not known", Reason: "the lag did not go back to normal within 25.6s after \"wipe n2\", when the run ended"}
	r.Reasons = []string{
		"lost == 0 does not hold: 8,214 acked messages are nowhere, 8,201 of them during \"wipe n2\"",
		"criterion \"lag.recovered < 30s\" cannot be told: the lag did not go back to normal within 25.6s after \"wipe n2\", when the run ended",
	}
	r.Safety.Verdict, r.Safety.Reasons = oracle.Fail, []string{"lost == 0: found 8,214 (13 unexplained)"}
	r.Liveness.Verdict, r.Liveness.Reasons = oracle.Unknown, r.Reasons[1:]
	r.Claims = []oracle.Claim{
		oracle.NoClaim(oracle.Lost, "wipe", "no fault explains 13 of them"),
		oracle.NoClaim(oracle.Lost, oracle.PerMessage, "8,214 came up, and what comes in bursts has no rate by message"),
		oracle.NewClaim(oracle.Corrupted, "wipe", 0, 1), oracle.NewClaim(oracle.Corrupted, oracle.PerMessage, 0, 24_316),
	}
	r.Faults[0].Name, r.Faults[0].What = "wipe n2", "wipe n2"
	r.Recovery = []oracle.Recovery{{Fault: "wipe n2", Failover: 5.29, Consume: 5.4, Lag: -1}}
	r.Witnesses = nil
	for i := range 7 {
		r.Witnesses = append(r.Witnesses, life(oracle.Lost, "during", "wipe n2", 9803+uint64(i)))
	}
	r.Witnesses = append(r.Witnesses, life(oracle.Duplicated, "unexplained", "", 44_120))
	r.Counts.NotSent = 131
	r.Again = "havoq run unreplicated --seed 4242"
	return r
}

// unknownRun did not drain, its fault was never seen, and nothing was sampled.
func unknownRun() *result.Result {
	r := base()
	r.Scenario, r.Title, r.Run = "paused-broker", "The leader stands still", "paused-broker-20261121-190000"
	r.Verdict, r.Drained, r.Complete = oracle.Unknown, false, true
	r.Phases = phasesOf(r, 0, "baseline", 5, "inject", 5.1, "observe", 12, "drain", 30)
	simulate(r, model{rate: 500, end: 30, stop: 12, down: 6, up: 31})
	r.Counts = oracle.Counts{Offered: 6_000, Acked: 2_950, InDoubt: 3_050, Processed: 2_611, Unaccounted: 339, Delivered: 2_640, Attempts: 9_021, Deliveries: 2_640}
	r.Faults = []result.Fault{{Layer: "cluster", FaultWindow: oracle.FaultWindow{Name: "pause leader", What: "pause n1", Node: "n1", Begin: sec(5.05)}}}
	r.Outages = []oracle.Outage{{Side: "produce", Window: oracle.Window{From: sec(6), To: sec(30)}}}
	r.Downtime = result.Downtime{Produce: 24}
	r.Recovery = []oracle.Recovery{{Fault: "pause leader", Failover: -1, Consume: -1, Lag: -1}}
	r.Exposed = 7_100
	r.Criteria = []oracle.Check{
		{Expr: "lost == 0", Verdict: oracle.Unknown, Value: "not known", Reason: "group \"workers\" was not drained: 339 messages left"},
		{Expr: "failover < 12s", Verdict: oracle.Fail, Value: "never", Reason: "sending did not come back within 25s after \"pause leader\""},
		{Expr: "max(memory) < 600MiB", Verdict: oracle.Unknown, Value: "not known", Reason: "no data for max(memory)"},
	}
	r.Criteria[1].Verdict, r.Criteria[1].Value = oracle.Unknown, "not known"
	r.Reasons = []string{"fault \"pause leader\" was never seen in force", "group \"workers\" was not drained: 339 messages left", "criterion \"max(memory) < 600MiB\" cannot be told: no data for max(memory)"}
	r.Safety = result.Judgement{Verdict: oracle.Unknown, Reasons: r.Reasons[:2], RestsOn: []string{"lost == 0"}}
	r.Liveness = result.Judgement{Verdict: oracle.Unknown, Reasons: r.Reasons, RestsOn: []string{"drained", "failover < 12s", "max(memory) < 600MiB"}}
	r.Claims = []oracle.Claim{oracle.NoClaim(oracle.Lost, "pause", r.Reasons[0]), oracle.NoClaim(oracle.Lost, oracle.PerMessage, r.Reasons[0])}
	r.Drains = []result.Drain{{Group: "workers", Left: 339, Took: 18, Detail: "time-out"}}
	r.Latency = map[string]result.Latency{}
	r.Resources, r.MemoryMax = nil, 0
	r.SelfTest = oracle.SelfTest{}
	r.Unproven = []string{"What became of the messages that were not processed: the queue was not proven empty, so they may be waiting, and they may be lost."}
	return r
}

// abortedRun was ended by a guard before there was much to see.
func abortedRun() *result.Result {
	r := unknownRun()
	r.Scenario, r.Title, r.Run = "message-flood", "Ten times the load", "message-flood-20261121-191500"
	r.Verdict = result.Aborted
	r.Abort = &result.Abort{At: sec(25.6), By: "guard", Why: "guard \"error_rate < 90% for 20s\" broken for 20.2s: error_rate is 100%, not < 90%"}
	r.Guards = []oracle.Check{{Expr: "error_rate < 90% for 20s", Verdict: oracle.Fail, Value: "broken at 25.6s", Reason: r.Abort.Why}}
	r.Reasons = append([]string{"a guard ended the run at 25.6s: " + r.Abort.Why}, r.Reasons...)
	r.Safety.Reasons, r.Liveness.Reasons, r.Liveness.Verdict = r.Reasons, r.Reasons, oracle.Fail
	return r
}

func base() *result.Result {
	r := &result.Result{
		Schema: result.Schema, Scenario: "primary-broker-failure", Title: "The primary broker dies under load",
		Hypothesis: "No acknowledged message is lost; consumers catch up within 30 s.",
		Workload:   "4 producers, 2 consumers, 2,000/s of 512B, 64 keys", Contract: "at-least-once, in order by key",
		Run: "primary-broker-failure-20261121-175731", Seed: 4242, Started: "2026-11-21T17:57:31Z", Groups: 1,
		Anomalies: map[string]oracle.Anomaly{}, SelfTest: oracle.SelfTest{Planted: 8, Found: 8},
		Resources: map[string]result.Resource{
			"havoq": {RSSMax: 131 << 20, RSSLast: 120 << 20, Samples: 30}, "n1": {RSSMax: 88 << 20, Samples: 30},
			"n2": {RSSMax: 91 << 20, Samples: 12}, "n3": {RSSMax: 86 << 20, Samples: 30},
		},
		MemoryMax:   392 << 20,
		Roles:       map[string]string{"executor": "Ada", "observer": "Grace"},
		Environment: result.Environment{Havoq: "0.1.0", Go: "go1.26.8", OS: "linux", Arch: "amd64", CPUs: 2, Target: "3 × nats-server 2.15.2, R3, synced writes"},
		Again:       "havoq run primary-broker-failure --seed 4242",
	}
	for _, name := range oracle.Names() {
		r.Anomalies[name] = oracle.Anomaly{}
	}
	return r
}

func phasesOf(r *result.Result, at float64, steps ...any) []result.Phase {
	var out []result.Phase
	for i := 0; i < len(steps); i += 2 {
		end := toFloat(steps[i+1])
		n := int64((end - at) * 2000)
		p := result.Phase{Name: steps[i].(string), Window: oracle.Window{From: sec(at), To: sec(end)}, Sent: n, Acked: n, Processed: n}
		if end-at > 1 {
			p.P50, p.P99 = ptr(0.006), ptr(0.018)
		}
		out = append(out, p)
		at = end
	}
	r.Seconds = at
	return out
}

func toFloat(v any) float64 {
	if n, ok := v.(int); ok {
		return float64(n)
	}
	return v.(float64)
}

// model is a system that stops at down, and comes back at up with everything that waited.
type model struct {
	rate, end, stop, down, up float64
	nodes                     bool
}

func simulate(r *result.Result, m model) {
	rng := rand.New(rand.NewPCG(1, 2))
	const bucket = 0.2
	t := &r.Timeline
	t.Bucket = bucket
	backlog, lag := 0.0, 0.0
	probe := []*float64{}
	for at := 0.0; at < m.end; at += bucket {
		sent := m.rate * (1 + 0.04*rng.NormFloat64())
		if at >= m.stop {
			sent = 0
		}
		acked, errors, processed := sent, 0.0, sent
		p50, p99 := 0.0055*(1+0.1*rng.Float64()), 0.014*(1+0.5*rng.Float64())
		alive := at < m.down || at >= m.up
		if !alive {
			backlog += sent
			acked, processed, errors = 0, 0, 22+10*rng.Float64()
		} else if backlog > 0 {
			extra := math.Min(backlog, m.rate*1.9)
			backlog -= extra
			acked += extra
			wait := (m.up - m.down) * (backlog + extra) / (m.rate * (m.up - m.down) / bucket)
			p50, p99 = wait+0.02, wait+0.2
			processed = acked * 0.82
			lag += acked - processed
		} else if lag > 0 {
			extra := math.Min(lag, m.rate)
			lag -= extra
			processed += extra
		}
		t.Sent, t.Acked = append(t.Sent, sent), append(t.Acked, acked)
		t.Errors, t.Processed = append(t.Errors, errors), append(t.Processed, processed)
		t.Lag = append(t.Lag, ptr(lag*bucket+12*rng.Float64()))
		if alive && (sent > 0 || processed > 0) {
			t.P50, t.P99 = append(t.P50, &p50), append(t.P99, &p99)
		} else {
			t.P50, t.P99 = append(t.P50, nil), append(t.P99, nil)
		}
		probe = append(probe, nil)
		if i := len(probe) - 1; i%5 == 0 {
			probe[i] = ptr(1.0)
			if !alive {
				probe[i] = ptr(0.0)
			}
		}
	}
	if m.nodes {
		t.Probes = map[string][]*float64{"checkout": probe}
		t.Nodes = killNodes(m)
	}
}

func killNodes(m model) map[string][]result.NodeState {
	state := func(from, to float64, s string) result.NodeState {
		return result.NodeState{Window: oracle.Window{From: sec(from), To: sec(to)}, State: s}
	}
	return map[string][]result.NodeState{
		"n1": {state(0, 0.2, "starting"), state(0.2, m.end, "up")},
		"n2": {state(0, 0.2, "starting"), state(0.2, 5.03, "leader"), state(5.03, 22.4, "down"), state(22.4, 24.8, "starting"), state(24.8, m.end, "up")},
		"n3": {state(0, 0.2, "starting"), state(0.2, 10.2, "up"), state(10.2, m.end, "leader")},
	}
}

func life(anomaly, attribution, fault string, seq uint64) oracle.Witness {
	w := oracle.Witness{Anomaly: anomaly, Attribution: attribution, Fault: fault, Group: "workers",
		Message: queue.Identity{Run: 77, Producer: 2, Stream: 0, Seq: seq},
		Life: []oracle.Step{
			{At: sec(4.981), What: "sent", Detail: "producer-2, attempt 1"},
			{At: sec(4.986), What: "acked", Detail: "offset 9803"},
		}}
	if anomaly != oracle.Lost {
		w.Life = append(w.Life,
			oracle.Step{At: sec(4.99), What: "delivered", Detail: "consumer-1, attempt 1"},
			oracle.Step{At: sec(4.992), What: "processed", Detail: "consumer-1"},
			oracle.Step{At: sec(9.99), What: "settled", Detail: "consumer-1: ack unknown: not confirmed: nats: timeout"},
			oracle.Step{At: sec(10.51), What: "delivered", Detail: "consumer-2, attempt 2"})
	}
	return w
}

func killLog() []result.LogLine {
	return []result.LogLine{
		{At: sec(0), Who: "havoq", Text: "3 nodes are up; n2 leads the stream"},
		{At: sec(0.01), Who: "phase", Text: "baseline begins"},
		{At: sec(5), Who: "phase", Text: "inject begins"},
		{At: sec(5.02), Who: "fault", Text: "kill leader on n2 is being injected: kill n2"},
		{At: sec(5.03), Who: "node", Text: "n2 is down"},
		{At: sec(5.061), Who: "fault", Text: "kill leader on n2 is seen in force: process 31877 is gone, its port refuses"},
		{At: sec(5.1), Who: "phase", Text: "observe begins"},
		{At: sec(10.2), Who: "node", Text: "n3 is the leader"},
		{At: sec(14), Who: "Ada", Text: "the dashboard shows the gap; the alert came after 6 s"},
		{At: sec(22.41), Who: "fault", Text: "kill leader on n2 is being taken back"},
		{At: sec(24.83), Who: "fault", Text: "kill leader on n2 is seen gone: n2 answers and has caught up"},
		{At: sec(30.5), Who: "drain", Text: fmt.Sprintf("group %q is proven empty: 0 ready, 0 in flight", "workers")},
		{At: sec(30.6), Who: "havoq", Text: "the run came to its end"},
	}
}
