package history_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/havoqlab/havoq/history"
	"github.com/havoqlab/havoq/queue"
)

// A service that knows nothing of havoq's queue tells what it has done, by the IDs that its messages have.
func ExampleApp() {
	folder, _ := os.MkdirTemp("", "havoq")
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "billing.jsonl")

	recorder, err := history.NewApp(history.AppConfig{File: path, Group: "billing", Input: "orders", Output: "invoices"})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := history.WithApp(context.Background(), recorder)
	bill := func(ctx context.Context, order string) error {
		told := history.AppFrom(ctx)
		if err := told.Sending("i-" + order); err != nil {
			return err
		}
		// … send the invoice …
		if err := told.Sent("i-"+order, queue.OK, ""); err != nil {
			return err
		}
		return told.Processed(order, "invoice i-"+order) // and then ack
	}
	fmt.Println(bill(ctx, "4711"), recorder.Close(ctx))

	f, _ := os.Open(path)
	defer f.Close()
	records := history.ReadAppRecords(f)
	for r := range records.Records() {
		fmt.Printf("%d %s %q %q\n", r.Seq, r.What, r.ID, r.Effect)
	}
	fmt.Println(records.Err(), records.Warnings())
	// Output:
	// <nil> <nil>
	// 0 begin "" ""
	// 1 sending "i-4711" ""
	// 2 sent "i-4711" ""
	// 3 processed "4711" "invoice i-4711"
	// 4 end "" ""
	// <nil> []
}
