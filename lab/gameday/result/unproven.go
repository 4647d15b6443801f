package result

import (
	"fmt"

	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/gameday/scenario"
	"github.com/havoqlab/havoq/oracle"
)

// unproven lists what the run does not prove, out of what it did: a report that is read as "it is safe" must say where that
// ends.
func unproven(r *Result, in Input) []string {
	var list []string
	s := in.Scenario
	list = append(list, unprovenFate(r)...)
	list = append(list, unprovenChance(r)...)
	if in.Alone {
		return append(list, "Anything that a history does not tell: which system it was, what clients and load it had, and whether this is "+
			"all of it.")
	}
	list = append(list, unprovenPlace(r, s)...)
	list = append(list, unprovenPromises(s)...)
	return append(list, unprovenClients(s), fmt.Sprintf(
		"More, or for longer, than this: %s, for %s in all. A leak, a full disk or a slow rebuild shows later, or at another load.",
		r.Workload, criteria.FormatSeconds(r.Seconds)))
}

// unprovenFate is about messages of which this run cannot tell.
func unprovenFate(r *Result) (list []string) {
	n := func(v int64) string { return criteria.Count.Format(float64(v)) }
	if !r.Complete {
		list = append(list, "Anything after the end of the history: it breaks off before the run came to its own end.")
	}
	if !r.Drained {
		list = append(list, "What became of the messages that were not processed: the queue was not proven empty, so they may be "+
			"waiting, and they may be lost.")
	}
	if silent := r.Counts.InDoubt - r.Counts.DoubtProcessed; silent > 0 {
		list = append(list, fmt.Sprintf("Whether the broker ever had the %s that got no answer and were not seen again: they count as "+
			"in doubt, not as lost. An application that does not send such a message again has lost it.", messagesWord(silent)))
	}
	if r.Counts.NotSent > 0 {
		list = append(list, fmt.Sprintf("The load that was wanted: %s could not even be offered, so the system saw less than planned.",
			messagesWord(r.Counts.NotSent)))
	}
	if len(r.Faults) > 0 {
		list = append(list, fmt.Sprintf("More than was exposed: of %s sends, %s were under way while a fault was in force.",
			n(r.Counts.Attempts), n(r.Exposed)))
	}
	return list
}

// unprovenChance bounds the chance of what was not seen, by the claims on the first promise of the contract.
func unprovenChance(r *Result) (list []string) {
	if len(r.Faults) == 0 {
		return []string{"Any failure: no fault was injected, so this is how the system behaves when nothing breaks."}
	}
	for _, c := range r.Claims {
		switch {
		case c.Anomaly != r.Claims[0].Anomaly: // the others are in the table of claims
		case c.Unit == oracle.PerMessage && c.Unknown == "" && c.K == 0:
			list = append(list, "A rate of loss by message: "+c.Text+", and only given these very faults, because losses come in bursts.")
		case c.Unknown == "" && c.K == 0:
			outlook := ""
			if c.Outlook != "" {
				outlook = " (" + c.Outlook + ")"
			}
			list = append(list, "That it goes as well the next time: "+c.Text+outlook+".")
		}
	}
	return list
}

// unprovenPlace is about what one machine cannot show.
func unprovenPlace(r *Result, s *scenario.Scenario) []string {
	if s.Target.Cluster == nil {
		return []string{"What the target's machines do: havoq saw it through its client only, and neither its disks nor its power."}
	}
	nodes := "The node"
	if clusterNodes(r, s) > 1 {
		nodes = fmt.Sprintf("All %d nodes", clusterNodes(r, s))
	}
	return []string{
		"A power cut: even kill -9 leaves what a node had written in the page cache of a machine that lives on. Only losing the " +
			"machine shows whether acknowledged messages were on the disk.",
		nodes + " ran on one machine, over loopback: slow, lossy or split networks, clocks that disagree, and the loss of a whole " +
			"site were not tried.",
	}
}

// clusterNodes is how many nodes were seen, the user's own programs aside.
func clusterNodes(r *Result, s *scenario.Scenario) (n int) {
	for name := range r.Timeline.Nodes {
		if _, own := s.Workload.App(name); !own {
			n++
		}
	}
	return n
}

// unprovenPromises is about what the contract leaves out.
func unprovenPromises(s *scenario.Scenario) (list []string) {
	if s.Contract.Order == "" {
		list = append(list, "Order: the contract promises none, so what was overtaken is counted, and fails nothing.")
	}
	if s.Contract.MaxDelay == 0 {
		list = append(list, "Timeliness of each message: the contract has no max-delay, so a late message is not a fault of it.")
	}
	if len(s.Probes) == 0 {
		list = append(list, "What users of the services around the queue notice: the scenario has no probes.")
	}
	return list
}

func unprovenClients(s *scenario.Scenario) string {
	if s.Workload.IsExternal() {
		return "What your application believed to have sent: its messages were seen in the topic only, so that nobody here misses one that " +
			"never got there. Nor was it seen how often the broker had to deliver a message, and in which order."
	}
	habit := "ack only after the work"
	if s.Workload.Ack == "early" {
		habit = "ack before the work, as this scenario wants it"
	}
	return "Your applications: the producers and consumers were havoq's own, which send again with the same ID and " + habit +
		". Bugs in your clients, their settings and their retries were not tried."
}

func messagesWord(n int64) string {
	if n == 1 {
		return "1 message"
	}
	return criteria.Count.Format(float64(n)) + " messages"
}
