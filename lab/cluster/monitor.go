package cluster

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	askLimit    = time.Second // a node that works answers in milliseconds
	answerLimit = 16 << 20    // bytes
)

// monitor asks nodes over their HTTP monitoring ports. Each is asked by itself, so that one that is paused, which accepts
// connections and never answers, costs one bounded question and does not stand for the others.
type monitor struct{ client *http.Client }

func newMonitor() *monitor {
	return &monitor{&http.Client{
		Transport: &http.Transport{MaxIdleConnsPerHost: 2, IdleConnTimeout: 5 * time.Second},
		Timeout:   askLimit,
	}}
}

func (m *monitor) close() { m.client.CloseIdleConnections() }

// get asks a node and decodes its answer. A status other than OK is an error with the node's own words.
func (m *monitor) get(ctx context.Context, n *node, path string, into any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+address(n.ports.monitor)+path, nil)
	if err != nil {
		return err
	}
	res, err := m.client.Do(req)
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", n.name, err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, answerLimit))
	if err != nil {
		return fmt.Errorf("%s does not finish its answer: %w", n.name, err)
	}
	if res.StatusCode != http.StatusOK {
		var said struct{ Error string }
		if json.Unmarshal(body, &said) != nil || said.Error == "" {
			said.Error = fmt.Sprintf("%s: %.200q", res.Status, body)
		}
		return fmt.Errorf("%s: %s", n.name, said.Error)
	}
	if err := json.Unmarshal(body, into); err != nil {
		return fmt.Errorf("%s answers what is not understood: %w", n.name, err)
	}
	return nil
}

// healthy is nil if the node says that it is in contact with the cluster's leader and current with it, and so is each of its
// streams and consumers.
func (m *monitor) healthy(ctx context.Context, n *node) error {
	var said struct{ Status string }
	if err := m.get(ctx, n, "/healthz", &said); err != nil {
		return err
	}
	if said.Status != "ok" {
		return fmt.Errorf("%s: %s", n.name, said.Status)
	}
	return nil
}

// peer is another member of a group, as its leader sees it.
type peer struct {
	Name    string
	Current bool
	Offline bool
}

// group is what a node knows about the leader of the cluster or of a stream.
type group struct {
	Leader   string
	Replicas []peer // the other members, for the leader; a follower's list says little
}

// report is the part of /jsz that is used here.
type report struct {
	Meta     *group `json:"meta_cluster"`
	Accounts []struct {
		Streams []struct {
			Name    string
			Cluster *group
			Config  struct {
				Replicas int `json:"num_replicas"`
			}
		} `json:"stream_detail"`
	} `json:"account_details"`
}

// report asks what a node knows about the cluster, and about its streams if they matter.
func (m *monitor) report(ctx context.Context, n *node, streams bool) (report, error) {
	path := "/jsz"
	if streams {
		path += "?" + url.Values{"acc": {"$G"}, "streams": {"1"}, "config": {"1"}}.Encode()
	}
	var r report
	err := m.get(ctx, n, path, &r)
	return r, err
}

// answers is nil if the node greets a client, which a paused one does not.
func answers(ctx context.Context, n *node) error {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", n.addr())
	if err != nil {
		return fmt.Errorf("%s does not answer: %w", n.name, err)
	}
	defer func() { _ = conn.Close() }() // only read from
	deadline, _ := ctx.Deadline()
	if err := conn.SetReadDeadline(deadline); err != nil {
		return err
	}
	line, err := bufio.NewReader(conn).ReadString(' ')
	if err != nil {
		return fmt.Errorf("%s accepts a client but does not greet it: %w", n.name, err)
	}
	if !strings.HasPrefix(line, "INFO") {
		return errors.New(n.name + ": something that is not a node listens on its port")
	}
	return nil
}
