package workload

import (
	"math/rand/v2"
	"time"
)

const (
	backoffFirst = 50 * time.Millisecond
	backoffMost  = time.Second
)

// backoff is the wait before the next try after n failed ones (from 1): full jitter under 50 ms · 2^(n-1), at most 1 s.
func backoff(source *rand.Rand, n int) time.Duration {
	ceiling := backoffMost
	if shift := n - 1; shift < 5 {
		ceiling = min(backoffMost, backoffFirst<<max(0, shift))
	}
	return time.Millisecond + time.Duration(source.Int64N(int64(ceiling)))
}

// retries is a heap of messages that wait for their next attempt, the earliest first. It never holds more than the producer's
// window. (container/heap boxes nothing here, and its interface is five methods.)
type retries []*sending

func (r retries) Len() int           { return len(r) }
func (r retries) Less(i, j int) bool { return r[i].next.Before(r[j].next) }
func (r retries) Swap(i, j int)      { r[i], r[j] = r[j], r[i] }
func (r *retries) Push(x any)        { *r = append(*r, x.(*sending)) }
func (r *retries) Pop() any {
	last := len(*r) - 1
	s := (*r)[last]
	(*r)[last] = nil
	*r = (*r)[:last]
	return s
}
