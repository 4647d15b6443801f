package queue

import "context"

type clientKey struct{}

// WithClient names the sessions that are opened with the returned context: "producer-1", "consumer-2". The name is
// [Session.Client] in every hook call of such a session, so that records and rules speak of the application's own names, also
// after a client has come back with a new session.
func WithClient(ctx context.Context, name string) context.Context {
	return context.WithValue(ctx, clientKey{}, name)
}

// clientOf returns the name that ctx carries, or "".
func clientOf(ctx context.Context) string {
	name, _ := ctx.Value(clientKey{}).(string)
	return name
}
