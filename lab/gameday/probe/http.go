package probe

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"

	"github.com/havoqlab/havoq/lab/gameday/scenario"
)

const (
	maxBody      = 64 << 10 // read of a body; what is beyond does not matter to a probe
	maxRedirects = 5
)

// openHTTP makes the asker of a web address: GET, straight (no proxy of the environment, which would answer in the place of
// a dead server), redirects followed on the same host only.
func openHTTP(p scenario.Probe) (asker, func(), error) {
	want := p.Status
	if want == 0 {
		want = http.StatusOK
	}
	if _, err := url.Parse(p.HTTP); err != nil {
		return nil, nil, fmt.Errorf("http: %w", err)
	}
	transport := &http.Transport{DisableKeepAlives: true, MaxResponseHeaderBytes: maxBody}
	client := &http.Client{Transport: transport, CheckRedirect: sameHost}
	ask := func(ctx context.Context) answer { return get(ctx, client, p.HTTP, want) }
	return ask, transport.CloseIdleConnections, nil
}

// sameHost follows redirects within one host. One that leads elsewhere is the answer itself: whether another host is well
// is another probe's question.
func sameHost(next *http.Request, via []*http.Request) error {
	if next.URL.Host != via[0].URL.Host || len(via) >= maxRedirects {
		return http.ErrUseLastResponse
	}
	return nil
}

func get(ctx context.Context, client *http.Client, address string, want int) answer {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return answer{detail: err.Error()}
	}
	req.Header.Set("User-Agent", "havoq-probe")
	res, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // the address is the probe's own, and known
		}
		return answer{detail: err.Error()}
	}
	defer res.Body.Close()
	if _, err := io.Copy(io.Discard, io.LimitReader(res.Body, maxBody)); err != nil {
		return answer{detail: res.Status + ", and the body broke off: " + err.Error()}
	}
	if res.StatusCode == want {
		return answer{true, res.Status}
	}
	detail := fmt.Sprintf("%s, not %d", res.Status, want)
	if to := res.Header.Get("Location"); to != "" {
		detail += fmt.Sprintf(" (redirect to %.200q not followed)", to)
	}
	return answer{detail: detail}
}
