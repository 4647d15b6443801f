package observe

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// maxListing bounds the body or the output of a listing.
const maxListing = 64 << 20

// Web lists IDs out of the JSON that a web address answers with. It goes straight there: no proxy of the environment, and no
// redirect, may answer in the place of a dead server.
type Web struct {
	// URL may have a user and a password; errors do not.
	URL string
	// Path says where the IDs are: names with dots between them. Lists on the way, and at the end, are gone through.
	Path string
}

var _ Lister = Web{}

// List implements Lister.
func (l Web) List(ctx context.Context, found func(id string) error) error {
	if err := l.list(ctx, found); err != nil {
		return fmt.Errorf("GET %s: %w", l.place(), err)
	}
	return nil
}

func (l Web) list(ctx context.Context, found func(string) error) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, l.URL, nil)
	if err != nil {
		return errors.New("not a web address")
	}
	req.Header.Set("User-Agent", "havoq")
	req.Header.Set("Accept", "application/json")
	client := &http.Client{
		Transport:     &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	res, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error
		if errors.As(err, &wrapped) {
			err = wrapped.Err // without the address
		}
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("it answered %s", res.Status)
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxListing+1))
	switch {
	case err != nil:
		return err
	case len(body) > maxListing:
		return fmt.Errorf("the answer is larger than %d MiB, and havoq reads no more", maxListing>>20)
	}
	return l.find(body, found)
}

func (l Web) find(body []byte, found func(string) error) error {
	var value any
	d := json.NewDecoder(strings.NewReader(string(body)))
	d.UseNumber() // an ID is as it is written
	if err := d.Decode(&value); err != nil {
		return fmt.Errorf("the answer is not JSON: %w", err)
	}
	return walk(value, strings.Split(l.Path, "."), "", found)
}

// walk goes down the path, through all lists.
func walk(value any, path []string, at string, found func(string) error) error {
	switch v := value.(type) {
	case []any:
		for _, item := range v {
			if err := walk(item, path, at, found); err != nil {
				return err
			}
		}
		return nil
	case map[string]any:
		if len(path) == 0 {
			return fmt.Errorf("%s is an object, and no ID: name the field in observe.effect.ids", orAnswer(at))
		}
		inner, ok := v[path[0]]
		if !ok {
			return fmt.Errorf("%s has no field %q, which observe.effect.ids names", orAnswer(at), path[0])
		}
		return walk(inner, path[1:], strings.TrimPrefix(at+"."+path[0], "."), found)
	}
	switch v := value.(type) {
	case nil:
		return found("")
	case string:
		if len(path) == 0 {
			return found(short(v))
		}
	case json.Number:
		if len(path) == 0 {
			return found(v.String())
		}
	}
	return fmt.Errorf("%s is neither a text nor a number, nor has it fields: look at observe.effect.ids", orAnswer(at))
}

func orAnswer(at string) string {
	if at == "" {
		return "the answer"
	}
	return at
}

func (l Web) place() string {
	u, err := url.Parse(l.URL)
	if err != nil {
		return "the listing"
	}
	return u.Scheme + "://" + u.Host + u.Path
}
