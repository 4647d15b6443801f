package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/lab/cluster"
	"github.com/havoqlab/havoq/lab/gameday/criteria"
	"github.com/havoqlab/havoq/lab/workload"
	"github.com/havoqlab/havoq/queue"
)

// benchFlags are the flags of `havoq bench`.
type benchFlags struct {
	producers, consumers, inFlight int
	size                           string
	length                         time.Duration
	record, compare                bool
}

func benchCommand(std streams) *cobra.Command {
	f := benchFlags{}
	c := &cobra.Command{
		Use:   "bench [QUEUE-URL]",
		Short: "Measure a queue in a closed loop",
		Long: "Bench sends and receives as fast as the queue confirms, with a bounded number of messages on the way, and prints\n" +
			"rates and latencies. Without a URL it starts a cluster of three nats-servers, replicates three times and syncs every\n" +
			"write. Figures of a shared machine are noisy: compare within one run.",
		Example: "  havoq bench\n" +
			"  havoq bench 'nats://127.0.0.1:4222?replicas=1' --size 1KiB --for 30s\n" +
			"  havoq bench --compare-recording      # what the evidence costs\n" +
			"  havoq bench memory://",
		Args: cobra.MaximumNArgs(1),
		RunE: func(c *cobra.Command, args []string) error {
			ctx, stop := interruptible(c.Context(), func(text string) { fmt.Fprintln(std.err, text) })
			defer stop()
			return bench(ctx, f, args, std)
		},
	}
	c.Flags().IntVar(&f.producers, "producers", 2, "how many producers")
	c.Flags().IntVar(&f.consumers, "consumers", 2, "how many consumers; 0 measures sending alone")
	c.Flags().IntVar(&f.inFlight, "in-flight", 512, "messages that each producer keeps unconfirmed")
	c.Flags().StringVar(&f.size, "size", "512B", "size of a body")
	c.Flags().DurationVar(&f.length, "for", 10*time.Second, "how long to measure, after a warm-up of a fifth of it")
	c.Flags().BoolVar(&f.record, "record", false, "record every event, as a run does")
	c.Flags().BoolVar(&f.compare, "compare-recording", false, "measure with and without recording in turns, and print the ratio")
	return c
}

func bench(ctx context.Context, f benchFlags, args []string, std streams) (err error) {
	size, err := f.check(len(args) == 0)
	if err != nil {
		return badInput(err)
	}
	dir, err := os.MkdirTemp("", "havoq-bench-")
	if err != nil {
		return failed(err)
	}
	keep := false
	defer func() {
		if !keep {
			err = errors.Join(err, os.RemoveAll(dir))
		}
	}()
	b := &benchRun{flags: f, size: size, dir: dir, std: std}
	if len(args) == 1 {
		b.url = args[0]
	} else {
		started, err := cluster.Start(ctx, cluster.Config{Dir: filepath.Join(dir, "nodes")})
		if err != nil {
			keep = ctx.Err() == nil // for the nodes' logs
			return failed(interrupted(ctx, err))
		}
		defer func() {
			ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchClose)
			defer cancel()
			if closeErr := started.Close(ctx); closeErr != nil {
				err = errors.Join(err, failed(closeErr))
			}
		}()
		b.url = started.URL() + "?replicas=3"
		fmt.Fprintln(std.out, "target: 3 × nats-server in processes of their own, R3, synced writes")
	}
	if f.compare {
		return b.compareRecording(ctx)
	}
	_, err = b.once(ctx, f.record, f.length, true)
	return err
}

// benchClose bounds the closing of a session or of the cluster.
const benchClose = 15 * time.Second

// The bounds of a bench: of a body, also on its own cluster, whose messages are 1 MiB at most with their headers; and of its length.
const (
	maxBenchSize    = 64_000_000
	maxClusterSize  = 1_000_000
	minBench        = 100 * time.Millisecond
	maxBench        = 24 * time.Hour
	maxBenchClients = 10_000
	maxBenchWindow  = 1 << 20
	maxBenchMemory  = 4 << 30 // bytes, of the bodies on the way
)

// check names every flag that is wrong, before anything is started. own says that the cluster will be havoq's.
func (f benchFlags) check(own bool) (size int, err error) {
	var wrong []error
	parsed, err := criteria.ParseSize(f.size)
	most := float64(maxBenchSize)
	if own {
		most = maxClusterSize
	}
	switch {
	case err != nil:
		wrong = append(wrong, fmt.Errorf("--size %s: %w", f.size, err))
	case !(parsed >= 1 && parsed <= most && parsed == math.Trunc(parsed)):
		wrong = append(wrong, fmt.Errorf("--size %s: it must be whole bytes, 1B to %.0fMB", f.size, most/1e6))
	}
	for _, flag := range []struct {
		name            string
		value, min, max int
	}{
		{"producers", f.producers, 1, maxBenchClients}, {"consumers", f.consumers, 0, maxBenchClients},
		{"in-flight", f.inFlight, 1, maxBenchWindow},
	} {
		if flag.value < flag.min || flag.value > flag.max {
			wrong = append(wrong, fmt.Errorf("--%s %d: it must be %d to %d", flag.name, flag.value, flag.min, flag.max))
		}
	}
	if f.length < minBench || f.length > maxBench {
		wrong = append(wrong, fmt.Errorf("--for %s: it must be %s to %s", f.length, minBench, maxBench))
	}
	if f.record && f.compare {
		wrong = append(wrong, errors.New("--record and --compare-recording: choose one; the second one measures with and without"))
	}
	if memory := float64(f.producers) * float64(f.inFlight) * parsed; len(wrong) == 0 && memory > maxBenchMemory {
		wrong = append(wrong, fmt.Errorf("--producers × --in-flight × --size: %s of bodies on the way, and %s is the most: lower one of them",
			criteria.Bytes.Format(memory), criteria.Bytes.Format(maxBenchMemory)))
	}
	return int(parsed), errors.Join(wrong...)
}

// interrupted makes Ctrl-C the reason, whatever broke because of it.
func interrupted(ctx context.Context, err error) error {
	if ctx.Err() == nil || errors.Is(err, context.Cause(ctx)) {
		return err
	}
	return fmt.Errorf("%w: %w", context.Cause(ctx), err)
}

// benchRun measures one queue, on a new topic each time.
type benchRun struct {
	flags benchFlags
	url   string
	size  int
	dir   string
	std   streams
	count int
}

func (b *benchRun) once(ctx context.Context, record bool, length time.Duration, show bool) (res workload.BenchResult, err error) {
	q, err := openQueue(ctx, b.url, nil)
	if err != nil {
		return res, b.notOpen(ctx, err)
	}
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), benchClose)
		defer cancel()
		err = errors.Join(err, q.Close(ctx))
	}()
	b.count++
	cfg := workload.BenchConfig{
		Queue: q, Start: time.Now(), Run: rand.Uint32N(math.MaxUint32) + 1, Topic: fmt.Sprintf("havoq-bench-%08x", rand.Uint32()),
		Producers: b.flags.producers, Consumers: b.flags.consumers, InFlight: b.flags.inFlight, Size: b.size,
		WarmUp: length / 5, Duration: length,
	}
	if record {
		w, err := history.Create(filepath.Join(b.dir, fmt.Sprintf("%d.havoq", b.count)), history.Header{
			Run: cfg.Run, Name: "bench", Start: cfg.Start,
		})
		if err != nil {
			return res, failed(err)
		}
		defer func() { err = errors.Join(err, w.Close()) }()
		cfg.Recorder = w
	}
	if show {
		cfg.Progress = func(p workload.BenchProgress) {
			fmt.Fprintf(b.std.err, "%s  %.0f/s sent, %.0f/s received\n", clock(p.Elapsed), p.SentPerSecond, p.ReceivedPerSecond)
		}
	}
	res, err = workload.Bench(ctx, cfg)
	if err != nil && res.Sent > 0 {
		fmt.Fprint(b.std.out, "so far: ", res)
	}
	if err != nil {
		return res, failed(interrupted(ctx, err))
	}
	fmt.Fprint(b.std.out, res)
	return res, checkBench(res, q.Caps())
}

// notOpen is bad input, for what the person gave could not be opened; unless it was the person who ended it.
func (b *benchRun) notOpen(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return failed(interrupted(ctx, err))
	}
	return badInput(err)
}

// checkBench refuses to call a figure what was measured over errors.
func checkBench(res workload.BenchResult, caps queue.Caps) error {
	if res.Sent == 0 {
		why := cmp.Or(res.LastError, "no send failed either: measure longer with --for")
		return failed(fmt.Errorf("bench: %s confirmed nothing: %s", caps.Driver, why))
	}
	return nil
}

// compareRecording measures in turns, now one and now the other first: a machine's speed drifts by more than the difference, and
// a broker slows down with what it keeps.
func (b *benchRun) compareRecording(ctx context.Context) error {
	const rounds = 6
	var ratios []float64
	for round := range rounds {
		perSecond := map[bool]float64{} // recorded or not
		for turn := range 2 {
			recorded := (round+turn)%2 == 1
			res, err := b.once(ctx, recorded, b.flags.length/rounds, false)
			if err != nil {
				return err
			}
			perSecond[recorded] = res.SentPerSecond
		}
		ratios = append(ratios, perSecond[true]/perSecond[false])
	}
	slices.Sort(ratios)
	fmt.Fprintf(b.std.out, "with recording / without: median %.3f of %d pairs (%.3f to %.3f)\n", (ratios[rounds/2-1]+ratios[rounds/2])/2, rounds, ratios[0], ratios[rounds-1])
	return nil
}
