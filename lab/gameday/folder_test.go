package gameday

import "testing"

func TestRedact(t *testing.T) {
	for text, want := range map[string]string{
		`url: "nats://ann:hunter2@broker.example:4222?replicas=3"`:      `url: "nats://***@broker.example:4222?replicas=3"`,
		`{ http: http://ann:it's-me@127.0.0.1:8080/orders, ids: id }`:   `{ http: http://***@127.0.0.1:8080/orders, ids: id }`,
		`sql: 'postgres://ann:a@b@db/orders'`:                           `sql: 'postgres://***@db/orders'`,
		`nats://token@n1:4222,nats://token@n2:4222`:                     `nats://***@n1:4222,nats://***@n2:4222`,
		`{ http: 'http://127.0.0.1:8080/a', mail: 'ann@example.com' }`:  `{ http: 'http://127.0.0.1:8080/a', mail: 'ann@example.com' }`,
		`{ http: 'http://127.0.0.1:8080' }  # ask ann@example.com, why`: `{ http: 'http://127.0.0.1:8080' }  # ask ann@example.com, why`,
	} {
		if got := redact(text); got != want {
			t.Errorf("%s becomes %s, want %s", text, got, want)
		}
	}
}
