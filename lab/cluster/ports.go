package cluster

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"os"
	"strconv"
	"time"
)

const (
	portsPerNode = 3
	lowPort      = 15000 // free ports are drawn from here
	highPort     = 32000 // to below here: the usual ranges for outgoing connections begin at 32768 or 49152
	portDraws    = 500   // bounded, for a machine that has none left
)

// ports are one node's, all on 127.0.0.1.
type ports struct{ client, route, monitor int }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// choosePorts finds three ports for each node and checks that all can be listened on. Between this check and the node's own
// listening somebody may take one; then the node says so, and other ports are tried.
func choosePorts(nodes, first int) ([]ports, error) {
	want := portsPerNode * nodes
	var found []int
	var held []net.Listener // until all are found, so that none is found twice
	defer func() {
		for _, l := range held {
			_ = l.Close()
		}
	}()
	for next := candidates(first); len(found) < want; {
		port, ok := next()
		if !ok {
			return nil, fmt.Errorf("no %d free ports found in %d draws: give Config.Port, or free some", want, portDraws)
		}
		l, err := net.Listen("tcp", address(port))
		if err != nil && first != 0 {
			return nil, fmt.Errorf("port %d (%s) cannot be used: %w: stop what uses it, or choose another Config.Port (0 finds free ones)",
				port, purpose(port-first, nodes), err)
		}
		if err != nil {
			continue
		}
		held = append(held, l)
		found = append(found, port)
	}
	all := make([]ports, nodes)
	for i := range all {
		all[i] = ports{client: found[i], route: found[nodes+i], monitor: found[2*nodes+i]}
	}
	return all, nil
}

func purpose(index, nodes int) string {
	return [...]string{"clients", "routes", "monitoring"}[index/nodes] + " of n" + strconv.Itoa(index%nodes+1)
}

// candidates counts up from first, or else draws ports that the kernel does not use for outgoing connections.
func candidates(first int) func() (port int, ok bool) {
	if first != 0 {
		next := first - 1
		return func() (int, bool) { next++; return next, true }
	}
	outgoingLow, outgoingHigh := outgoingPorts()
	draw := rand.New(rand.NewPCG(uint64(os.Getpid()), uint64(time.Now().UnixNano())))
	return func() (int, bool) {
		for range portDraws {
			port := lowPort + draw.IntN(highPort-lowPort)
			if port < outgoingLow || port > outgoingHigh {
				return port, true
			}
		}
		return 0, false
	}
}

// refuses is nil when nothing listens on the port any more.
func refuses(port int) error {
	conn, err := net.DialTimeout("tcp", address(port), time.Second)
	if err == nil {
		return errors.Join(fmt.Errorf("port %d still accepts", port), conn.Close())
	}
	if !refused(err) {
		return fmt.Errorf("port %d does not refuse: %w", port, err)
	}
	return nil
}
