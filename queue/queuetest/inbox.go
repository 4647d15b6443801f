package queuetest

import (
	"fmt"
	"time"

	"github.com/havoqlab/havoq/queue"
)

// inbox compares what comes with what was sent.
type inbox struct {
	e     *env
	group string
	want  map[string]*queue.Message
	count map[string]int
	got   []queue.Delivery // first deliveries, as they came
	began time.Time
}

func (e *env) inbox(group string, ms []queue.Message) *inbox {
	in := &inbox{e: e, group: group, want: make(map[string]*queue.Message, len(ms)), count: make(map[string]int, len(ms)), began: time.Now()}
	for i := range ms {
		in.want[ms[i].ID] = &ms[i]
	}
	return in
}

func (in *inbox) complete() bool { return len(in.got) == len(in.want) }

func (in *inbox) String() string {
	s := fmt.Sprintf("%d of %d messages received", len(in.got), len(in.want))
	for id := range in.want {
		if in.count[id] == 0 {
			return s + " (missing " + id + ")"
		}
	}
	return s
}

// take accounts for deliveries. A second copy is wrong unless the ack timeout may have passed meanwhile, on a slow machine.
func (in *inbox) take(ds []queue.Delivery) {
	in.e.Helper()
	for i := range ds {
		d := &ds[i]
		m := in.want[d.ID]
		if m == nil {
			in.e.Fatalf("message %q was delivered, and never sent here (or not expected)", d.ID)
		}
		in.count[d.ID]++
		if in.count[d.ID] == 1 {
			in.e.same(d, m, in.group)
			in.got = append(in.got, *d)
			continue
		}
		if in.e.h.AckTimeout <= 0 || time.Since(in.began) < in.e.h.AckTimeout {
			in.e.Fatalf("message %s was delivered %d times", d.ID, in.count[d.ID])
		}
	}
}
